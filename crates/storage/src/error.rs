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
    /// The work of a transaction refused, and what it wrote was taken back: see `Store::attempt`.
    #[error("the transaction was taken back")]
    TakenBack,
    /// Migrations failed.
    #[error("migrations: {0}")]
    Migrations(String),
}

/// What the server says, where its messages are English, when it cuts or refuses connections. In other languages the
/// connection is asked: see [`StoreError::doubt`].
const LOST: [&str; 8] = [
    "server closed the connection",
    "connection to server",
    "terminating connection",
    "could not receive data",
    "could not send data",
    "no connection to the server",
    "the database system is",
    "SSL connection has been closed",
];

/// What it says when a statement may do better in a moment, on the same connection.
const PASSING: [&str; 2] = ["canceling statement due to", "deadlock detected"];

/// Whether the connection that gave this error is of no more use.
fn is_lost(error: &DieselError) -> bool {
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

/// Whether the statement was given up for now: a time limit, a deadlock, a serialisation failure.
fn is_passing(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(_, info) => PASSING.iter().any(|sign| info.message().contains(sign)),
        _ => false,
    }
}

/// What an error says about the connection it came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing.
    None,
    /// It may be lost, and the request may be tried again.
    Unavailable,
    /// It may be lost: the error has no kind of its own. It may be a limit or an end told in another language than
    /// English; diesel hands on the text and not the SQLSTATE.
    Unclear,
}

impl StoreError {
    /// Whether the connection that gave this error should be asked if it still lives.
    pub(crate) fn doubt(&self) -> Doubt {
        match self {
            Self::Unavailable(_) => Doubt::Unavailable,
            Self::Statement(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)) => Doubt::Unclear,
            _ => Doubt::None,
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        if is_lost(&error) || is_passing(&error) {
            Self::Unavailable(first_line(&error.to_string()))
        } else {
            Self::Statement(error)
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what passes by itself is told apart from what does not, as far as its words are English.
    #[test]
    fn what_an_error_says_about_its_connection() {
        let said = |text: &str| {
            let error = DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(text.to_owned()));
            StoreError::from(error).doubt()
        };
        for text in [
            "canceling statement due to statement timeout",
            "canceling statement due to lock timeout",
            "terminating connection due to administrator command",
            "the database system is shutting down",
            "deadlock detected",
        ] {
            assert_eq!(said(text), Doubt::Unavailable, "{text}");
        }
        for text in ["storniere Anfrage wegen Zeitüberschreitung der Anweisung", "division by zero"] {
            assert_eq!(said(text), Doubt::Unclear, "{text}");
        }
        let kind = |kind| StoreError::from(DieselError::DatabaseError(kind, Box::new(String::new()))).doubt();
        assert_eq!(kind(DatabaseErrorKind::ClosedConnection), Doubt::Unavailable);
        assert_eq!(kind(DatabaseErrorKind::SerializationFailure), Doubt::Unavailable);
        assert_eq!(kind(DatabaseErrorKind::UniqueViolation), Doubt::None);
    }
}
