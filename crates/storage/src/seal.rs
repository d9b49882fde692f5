//! Sealing: authenticated encryption of secrets at rest and of values that travel through a browser.
//!
//! XChaCha20-Poly1305 under a subkey of `SIGNET_SECRET_KEY` (HKDF-SHA-256, one label a purpose). The first key seals;
//! all of them open, so that a key can be replaced without losing anything.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const ID: usize = 4;
const NONCE: usize = 24;

/// What a sealed value is for. Values of one purpose never open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Private parts of signing keys.
    SigningKey,
    /// Deterministic keys.
    DerivationKey,
    /// Interactions.
    Interaction,
    /// Form protection: a key, not a sealed value.
    Csrf,
    /// Client secrets that must be read again (`client_secret_jwt`).
    ClientSecret,
    /// Notices on their way through Redis.
    Notice,
    /// What an application posted to have somebody signed out.
    Logout,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::SigningKey => b"signet/1/signing-key",
            Self::DerivationKey => b"signet/1/derivation-key",
            Self::Interaction => b"signet/1/interaction",
            Self::Csrf => b"signet/1/csrf",
            Self::ClientSecret => b"signet/1/client-secret",
            Self::Notice => b"signet/1/notice",
            Self::Logout => b"signet/1/logout",
        }
    }
}

/// A sealed value that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not sealed by any key at hand, or changed since.
    #[error("a sealed value does not open: SIGNET_SECRET_KEY is not the key this database was made with")]
    Closed,
    /// The key is too short.
    #[error(
        "SIGNET_SECRET_KEY must hold at least 32 random bytes as base64, for example from `openssl rand -base64 32`"
    )]
    WeakKey,
}

struct Key {
    id: [u8; ID],
    secret: Zeroizing<Vec<u8>>,
}

/// The keys of this installation.
pub struct Sealer {
    keys: Vec<Key>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// `secrets`: the key that seals, then older ones that only open; each at least 32 bytes.
    pub fn new(secrets: Vec<Zeroizing<Vec<u8>>>) -> Result<Self, SealError> {
        if secrets.is_empty() || secrets.iter().any(|secret| secret.len() < 32) {
            return Err(SealError::WeakKey);
        }
        let keys = secrets
            .into_iter()
            .map(|secret| {
                let mut id = [0; ID];
                let digest = Sha256::new().chain_update(b"signet/1/key-id").chain_update(secret.as_slice()).finalize();
                id.copy_from_slice(digest.get(..ID).unwrap_or(&[0; ID]));
                Key { id, secret }
            })
            .collect();
        Ok(Self { keys })
    }

    /// A 256-bit subkey of the first key, for keyed hashes.
    pub fn subkey(&self, purpose: Purpose) -> [u8; 32] {
        self.keys.first().map_or([0; 32], |key| *derive(key, purpose))
    }

    /// What every value begins with that the first key seals.
    pub(crate) fn head(&self) -> Vec<u8> {
        let id = self.keys.first().map_or([0; ID], |key| key.id);
        [&[VERSION], id.as_slice()].concat()
    }

    /// Seals `plain`, bound to `context` (which must be given again to open it).
    pub fn seal(
        &self,
        purpose: Purpose,
        context: &[u8],
        plain: &[u8],
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let key = self.keys.first().ok_or(SealError::WeakKey)?;
        let cipher = XChaCha20Poly1305::new(&(*derive(key, purpose)).into());
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context })
            .map_err(|_| SealError::Closed)?;
        let mut value = Vec::with_capacity(1 + ID + NONCE + sealed.len());
        value.push(VERSION);
        value.extend_from_slice(&key.id);
        value.extend_from_slice(&nonce);
        value.extend_from_slice(&sealed);
        Ok(value)
    }

    /// Opens what [`Sealer::seal`] made.
    pub fn open(&self, purpose: Purpose, context: &[u8], value: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, rest) = value.split_at_checked(1 + ID).ok_or(SealError::Closed)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE).ok_or(SealError::Closed)?;
        let (version, id) = head.split_first().ok_or(SealError::Closed)?;
        if *version != VERSION {
            return Err(SealError::Closed);
        }
        let key = self.keys.iter().find(|key| key.id == *id).ok_or(SealError::Closed)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealError::Closed)?;
        XChaCha20Poly1305::new(&(*derive(key, purpose)).into())
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: context })
            .map(Zeroizing::new)
            .map_err(|_| SealError::Closed)
    }
}

fn derive(key: &Key, purpose: Purpose) -> Zeroizing<[u8; 32]> {
    let mut subkey = Zeroizing::new([0; 32]);
    // 32 bytes are far below the limit of HKDF's output; there is no error to meet.
    let _ = Hkdf::<Sha256>::new(None, &key.secret).expand(purpose.label(), subkey.as_mut());
    subkey
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(bytes: &[u8]) -> Sealer {
        Sealer::new(bytes.iter().map(|byte| Zeroizing::new(vec![*byte; 32])).collect()).unwrap()
    }

    /// sealed values open with an older key, and with no other key, purpose, context or byte.
    #[test]
    fn what_opens_a_sealed_value() {
        let sealed = sealer(&[1]).seal(Purpose::SigningKey, b"kid", b"secret", [9; 24]).unwrap();
        let open = |keys: &[u8], purpose, context: &[u8], value: &[u8]| sealer(keys).open(purpose, context, value);
        assert_eq!(open(&[1], Purpose::SigningKey, b"kid", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(open(&[2, 1], Purpose::SigningKey, b"kid", &sealed).unwrap().as_slice(), b"secret");
        assert!(open(&[2], Purpose::SigningKey, b"kid", &sealed).is_err());
        assert!(open(&[1], Purpose::Interaction, b"kid", &sealed).is_err());
        assert!(open(&[1], Purpose::SigningKey, b"other", &sealed).is_err());
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(open(&[1], Purpose::SigningKey, b"kid", &changed).is_err(), "byte {position}");
        }
        assert!(open(&[1], Purpose::SigningKey, b"kid", b"").is_err());
        assert!(Sealer::new(vec![Zeroizing::new(vec![1; 31])]).is_err());
    }
}
