//! The normalised authorization request.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::response::ResponseMode;
use crate::{
    claims::ClaimsRequest, client::ResponseType, error::OAuthError, id::ClientId, pkce::Challenge, scope::Scopes,
};

/// OIDC Core §3.1.2.1 `prompt` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// No page may be shown.
    None,
    /// Sign in again.
    Login,
    /// Ask for consent again.
    Consent,
    /// Offer the choice of account.
    SelectAccount,
    /// Initiating User Registration 1.0: open registration.
    Create,
}

/// The `prompt` parameter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    /// OIDC Core §3.1.2.1: `none` stands alone; unknown values are refused.
    pub fn parse(value: Option<&str>) -> Result<Self, OAuthError> {
        let mut prompts = Vec::new();
        for word in value.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            let prompt = match word {
                "none" => Prompt::None,
                "login" => Prompt::Login,
                "consent" => Prompt::Consent,
                "select_account" => Prompt::SelectAccount,
                "create" => Prompt::Create,
                _ => return Err(OAuthError::invalid_request("prompt holds an unknown value")),
            };
            if !prompts.contains(&prompt) {
                prompts.push(prompt);
            }
        }
        if prompts.contains(&Prompt::None) && prompts.len() > 1 {
            return Err(OAuthError::invalid_request("prompt none cannot stand beside another value"));
        }
        Ok(Self(prompts))
    }

    /// Whether `prompt` was asked for.
    pub fn has(&self, prompt: Prompt) -> bool {
        self.0.contains(&prompt)
    }
}

/// OIDC Core §3.1.2.1 `acr_values`, §5.5.1.1: the authentication contexts wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AcrWish {
    /// Any of them suffices; the most wanted first.
    pub values: Vec<String>,
    /// Whether the client cannot go on without.
    pub essential: bool,
}

impl AcrWish {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// RFC 7519 §4.1.7: a request object that is not to be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// The hash of its `jti`.
    pub jti: String,
    /// Until when it would be accepted.
    pub until: DateTime<Utc>,
}

/// A request whose client and redirect URI are known good. Everything a later step needs, nothing a person typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes, as sent (or the only one registered).
    pub redirect_uri: String,
    /// Whether the request named it.
    pub redirect_uri_sent: bool,
    /// What it is answered with.
    pub response_type: ResponseType,
    /// How the answer travels.
    pub response_mode: ResponseMode,
    /// What of the scopes asked for this client may have.
    pub scopes: Scopes,
    /// RFC 8707 §2: the APIs its access tokens are for; the client's default audience when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// OIDC Core §5.5: single claims asked for.
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// OIDC Core §3.1.2.1: the contexts wanted, the most wanted first.
    #[serde(default, skip_serializing_if = "AcrWish::is_empty")]
    pub acr: AcrWish,
    /// RFC 6749 §4.1.1: returned untouched.
    pub state: Option<String>,
    /// OIDC Core §3.1.2.1: copied into the ID token.
    pub nonce: Option<String>,
    /// RFC 7636.
    pub challenge: Option<Challenge>,
    /// Which pages must or must not be shown.
    pub prompt: Prompts,
    /// OIDC Core §3.1.2.1: the greatest age of the sign-in, in seconds.
    pub max_age: Option<u32>,
    /// Prefills the sign-in page.
    pub login_hint: Option<String>,
    /// OIDC Core §3.1.2.1: the languages that pages are wanted in, the most wanted first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ui_locales: Vec<String>,
    /// OIDC Core §3.1.2.1, §5.5: the subject of a verified `id_token_hint`, or those that `claims` names; anyone when empty.
    pub expected_subjects: Vec<String>,
    /// The request object it came in, where that counts once: spent when the answer is issued, so that a page may be
    /// loaded again until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
}
