//! Keys as they are made and stored.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::jwk::{
    Jwk,
    alg::{ec::EcCurve, ed::EdCurve},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Alg, KeyringError, public_part};

/// Where a key stands: next → active → retiring → retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published ahead of use.
    Next,
    /// Signs.
    Active,
    /// Published until the last token it signed has ended.
    Retiring,
    /// Unpublished; kept to read old hints.
    Retired,
}

impl KeyState {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::Retiring, Self::Retired].into_iter().find(|state| state.as_str() == name)
    }
}

/// A key as stored: the private part only where it signs.
#[derive(Clone)]
pub struct KeyMaterial {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// Where it stands.
    pub state: KeyState,
    /// RFC 7517, private members included where it signs or will sign.
    pub private: Jwk,
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaterial").field("kid", &self.kid).field("state", &self.state).finish_non_exhaustive()
    }
}

impl KeyMaterial {
    /// Reads the stored form: the private JWK as JSON.
    pub fn from_stored(kid: String, alg: Alg, state: KeyState, json: &[u8]) -> Result<Self, KeyringError> {
        Ok(Self { kid, alg, state, private: Jwk::from_bytes(json)? })
    }

    /// The same key without what signs: for one that signs no more.
    pub fn without_private(&self) -> Result<Self, KeyringError> {
        Ok(Self { private: Jwk::from_map(public_part(&self.private))?, ..self.clone() })
    }

    /// The form to seal and store.
    pub fn to_stored(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(self.private.to_string().into_bytes())
    }
}

/// Makes a key pair. OpenSSL draws its own randomness.
pub fn generate(alg: Alg, state: KeyState) -> Result<KeyMaterial, KeyringError> {
    let mut private = match alg {
        Alg::Es256 => Jwk::generate_ec_key(EcCurve::P256)?,
        Alg::Es384 => Jwk::generate_ec_key(EcCurve::P384)?,
        Alg::Es512 => Jwk::generate_ec_key(EcCurve::P521)?,
        Alg::EdDsa => Jwk::generate_ed_key(EdCurve::Ed25519)?,
        Alg::Rs256 | Alg::Rs384 | Alg::Rs512 | Alg::Ps256 | Alg::Ps384 | Alg::Ps512 => Jwk::generate_rsa_key(2_048)?,
        Alg::Ed25519 | Alg::Hs256 | Alg::Hs384 | Alg::Hs512 | Alg::None => return Err(KeyringError::Missing(alg)),
    };
    let kid = thumbprint(&private);
    private.set_key_id(&kid);
    private.set_key_use("sig");
    private.set_algorithm(alg.as_str());
    Ok(KeyMaterial { kid, alg, state, private })
}

/// RFC 7638 §3: SHA-256 over the required public members in order.
fn thumbprint(key: &Jwk) -> String {
    let members: &[&str] = match key.key_type() {
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        _ => &["crv", "kty", "x", "y"],
    };
    let mut required = Map::new();
    for member in members {
        required.insert((*member).to_owned(), key.parameter(member).cloned().unwrap_or_default());
    }
    URL_SAFE_NO_PAD.encode(Sha256::digest(Value::Object(required).to_string()))
}
