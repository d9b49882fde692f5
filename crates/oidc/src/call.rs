//! A request as the protocol sees it.

use std::net::IpAddr;

use crate::error::OAuthError;

/// Ordered parameters, as decoded from a query or a form body. `Debug` shows how many: names and values are the caller's.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Params({})", self.0.len())
    }
}

impl Params {
    /// Parameters in the order they came.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Decodes `application/x-www-form-urlencoded` bytes. Invalid UTF-8 becomes U+FFFD, which is no text: see [`is_text`].
    pub fn decode(raw: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(raw).into_owned().collect())
    }

    /// RFC 6749 §3.1: the first value; an empty value counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter that may be repeated, empty ones left out.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// RFC 6749 §3.1: request parameters must not be included more than once. Names outside `known` are free.
    pub fn refuse_repeated(&self, known: &[&str]) -> Result<(), OAuthError> {
        for name in known {
            if self.0.iter().filter(|(key, _)| key == name).count() > 1 {
                return Err(OAuthError::repeated(name));
            }
        }
        Ok(())
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Whether a parameter holds text: no control character, and no U+FFFD, which invalid UTF-8 becomes and nobody types.
pub fn is_text(value: &str) -> bool {
    !value.contains('\u{FFFD}') && !value.chars().any(char::is_control)
}

/// Everything about a request that a decision, today's or a later proof of possession's, may look at.
#[derive(Clone)]
pub struct Call {
    /// The HTTP method, upper case.
    pub method: String,
    /// The URL as the caller sees it.
    pub url: String,
    /// All headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Query parameters (GET) or form parameters (POST).
    pub params: Params,
    /// The caller's address.
    pub peer: Option<IpAddr>,
    /// The caller's TLS certificate, DER.
    pub certificate: Option<Vec<u8>>,
}

impl Call {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Parameters, query and headers carry secrets.
        f.debug_struct("Call").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-55: what a caller sent is not shown by accident.
    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", Params::decode(b"password=hunter2&hunter3=1")), "Params(2)");
        let call = Call {
            method: "POST".into(),
            url: "https://op.example/?code=hunter2".into(),
            headers: vec![("authorization".into(), "hunter2".into())],
            params: Params::decode(b"password=hunter2"),
            peer: None,
            certificate: None,
        };
        assert_eq!(format!("{call:?}"), r#"Call { method: "POST", .. }"#);
        assert_eq!((call.header("authorization"), call.header("dpop")), (Some("hunter2"), None));
    }

    /// A1: a repeated parameter is refused, an empty one counts as absent.
    #[test]
    fn repeated_and_empty_parameters() {
        let params = Params::decode(b"scope=a&state=&scope=b&x=1&x=2");
        assert_eq!(params.get("state"), None);
        assert!(params.refuse_repeated(&["state"]).is_ok());
        assert_eq!(params.refuse_repeated(&["scope"]), Err(OAuthError::repeated("scope")));
    }
}
