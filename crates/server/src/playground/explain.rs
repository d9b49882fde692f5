//! What the playground says about steps, claims and failures.

use std::{error::Error as StdError, fmt::Display};

use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, StandardErrorResponse, UserInfoError,
    core::CoreErrorResponseType,
};

use super::recorder::{FetchError, Step};

/// Why a step came to nothing, as the failure page says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Status of the page.
    pub(super) status: StatusCode,
    /// What happened.
    pub(super) heading: &'static str,
    /// What it means.
    pub(super) text: String,
    /// Error code or detail, as the issuer or the library gave it.
    pub(super) detail: Option<String>,
}

impl Failure {
    fn new(status: StatusCode, heading: &'static str, text: &str) -> Self {
        Self { status, heading, text: text.to_owned(), detail: None }
    }

    fn with(mut self, detail: impl Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// The cookie leads to no session.
    pub(super) fn no_session() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The playground does not know this browser",
            "Its memory is short and ends when Signet restarts. Start again.",
        )
    }

    /// A form came without the token of its page.
    pub(super) fn forged() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This form has expired",
            "It was not sent from the newest page of this browser. Go back to the playground and try again.",
        )
    }

    /// Nobody is signed in.
    pub(super) fn not_signed_in() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Nobody is signed in", "This step needs a sign-in first.")
    }

    /// A callback that no sign-in under way belongs to.
    pub(super) fn nothing_pending() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "No sign-in is under way",
            "A callback is accepted once, in the browser that started the sign-in.",
        )
    }

    /// A parameter of the callback twice.
    pub(super) fn repeated(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "The callback is malformed", "A parameter came more than once.").with(name)
    }

    /// `state` is missing or another.
    pub(super) fn state() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The callback belongs to another request",
            "Its state is not the one that this browser was given, so its code is not used. \
             This check keeps somebody else’s sign-in from being slipped into your browser.",
        )
    }

    /// `iss` is missing or another (RFC 9207 §2.4).
    pub(super) fn issuer(iss: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The callback comes from another issuer",
            "Its iss is not the issuer that was asked, so its code is not used.",
        )
        .with(iss)
    }

    /// The issuer answered with an error.
    pub(super) fn refused(code: String, description: Option<String>) -> Self {
        let (heading, text) = match code.as_str() {
            "access_denied" => (
                "You refused access",
                "The application learned nothing about you, and nobody is signed in. This is all it was told:",
            ),
            _ => ("No sign-in this time", "The issuer ended the sign-in with an error instead of a code."),
        };
        let detail = match description {
            Some(description) => format!("{code}: {description}"),
            None => code,
        };
        Self::new(StatusCode::BAD_REQUEST, heading, text).with(detail)
    }

    /// Neither code nor error.
    pub(super) fn no_code() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "The callback is empty", "It brought neither a code nor an error.")
    }

    /// Discovery document or keys could not be read.
    pub(super) fn discovery(error: &DiscoveryError<FetchError>) -> Self {
        let text = match error {
            DiscoveryError::Request(_) => "The issuer cannot be reached.",
            _ => "The issuer’s discovery document or keys are not as they should be.",
        };
        Self::bad_gateway("Discovery failed", text, error)
    }

    /// The token endpoint refused, or answered with something else than tokens.
    pub(super) fn token(error: &RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>) -> Self {
        match error {
            RequestTokenError::ServerResponse(answer) => Self::new(
                StatusCode::BAD_GATEWAY,
                "The issuer gave no tokens",
                "The token endpoint answered with an error.",
            )
            .with(answer),
            RequestTokenError::Request(_) => {
                Self::bad_gateway("The issuer gave no tokens", "The issuer cannot be reached.", error)
            }
            _ => Self::bad_gateway(
                "The issuer gave no tokens",
                "The token endpoint’s answer is not as it should be.",
                error,
            ),
        }
    }

    /// The `UserInfo` endpoint refused, or its answer is about somebody else.
    pub(super) fn userinfo(error: &UserInfoError<FetchError>) -> Self {
        let text = match error {
            UserInfoError::Response(..) => {
                "The UserInfo endpoint refused. The access token may have expired: refresh, or sign in again."
            }
            UserInfoError::Request(_) => "The issuer cannot be reached.",
            UserInfoError::ClaimsVerification(_) => {
                "The answer is not about the person of the ID token, so it is not used."
            }
            _ => "The UserInfo endpoint’s answer is not as it should be.",
        };
        Self::bad_gateway("UserInfo failed", text, error)
    }

    /// The ID token did not pass.
    pub(super) fn id_token(reason: &impl Reason) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "The ID token is not valid",
            "It did not pass every check, so nobody is signed in.",
        )
        .with(reason.reason())
    }

    /// The token answer has no ID token.
    pub(super) fn no_id_token() -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "The ID token is missing",
            "The token endpoint answered without one, though the scope openid was asked for.",
        )
    }

    /// There is nothing to refresh with.
    pub(super) fn no_refresh_token() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "There is no refresh token",
            "Sign in again and leave offline_access ticked.",
        )
    }

    /// The discovery document names no end-session endpoint.
    pub(super) fn no_end_session() -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "The issuer offers no sign-out",
            "Its discovery document names no end_session_endpoint.",
        )
    }

    /// The discovery document lacks an endpoint.
    pub(super) fn metadata(error: &dyn StdError) -> Self {
        Self::bad_gateway("Discovery is incomplete", "The discovery document names no address for this step.", error)
    }

    /// Claims that cannot be shown.
    pub(super) fn unreadable() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "UserInfo failed", "The answer cannot be shown.")
    }

    fn bad_gateway(heading: &'static str, text: &str, error: &dyn StdError) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, heading, text).with(chain(error))
    }
}

