//! Signing and verifying, all of it by josekit.
//!
//! One table says which kinds of token there are; no endpoint accepts another kind (RFC 8725 §3.11).

mod claims;
mod keyring;
pub mod rotation;

pub use claims::{AccessClaims, IdClaims};
pub use keyring::{KeyMaterial, KeyState, Keyring, KeyringError, VerifyError, generate};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// A signature algorithm (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Alg {
    /// Those that Signet signs with.
    pub const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// Reads the registered name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }
}

/// A kind of JWT: its `typ` and the algorithm it is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// RFC 7515 §4.1.9.
    pub typ: &'static str,
    /// The only algorithm it is accepted with.
    pub alg: Alg,
}

/// RFC 9068 §2.1.
pub const ACCESS_TOKEN: Kind = Kind { typ: "at+jwt", alg: Alg::Es256 };
/// OIDC Core §2.
pub const ID_TOKEN: Kind = Kind { typ: "JWT", alg: Alg::Rs256 };

/// OIDC Core §3.1.3.6: the left half of the SHA-256 hash, base64url.
pub fn half_hash(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
}
