//! The realm's signing keys, ready for use.

mod material;

use std::{collections::HashMap, fmt};

use chrono::{DateTime, Utc};
use josekit::{
    jwk::Jwk,
    jws::{ES256, ES384, ES512, EdDSA, JwsHeader, JwsSigner, JwsVerifier, PS256, PS384, PS512, RS256, RS384, RS512},
    jwt::{self, JwtPayload},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

pub use material::{KeyMaterial, KeyState, generate};

use super::{
    AccessClaims, Alg, IdClaims, ed25519,
    kind::{ACCESS_TOKEN, ID_TOKEN, Kind, USERINFO},
};

/// A key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// josekit or OpenSSL refused.
    #[error("signing key: {0}")]
    Jose(#[from] josekit::JoseError),
    /// No key of that algorithm is active.
    #[error("no active {} signing key", .0.as_str())]
    Missing(Alg),
    /// It is to be encrypted, and there is no key of the client at hand to do so.
    #[error("no key of the client to encrypt with")]
    Recipient,
    /// Claims could not be written as JSON.
    #[error("claims: {0}")]
    Claims(#[from] serde_json::Error),
}

/// Why a token is not accepted. Callers do not tell these apart to the outside.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a JWT, or of another kind or algorithm.
    #[error("not a token of this kind")]
    Kind,
    /// No key with that id.
    #[error("unknown key")]
    UnknownKey,
    /// The signature or a claim does not hold.
    #[error("signature, issuer or time does not hold")]
    Invalid,
}

/// What signs with a private key.
pub(crate) fn signer(alg: Alg, key: &Jwk) -> Result<Box<dyn JwsSigner + Send + Sync>, KeyringError> {
    Ok(match alg {
        Alg::Rs256 => Box::new(RS256.signer_from_jwk(key)?),
        Alg::Rs384 => Box::new(RS384.signer_from_jwk(key)?),
        Alg::Rs512 => Box::new(RS512.signer_from_jwk(key)?),
        Alg::Ps256 => Box::new(PS256.signer_from_jwk(key)?),
        Alg::Ps384 => Box::new(PS384.signer_from_jwk(key)?),
        Alg::Ps512 => Box::new(PS512.signer_from_jwk(key)?),
        Alg::Es256 => Box::new(ES256.signer_from_jwk(key)?),
        Alg::Es384 => Box::new(ES384.signer_from_jwk(key)?),
        Alg::Es512 => Box::new(ES512.signer_from_jwk(key)?),
        Alg::EdDsa => Box::new(EdDSA.signer_from_jwk(key)?),
        Alg::Ed25519 | Alg::Hs256 | Alg::Hs384 | Alg::Hs512 | Alg::None => return Err(KeyringError::Missing(alg)),
    })
}

/// What checks signatures of a public key. A key that is not for that algorithm is refused.
pub(crate) fn verifier(alg: Alg, key: &Jwk) -> Result<Box<dyn JwsVerifier + Send + Sync>, KeyringError> {
    Ok(match alg {
        Alg::Rs256 => Box::new(RS256.verifier_from_jwk(key)?),
        Alg::Rs384 => Box::new(RS384.verifier_from_jwk(key)?),
        Alg::Rs512 => Box::new(RS512.verifier_from_jwk(key)?),
        Alg::Ps256 => Box::new(PS256.verifier_from_jwk(key)?),
        Alg::Ps384 => Box::new(PS384.verifier_from_jwk(key)?),
        Alg::Ps512 => Box::new(PS512.verifier_from_jwk(key)?),
        Alg::Es256 => Box::new(ES256.verifier_from_jwk(key)?),
        Alg::Es384 => Box::new(ES384.verifier_from_jwk(key)?),
        Alg::Es512 => Box::new(ES512.verifier_from_jwk(key)?),
        Alg::EdDsa => Box::new(EdDSA.verifier_from_jwk(key)?),
        Alg::Ed25519 => Box::new(ed25519::Verifier::new(key)?),
        Alg::Hs256 | Alg::Hs384 | Alg::Hs512 | Alg::None => return Err(KeyringError::Missing(alg)),
    })
}

/// What checks signatures of a key.
struct Verifier {
    alg: Alg,
    published: bool,
    check: Box<dyn JwsVerifier + Send + Sync>,
}

/// Signers and verifiers of a realm, built once per change of keys.
pub struct Keyring {
    signers: HashMap<Alg, (String, Box<dyn JwsSigner + Send + Sync>)>,
    verifiers: HashMap<String, Verifier>,
    jwks: Value,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("kids", &self.verifiers.keys()).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Builds from stored keys.
    pub fn new(keys: &[KeyMaterial]) -> Result<Self, KeyringError> {
        let mut ring = Self { signers: HashMap::new(), verifiers: HashMap::new(), jwks: Value::Null };
        let mut published = Vec::new();
        for key in keys {
            let public = public_part(&key.private);
            let verifying = Jwk::from_map(public.clone())?;
            let verifier = verifier(key.alg, &verifying)?;
            let published_still = key.state != KeyState::Retired;
            let verifier = Verifier { alg: key.alg, published: published_still, check: verifier };
            ring.verifiers.insert(key.kid.clone(), verifier);
            if key.state == KeyState::Active {
                ring.signers.insert(key.alg, (key.kid.clone(), signer(key.alg, &key.private)?));
            }
            if published_still {
                published.push(Value::Object(public));
            }
        }
        ring.jwks = json!({ "keys": published });
        Ok(ring)
    }

    /// RFC 7517 §5: the published public keys.
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Whether a key signs with that algorithm.
    pub fn signs_with(&self, alg: Alg) -> bool {
        self.signers.contains_key(&alg)
    }

    /// Signs an access token; the resource may ask for another algorithm than the usual one.
    pub fn sign_access(&self, claims: &AccessClaims, alg: Option<Alg>) -> Result<String, KeyringError> {
        self.sign(&ACCESS_TOKEN, alg.unwrap_or(Alg::Es256), claims)
    }

    /// Signs an ID token with the algorithm the client registered. OIDC Core §3.1.3.7: `none` leaves it unsigned.
    pub fn sign_id(&self, claims: &IdClaims, alg: Alg) -> Result<String, KeyringError> {
        self.sign(&ID_TOKEN, alg, claims)
    }

    /// OIDC Core §5.3.2: signs a userinfo answer, with issuer and audience. It has no times, and so is no ID token.
    pub fn sign_userinfo(
        &self,
        mut claims: Map<String, Value>,
        (issuer, client_id): (&str, &str),
        alg: Alg,
    ) -> Result<String, KeyringError> {
        claims.insert("iss".to_owned(), issuer.into());
        claims.insert("aud".to_owned(), client_id.into());
        self.sign(&USERINFO, alg, &claims)
    }

    /// Signs claims as a kind of token, by an algorithm that it may have. `none` leaves them unsigned: whoever asks for that
    /// has checked that the client registered it.
    pub fn sign<C: Serialize>(&self, kind: &Kind, alg: Alg, claims: &C) -> Result<String, KeyringError> {
        if !kind.may_be_signed_with(alg) {
            return Err(KeyringError::Missing(alg));
        }
        let mut header = JwsHeader::new();
        header.set_token_type(kind.typ());
        let Value::Object(map) = serde_json::to_value(claims)? else {
            return Err(KeyringError::Missing(alg));
        };
        let payload = JwtPayload::from_map(map)?;
        if alg == Alg::None {
            return Ok(jwt::encode_unsecured(&payload, &header)?);
        }
        let (key_id, signer) = self.signers.get(&alg).ok_or(KeyringError::Missing(alg))?;
        header.set_key_id(key_id);
        Ok(jwt::encode_with_signer(&payload, &header, signer.as_ref())?)
    }

    /// RFC 9068 §4: signature, `typ`, issuer, times. The audience is the caller's to check.
    pub fn verify_access(&self, token: &str, issuer: &str, now: DateTime<Utc>) -> Result<AccessClaims, VerifyError> {
        let claims: AccessClaims = self.verify(&ACCESS_TOKEN, token)?;
        let in_time = claims.exp > now.timestamp() && claims.iat <= now.timestamp() + 10;
        if claims.iss != issuer || !in_time || !ACCESS_TOKEN.may_last(claims.iat, claims.exp) {
            return Err(VerifyError::Invalid);
        }
        Ok(claims)
    }

    /// OIDC Core §3.1.2.1 `id_token_hint`: an ID token of ours, expired or not; no other kind.
    pub fn verify_hint(&self, token: &str, issuer: &str, now: DateTime<Utc>) -> Result<IdClaims, VerifyError> {
        let claims: IdClaims = self.verify(&ID_TOKEN, token)?;
        if claims.iss != issuer || claims.iat > now.timestamp() + 10 {
            return Err(VerifyError::Invalid);
        }
        Ok(claims)
    }

    /// Signature, algorithm and kind. Times are compared by the callers against their own `now`: josekit's validator
    /// would read the clock.
    fn verify<C: DeserializeOwned>(&self, kind: &Kind, token: &str) -> Result<C, VerifyError> {
        if token.len() > 16_384 {
            return Err(VerifyError::Kind);
        }
        let (payload, header) = jwt::decode_with_verifier_selector(token, |header| {
            let known = header.key_id().and_then(|kid| self.verifiers.get(kid));
            Ok(known
                // No access token outlives the publication of its key; old hints are read with keys that are kept.
                .filter(|key| key.published || *kind == ID_TOKEN)
                // The algorithm is the key's, never the token's choice.
                .filter(|key| header.algorithm() == Some(key.alg.as_str()))
                .map(|key| key.check.as_ref() as &dyn JwsVerifier))
        })
        .map_err(|_| VerifyError::UnknownKey)?;
        if !kind.is_named(header.claim("typ")) {
            return Err(VerifyError::Kind);
        }
        if kind.missing(payload.claims_set()).is_some() {
            return Err(VerifyError::Invalid);
        }
        serde_json::from_value(Value::Object(payload.claims_set().clone())).map_err(|_| VerifyError::Invalid)
    }
}

/// Protocol D4: public members only.
fn public_part(key: &Jwk) -> Map<String, Value> {
    const PUBLIC: [&str; 9] = ["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"];
    PUBLIC
        .iter()
        .filter_map(|member| key.parameter(member).or_else(|| key.as_ref().get(*member)).map(|value| (*member, value)))
        .map(|(member, value)| (member.to_owned(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
