//! PKCE (RFC 7636): syntax here, the comparison by oxide-auth's `Pkce`.

use std::borrow::Cow;

use oxide_auth::{code_grant::extensions::Pkce, primitives::grant::Value};
use serde::{Deserialize, Serialize};

use crate::error::OAuthError;

/// How a verifier becomes a challenge (RFC 7636 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// SHA-256, base64url.
    S256,
    /// The verifier itself: only for clients that were given it (protocol T5).
    #[serde(rename = "plain")]
    Plain,
}

impl Method {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S256 => "S256",
            Self::Plain => "plain",
        }
    }

    /// Reads the registered name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::S256, Self::Plain].into_iter().find(|method| method.as_str() == name)
    }
}

/// RFC 7636 §4.3: the challenge a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The transformation.
    pub method: Method,
    /// The transformed verifier.
    pub value: String,
}

impl Challenge {
    /// RFC 7636 §4.3: reads `code_challenge` and `code_challenge_method`; a missing method means `plain`, which is refused
    /// unless the client was given it.
    pub fn parse(challenge: Option<&str>, method: Option<&str>, plain: bool) -> Result<Option<Self>, OAuthError> {
        let Some(value) = challenge else {
            return match method {
                None => Ok(None),
                Some(_) => Err(OAuthError::invalid_request("code_challenge_method without code_challenge")),
            };
        };
        let method = match Method::parse(method.unwrap_or("plain")) {
            Some(Method::Plain) if plain && is_verifier(value) => {
                return Ok(Some(Self { method: Method::Plain, value: value.to_owned() }));
            }
            Some(Method::Plain) if plain => {
                return Err(OAuthError::invalid_request("code_challenge must be 43 to 128 unreserved characters"));
            }
            Some(Method::S256) => Method::S256,
            _ => return Err(OAuthError::invalid_request("code_challenge_method must be S256")),
        };
        if value.len() != 43 || !value.bytes().all(is_base64url) {
            return Err(OAuthError::invalid_request("code_challenge must be 43 characters of base64url"));
        }
        Ok(Some(Self { method, value: value.to_owned() }))
    }

    /// The challenge in the form that the engine stores and compares.
    pub(crate) fn to_engine(&self) -> Option<Value> {
        let pkce = self.engine();
        pkce.challenge(Some(Cow::Borrowed(self.method.as_str())), Some(Cow::Borrowed(&self.value))).ok().flatten()
    }

    /// The engine's extension that compares this challenge.
    pub(crate) fn engine(&self) -> Pkce {
        let mut pkce = Pkce::required();
        if self.method == Method::Plain {
            pkce.allow_plain();
        }
        pkce
    }
}

/// RFC 7636 §4.1: 43 to 128 unreserved characters.
pub fn is_verifier(value: &str) -> bool {
    (43..=128).contains(&value.len()) && value.bytes().all(|byte| is_base64url(byte) || byte == b'.' || byte == b'~')
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// T5: challenge syntax, length and method.
    #[test]
    fn challenges() {
        let cases: [(Option<&str>, Option<&str>, bool); 8] = [
            (Some(GOOD), Some("S256"), true),
            (None, None, true),
            (Some(GOOD), None, false),
            (Some(GOOD), Some("plain"), false),
            (Some("short"), Some("S256"), false),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256"), false),
            (None, Some("S256"), false),
            (Some(&GOOD[..42]), Some("S256"), false),
        ];
        for (challenge, method, good) in cases {
            assert_eq!(Challenge::parse(challenge, method, false).is_ok(), good, "{challenge:?} {method:?}");
        }
        for (challenge, method, good) in [(GOOD, None, true), (GOOD, Some("plain"), true), ("short", None, false)] {
            let read = Challenge::parse(Some(challenge), method, true);
            assert_eq!(
                read.is_ok_and(|read| read.is_some_and(|read| read.method == Method::Plain)),
                good,
                "{method:?}"
            );
        }
        let s256 = Challenge::parse(Some(GOOD), Some("S256"), true).unwrap().unwrap();
        assert_eq!(s256.method, Method::S256);
    }

    /// T5: what is said depends on whether the client was given `plain`, and the engine takes it from no other.
    #[test]
    fn plain_is_for_whom_it_was_given() {
        for (plain, said) in [(true, "43 to 128 unreserved"), (false, "must be S256")] {
            let error = Challenge::parse(Some("short"), Some("plain"), plain).unwrap_err();
            assert!(error.description.contains(said), "{plain}: {}", error.description);
        }
        for (method, takes_plain) in [(Method::Plain, true), (Method::S256, false)] {
            let challenge = Challenge { method, value: GOOD.into() };
            assert!(challenge.to_engine().is_some(), "{method:?}");
            let plain = challenge.engine().challenge(Some("plain".into()), Some(GOOD.into()));
            assert_eq!(plain.is_ok(), takes_plain, "{method:?}");
        }
        assert_eq!(
            [Method::S256, Method::Plain].map(|method| Method::parse(method.as_str())).map(Option::unwrap),
            [Method::S256, Method::Plain]
        );
    }

    /// T5: verifier syntax and length.
    #[test]
    fn verifiers() {
        assert!(is_verifier(&"a".repeat(43)));
        assert!(is_verifier(&"~".repeat(128)));
        assert!(!is_verifier(&"a".repeat(42)));
        assert!(!is_verifier(&"a".repeat(129)));
        assert!(!is_verifier(&" ".repeat(43)));
    }
}
