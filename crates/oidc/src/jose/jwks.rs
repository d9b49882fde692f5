//! Clients' public keys: a JWK set (RFC 7517 §5) as registered by value or read from `jwks_uri`, and what of it fits.
//!
//! Nothing in here can sign, and nothing in here was checked by anybody else: sizes are bounded before a key meets the
//! cryptography, members that no decision needs are dropped.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::{
    jwk::Jwk,
    jws::{self, ES256, ES384, ES512, EdDSA, JwsVerifier, RS256},
};
use serde_json::{Map, Value};

use super::{Alg, JweAlg, encryption::agrees, keyring::verifier};

/// No set is longer, in bytes.
pub const LARGEST: usize = 65_536;
/// No set has more keys.
const MOST: usize = 64;
/// So many keys are tried. OIDC Core §10.1 has a token name its key where there are several.
const TRIED: usize = 4;
/// RSA moduli, in bits: below it is weak, above it a single check takes too long.
const MODULUS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// No RSA exponent is longer, in bytes; a long one is only slow.
const EXPONENT: usize = 8;
/// No name (`kty`, `crv`, `kid`, `use`, `alg`) is longer, in bytes.
const LONGEST_NAME: usize = 1_024;

/// What a key is for (RFC 7517 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyUse {
    /// `sig`.
    Signature,
    /// `enc`.
    Encryption,
}

impl KeyUse {
    /// The names of the operations (RFC 7517 §4.3) that a public key of this use does.
    fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Signature => &["verify"],
            Self::Encryption => &["encrypt", "wrapKey", "deriveKey", "deriveBits"],
        }
    }
}

/// Why a JWK set is not taken. The texts may be shown to whoever registers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Too long.
    #[error("the key set is longer than 65536 bytes")]
    TooLarge,
    /// Not a JSON object with an array of objects under `keys`.
    #[error("the key set is not a JSON object with a list of keys")]
    NotASet,
    /// Too many.
    #[error("the key set has more than 64 keys")]
    TooMany,
    /// A symmetric key, or a member that only a private key has. Whoever published it has lost it.
    #[error("the key set holds a private or a symmetric key; it must hold public keys only")]
    Private,
    /// Nothing to use.
    #[error(
        "the key set holds no key that can be used: RSA of 2048 to 8192 bits, P-256, P-384, P-521, Ed25519 or X25519"
    )]
    Empty,
}

/// What a key is, as far as algorithms ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    X25519,
}

impl Shape {
    /// Whether such a key checks signatures of that algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
    fn verifies(self, alg: Alg) -> bool {
        match alg {
            Alg::Rs256 | Alg::Rs384 | Alg::Rs512 | Alg::Ps256 | Alg::Ps384 | Alg::Ps512 => self == Self::Rsa,
            Alg::Es256 => self == Self::P256,
            Alg::Es384 => self == Self::P384,
            Alg::Es512 => self == Self::P521,
            Alg::EdDsa | Alg::Ed25519 => self == Self::Ed25519,
            Alg::Hs256 | Alg::Hs384 | Alg::Hs512 | Alg::None => false,
        }
    }

    /// Whether a content key can be agreed on with such a key (RFC 7518 §4.1, RFC 8037 §3.2).
    fn encrypts(self, alg: JweAlg) -> bool {
        match alg {
            JweAlg::RsaOaep256 => self == Self::Rsa,
            JweAlg::EcdhEs | JweAlg::EcdhEsA256Kw => {
                matches!(self, Self::P256 | Self::P384 | Self::P521 | Self::X25519)
            }
        }
    }
}

/// The keys of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeys(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// `kty`, `kid` and the key itself.
    jwk: Jwk,
    shape: Shape,
    /// What it may be used for; never empty.
    uses: Vec<KeyUse>,
    alg: Option<String>,
}

impl ClientKeys {
    /// Reads a set from its text.
    pub fn parse(text: &[u8]) -> Result<Self, JwksError> {
        if text.len() > LARGEST {
            return Err(JwksError::TooLarge);
        }
        Self::from_value(&serde_json::from_slice(text).map_err(|_| JwksError::NotASet)?)
    }

