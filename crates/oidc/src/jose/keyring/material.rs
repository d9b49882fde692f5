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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7638 §3.1, RFC 8037 A.3: the thumbprints of their examples.
    #[test]
    fn thumbprints() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
                 ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
                 KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
                 xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let of = |key: Value| thumbprint(&Jwk::from_map(key.as_object().unwrap().clone()).unwrap());
        let rsa = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        assert_eq!(of(rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(of(ed), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    /// What is stored of a key is read again; what is shown of it is no secret.
    #[test]
    fn keys_are_read_again() {
        let all = [KeyState::Next, KeyState::Active, KeyState::Retiring, KeyState::Retired];
        assert_eq!(all.map(KeyState::as_str), ["next", "active", "retiring", "retired"]);
        assert_eq!(all.map(|state| KeyState::parse(state.as_str())), all.map(Some));
        assert_eq!(KeyState::parse("lost"), None);
        let key = generate(Alg::Es256, KeyState::Active).unwrap();
        let again = KeyMaterial::from_stored(key.kid.clone(), key.alg, key.state, &key.to_stored()).unwrap();
        assert_eq!((again.private == key.private, thumbprint(&again.private)), (true, key.kid.clone()));
        assert!(
            key.private.parameter("d").is_some() && key.without_private().unwrap().private.parameter("d").is_none()
        );
        assert_eq!(format!("{key:?}"), format!("KeyMaterial {{ kid: \"{}\", state: Active, .. }}", key.kid));
    }
}
