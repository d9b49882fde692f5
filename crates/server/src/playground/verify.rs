//! The checks on an ID token (Core §3.1.3.7), made by the library and listed one by one.

use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, IdTokenVerifier, JsonWebKey as _, Nonce,
    SubjectIdentifier,
    core::{CoreIdToken, CoreJsonWebKey},
};

use super::explain::{Failure, time};

/// One check that was passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Claim or part of the token.
    pub(super) name: &'static str,
    /// What was compared with what.
    pub(super) text: String,
}

/// What the token is compared with.
pub(super) struct Expected<'a> {
    /// This application.
    pub(super) client_id: &'a ClientId,
    /// Nonce of the authorization request.
    pub(super) nonce: &'a Nonce,
    /// At a refresh: who is signed in. Core §12.2: `sub` stays, `nonce` may be left out.
    pub(super) subject: Option<&'a SubjectIdentifier>,
}

/// A token that passed.
#[derive(Debug)]
pub(super) struct Verified {
    /// Who it is about.
    pub(super) subject: SubjectIdentifier,
    /// What was verified.
    pub(super) checks: Vec<Check>,
}

/// Verifies an ID token that came from the token endpoint.
pub(super) fn id_token(
    verifier: &IdTokenVerifier<'_, CoreJsonWebKey>,
    token: &CoreIdToken,
    access_token: &AccessToken,
    expected: &Expected<'_>,
) -> Result<Verified, Failure> {
    let refreshed = expected.subject.is_some();
    let nonce_check = |nonce: Option<&Nonce>| match nonce {
        None if refreshed => Ok(()),
        None => Err("the ID token has no nonce".to_owned()),
        Some(nonce) if nonce.secret() == expected.nonce.secret() => Ok(()),
        Some(_) => Err("the nonce is not the one that was sent".to_owned()),
    };
    let claims = token.claims(verifier, nonce_check).map_err(|error| Failure::id_token(&error))?;

    let algorithm = token.signing_alg().map_err(signature)?;
    let key = token.signing_key(verifier).map_err(signature)?;
    let name = serde_json::to_value(algorithm).unwrap_or_default();
    let name = name.as_str().unwrap_or("unnamed");
    let kid = key.key_id().map_or("(none)", |kid| kid.as_str());
    let mut checks = vec![
        check("signature", format!("{name}, made with the issuer’s key {kid}")),
        check("iss", format!("is the issuer that was asked: {}", claims.issuer().as_str())),
        check("aud", format!("names this application: {}", expected.client_id.as_str())),
    ];
    // Core §3.1.3.7: azp, where present, is this client.
    if let Some(azp) = claims.authorized_party() {
        if azp != expected.client_id {
            return Err(Failure::id_token(&"azp names another application"));
        }
        checks.push(check("azp", format!("is this application: {}", azp.as_str())));
    }
    checks.push(check("exp", format!("has not passed: {}", time(claims.expiration()))));
    checks.push(check(
        "nonce",
        if claims.nonce().is_some() {
            "is the one sent in the authorization request".to_owned()
        } else {
            "is absent, as it may be after a refresh".to_owned()
        },
    ));
    // Core §3.1.3.8: at_hash, where present, fits the access token.
    if let Some(hash) = claims.access_token_hash() {
        let actual =
            AccessTokenHash::from_token(access_token, algorithm, key).map_err(|error| Failure::id_token(&error))?;
        if actual != *hash {
            return Err(Failure::id_token(&"at_hash does not fit the access token"));
        }
        checks.push(check("at_hash", "is the hash of the access token beside it".to_owned()));
    }
    if let Some(subject) = expected.subject {
        if subject != claims.subject() {
            return Err(Failure::id_token(&"sub names another person than before"));
        }
        checks.push(check("sub", "is the same person as before".to_owned()));
    }
    Ok(Verified { subject: claims.subject().clone(), checks })
}

fn check(name: &'static str, text: String) -> Check {
    Check { name, text }
}

fn signature(error: openidconnect::SignatureVerificationError) -> Failure {
    Failure::id_token(&ClaimsVerificationError::SignatureVerification(error))
}
