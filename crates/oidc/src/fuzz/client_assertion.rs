//! Clients' assertions (RFC 7523), with a key and with a secret.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::{
    jwk::Jwk,
    jws::{ES256, HS256, JwsSigner},
};
use serde_json::{Map, Value};

use super::is_plain;
use crate::{
    call::Params,
    change::{Change, Spent},
    client::{Client, ClientAuth},
    fixtures,
    jose::{Alg, KeyState, Keyring, generate, jwks::ClientKeys},
    secret::Secret,
    token::client_auth::{self, Expected, JWT_BEARER, Proof},
};

/// The secret that assertions are signed with; no other input knows it.
static SECRET: LazyLock<String> = LazyLock::new(|| fixtures::turn().mac_secret().expose().to_owned());

/// The client's registered key, and what signs with it.
static KEY: LazyLock<(ClientKeys, Jwk)> = LazyLock::new(|| {
    let key = generate(Alg::Es256, KeyState::Active).unwrap();
    let keys = Keyring::new(std::slice::from_ref(&key)).unwrap();
    (ClientKeys::from_value(keys.jwks()).unwrap(), Jwk::from_bytes(key.to_stored()).unwrap())
});

/// `data` is an assertion, or `[HEADER, CLAIMS]` in JSON, which the client's key or its secret signs, as `alg` says.
pub fn client_assertion(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let text = made(text).unwrap_or_else(|| text.to_owned());
    let by_key = accepted(&text, &Client { auth: ClientAuth::PrivateKeyJwt, ..fixtures::client() });
    let secret = ClientAuth::SecretJwt(Secret::new(SECRET.as_str()));
    let by_secret = accepted(&text, &Client { auth: secret, ..fixtures::client() });
    assert!(!accepted(&text, &fixtures::client()), "another method is registered: {text}");
    assert!(!(by_key && by_secret), "{text}");
    by_key || by_secret
}

fn accepted(text: &str, client: &Client) -> bool {
    let pairs = [("client_assertion", text), ("client_assertion_type", JWT_BEARER)];
    let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
    let (id, credentials) = match client_auth::read(None, &params) {
        Ok(read) => read,
        Err(error) => {
            is_plain(&error);
            return false;
        }
    };
    let realm = fixtures::realm();
    let expected = Expected { realm: &realm, endpoint: "/oauth/token", now: fixtures::now() };
    let known = Some(client).filter(|client| client.id.as_str() == id);
    let keys = client_auth::needs_keys(known, &credentials, expected).then_some(&KEY.0);
    let proof = match client_auth::verify(known, &credentials, expected, keys) {
        Ok((_, proof)) => proof,
        Err(error) => {
            is_plain(&error);
            return false;
        }
    };
    // Whatever it is, it counts once and ends soon.
    let spent = match proof {
        Proof::Once(Change::Spend { what: Spent::ClientAssertion { client, .. }, expires, .. }) => {
            Some((client, expires))
        }
        _ => None,
    };
    let ahead = spent.as_ref().map_or(0, |(_, expires)| (*expires - fixtures::now()).num_seconds());
    assert!(spent.is_some_and(|(spent, _)| spent == client.id) && (1..=3_671).contains(&ahead), "{text}");
    true
}

fn made(text: &str) -> Option<String> {
    let (header, claims): (Map<String, Value>, Map<String, Value>) = serde_json::from_str(text).ok()?;
    let encode = |part: &Map<String, Value>| URL_SAFE_NO_PAD.encode(serde_json::to_string(part).unwrap_or_default());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = if header.get("alg") == Some(&Value::from("HS256")) {
        HS256.signer_from_bytes(SECRET.as_bytes()).ok()?.sign(signed.as_bytes()).ok()?
    } else {
        ES256.signer_from_jwk(&KEY.1).ok()?.sign(signed.as_bytes()).ok()?
    };
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
