//! Where and how the answer of the authorization endpoint travels.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    client::ResponseType,
    error::{ErrorCode, OAuthError},
};

/// OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
    /// In the fragment of the redirect URI.
    Fragment,
    /// In the body of a form that the browser posts.
    FormPost,
}

impl ResponseMode {
    /// Every mode this provider serves, in the order discovery lists them.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// Reads the registered name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// OAuth 2.0 Multiple Response Types §3: where a request names no mode, tokens never travel in the query.
    pub fn of(response_type: ResponseType) -> Self {
        if response_type.is_front_channel() { Self::Fragment } else { Self::Query }
    }
}

/// Where an answer goes. Only made for a redirect URI that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// How.
    pub mode: ResponseMode,
    /// The registered redirect URI, as sent.
    pub redirect_uri: String,
    /// Returned untouched.
    pub state: Option<String>,
    /// RFC 9207: who answers.
    pub issuer: String,
}

/// An answer on its way through the browser.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// A redirect.
    Redirect {
        /// Where to.
        location: String,
    },
    /// A form that posts itself (Form Post Response Mode §2).
    Form {
        /// The redirect URI.
        action: String,
        /// Names and values.
        fields: Vec<(String, String)>,
    },
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Codes and tokens travel in it.
        f.write_str("Answer(…)")
    }
}

impl Delivery {
    /// The answer with `parameters`, then `state` and `iss` (RFC 9207 §2). A registered query string is kept.
    pub fn answer(&self, parameters: &[(&str, &str)]) -> Answer {
        let state = self.state.as_deref().map(|state| ("state", state));
        let pairs = parameters.iter().copied().chain(state).chain([("iss", self.issuer.as_str())]);
        if self.mode == ResponseMode::FormPost {
            let fields = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            return Answer::Form { action: self.redirect_uri.clone(), fields };
        }
        let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let separator = match (self.mode, self.redirect_uri.split_once('?')) {
            (ResponseMode::Fragment, _) => "#",
            (_, None) => "?",
            (_, Some((_, ""))) => "",
            (_, Some((_, registered))) if registered.ends_with('&') => "",
            (_, Some(_)) => "&",
        };
        let url = format!("{}{separator}{encoded}", self.redirect_uri);
        // A registered URI was parsed at registration. Parsing again refuses what could split a header.
        let location = if Url::parse(&url).is_ok() { url } else { self.issuer.clone() };
        Answer::Redirect { location }
    }

    /// The answer that carries an error.
    pub fn error(&self, error: &OAuthError) -> Answer {
        self.answer(&[("error", error.code.as_str()), ("error_description", &error.description)])
    }
}

/// Redirect safety as a type: an error either has a verified destination or stays on our page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizeError {
    /// The client or its redirect URI is not known good: no redirect (protocol A2).
    Page(OAuthError),
    /// Sent to the client (protocol A3).
    Redirect(Box<Delivery>, OAuthError),
}

impl AuthorizeError {
    /// An error page with `invalid_request`.
    pub(super) fn page(description: &'static str) -> Self {
        Self::Page(OAuthError::new(ErrorCode::InvalidRequest, description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A2, A3: a registered query stays, state and iss come back, and errors are escaped.
    #[test]
    fn urls() {
        let cases = [
            ("https://a.example/cb", "https://a.example/cb?code=x%2By&state=s%26+%C3%A9&iss=https%3A%2F%2Fop.example"),
            (
                "https://a.example/cb?t=1",
                "https://a.example/cb?t=1&code=x%2By&state=s%26+%C3%A9&iss=https%3A%2F%2Fop.example",
            ),
            ("https://a.example/cb?", "https://a.example/cb?code=x%2By&state=s%26+%C3%A9&iss=https%3A%2F%2Fop.example"),
            (
                "https://a.example/cb?t=1&",
                "https://a.example/cb?t=1&code=x%2By&state=s%26+%C3%A9&iss=https%3A%2F%2Fop.example",
            ),
            ("com.example.app:/cb", "com.example.app:/cb?code=x%2By&state=s%26+%C3%A9&iss=https%3A%2F%2Fop.example"),
        ];
        for (redirect_uri, expected) in cases {
            let delivery = Delivery {
                mode: ResponseMode::Query,
                redirect_uri: redirect_uri.to_owned(),
                state: Some("s& é".to_owned()),
                issuer: "https://op.example".to_owned(),
            };
            assert_eq!(delivery.answer(&[("code", "x+y")]), Answer::Redirect { location: expected.to_owned() });
        }
    }

    /// A3, A18: the mode asked for carries errors too; a posted answer leaves the address alone.
    #[test]
    fn modes() {
        let delivery = |mode| Delivery {
            mode,
            redirect_uri: "https://a.example/cb?t=1".to_owned(),
            state: None,
            issuer: "https://op.example".to_owned(),
        };
        let error = OAuthError::invalid_request("no");
        assert_eq!(
            delivery(ResponseMode::Fragment).error(&error),
            Answer::Redirect {
                location:
                    "https://a.example/cb?t=1#error=invalid_request&error_description=no&iss=https%3A%2F%2Fop.example"
                        .to_owned()
            }
        );
        let fields = [("error", "invalid_request"), ("error_description", "no"), ("iss", "https://op.example")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(
            delivery(ResponseMode::FormPost).error(&error),
            Answer::Form { action: "https://a.example/cb?t=1".to_owned(), fields }
        );
        assert_eq!(format!("{:?}", delivery(ResponseMode::FormPost).error(&error)), "Answer(…)");
    }
}
