//! Signing, verifying and encrypting, all of it by josekit.
//!
//! One table, [`kind`], says which kinds of token there are; no endpoint accepts another kind (RFC 8725 §3.11).

mod alg;
mod claims;
mod ed25519;
mod encryption;
pub mod jwks;
mod keyring;
pub mod kind;
pub mod rotation;

pub use alg::{Alg, JweAlg, JweEnc};
pub use claims::{AccessClaims, IdClaims};
pub use encryption::{Encryption, Recipient};
#[cfg(test)]
pub(crate) use keyring::signer;
pub use keyring::{KeyMaterial, KeyState, Keyring, KeyringError, VerifyError, generate};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// OIDC Core §3.1.3.6: the left half of the hash of `token`, base64url, by the hash of the ID token's algorithm.
pub fn half_hash(alg: Alg, token: &str) -> String {
    fn half(digest: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(digest.get(..digest.len() / 2).unwrap_or_default())
    }
    match alg {
        Alg::Rs384 | Alg::Ps384 | Alg::Es384 | Alg::Hs384 => half(&Sha384::digest(token)),
        // Ed25519 signs a SHA-512 hash.
        Alg::Rs512 | Alg::Ps512 | Alg::Es512 | Alg::Hs512 | Alg::EdDsa | Alg::Ed25519 => half(&Sha512::digest(token)),
        Alg::Rs256 | Alg::Ps256 | Alg::Es256 | Alg::Hs256 | Alg::None => half(&Sha256::digest(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T8: the example of OIDC Core, appendix A.3, and the same token by longer hashes.
    #[test]
    fn half_hashes() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        for alg in Alg::ALL {
            let expected = match alg.as_str() {
                name if name.ends_with("384") => "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs",
                name if name.ends_with("256") || name == "none" => "77QmUPtjPfzWtF2AnpK9RQ",
                _ => "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM",
            };
            assert_eq!(half_hash(*alg, token), expected, "{}", alg.as_str());
        }
    }
}
