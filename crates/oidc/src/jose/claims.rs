//! The claims of each kind of token.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{AccountId, GrantId};

/// RFC 9068 §2.2, and what the revocation set needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are registered claims, by name")]
pub struct AccessClaims {
    pub iss: String,
    pub sub: String,
    pub aud: Vec<String>,
    pub exp: i64,
    pub iat: i64,
    pub jti: String,
    pub client_id: String,
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// whose account, in tokens of first-party clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<AccountId>,
    /// The grant the token belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The account's generation when the token was made.
    #[serde(rename = "ugen")]
    pub account_generation: i64,
    /// The client's generation when the token was made.
    #[serde(rename = "cgen")]
    pub client_generation: i64,
    /// Further claims.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// OIDC Core §2.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are registered claims, by name")]
pub struct IdClaims {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub azp: String,
    pub exp: i64,
    pub iat: i64,
    pub auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub acr: String,
    pub amr: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<String>,
    /// Claims about the person.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