/// Why an ID token is refused.
pub(super) trait Reason {
    /// In words.
    fn reason(&self) -> String;
}

impl Reason for &str {
    fn reason(&self) -> String {
        (*self).to_owned()
    }
}

impl Reason for ClaimsVerificationError {
    fn reason(&self) -> String {
        chain(self)
    }
}

impl Reason for openidconnect::SigningError {
    fn reason(&self) -> String {
        chain(self)
    }
}

/// An error and what lies behind it.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A moment as people write it, in UTC.
pub(super) fn time(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl Step {
    /// What the step does.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Discovery => "Discovery: where is everything?",
            Self::Keys => "Keys: who may sign?",
            Self::Authorize => "Authorization request: the browser goes to Signet",
            Self::Person => "Sign-in and consent: you and Signet",
            Self::Callback => "Callback: the browser comes back",
            Self::Token => "Token request: the code becomes tokens",
            Self::Verified => "Verification: is the ID token true?",
            Self::UserInfo => "UserInfo: the access token is used",
            Self::Refresh => "Refresh: new tokens without asking again",
            Self::SignOut => "Sign-out: the browser goes to Signet",
            Self::Other => "Request",
        }
    }

    /// What to look at; names of parameters stand between backticks.
    fn text(self) -> &'static str {
        match self {
            Self::Discovery => "The application knows the issuer’s address and reads all others from this document.",
            Self::Keys => {
                "The public keys that signatures are checked with. The ID token names one of them by its `kid`."
            }
            Self::Authorize => {
                "`state` and `nonce` are random and tie the answer to this browser and this request. \
                 `code_challenge` is the SHA-256 hash of a secret that the application keeps: that is PKCE."
            }
            Self::Person => {
                "You showed who you are and decided what the application may know. \
                 It saw nothing of this, your password least of all."
            }
            Self::Callback => {
                "It brings a code, good for one use within a minute, or an error. `state` must be the one sent before; \
                 `iss` says which issuer answers."
            }
            Self::Token => {
                "Sent by the application itself, not through the browser. `code_verifier` is the secret \
                 behind the `code_challenge`: whoever stole the code does not have it."
            }
            Self::Verified => {
                "Signed by whom, for whom, until when, in answer to which request? Every check was passed; \
                 they are listed below. From here on you are signed in."
            }
            Self::UserInfo => {
                "The access token goes in the `Authorization` header. The answer depends on the scopes granted."
            }
            Self::Refresh => {
                "The refresh token is used once; the answer brings its successor. One that is used twice ends everything."
            }
            Self::SignOut => {
                "The ID token says who signs out of what; `post_logout_redirect_uri` is where to go afterwards."
            }
            Self::Other => "",
        }
    }

    /// The text in pieces, and whether each is the name of a parameter.
    pub(super) fn pieces(self) -> impl Iterator<Item = (bool, &'static str)> {
        self.text().split('`').enumerate().map(|(at, piece)| (at % 2 == 1, piece))
    }

    /// Whether the exchange is shown unfolded: what the browser carries is short and at the heart of it.
    pub(super) fn is_shown(self) -> bool {
        matches!(self, Self::Authorize | Self::Callback)
    }

    /// Who talks to whom.
    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Authorize | Self::SignOut => "Application → browser → Signet",
            Self::Person => "You and Signet",
            Self::Callback => "Signet → browser → application",
            Self::Verified => "Inside the application",
            _ => "Application → Signet",
        }
    }
}

/// What a claim of an ID token means; empty for one the playground does not know.
pub(super) fn claim(name: &str) -> &'static str {
    match name {
        "sub" => "who: the person’s identifier, never given to anybody else",
        "iss" => "who says so",
        "aud" => "for whom: this application",
        "azp" => "to whom it was issued",
        "exp" => "not valid after",
        "iat" => "issued at",
        "auth_time" => "when the person signed in",
        "nonce" => "the random value of the request",
        "at_hash" => "hash of the access token beside it",
        "c_hash" => "hash of the code beside it",
        "acr" => "how well the person was authenticated",
        "amr" => "by what means",
        "sid" => "the session, as this application knows it",
        "name" | "given_name" | "family_name" | "nickname" | "preferred_username" => "what the person is called",
        "email" => "email address",
        "email_verified" => "whether the address was shown to be the person’s",
        "updated_at" => "when the profile last changed",
        _ => "",
    }
}
