//! Errors of the protocol, as data: one table of codes, statuses and hints.

use std::borrow::Cow;

/// The registered error codes that Signet answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the registered code of its table row")]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    InvalidTarget,
    AccessDenied,
    UnsupportedResponseType,
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    AccountSelectionRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    InvalidRequestUri,
    InvalidRequestObject,
    UnmetAuthenticationRequirements,
    InvalidRedirectUri,
    InvalidClientMetadata,
    InvalidToken,
    InsufficientScope,
    ServerError,
    TemporarilyUnavailable,
}

/// Code, wire string and HTTP status where the answer is not a redirect.
const TABLE: [(ErrorCode, &str, u16); 25] = [
    (ErrorCode::InvalidRequest, "invalid_request", 400),
    (ErrorCode::InvalidClient, "invalid_client", 401),
    (ErrorCode::InvalidGrant, "invalid_grant", 400),
    (ErrorCode::UnauthorizedClient, "unauthorized_client", 400),
    (ErrorCode::UnsupportedGrantType, "unsupported_grant_type", 400),
    (ErrorCode::InvalidScope, "invalid_scope", 400),
    (ErrorCode::InvalidTarget, "invalid_target", 400),
    (ErrorCode::AccessDenied, "access_denied", 403),
    (ErrorCode::UnsupportedResponseType, "unsupported_response_type", 400),
    (ErrorCode::LoginRequired, "login_required", 400),
    (ErrorCode::ConsentRequired, "consent_required", 400),
    (ErrorCode::InteractionRequired, "interaction_required", 400),
    (ErrorCode::AccountSelectionRequired, "account_selection_required", 400),
    (ErrorCode::RequestNotSupported, "request_not_supported", 400),
    (ErrorCode::RequestUriNotSupported, "request_uri_not_supported", 400),
    (ErrorCode::RegistrationNotSupported, "registration_not_supported", 400),
    (ErrorCode::InvalidRequestUri, "invalid_request_uri", 400),
    (ErrorCode::InvalidRequestObject, "invalid_request_object", 400),
    (ErrorCode::UnmetAuthenticationRequirements, "unmet_authentication_requirements", 400),
    (ErrorCode::InvalidRedirectUri, "invalid_redirect_uri", 400),
    (ErrorCode::InvalidClientMetadata, "invalid_client_metadata", 400),
    (ErrorCode::InvalidToken, "invalid_token", 401),
    (ErrorCode::InsufficientScope, "insufficient_scope", 403),
    (ErrorCode::ServerError, "server_error", 500),
    (ErrorCode::TemporarilyUnavailable, "temporarily_unavailable", 503),
];

impl ErrorCode {
    fn row(self) -> (&'static str, u16) {
        TABLE
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or(("server_error", 500), |(_, wire, status)| (*wire, *status))
    }

    /// The registered string.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status where the answer is not a redirect.
    pub fn status(self) -> u16 {
        self.row().1
    }
}

/// RFC 6749 §4.1.2.1, §5.2: a code and a description in ASCII without quotes, backslashes or line breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthError {
    /// What kind of error it is.
    pub code: ErrorCode,
    /// What to change, in English.
    pub description: Cow<'static, str>,
}

impl OAuthError {
    /// An error with a fixed description.
    pub fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description: Cow::Borrowed(description) }
    }

    /// `invalid_request`.
    pub fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant`.
    pub fn invalid_grant(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `invalid_client`.
    pub fn invalid_client(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    /// RFC 6749 §3.1: a parameter sent more than once.
    pub fn repeated(parameter: &str) -> Self {
        let name: String = parameter.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
        Self { code: ErrorCode::InvalidRequest, description: Cow::Owned(format!("parameter {name} is repeated")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T3: each code stands in the table once, with the status of the specification that registers it.
    #[test]
    fn codes_have_one_row() {
        for (place, (code, wire, status)) in TABLE.iter().enumerate() {
            assert_eq!((code.as_str(), code.status()), (*wire, *status));
            let same = TABLE.iter().enumerate().find(|(_, (other, name, _))| other == code || name == wire);
            assert_eq!(same.map(|(first, _)| first), Some(place), "{wire} stands twice");
        }
        for (code, wire, status) in [
            (ErrorCode::InvalidClient, "invalid_client", 401),
            (ErrorCode::InvalidGrant, "invalid_grant", 400),
            (ErrorCode::AccessDenied, "access_denied", 403),
            (ErrorCode::InvalidRedirectUri, "invalid_redirect_uri", 400),
            (ErrorCode::InvalidClientMetadata, "invalid_client_metadata", 400),
            (ErrorCode::InvalidToken, "invalid_token", 401),
            (ErrorCode::InsufficientScope, "insufficient_scope", 403),
            (ErrorCode::TemporarilyUnavailable, "temporarily_unavailable", 503),
        ] {
            assert_eq!((code.as_str(), code.status()), (wire, status));
        }
    }

    #[test]
    fn a_description_never_carries_what_a_caller_typed_beyond_a_name() {
        let error = OAuthError::repeated("sta\"te\r\nX: y\\");
        assert_eq!(error.description, "parameter stateXy is repeated");
    }
}
