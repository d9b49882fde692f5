//! Assertions as a client makes them, and as it should not.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::{
    jwk::{
        Jwk,
        alg::{ec::EcCurve, ed::EdCurve},
    },
    jws::{self, JwsSigner},
};
use serde_json::{Map, Value, json};

use crate::jose::{Alg, jwks::ClientKeys};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const TOKEN_ENDPOINT: &str = "https://op.example/oauth/token";

/// What makes assertions.
pub(super) struct Maker {
    pub(super) alg: Alg,
    pub(super) key: Jwk,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("an object"),
    }
}

impl Maker {
    pub(super) fn new(alg: Alg, key: Jwk) -> Self {
        let claims = json!({
            "iss": "app", "sub": "app", "aud": TOKEN_ENDPOINT, "exp": NOW + 60, "iat": NOW, "jti": "one"
        });
        Self { alg, key, header: Map::new(), claims: members(claims) }
    }

    pub(super) fn rsa() -> Self {
        static KEY: LazyLock<Jwk> = LazyLock::new(|| Jwk::generate_rsa_key(2_048).unwrap());
        Self::new(Alg::Rs256, KEY.clone())
    }

    pub(super) fn of(alg: Alg) -> Self {
        match alg {
            Alg::Es256 => Self::new(alg, Jwk::generate_ec_key(EcCurve::P256).unwrap()),
            Alg::Es384 => Self::new(alg, Jwk::generate_ec_key(EcCurve::P384).unwrap()),
            Alg::Es512 => Self::new(alg, Jwk::generate_ec_key(EcCurve::P521).unwrap()),
            Alg::EdDsa | Alg::Ed25519 => Self::new(alg, Jwk::generate_ed_key(EdCurve::Ed25519).unwrap()),
            _ => Self { alg, ..Self::rsa() },
        }
    }

    /// The same with other members; `null` takes one away.
    pub(super) fn with(&self, header: Value, claims: Value) -> Self {
        let over = |members: &Map<String, Value>, new: Value| {
            let mut members = members.clone();
            members.extend(self::members(new));
            members.into_iter().filter(|(_, value)| !value.is_null()).collect()
        };
        Self {
            alg: self.alg,
            key: self.key.clone(),
            header: over(&self.header, header),
            claims: over(&self.claims, claims),
        }
    }

    pub(super) fn assertion(&self) -> String {
        let mut header = self.header.clone();
        header.entry("alg").or_insert_with(|| self.alg.as_str().into());
        self.sign(&Value::Object(header).to_string(), &Value::Object(self.claims.clone()).to_string())
    }

    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signer: Box<dyn JwsSigner> = match self.alg {
            Alg::Rs256 => Box::new(jws::RS256.signer_from_jwk(&self.key).unwrap()),
            Alg::Rs384 => Box::new(jws::RS384.signer_from_jwk(&self.key).unwrap()),
            Alg::Rs512 => Box::new(jws::RS512.signer_from_jwk(&self.key).unwrap()),
            Alg::Ps256 => Box::new(jws::PS256.signer_from_jwk(&self.key).unwrap()),
            Alg::Ps384 => Box::new(jws::PS384.signer_from_jwk(&self.key).unwrap()),
            Alg::Ps512 => Box::new(jws::PS512.signer_from_jwk(&self.key).unwrap()),
            Alg::Es256 => Box::new(jws::ES256.signer_from_jwk(&self.key).unwrap()),
            Alg::Es384 => Box::new(jws::ES384.signer_from_jwk(&self.key).unwrap()),
            Alg::Es512 => Box::new(jws::ES512.signer_from_jwk(&self.key).unwrap()),
            Alg::EdDsa | Alg::Ed25519 => Box::new(jws::EdDSA.signer_from_jwk(&self.key).unwrap()),
            Alg::Hs256 => Box::new(jws::HS256.signer_from_jwk(&self.key).unwrap()),
            Alg::Hs384 => Box::new(jws::HS384.signer_from_jwk(&self.key).unwrap()),
            Alg::Hs512 => Box::new(jws::HS512.signer_from_jwk(&self.key).unwrap()),
            Alg::None => return format!("{text}."),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signer.sign(text.as_bytes()).unwrap()))
    }

    /// Its public half, as the client's set.
    pub(super) fn keys(&self) -> ClientKeys {
        let key = Value::Object(self.key.to_public_key().unwrap().into());
        ClientKeys::from_value(&json!({ "keys": [key] })).unwrap()
    }
}

pub(super) fn mac(alg: Alg, secret: &str) -> Maker {
    let mut key = Jwk::new("oct");
    key.set_key_value(secret);
    Maker::new(alg, key)
}
