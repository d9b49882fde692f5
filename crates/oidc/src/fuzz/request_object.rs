//! Request objects (RFC 9101, OIDC Core §6).

use std::sync::LazyLock;

use josekit::{
    jwk::Jwk,
    jws::{ES256, JwsHeader, alg::ecdsa::EcdsaJwsSigner},
    jwt::{self, JwtPayload},
};
use serde_json::{Map, Value};

use super::authorize::{is_safe, read};
use crate::{
    authorize::{AuthorizeError, Envelope, Object},
    call::Params,
    client::{Client, ClientMetadata},
    fixtures::{self, REDIRECT},
    jose::{Alg, KeyState, Keyring, generate, jwks::ClientKeys},
};

/// The client's registered key, and what signs with it.
static KEY: LazyLock<(ClientKeys, EcdsaJwsSigner)> = LazyLock::new(|| {
    let key = generate(Alg::Es256, KeyState::Active).unwrap();
    let keys = Keyring::new(std::slice::from_ref(&key)).unwrap();
    let mut signer = ES256.signer_from_jwk(&Jwk::from_bytes(key.to_stored()).unwrap()).unwrap();
    signer.remove_key_id();
    (ClientKeys::from_value(keys.jwks()).unwrap(), signer)
});

/// `data` is an object, or `[HEADER, CLAIMS]` in JSON, which the client's key signs; not where `alg` is `none`.
pub fn request_object(data: &[u8]) -> bool {
    let (keys, signer) = &*KEY;
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let text = made(text, signer).unwrap_or_else(|| text.to_owned());
    let strict = ClientMetadata { require_signed_request_object: true, ..ClientMetadata::default() };
    let clients = [fixtures::client(), Client { metadata: strict, ..fixtures::client() }];
    let accepted = clients.map(|client| match unpack(&text, &client, keys) {
        Ok(params) => read(&params, &client),
        Err(error) => is_safe(&client, &error),
    });
    assert!(accepted != [false, true], "the stricter client takes less: {text}");
    accepted.contains(&true)
}

/// The parameters that count, with the least around the object.
fn unpack(text: &str, client: &Client, keys: &ClientKeys) -> Result<Params, AuthorizeError> {
    let pairs = [("client_id", "app"), ("redirect_uri", REDIRECT), ("response_type", "code"), ("request", text)];
    let params = Params::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
    let realm = fixtures::realm();
    let envelope = Envelope { params: &params, client, realm: &realm };
    envelope.carried()?;
    let object = Object::parse(text).map_err(|error| envelope.refuse(error))?;
    let signed = object.is_signed();
    let counts = envelope.unpack(&object, signed.then_some(keys), fixtures::now())?.params;
    assert!(signed || !client.metadata.require_signed_request_object, "unsigned: {text}");
    assert_eq!(counts.get("client_id"), Some("app"), "{text}");
    assert!(counts.get("request").is_none() && counts.get("request_uri").is_none(), "{text}");
    Ok(counts)
}

fn made(text: &str, signer: &EcdsaJwsSigner) -> Option<String> {
    let (header, claims): (Map<String, Value>, Map<String, Value>) = serde_json::from_str(text).ok()?;
    let (header, payload) = (JwsHeader::from_map(header).ok()?, JwtPayload::from_map(claims).ok()?);
    if header.claim("alg") == Some(&Value::from("none")) {
        return jwt::encode_unsecured(&payload, &header).ok();
    }
    jwt::encode_with_signer(&payload, &header, signer).ok()
}
