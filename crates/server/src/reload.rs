//! Reading the settings again while the program runs: what can change does, the rest is named.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use signet_storage::{Origin, StoreError, audit::Entry as AuditEntry};

use crate::{
    app::App,
    audit::events::EventKind,
    config::{Config, ConfigErrors, Keys},
    entropy::{self, NoEntropy},
    telemetry::logs::LogHandle,
    tls::{Files, Tls},
};

/// What a hook does once nothing can go wrong any more.
pub type Commit = Box<dyn FnOnce() + Send>;

/// Looks at new settings; refuses them with a line that names the setting, or answers what takes them over.
pub type Hook = Box<dyn Fn(&Config) -> Result<Commit, String> + Send + Sync>;

/// What other parts of the program do when settings change, and who may do so at one time.
#[derive(Default)]
pub struct Hooks {
    hooks: Mutex<Vec<Hook>>,
    turn: tokio::sync::Mutex<()>,
}

impl Hooks {
    /// Adds one. It is asked at every reload, also where no setting of its own changed.
    pub fn add(&self, hook: Hook) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    fn prepare(&self, config: &Config) -> Result<Vec<Commit>, Vec<String>> {
        let hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut commits, mut errors) = (Vec::new(), Vec::new());
        for hook in hooks.iter() {
            match hook(config) {
                Ok(commit) => commits.push(commit),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(commits) } else { Err(errors) }
    }
}

/// A hook that sets the log's level.
pub fn log_level(logs: LogHandle) -> Hook {
    Box::new(move |config| {
        let (logs, level) = (logs.clone(), config.log.level.clone());
        crate::telemetry::logs::parse_level(&level).map_err(|error| format!("log.level: {error}"))?;
        Ok(Box::new(move || {
            if logs.level() != level && logs.set_level(&level).is_err() {
                tracing::warn!("the log's level was not set");
            }
        }))
    })
}

/// A hook that serves with the certificate the settings name, read anew.
pub fn certificate(tls: Arc<Tls>) -> Hook {
    Box::new(move |config| {
        let Some(files) = Files::of(&config.tls) else { return Ok(Box::new(|| ())) };
        files.load().map_err(|error| error.to_string())?;
        let tls = Arc::clone(&tls);
        Ok(Box::new(move || {
            if let Err(error) = tls.reload(&files) {
                tracing::error!(%error, "the certificate changed again meanwhile; the one from before serves on");
            }
        }))
    })
}

/// How a reload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The settings that changed and are in effect.
    pub changed: Vec<String>,
    /// The settings that changed and need a restart.
    pub restart: Vec<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The settings are wrong; a line each.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The audit row could not be written.
    #[error("the reload could not be recorded in the audit log: {0}")]
    Store(#[from] StoreError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The work was cut off.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads the settings again. All of it is taken over, or nothing is.
pub async fn reload(app: &Data<App>, origin: Origin) -> Result<Reloaded, ReloadError> {
    let result = attempt(app, origin).await;
    match &result {
        Ok(done) => tracing::info!(changed = ?done.changed, restart = ?done.restart, "the settings were read again"),
        Err(error) => tracing::error!(%error, "the settings were read again and refused; nothing was changed"),
    }
    result
}

async fn attempt(app: &Data<App>, origin: Origin) -> Result<Reloaded, ReloadError> {
    // One at a time: the second one sees what the first one did.
    let _turn = app.hooks.turn.lock().await;
    let running = app.config();
    let reading = Arc::clone(&running);
    let new = tokio::task::spawn_blocking(move || reading.reread()).await.map_err(io::Error::other)??;
    let differences = running.differences(&new);
    let effective = Arc::new(running.with_live_of(&new));
    let changed: Vec<String> = running.differences(&effective).into_iter().map(|one| one.key).collect();
    let rest = differences.into_iter().map(|one| one.key).filter(|key| !changed.contains(key));
    let done = Reloaded { restart: rest.collect(), changed };
    // Hooks read files.
    let (shared, wanted) = (app.clone(), Arc::clone(&effective));
    let prepared = tokio::task::spawn_blocking(move || shared.hooks.prepare(&wanted)).await;
    let commits = prepared.map_err(io::Error::other)?.map_err(ConfigErrors)?;
    record(app, origin, &done).await?;
    for commit in commits {
        commit();
    }
    app.take_over(effective);
    app.channel.look_after_keys();
    Ok(done)
}

async fn record(app: &App, origin: Origin, done: &Reloaded) -> Result<(), ReloadError> {
    let mut turn = entropy::turn()?;
    let detail = done.changed.join(" ");
    let entry = AuditEntry {
        id: turn.uuid(),
        at: turn.now(),
        event: EventKind::ConfigurationReloaded.as_str(),
        result: "success",
        object: Some("configuration".to_owned()),
        detail: (!detail.is_empty()).then_some(detail),
        salt: turn.bytes(),
        ..AuditEntry::default()
    };
    app.store.transaction(move |tx| tx.audit(entry, &origin)).await?;
    Ok(())
}

/// What a person reads.
pub fn text(done: &Reloaded) -> String {
    let mut lines = Vec::new();
    match done.changed.as_slice() {
        [] if done.restart.is_empty() => lines.push("No setting changed.".to_owned()),
        [] => {}
        changed => lines.push(format!("In effect: {}.", changed.join(", "))),
    }
    if !done.restart.is_empty() {
        lines.push(format!("Needs a restart: {}.", done.restart.join(", ")));
    }
    lines.join("\n")
}

/// The settings that a reload takes over, for documentation.
pub fn live_settings() -> Vec<String> {
    Keys::new().iter().filter(|key| key.live).map(|key| key.path.clone()).collect()
}
