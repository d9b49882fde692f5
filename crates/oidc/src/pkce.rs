//! PKCE (RFC 7636): syntax here, the comparison by oxide-auth's `Pkce`.

use std::borrow::Cow;

use oxide_auth::{code_grant::extensions::Pkce, primitives::grant::Value};
use serde::{Deserialize, Serialize};

use crate::error::OAuthError;

/// How a verifier becomes a challenge. `plain` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// SHA-256, base64url.
    S256,
}

/// RFC 7636 §4.3: the challenge a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The transformation.
    pub method: Method,
    /// The transformed verifier: 43 characters of base64url.
    pub value: String,
}

impl Challenge {
    /// RFC 7636 §4.3: reads `code_challenge` and `code_challenge_method`; a missing method means `plain`, refused.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, OAuthError> {
        let Some(value) = challenge else {
            return match method {
                None => Ok(None),
                Some(_) => Err(OAuthError::invalid_request("code_challenge_method without code_challenge")),
            };
        };
        if method != Some("S256") {
            return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
        }
        if value.len() != 43 || !value.bytes().all(is_base64url) {
            return Err(OAuthError::invalid_request("code_challenge must be 43 characters of base64url"));
        }
        Ok(Some(Self { method: Method::S256, value: value.to_owned() }))
    }

    /// The challenge in the form that the engine stores and compares.
    pub(crate) fn to_engine(&self) -> Option<Value> {
        Pkce::required().challenge(Some(Cow::Borrowed("S256")), Some(Cow::Borrowed(&self.value))).ok().flatten()
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
            assert_eq!(Challenge::parse(challenge, method).is_ok(), good, "{challenge:?} {method:?}");
        }
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
