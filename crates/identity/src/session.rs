//! Browser sessions.

use chrono::{DateTime, Utc};

use crate::{SessionId, UserId};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// A factor is missing.
    Pending,
    /// Signed in.
    Full,
}

impl SessionState {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Full => "full",
        }
    }
}

/// A session about to be stored.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its key.
    pub id: SessionId,
    /// SHA-256 of the cookie.
    pub handle: [u8; 32],
    /// Whose it is.
    pub user: UserId,
    /// The generation of the account under which it was proven: whatever ends everything the account has raises that.
    pub generation: i64,
    /// Where it stands.
    pub state: SessionState,
    /// When the person proved who they are.
    pub auth_time: DateTime<Utc>,
    /// The context reached.
    pub acr: String,
    /// The methods used.
    pub amr: Vec<String>,
    /// Ends without use.
    pub idle_expires: DateTime<Utc>,
    /// Ends in any case.
    pub expires: DateTime<Utc>,
}
