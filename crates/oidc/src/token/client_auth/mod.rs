//! Client authentication (RFC 6749 §2.3, OIDC Core §9), a file for each method.
//!
//! [`read`] says who a request claims to come from and by which method, [`verify`] whether that is so. Only the method
//! that is registered is accepted, and whatever is wrong is answered alike.

mod assertion;
mod basic;
mod private_key_jwt;
mod secret_jwt;

use chrono::{DateTime, Utc};

pub use assertion::Assertion;

use crate::{
    call::Params,
    change::{Change, Spent},
    client::{Client, ClientAuth, ClientSecret},
    error::OAuthError,
    jose::jwks::ClientKeys,
    realm::Realm,
    secret::Secret,
};

/// RFC 7521 §4.2, RFC 7523 §2.2: what `client_assertion_type` says of a JWT.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a request says who it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// RFC 6749 §2.3.1: HTTP Basic.
    Basic(Secret),
    /// RFC 6749 §2.3.1: in the body.
    Post(Secret),
    /// RFC 7523 §2.2: a JWT, signed with the secret or with the client's own key.
    Assertion(Box<Assertion>),
    /// A public client names itself only.
    None,
}

/// What an assertion is held against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Whose names `aud` may hold.
    pub realm: &'a Realm,
    /// The path of the endpoint that is called.
    pub endpoint: &'a str,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// That a request comes from its client.
#[derive(Debug)]
#[must_use]
pub enum Proof {
    /// It may be shown as often as one likes.
    Repeatable,
    /// It counts once: what it proves holds when this change was applied without a conflict.
    Once(Change),
}

/// RFC 6749 §2.3: who the request says it is. More than one method is refused.
pub fn read(authorization: Option<&str>, params: &Params) -> Result<(String, Credentials), OAuthError> {
    params.refuse_repeated(&["client_id", "client_secret", "client_assertion", "client_assertion_type"])?;
    let in_body = params.get("client_id");
    let secret = params.get("client_secret");
    let assertion = assertion::of(params)?;
    let basic = basic::of(authorization);
    if usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some()) > 1 {
        return Err(OAuthError::invalid_request("more than one way of client authentication was used"));
    }
    let (id, credentials) = if let Some(value) = basic {
        let (id, password) = basic::decode(value)
            .ok_or_else(|| OAuthError::invalid_client("the Authorization header is not well-formed Basic"))?;
        (id, Credentials::Basic(Secret::new(password)))
    } else if let Some(text) = assertion {
        let assertion = Assertion::read(text)
            .ok_or_else(|| OAuthError::invalid_client("client_assertion is not a JWT with the claims it needs"))?;
        (assertion.subject().to_owned(), Credentials::Assertion(Box::new(assertion)))
    } else {
        let id = in_body.ok_or_else(|| OAuthError::invalid_client("client authentication is missing"))?;
        (id.to_owned(), secret.map_or(Credentials::None, |secret| Credentials::Post(Secret::new(secret))))
    };
    if in_body.is_some_and(|named| named != id) {
        return Err(OAuthError::invalid_request("client_id differs from whom the client authentication names"));
    }
    Ok((id, credentials))
}

/// Whether the client's keys are needed to [`verify`]: not where it is refused whatever they say.
pub fn needs_keys(client: Option<&Client>, credentials: &Credentials, expected: Expected<'_>) -> bool {
    match (client, credentials) {
        (Some(client), Credentials::Assertion(assertion)) => {
            client.auth == ClientAuth::PrivateKeyJwt && !client.disabled && assertion.fits(client, expected)
        }
        _ => false,
    }
}

/// Protocol T1: only the registered method is accepted; an unknown client answers like a wrong secret. `keys` are those
/// of the client where [`needs_keys`] says so and they can be had.
pub fn verify<'a>(
    client: Option<&'a Client>,
    credentials: &Credentials,
    expected: Expected<'_>,
    keys: Option<&ClientKeys>,
) -> Result<(&'a Client, Proof), OAuthError> {
    let client = client.filter(|client| !client.disabled).ok_or_else(failed)?;
    match (&client.auth, credentials) {
        (ClientAuth::None, Credentials::None) => Some(Proof::Repeatable),
        (ClientAuth::SecretBasic(ClientSecret::Hashed(stored)), Credentials::Basic(sent))
        | (ClientAuth::SecretPost(ClientSecret::Hashed(stored)), Credentials::Post(sent)) => {
            (sent.digest() == *stored).then_some(Proof::Repeatable)
        }
        (ClientAuth::SecretJwt(secret), Credentials::Assertion(assertion)) => {
            let good = assertion.fits(client, expected) && secret_jwt::verify(secret, assertion);
            good.then(|| once(client, assertion))
        }
        (ClientAuth::PrivateKeyJwt, Credentials::Assertion(assertion)) => {
            let good = assertion.fits(client, expected) && private_key_jwt::verify(keys, assertion);
            good.then(|| once(client, assertion))
        }
        _ => None,
    }
    .map(|proof| (client, proof))
    .ok_or_else(failed)
}

/// The one answer to whatever is wrong.
fn failed() -> OAuthError {
    OAuthError::invalid_client("client authentication failed")
}

/// RFC 7523 §3 no. 7: an assertion counts once.
fn once(client: &Client, assertion: &Assertion) -> Proof {
    let what = Spent::ClientAssertion { client: client.id.clone(), jti: assertion.jti() };
    Proof::Once(Change::Spend { what, expires: assertion.remembered_until(client), on_conflict: failed() })
}

#[cfg(test)]
mod tests;
