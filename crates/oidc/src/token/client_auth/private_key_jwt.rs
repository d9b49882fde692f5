//! `private_key_jwt` (OIDC Core §9): the assertion is signed with a key whose public part is the client's.

use super::Assertion;
use crate::jose::jwks::ClientKeys;

/// Whether one of the client's keys made the signature.
pub(super) fn verify(keys: Option<&ClientKeys>, assertion: &Assertion) -> bool {
    keys.is_some_and(|keys| keys.signed(assertion.text(), assertion.alg(), assertion.kid()))
}
