//! What a decision about accounts wants done, and what the audit log says of it.

use chrono::{DateTime, Utc};

use crate::{
    SessionId, UserId,
    password::PasswordHash,
    profile::Profile,
    session::NewSession,
    user::{NewUser, UserState},
};

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
    /// A person signed in where no session begins: the account's newest sign-in.
    NoteSignIn {
        /// Whose.
        user: UserId,
        /// When.
        at: DateTime<Utc>,
    },
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
    /// Moves an account to another state.
    SetState {
        /// Whose.
        user: UserId,
        /// Where it stands from now on.
        state: UserState,
        /// Why, as an administrator said it.
        reason: Option<String>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A new password.
    SetPassword {
        /// Whose.
        user: UserId,
        /// Its hash.
        hash: PasswordHash,
        /// When.
        at: DateTime<Utc>,
    },
    /// What is known of a person, all of it.
    SetProfile {
        /// Whose.
        user: UserId,
        /// From now on.
        profile: Box<Profile>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Ends every session, grant and token of an account, those of offline access too.
    EndEverything {
        /// Whose.
        user: UserId,
        /// When.
        at: DateTime<Utc>,
    },
    /// Stores a link that signs somebody in once.
    IssueLink {
        /// SHA-256 of its secret.
        hash: [u8; 32],
        /// Whom.
        user: UserId,
        /// When.
        at: DateTime<Utc>,
        /// Its end.
        expires: DateTime<Utc>,
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
    /// What was typed: to name the account, or as the reason of an administrator. Kept in the erasable part.
    pub typed: Option<String>,
    /// Names of what was changed; never a value.
    pub detail: Option<String>,
}

/// Declares an enum of events: a line of meaning, a variant, its stored code and the result it has. What is declared is
/// in `ALL`, and so in the catalogue. Crates above declare theirs by it too.
#[macro_export]
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
        /// An operator or administrator made an account.
        Created = "account.created", success;
        /// What is known of a person was changed; the detail names the members, not their values.
        Updated = "user.updated", success;
        /// An account was locked: all it was signed in to, and every token it gave, ended.
        Locked = "account.locked", success;
        /// An account was unlocked.
        Unlocked = "account.unlocked", success;
        /// A new password was set for an account: all it was signed in to, and every token it gave, ended.
        PasswordSet = "account.password_set", success;
        /// A link that signs somebody in once was made.
        LinkIssued = "sign_in_link.issued", success;
        /// A person signed in by such a link.
        LinkUsed = "sign_in_link.used", success;
        /// A sign-in link was refused: unknown, used before, too old, or of an account that may not sign in.
        LinkRefused = "sign_in_link.refused", refused;
    }
}

impl EventKind {
    /// Whether it records something done, as opposed to refused.
    pub fn is_success(self) -> bool {
        self.outcome() == "success"
    }
}
