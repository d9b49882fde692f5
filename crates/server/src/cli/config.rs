//! `signet config …`: works without a database and without a running server.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{command::Reply, exit::Exit, output::Output};
use crate::{
    config::{Config, Entry, Flags, example},
    outbound::Outbound,
    tls::Files,
};

/// `signet config …`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Say what is wrong with the settings, all of it at once.
    Check,
    /// Print every setting, its value and where that was written. Secrets are hidden.
    Show,
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Print a commented configuration file.
    Example,
}

impl ConfigCommand {
    pub(super) fn run(self, flags: &Flags, output: Output) -> Exit {
        let config = match self {
            Self::Schema => return output.finish(Reply::done(example::schema().trim_end(), example::schema_value())),
            Self::Example => {
                let text = example::example();
                return output.finish(Reply::done(text.trim_end(), Value::from(text.as_str())));
            }
            Self::Check | Self::Show => Config::load(flags),
        };
        match (self, config) {
            (_, Err(errors)) => {
                output.fail("configuration", &errors.to_string(), None);
                Exit::Usage
            }
            (Self::Show, Ok(config)) => output.finish(show(&config)),
            (_, Ok(config)) => {
                let wrong = wrong_files(&config);
                if !wrong.is_empty() {
                    output.fail("configuration", &wrong.join("\n"), None);
                    return Exit::Usage;
                }
                let text = format!("The settings are in order. The issuer is {}.", config.issuer);
                output.finish(Reply::done(text, json!({ "valid": true, "issuer": config.issuer })))
            }
        }
    }
}

/// What is wrong with the certificates and the key that the settings name, a line each.
fn wrong_files(config: &Config) -> Vec<String> {
    let pair = Files::of(&config.tls).and_then(|files| files.load().err()).map(|error| error.to_string());
    let authorities = Outbound::new(&config.outbound).err().map(|error| error.to_string());
    pair.into_iter().chain(authorities).collect()
}

fn show(config: &Config) -> Reply {
    let entries = config.entries();
    let written = |entry: &Entry| match &entry.value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let width =
        |length: fn(&str) -> usize, texts: Vec<String>| texts.iter().map(|text| length(text)).max().unwrap_or(0);
    let count = |text: &str| text.chars().count();
    let keys = width(count, entries.iter().map(|entry| entry.key.clone()).collect());
    let values = width(count, entries.iter().map(written).collect()).min(48);
    let line = |entry: &Entry| format!("{:keys$}  {:values$}  {}", entry.key, written(entry), entry.source);
    let lines: Vec<String> = entries.iter().map(line).collect();
    Reply::done(lines.join("\n"), json!(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// files that cannot be used are named, with the setting that names them.
    #[test]
    fn files_that_cannot_be_used() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Config::read(&Flags::default(), &pairs, std::path::Path::new("/nonexistent")).unwrap()
        };
        assert!(wrong_files(&read(&[])).is_empty());
        let wrong = wrong_files(&read(&[
            ("SIGNET_ISSUER", "https://id.example"),
            ("SIGNET_TLS__CERT", "/nonexistent/a"),
            ("SIGNET_TLS__KEY", "/nonexistent/b"),
            ("SIGNET_OUTBOUND__TRUSTED_CA", "/nonexistent/c"),
        ]));
        for (line, begins) in wrong.iter().zip(["tls.cert (/nonexistent/a)", "outbound.trusted_ca (/nonexistent/c)"]) {
            assert!(line.starts_with(begins) && line.contains("cannot be read"), "{line}");
        }
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }
}
