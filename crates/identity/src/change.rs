//! What a decision about accounts wants done, and what the audit log says of it.

use chrono::{DateTime, Utc};

use crate::{SessionId, UserId, password::PasswordHash, session::NewSession, user::NewUser};

/// A change of accounts or sessions.
#[derive(Debug)]
pub enum Change {
    /// Stores an account. A taken name is the verdict of the unique key.
    CreateUser(Box<NewUser>),
    /// Stores a session, and notes its start as the account's newest sign-in.
    StartSession(Box<NewSession>),
    /// The same person signed in again in the same browser: the session stays, its cookie and times are new, as is the
    /// account's newest sign-in.
    RenewSession(Box<NewSession>),
    /// Someone else signed in in the same browser: the session before ends, and what hung on it.
    EndSession {
        /// Which.
        session: SessionId,
        /// When.
        at: DateTime<Utc>,
    },
    /// The password's hash at the present cost: the stored one was cheaper.
    RaiseHash {
        /// Whose.
        user: UserId,
        /// The stored hash; one that changed meanwhile is left alone.
        from: PasswordHash,
        /// The new hash.
        to: PasswordHash,
    },
    /// A row of the audit log.
    Audit(Event),
}

/// What happened, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// Whose account.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// What was typed to name the account; kept in the erasable part.
    pub typed: Option<String>,
}

/// The events of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named by its stored code below")]
pub enum EventKind {
    Registered,
    SignedIn,
    SignInFailed,
}

impl EventKind {
    /// The stored code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "account.registered",
            Self::SignedIn => "sign_in.succeeded",
            Self::SignInFailed => "sign_in.failed",
        }
    }

    /// Whether it records something done, as opposed to refused.
    pub fn is_success(self) -> bool {
        !matches!(self, Self::SignInFailed)
    }
}
