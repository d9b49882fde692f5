//! What can go wrong with the embedded database, each a line that says what to change.

use std::io;
use std::path::{Path, PathBuf};

use crate::data_dir::DataDirError;

/// Why the embedded database does not start or stop. Each message is one line and says what to change.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The data directory is locked, unwritable or somebody else's.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Nothing was ever kept there.
    #[error("{} holds no installation: name the directory that does with --data-dir or SIGNET_DATA_DIR, a PostgreSQL server with DATABASE_URL, or start `signet serve` once to make a new one", .dir.display())]
    Absent {
        /// The data directory.
        dir: PathBuf,
    },
    /// There is no home directory, so no place for the engine's cache.
    #[error(
        "the embedded database needs a cache directory: set XDG_CACHE_HOME to a directory that only this user can write"
    )]
    NoCacheDirectory,
    /// The cache directory cannot be written.
    #[error("cannot write to the embedded database's cache {}: {source}: set XDG_CACHE_HOME to a directory that this user can write", .path.display())]
    UnwritableCache {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another user can change the cache, which holds native code that Signet runs.
    #[error("{} can be changed by another user and holds code that Signet runs: set XDG_CACHE_HOME to a directory of this user alone", .path.display())]
    ForeignCache {
        /// The directory that another user owns or can write.
        path: PathBuf,
    },
    /// A file of the cluster cannot be made, read or changed.
    #[error("cannot use the database files in {}: {source}", .path.display())]
    Files {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine did not start.
    #[error("the embedded PostgreSQL does not start: {0}; to use a PostgreSQL server instead set DATABASE_URL")]
    Engine(String),
    /// A connection was still open at shutdown.
    #[error(
        "the embedded PostgreSQL did not stop because a connection to it is still open: close every connection first"
    )]
    StillConnected,
}

impl EmbeddedError {
    /// Whether another process holds the data directory.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::DataDir(DataDirError::Locked { .. }))
    }

    pub(super) fn files(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Files { path, source }
    }

    /// The engine's own message, on one line.
    pub(super) fn engine(message: &str) -> Self {
        let words: Vec<&str> = message.split_whitespace().collect();
        Self::Engine(words.join(" "))
    }

    pub(super) fn ended() -> Self {
        Self::engine("its thread ended")
    }
}

#[cfg(test)]
mod tests {
    use super::EmbeddedError;

    #[test]
    fn an_engine_message_is_one_line() {
        let error = EmbeddedError::engine("FATAL:  lock\n  file\texists\n").to_string();
        assert!(error.contains("FATAL: lock file exists;"), "{error}");
    }
}
