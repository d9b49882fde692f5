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

/// Declares an enum of events: a line of meaning, a variant, its stored code and the result it has. What is declared is
/// in `ALL`, and so in the catalogue.
macro_rules! events {
    ($(#[doc = $about:literal])* $name:ident { $(#[doc = $meaning:literal] $variant:ident = $code:literal, $outcome:ident;)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stored code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The result it is recorded with: `success` or `refused`.
            pub fn outcome(self) -> &'static str {
                match self { $(Self::$variant => stringify!($outcome),)* }
            }

            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning.trim_ascii_start(),)* }
            }
        }
    };
}

events! {
    /// The events of accounts.
    EventKind {
        /// An account was made.
        Registered = "account.registered", success;
        /// A person signed in.
        SignedIn = "sign_in.succeeded", success;
        /// A password did not fit, or no account has the name that was typed.
        SignInFailed = "sign_in.failed", refused;
    }
}

impl EventKind {
    /// Whether it records something done, as opposed to refused.
    pub fn is_success(self) -> bool {
        self.outcome() == "success"
    }
}
