//! The token endpoint (RFC 6749 §3.2).
//!
//! A request is authenticated, then handed to the decision of its grant type. Some grant types are driven by
//! oxide-auth's machines; none of them leaves the file of its grant type.

pub mod authorization_code;
pub mod client_auth;
pub mod client_credentials;
mod issue;
pub mod password;
mod presented;
pub mod refresh_token;
pub mod revocation;
#[cfg(test)]
mod tests;

pub use issue::{Issue, Target, TokenResponse};
pub use presented::Presented;

use crate::{
    call::Params,
    client::{Client, GRANT_CLIENT, GRANT_CODE, GRANT_PASSWORD, GRANT_REFRESH},
    error::{ErrorCode, OAuthError},
};

/// Parameters this endpoint knows; each may come once (RFC 6749 §3.2). `resource` may be repeated (RFC 8707 §2).
const KNOWN: [&str; 12] = [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "username",
    "password",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

/// RFC 6749 §4.1.3, §4.3.2, §4.4.2, §6: the grant types with a place in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantRequest {
    /// `authorization_code`.
    Code(authorization_code::CodeRequest),
    /// `refresh_token`.
    Refresh(refresh_token::RefreshRequest),
    /// `client_credentials`.
    Client(client_credentials::ClientRequest),
    /// `password`.
    Password(password::PasswordRequest),
}

/// Reads the request of an authenticated client.
pub fn read(params: &Params, client: &Client) -> Result<GrantRequest, OAuthError> {
    params.refuse_repeated(&KNOWN)?;
    let grant_type = params.get("grant_type").ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    let request = match grant_type {
        GRANT_CODE => authorization_code::CodeRequest::read(params).map(GrantRequest::Code),
        GRANT_REFRESH => refresh_token::RefreshRequest::read(params).map(GrantRequest::Refresh),
        GRANT_CLIENT => Ok(GrantRequest::Client(client_credentials::ClientRequest::read(params))),
        GRANT_PASSWORD => password::PasswordRequest::read(params, client).map(GrantRequest::Password),
        _ => Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "grant_type is not one this provider serves")),
    };
    let allowed = client.may_use_grant(grant_type) && (grant_type != GRANT_PASSWORD || client.takes_passwords());
    if request.is_ok() && !allowed {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "this client is not registered for that grant_type",
        ));
    }
    request
}
