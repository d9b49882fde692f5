//! The person behind a grant, as facts the protocol decides on.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::id::{AccountId, SessionId};

/// OIDC Core §5.1: every standard claim an account can hold. Absent ones are left out of answers.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are the claims of OIDC Core §5.1, by name")]
pub struct StandardClaims {
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub middle_name: Option<String>,
    pub nickname: Option<String>,
    pub preferred_username: Option<String>,
    pub profile: Option<String>,
    pub picture: Option<String>,
    pub website: Option<String>,
    pub gender: Option<String>,
    pub birthdate: Option<String>,
    pub zoneinfo: Option<String>,
    pub locale: Option<String>,
    pub updated_at: Option<DateTime<Utc>>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub phone_number: Option<String>,
    pub phone_number_verified: bool,
    pub address: Option<Value>,
}

/// Everything about a person that claims are made of.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// OIDC Core §5.1.
    pub standard: StandardClaims,
    /// names of groups.
    pub groups: Vec<String>,
    /// what administrators keep of the account, a JSON object.
    pub metadata: Value,
    /// The names of the account's roles, inherited ones included; only where the client asks for them.
    pub roles: Vec<String>,
}

/// What a token needs to know about an account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The internal key.
    pub id: AccountId,
    /// OIDC Core §8: the public subject identifier.
    pub subject: String,
    /// Whether it may sign in and refresh.
    pub active: bool,
    /// Copied into tokens; raising it ends them all.
    pub generation: i64,
}

/// A session that is full and has not expired.
#[derive(Debug, Clone)]
pub struct Session {
    /// The row.
    pub id: SessionId,
    /// Who signed in.
    pub account: Account,
    /// What the person is called on the pages.
    pub username: String,
    /// When, to the millisecond.
    pub auth_time: DateTime<Utc>,
    /// RFC 8176 methods used.
    pub amr: Vec<String>,
    /// The authentication context reached.
    pub acr: String,
}

/// The person behind a grant, and the sign-in it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Whose it is.
    pub account: AccountId,
    /// What the person is called here.
    pub username: String,
    /// The session it came from, while that is kept.
    pub session: Option<SessionId>,
}
