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

#[cfg(test)]
mod tests {
    use josekit::jws::JwsSigner as _;

    use super::*;
    use crate::jose::{KeyState, generate};

    /// T2: a signature holds for its message and its key, under the name without choices.
    #[test]
    fn signatures_hold() {
        let [key, other] = [(); 2].map(|()| generate(Alg::EdDsa, KeyState::Active).unwrap());
        let signature = EdDSA.signer_from_jwk(&key.private).unwrap().sign(b"message").unwrap();
        let of = |key: &Jwk| {
            let mut public = key.to_public_key().unwrap();
            public.set_key_id("named");
            Verifier::new(&public).unwrap()
        };
        let verifier = of(&key.private);
        assert_eq!((verifier.algorithm().name(), verifier.key_id()), ("Ed25519", Some("named")));
        assert!(verifier.verify(b"message", &signature).is_ok());
        assert!(verifier.box_clone().verify(b"message", &signature).is_ok());
        assert!(verifier.verify(b"massage", &signature).is_err());
        assert!(of(&other.private).verify(b"message", &signature).is_err());
        let ec = generate(Alg::Es256, KeyState::Active).unwrap();
        assert!(Verifier::new(&ec.private.to_public_key().unwrap()).is_err());
    }
}
