//! `Ed25519` (RFC 9864 §2.2): the name without choices of what josekit knows as `EdDSA` with a key on that curve. Clients may
//! send it; Signet's own signatures say `EdDSA`.

use josekit::{
    JoseError,
    jwk::Jwk,
    jws::{EdDSA, JwsAlgorithm, JwsVerifier},
};

use super::Alg;

#[derive(Debug, Clone)]
struct Name;

impl JwsAlgorithm for Name {
    fn name(&self) -> &str {
        Alg::Ed25519.as_str()
    }

    fn box_clone(&self) -> Box<dyn JwsAlgorithm> {
        Box::new(self.clone())
    }
}

/// Checks as josekit's does, under that name.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    eddsa: Box<dyn JwsVerifier>,
}

impl Verifier {
    /// Of a public key on that curve; others are refused.
    pub(super) fn new(key: &Jwk) -> Result<Self, JoseError> {
        Ok(Self { eddsa: Box::new(EdDSA.verifier_from_jwk(key)?) })
    }
}

impl JwsVerifier for Verifier {
    fn algorithm(&self) -> &dyn JwsAlgorithm {
        &Name
    }

    fn key_id(&self) -> Option<&str> {
        self.eddsa.key_id()
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        self.eddsa.verify(message, signature)
    }

    fn box_clone(&self) -> Box<dyn JwsVerifier> {
        Box::new(self.clone())
    }
}
