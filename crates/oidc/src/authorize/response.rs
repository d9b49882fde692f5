//! Where and how the answer of the authorization endpoint travels.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{ErrorCode, OAuthError};

/// OAuth 2.0 Multiple Response Types §2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
}

impl ResponseMode {
    /// Every mode this provider serves.
    pub const SUPPORTED: [&'static str; 1] = ["query"];
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

impl Delivery {
    /// The URL with `parameters`, then `state` and `iss` (RFC 9207 §2). A registered query string is kept.
    pub fn url(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.issuer);
        let separator = match self.redirect_uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, registered)) if registered.ends_with('&') => "",
            Some(_) => "&",
        };
        let url = format!("{}{separator}{}", self.redirect_uri, query.finish());
        // A registered URI was parsed at registration. Parsing again refuses what could split a header.
        if Url::parse(&url).is_ok() { url } else { self.issuer.clone() }
    }

    /// The URL that carries an error.
    pub fn error_url(&self, error: &OAuthError) -> String {
        self.url(&[("error", error.code.as_str()), ("error_description", &error.description)])
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
            ("com.example.app:/cb", "com.example.app:/cb?code=x%2By&state=s%26+%C3%A9&iss=https%3A%2F%2Fop.example"),
        ];
        for (redirect_uri, expected) in cases {
            let delivery = Delivery {
                mode: ResponseMode::Query,
                redirect_uri: redirect_uri.to_owned(),
                state: Some("s& é".to_owned()),
                issuer: "https://op.example".to_owned(),
            };
            assert_eq!(delivery.url(&[("code", "x+y")]), expected);
        }
    }
}
