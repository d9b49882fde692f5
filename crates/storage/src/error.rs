//! What can go wrong between a request and its rows.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// An error of storage. Callers answer [`StoreError::Unavailable`] with 503, the rest with 500.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is restarting, or has no connection free. Worth trying again.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A statement failed.
    #[error("database: {0}")]
    Statement(DieselError),
    /// A sealed value does not open.
    #[error(transparent)]
    Seal(#[from] crate::seal::SealError),
    /// A row holds what this version does not understand.
    #[error("stored {0} is not understood by this version")]
    Row(&'static str),
    /// Keys could not be made or read.
    #[error(transparent)]
    Keys(#[from] signet_oidc::jose::KeyringError),
    /// Migrations failed.
    #[error("migrations: {0}")]
    Migrations(String),
}

/// What the server says when it cuts or refuses connections.
const LOST: [&str; 9] = [
    "server closed the connection",
    "connection to server",
    "terminating connection",
    "could not receive data",
    "could not send data",
    "no connection to the server",
    "the database system is",
    "canceling statement due to",
    "SSL connection has been closed",
];

/// Whether the connection that gave this error is of no more use.
pub(crate) fn is_lost(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
        | DieselError::BrokenTransactionManager => true,
        DieselError::DatabaseError(_, info) => LOST.iter().any(|sign| info.message().contains(sign)),
        DieselError::RollbackErrorOnCommit { rollback_error, commit_error } => {
            is_lost(rollback_error) || is_lost(commit_error)
        }
        _ => false,
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        if is_lost(&error) { Self::Unavailable(first_line(&error.to_string())) } else { Self::Statement(error) }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
