//! The log: one line an event on standard error, JSON or for people.
//!
//! Code of others never logs below `info`, whatever the filter says: at `debug` and `trace` libraries print what they
//! send and receive, which holds passwords and tokens, and a new version may begin to at any time.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
};

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::filter_fn, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

/// What is logged where nothing is configured: Signet's own events from `info` on, warnings of everything else.
pub const DEFAULT_LEVEL: &str = "warn,signet=info";

/// Stands before the filter that is configured, and yields to it. These two report every odd byte an outsider sends.
const QUIET: &str = "actix_http=off,actix_server=warn";

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level (`info`), or a list of levels by target (`warn,signet_server::oauth=debug`).
    pub level: String,
    /// How lines look. Read once, at start.
    pub format: Format,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: DEFAULT_LEVEL.to_owned(), format: Format::default() }
    }
}

/// A level that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no log level; write off, error, warn, info, debug or trace, or a list by target such as {DEFAULT_LEVEL:?}"
)]
pub struct BadLevel(pub String);

/// Reads a level. A bare word that is no level is refused: as a target it would silence everything else.
pub fn parse_level(text: &str) -> Result<EnvFilter, BadLevel> {
    let bad = || BadLevel(text.to_owned());
    let bare = |part: &&&str| !part.contains(['=', '[']);
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().filter(bare).any(|part| part.parse::<LevelFilter>().is_err()) {
        return Err(bad());
    }
    EnvFilter::try_new(format!("{QUIET},{}", parts.join(","))).map_err(|_| bad())
}

/// Whether an event may be logged at all: Signet's own, or one of others that is no detail.
fn permitted(event: &Metadata<'_>) -> bool {
    event.target().starts_with("signet") || *event.level() <= Level::INFO
}

/// Changes what is logged while the program runs.
#[derive(Clone)]
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
    level: Arc<ArcSwap<String>>,
}

impl std::fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogHandle").field(&self.level.load()).finish()
    }
}

impl LogHandle {
    /// Replaces the filter. What cannot be read changes nothing.
    pub fn set_level(&self, level: &str) -> Result<(), BadLevel> {
        let filter = parse_level(level)?;
        self.filter.reload(filter).map_err(|_| BadLevel(level.to_owned()))?;
        self.level.store(Arc::new(level.to_owned()));
        Ok(())
    }

    /// The filter as it was last set.
    pub fn level(&self) -> String {
        self.level.load().as_ref().clone()
    }
}

/// Begins to log, panics included. A later call in the same process, as in tests, leaves the first one's log in place.
pub fn init(config: &LogConfig) -> Result<LogHandle, BadLevel> {
    let (filter, handle) = reload::Layer::new(parse_level(&config.level)?);
    let json = match config.format {
        Format::Json => true,
        Format::Pretty => false,
        Format::Auto => !io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.with_target(false).with_ansi(io::stderr().is_terminal()).boxed()
    };
    let installed = tracing_subscriber::registry().with(filter).with(filter_fn(permitted)).with(lines).try_init();
    if installed.is_ok() {
        super::panics::hook();
    }
    Ok(LogHandle { filter: handle, level: Arc::new(ArcSwap::from_pointee(config.level.clone())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for good in ["info", "off", "TRACE", "warn,signet_server::oauth=debug", DEFAULT_LEVEL, " warn , signet=info"] {
            assert!(parse_level(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "verbose", "loud,signet=info", "signet=loud", ","] {
            assert_eq!(parse_level(bad).err(), Some(BadLevel(bad.to_owned())), "{bad:?}");
        }
        assert!(BadLevel("verbose".to_owned()).to_string().contains("warn,signet=info"));
    }

    /// no filter makes libraries log what they send and receive.
    #[test]
    fn details_of_others_are_not_logged() {
        use std::{io::Write, sync::Mutex};

        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);
        impl Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry()
            .with(parse_level("trace,hyper=trace").unwrap())
            .with(filter_fn(permitted))
            .with(tracing_subscriber::fmt::layer().with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "hyper::proto", "theirs-trace");
            tracing::debug!(target: "rustls::conn", "theirs-debug");
            tracing::info!(target: "hyper::proto", "theirs-info");
            tracing::trace!(target: "signet_server::oauth", "ours-trace");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        for (word, logged) in
            [("theirs-trace", false), ("theirs-debug", false), ("theirs-info", true), ("ours-trace", true)]
        {
            assert_eq!(text.contains(word), logged, "{word}: {text}");
        }
    }
}
