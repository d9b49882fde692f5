//! `client_secret_jwt` (OIDC Core §9): the assertion is signed with the secret itself.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::jws::{HS256, HS384, HS512, JwsSigner};
use subtle::ConstantTimeEq;

use super::Assertion;
use crate::{jose::Alg, secret::Secret};

/// Whether the secret made the signature. It is made again and compared in constant time; josekit's own comparison is not.
/// A secret shorter than the hash makes none (RFC 7518 §3.2).
pub(super) fn verify(secret: &Secret, assertion: &Assertion) -> bool {
    let hash = match assertion.alg() {
        Alg::Hs256 => HS256,
        Alg::Hs384 => HS384,
        Alg::Hs512 => HS512,
        _ => return false,
    };
    let Some((text, signature)) = assertion.text().rsplit_once('.') else { return false };
    let made = hash.signer_from_bytes(secret.expose()).and_then(|signer| signer.sign(text.as_bytes()));
    made.is_ok_and(|made| URL_SAFE_NO_PAD.encode(made).as_bytes().ct_eq(signature.as_bytes()).into())
}
