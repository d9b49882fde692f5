//! The protocol endpoints, one file each.

pub mod authorize;
pub mod check_session;
pub mod client;
pub mod discovery;
pub mod introspect;
pub mod logout;
mod password;
pub mod register;
pub mod revoke;
pub mod token;
pub mod userinfo;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use serde_json::json;
use signet_oidc::{ErrorCode, OAuthError};
use signet_storage::StoreError;

use crate::{
    call::{self, BadInput},
    entropy::NoEntropy,
    guard::rate_limits::Limited,
    hashing::Refusal,
};

/// RFC 6749 §5.1: JSON that no cache keeps.
fn private<T: Serialize>(answer: &T) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(answer)
}

/// What an endpoint that answers JSON can fail with.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Input out of bounds.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// An error of the protocol.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// RFC 6750 §3.1: no token was sent where one is needed.
    #[error("no token was sent")]
    NoToken,
    /// Failed too often.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Password hashing.
    #[error(transparent)]
    Hash(#[from] Refusal),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// Signing keys.
    #[error(transparent)]
    Keys(#[from] signet_oidc::jose::KeyringError),
}

impl EndpointError {
    /// The protocol's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OAuth(error) => error.code,
            Self::NoToken => ErrorCode::InvalidToken,
            Self::Input(_) | Self::Limited(_) => ErrorCode::InvalidRequest,
            Self::Store(StoreError::Unavailable(_)) | Self::Hash(Refusal::Busy) => ErrorCode::TemporarilyUnavailable,
            Self::Store(_) | Self::Entropy(_) | Self::Keys(_) | Self::Hash(_) => ErrorCode::ServerError,
        }
    }

    /// The error as the protocol says it. What is not the caller's fault goes to the log.
    fn to_oauth(&self, request: &HttpRequest) -> (OAuthError, u16) {
        let failed = |code: ErrorCode, description| {
            let id = call::request_id(request).unwrap_or_default();
            tracing::error!(request_id = id, error = %self, "an endpoint failed");
            (OAuthError::new(code, description), code.status())
        };
        match self {
            Self::OAuth(error) => (error.clone(), error.code.status()),
            Self::Input(input) => {
                let error = OAuthError { code: ErrorCode::InvalidRequest, description: input.to_string().into() };
                (error, if input.status() == 415 { 400 } else { input.status() })
            }
            Self::NoToken => {
                let description = "send the token as Authorization: Bearer";
                (OAuthError::new(ErrorCode::InvalidToken, description), 401)
            }
            // RFC 6749 §5.2 has no code of its own for it.
            Self::Limited(limited) => {
                let error = OAuthError { code: ErrorCode::InvalidRequest, description: limited.to_string().into() };
                (error, 429)
            }
            Self::Store(StoreError::Unavailable(_)) => {
                failed(ErrorCode::TemporarilyUnavailable, "the service is not available at this moment; try again")
            }
            Self::Hash(Refusal::Busy) => {
                let description = "too many sign-ins at this moment; try again";
                (OAuthError::new(ErrorCode::TemporarilyUnavailable, description), 503)
            }
            Self::Store(_) | Self::Entropy(_) | Self::Keys(_) | Self::Hash(_) => {
                failed(ErrorCode::ServerError, "something went wrong here")
            }
        }
    }

    /// RFC 6749 §5.2.
    pub fn json(&self, request: &HttpRequest) -> HttpResponse {
        let (error, status) = self.to_oauth(request);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
        if error.code == ErrorCode::InvalidClient {
            // Libraries that read the challenge do not read the body: the error stands in both.
            let challenge = "Basic realm=\"signet\", charset=\"UTF-8\", error=\"invalid_client\"";
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if matches!(self, Self::NoToken) {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"signet\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, "2"));
        }
        let mut response =
            response.json(json!({ "error": error.code.as_str(), "error_description": error.description }));
        if let Self::Limited(limited) = self {
            limited.write(&mut response);
        }
        response
    }

    /// RFC 6750 §3: the error in `WWW-Authenticate` too. `None` means that no token was sent.
    pub fn bearer(error: Option<&Self>, request: &HttpRequest) -> HttpResponse {
        let Some(error) = error else {
            return HttpResponse::Unauthorized()
                .insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"signet\""))
                .finish();
        };
        let mut response = error.json(request);
        let (oauth, _) = match error {
            // What is not the token's fault is no challenge.
            Self::OAuth(oauth) if oauth.code.status() < 500 => (oauth.clone(), 0),
            _ => return response,
        };
        let challenge = format!(
            "Bearer realm=\"signet\", error=\"{}\", error_description=\"{}\"",
            oauth.code.as_str(),
            oauth.description
        );
        if let Ok(value) = header::HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}
