//! The client's side of signed messages: keys, sets of them, and JWTs of any content.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::{
    ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, JwsSigner, PS256, PS384, PS512, RS256, RS384, RS512,
};
use serde_json::{Map, Value, json};

use super::cli::Client;
use super::flow;
use super::signet::Signet;

/// What `client_assertion_type` says.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key with its algorithm and name.
#[derive(Clone)]
pub struct Signer {
    alg: String,
    kid: Option<String>,
    key: Jwk,
}

impl Signer {
    /// A fresh key of that name.
    pub fn new(alg: &str, kid: &str) -> Self {
        let key = match alg {
            "ES256" => Jwk::generate_ec_key(EcCurve::P256),
            "ES384" => Jwk::generate_ec_key(EcCurve::P384),
            "ES512" => Jwk::generate_ec_key(EcCurve::P521),
            "EdDSA" | "Ed25519" => Jwk::generate_ed_key(EdCurve::Ed25519),
            _ => Jwk::generate_rsa_key(2_048),
        };
        Self { alg: alg.to_owned(), kid: Some(kid.to_owned()), key: key.expect("a key") }
    }

    /// The secret of a client as a key.
    pub fn secret(alg: &str, client: &Client) -> Self {
        let mut key = Jwk::new("oct");
        key.set_key_value(client.secret.as_deref().expect("a secret"));
        Self { alg: alg.to_owned(), kid: None, key }
    }

    /// The same key with another algorithm.
    pub fn with_alg(&self, alg: &str) -> Self {
        Self { alg: alg.to_owned(), ..self.clone() }
    }

    /// The public key, as it stands in a set.
    pub fn public(&self) -> Value {
        let mut key: Map<String, Value> = self.key.to_public_key().expect("a public key").into();
        key.insert("kid".to_owned(), json!(self.kid));
        Value::Object(key)
    }

    /// Signs claims. Members of `header` go over the usual ones; `null` takes one away.
    pub fn sign(&self, header: Value, claims: &Value) -> String {
        let usual = json!({ "alg": self.alg, "kid": self.kid });
        let text = format!("{}.{}", encode(&over(&usual, header)), encode(claims));
        let signer: Box<dyn JwsSigner> = match self.alg.as_str() {
            "RS256" => Box::new(RS256.signer_from_jwk(&self.key).expect("a signer")),
            "RS384" => Box::new(RS384.signer_from_jwk(&self.key).expect("a signer")),
            "RS512" => Box::new(RS512.signer_from_jwk(&self.key).expect("a signer")),
            "PS256" => Box::new(PS256.signer_from_jwk(&self.key).expect("a signer")),
            "PS384" => Box::new(PS384.signer_from_jwk(&self.key).expect("a signer")),
            "PS512" => Box::new(PS512.signer_from_jwk(&self.key).expect("a signer")),
            "ES256" => Box::new(ES256.signer_from_jwk(&self.key).expect("a signer")),
            "ES384" => Box::new(ES384.signer_from_jwk(&self.key).expect("a signer")),
            "ES512" => Box::new(ES512.signer_from_jwk(&self.key).expect("a signer")),
            "EdDSA" | "Ed25519" => Box::new(EdDSA.signer_from_jwk(&self.key).expect("a signer")),
            "HS256" => Box::new(HS256.signer_from_jwk(&self.key).expect("a signer")),
            "HS384" => Box::new(HS384.signer_from_jwk(&self.key).expect("a signer")),
            "HS512" => Box::new(HS512.signer_from_jwk(&self.key).expect("a signer")),
            other => panic!("no algorithm {other}"),
        };
        let signature = signer.sign(text.as_bytes()).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A client's assertion for the issuer, good for a minute. Members of `claims` go over the usual ones; `null` takes
    /// one away.
    pub fn assertion(&self, signet: &Signet, client: &Client, claims: Value) -> String {
        self.sign(json!({}), &assertion_claims(signet, client, claims))
    }
}

/// Claims of an assertion as [`Signer::assertion`] makes them.
pub fn assertion_claims(signet: &Signet, client: &Client, claims: Value) -> Value {
    let usual = json!({
        "iss": client.id, "sub": client.id, "aud": signet.issuer(), "jti": flow::random(),
        "iat": now(), "exp": now() + 60,
    });
    over(&usual, claims)
}

/// A claim or header without a signature and without an algorithm.
pub fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", encode(&json!({ "alg": "none" })), encode(claims))
}

/// A set of public keys.
pub fn set(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|signer| signer.public()).collect::<Vec<_>>() })
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a client reads its own clock")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("seconds")
}

/// The fields of a form that carry an assertion.
pub fn fields(assertion: &str) -> [(&'static str, &str); 2] {
    [("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)]
}

fn over(usual: &Value, members: Value) -> Value {
    let (Value::Object(mut all), Value::Object(members)) = (usual.clone(), members) else { panic!("objects") };
    all.extend(members);
    Value::Object(all.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}