    /// Reads a set that is JSON already. RFC 7517 §5: a key that is not understood is left out; a private one is not.
    pub fn from_value(set: &Value) -> Result<Self, JwksError> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(JwksError::NotASet)?;
        if keys.len() > MOST {
            return Err(JwksError::TooMany);
        }
        let mut entries = Vec::new();
        for key in keys {
            let key = key.as_object().ok_or(JwksError::NotASet)?;
            if is_private(key) {
                return Err(JwksError::Private);
            }
            entries.extend(read(key));
        }
        if entries.is_empty() { Err(JwksError::Empty) } else { Ok(Self(entries)) }
    }

    /// Whether a key of that name is there.
    pub fn knows(&self, kid: &str) -> bool {
        self.0.iter().any(|entry| entry.jwk.key_id() == Some(kid))
    }

    /// Whether one of the keys signed a token in compact form (RFC 7515 §7.1), by that algorithm and under that name.
    pub fn signed(&self, token: &str, alg: Alg, kid: Option<&str>) -> bool {
        self.verifiers(alg, kid).iter().any(|check| jws::deserialize_compact(token, check.as_ref()).is_ok())
    }

    /// What checks signatures of the keys that may have made one, in the order of the set: of the key of the name given,
    /// or else of the first few that fit the algorithm.
    pub fn verifiers(&self, alg: Alg, kid: Option<&str>) -> Vec<Box<dyn JwsVerifier + Send + Sync>> {
        let check = |key: &Jwk| {
            let mut key = key.clone();
            // The key was chosen; josekit would insist on its name in the header.
            key.set_parameter("kid", None).ok()?;
            verifier(alg, &key).ok()
        };
        self.verifying(alg, kid).into_iter().filter_map(check).collect()
    }

    fn verifying(&self, alg: Alg, kid: Option<&str>) -> Vec<&Jwk> {
        let fitting =
            self.0.iter().filter(|entry| entry.serves(KeyUse::Signature, alg.as_str(), entry.shape.verifies(alg)));
        let named = fitting.filter(|entry| kid.is_none_or(|kid| entry.jwk.key_id() == Some(kid)));
        named.map(|entry| &entry.jwk).take(TRIED).collect()
    }

    /// The key to encrypt with: the first that fits the algorithm, of those for encryption alone if there is one.
    pub fn encrypting(&self, alg: JweAlg) -> Option<&Jwk> {
        let fits = |entry: &&Entry| entry.serves(KeyUse::Encryption, alg.as_str(), entry.shape.encrypts(alg));
        let other_uses = |entry: &&Entry| entry.uses.contains(&KeyUse::Signature);
        self.0.iter().filter(fits).min_by_key(other_uses).map(|entry| &entry.jwk)
    }
}

impl Entry {
    /// Whether the key's kind is right, and `use`, `key_ops` and `alg` (RFC 7517 §4) do not speak against it.
    fn serves(&self, usage: KeyUse, alg: &str, shape: bool) -> bool {
        shape && self.uses.contains(&usage) && self.alg.as_deref().is_none_or(|own| own == alg)
    }
}

/// RFC 7518 §6.2.2, §6.3.2, §6.4: what a public key does not have.
fn is_private(key: &Map<String, Value>) -> bool {
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    PRIVATE.iter().any(|member| key.contains_key(*member)) || key.get("kty").is_some_and(|kty| kty == "oct")
}

