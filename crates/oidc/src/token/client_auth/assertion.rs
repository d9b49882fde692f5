//! What both methods with a JWT have in common (RFC 7523 §3, OIDC Core §9): reading it, and what its claims must say.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Number, Value};

use super::{Expected, JWT_BEARER};
use crate::{
    call::Params,
    client::{Client, ClientAuth},
    error::OAuthError,
    jose::{Alg, kind::CLIENT_ASSERTION},
    policy::{ProviderName, Rules},
    secret::{Digest, Secret},
};

/// No assertion is longer, in bytes.
const LONGEST: usize = 16_384;
/// No `jti` and no `kid` is longer, in bytes.
const LONGEST_NAME: usize = 1_024;

/// A JWT that says who a request comes from; read, and not verified yet. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    text: Secret,
    alg: Alg,
    kid: Option<String>,
    claims: Claims,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Assertion(…)")
    }
}

#[derive(Deserialize)]
struct Header {
    alg: Alg,
    kid: Option<String>,
    typ: Option<Value>,
    // RFC 7515 §4.1.11, RFC 7797: extensions that must be understood are not.
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Number,
    iat: Option<Number>,
    nbf: Option<Number>,
    jti: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// RFC 7521 §4.2: the assertion of a request, which comes with its type.
pub(super) fn of(params: &Params) -> Result<Option<&str>, OAuthError> {
    match (params.get("client_assertion"), params.get("client_assertion_type")) {
        (None, None) => Ok(None),
        (Some(text), Some(JWT_BEARER)) => Ok(Some(text)),
        (Some(_), Some(_)) => Err(OAuthError::invalid_client("this client_assertion_type is not supported")),
        _ => Err(OAuthError::invalid_request("client_assertion and client_assertion_type belong together")),
    }
}

impl Assertion {
    /// Reads header and claims. `None` for what is no assertion at all.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut parts = text.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
        let short = |name: &str| (1..=LONGEST_NAME).contains(&name.len());
        let good = header.crit.is_none()
            && header.b64.is_none()
            && CLIENT_ASSERTION.is_named(header.typ.as_ref())
            && header.kid.as_deref().is_none_or(short)
            && short(&claims.jti);
        good.then(|| Self { text: Secret::new(text), alg: header.alg, kid: header.kid, claims })
    }

    /// RFC 7523 §3 no. 2: the client it is about.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// The name of the key that signed it, where it says one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm it is signed with.
    pub(super) fn alg(&self) -> Alg {
        self.alg
    }

    /// The whole of it.
    pub(super) fn text(&self) -> &str {
        self.text.expose()
    }

    /// Protocol T2: everything but the signature.
    pub(super) fn fits(&self, client: &Client, expected: Expected<'_>) -> bool {
        [names_the_client, names_this_provider, is_in_time, has_the_algorithm]
            .iter()
            .all(|check| check(self, client, expected))
    }

    /// What its identifier is remembered by.
    pub(super) fn jti(&self) -> Digest {
        Digest::of(self.claims.jti.as_bytes())
    }

    /// Until when it would be accepted.
    pub(super) fn remembered_until(&self, client: &Client) -> DateTime<Utc> {
        let exp = seconds(&self.claims.exp).and_then(|exp| DateTime::from_timestamp(exp, 0)).unwrap_or_default();
        exp + client.policy.profile.rules().late + TimeDelta::seconds(1)
    }
}

/// RFC 7523 §3 no. 1 and 2: issuer and subject are the client.
fn names_the_client(assertion: &Assertion, client: &Client, _: Expected<'_>) -> bool {
    assertion.claims.iss == client.id.as_str() && assertion.claims.sub == client.id.as_str()
}

/// RFC 7523 §3 no. 3: the audience holds one of our names, to the letter.
fn names_this_provider(assertion: &Assertion, client: &Client, expected: Expected<'_>) -> bool {
    let Expected { realm, endpoint, .. } = expected;
    let is_ours = |aud: &String| {
        client.policy.profile.rules().assertion_audiences.iter().any(|name| match name {
            ProviderName::Issuer => *aud == realm.issuer,
            ProviderName::TokenEndpoint => *aud == realm.url("/oauth/token"),
            ProviderName::CalledEndpoint => *aud == realm.url(endpoint),
        })
    };
    match &assertion.claims.aud {
        Audience::One(aud) => is_ours(aud),
        Audience::Many(list) => list.iter().any(is_ours),
    }
}

/// RFC 7523 §3 no. 4 to 6.
fn is_in_time(assertion: &Assertion, client: &Client, expected: Expected<'_>) -> bool {
    let now = expected.now.timestamp();
    let Rules { late, early, .. } = client.policy.profile.rules();
    let (latest, earliest) = (now - late.num_seconds(), now + early.num_seconds());
    let begun = |claim: &Option<Number>| match claim {
        None => true,
        Some(number) => seconds(number).is_some_and(|at| at <= earliest),
    };
    let ends =
        seconds(&assertion.claims.exp).is_some_and(|exp| exp > latest && CLIENT_ASSERTION.may_last(earliest, exp));
    ends && begun(&assertion.claims.iat) && begun(&assertion.claims.nbf)
}

/// OIDC Registration §2 `token_endpoint_auth_signing_alg`: the one registered, else any of the method's.
fn has_the_algorithm(assertion: &Assertion, client: &Client, _: Expected<'_>) -> bool {
    let of_method = match client.auth {
        ClientAuth::SecretJwt(_) => assertion.alg.is_mac(),
        ClientAuth::PrivateKeyJwt => assertion.alg.is_accepted(),
        _ => false,
    };
    of_method
        && CLIENT_ASSERTION.may_be_signed_with(assertion.alg)
        && client.policy.profile.rules().admits(assertion.alg)
        && client.metadata.token_endpoint_auth_signing_alg.is_none_or(|alg| alg == assertion.alg)
}

/// RFC 7519 §2 `NumericDate`, which may have a fraction, in whole seconds.
fn seconds(number: &Number) -> Option<i64> {
    const FAR: f64 = 1e12;
    #[expect(clippy::cast_possible_truncation, reason = "it is within bounds, and the fraction is meant to go")]
    number.as_f64().filter(|number| number.abs() < FAR).map(|number| number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// T2: an assertion has at most 16 KiB.
    #[test]
    fn lengths() {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"iss": "app", "sub": "app", "aud": "https://op.example", "exp": 1, "jti": "j"});
        let start = format!("{}.{}.", part(json!({"alg": "ES256"})), part(claims));
        let sized = |length: usize| Assertion::read(&format!("{start}{}", "x".repeat(length - start.len())));
        assert!(sized(LONGEST).is_some() && sized(LONGEST + 1).is_none());
    }

    /// RFC 7519 §2: a time may have a fraction, and is one that somebody could live to see.
    #[test]
    fn times() {
        for (number, expected) in [
            ("0", Some(0)),
            ("1800000000", Some(1_800_000_000)),
            ("1800000000.9", Some(1_800_000_000)),
            ("-1.5", Some(-1)),
            ("999999999999", Some(999_999_999_999)),
            ("1000000000000", None),
            ("1e12", None),
            ("-1000000000000", None),
            ("9223372036854775807", None),
            ("18446744073709551615", None),
        ] {
            assert_eq!(seconds(&serde_json::from_str(number).unwrap()), expected, "{number}");
        }
    }
}
