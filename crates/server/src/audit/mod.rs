//! The audit log around requests: what can be in it, how what has no transaction gets there, and what is done to it in
//! the background.

pub mod events;
pub mod queue;
pub mod upkeep;

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};

use crate::config::Config;

/// How long rows stay, and where they go then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a row stays in the database.
    pub retention: Duration,
    /// Where the files of older rows are.
    pub archive_dir: PathBuf,
}

impl Settings {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            retention: Duration::days(i64::from(config.audit.retention_days)),
            archive_dir: config.audit.archive_dir.clone().unwrap_or_else(|| config.data_dir.join("audit")),
        }
    }

    /// Rows from before this moment have expired.
    pub fn cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - self.retention
    }
}
