//! Key pairs of clients.

use josekit::jwk::Jwk;
use josekit::jwk::alg::{ec::EcCurve, ed::EdCurve};
use serde_json::{Map, Value, json};

/// A key pair for an algorithm: the private key as the library takes it, and the set to register.
pub fn pair(alg: &str) -> (Value, Value) {
    let key = match alg {
        "RS256" | "PS256" | "RSA-OAEP-256" => Jwk::generate_rsa_key(2048),
        "EdDSA" => Jwk::generate_ed_key(EdCurve::Ed25519),
        _ => Jwk::generate_ec_key(EcCurve::P256),
    };
    let mut private: Map<String, Value> = key.expect("a key").into();
    private.insert("kid".to_owned(), json!(format!("{alg} of the client")));
    private.insert("alg".to_owned(), json!(alg));
    let secret = ["d", "p", "q", "dp", "dq", "qi"];
    let public: Map<_, _> = private.clone().into_iter().filter(|(name, _)| !secret.contains(&&**name)).collect();
    (Value::Object(private), json!({ "keys": [public] }))
}