/// A key with what is needed of it, where it can be used.
fn read(key: &Map<String, Value>) -> Option<Entry> {
    let name = |member| Name::of(key, member);
    let (shape, members): (Shape, &[&str]) = match (name("kty"), name("crv")) {
        (Name::Text("RSA"), _) => (Shape::Rsa, &["kty", "n", "e"]),
        (Name::Text("EC"), Name::Text("P-256")) => (Shape::P256, &["kty", "crv", "x", "y"]),
        (Name::Text("EC"), Name::Text("P-384")) => (Shape::P384, &["kty", "crv", "x", "y"]),
        (Name::Text("EC"), Name::Text("P-521")) => (Shape::P521, &["kty", "crv", "x", "y"]),
        (Name::Text("OKP"), Name::Text("Ed25519")) => (Shape::Ed25519, &["kty", "crv", "x"]),
        (Name::Text("OKP"), Name::Text("X25519")) => (Shape::X25519, &["kty", "crv", "x"]),
        _ => return None,
    };
    let copied = members.iter().map(|member| Some(((*member).to_owned(), key.get(*member)?.clone())));
    let mut jwk = Jwk::from_map(copied.collect::<Option<Map<_, _>>>()?).ok()?;
    sound(&jwk, shape)?;
    match name("kid") {
        Name::Absent => {}
        Name::Text(kid) => jwk.set_key_id(kid),
        Name::Odd => return None,
    }
    let alg = match name("alg") {
        Name::Absent => None,
        Name::Text(alg) => Some(alg.to_owned()),
        Name::Odd => return None,
    };
    let uses = uses(name("use"), key.get("key_ops"));
    (!uses.is_empty()).then_some(Entry { jwk, shape, uses, alg })
}

/// A member that names something.
#[derive(Clone, Copy)]
enum Name<'a> {
    Absent,
    Text(&'a str),
    /// No text, or a very long one: the key is not understood.
    Odd,
}

impl<'a> Name<'a> {
    fn of(key: &'a Map<String, Value>, member: &str) -> Self {
        let Some(value) = key.get(member) else { return Self::Absent };
        value.as_str().filter(|text| text.len() <= LONGEST_NAME).map_or(Self::Odd, Self::Text)
    }
}

/// RFC 7517 §4.2, §4.3: what `use` and `key_ops` together leave a public key to do; nothing where one of them is not
/// understood.
fn uses(named: Name<'_>, operations: Option<&Value>) -> Vec<KeyUse> {
    let by_use: &[KeyUse] = match named {
        Name::Absent => &[KeyUse::Signature, KeyUse::Encryption],
        Name::Text("sig") => &[KeyUse::Signature],
        Name::Text("enc") => &[KeyUse::Encryption],
        Name::Text(_) | Name::Odd => &[],
    };
    let by_operations = |usage: KeyUse| {
        let Some(operations) = operations else { return true };
        let operations = operations.as_array().map(|list| list.iter().map(Value::as_str).collect::<Vec<_>>());
        operations.is_some_and(|listed| {
            !listed.contains(&None) && usage.operations().iter().any(|one| listed.contains(&Some(one)))
        })
    };
    by_use.iter().copied().filter(|usage| by_operations(*usage)).collect()
}

/// Sizes are within bounds, and the cryptography takes the key: points are on their curve.
fn sound(bare: &Jwk, shape: Shape) -> Option<()> {
    let bytes = |member| URL_SAFE_NO_PAD.decode(bare.parameter(member)?.as_str()?).ok();
    let coordinates = |length| Some((bytes("x")?.len(), bytes("y")?.len()) == (length, length));
    let good = match shape {
        Shape::Rsa => {
            let number = |member| Some(bytes(member)?.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>());
            let (modulus, exponent) = (number("n")?, number("e")?);
            let length = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
            let fine = MODULUS.contains(&length) && exponent.len() <= EXPONENT && exponent != [1];
            fine && exponent.last()? % 2 == 1 && RS256.verifier_from_jwk(bare).is_ok()
        }
        Shape::P256 => coordinates(32)? && ES256.verifier_from_jwk(bare).is_ok(),
        Shape::P384 => coordinates(48)? && ES384.verifier_from_jwk(bare).is_ok(),
        Shape::P521 => coordinates(66)? && ES512.verifier_from_jwk(bare).is_ok(),
        Shape::Ed25519 => EdDSA.verifier_from_jwk(bare).is_ok(),
        Shape::X25519 => bytes("x")?.len() == 32 && agrees(bare),
    };
    good.then_some(())
}

#[cfg(test)]
mod tests;
