//! `id_token_hint`, and whatever else is sent where a token of ours is expected.

use std::sync::LazyLock;

use josekit::{
    jwk::Jwk,
    jws::{JwsHeader, RS256, alg::rsassa::RsassaJwsSigner},
    jwt::{self, JwtPayload},
};
use serde_json::{Map, Value};

use crate::{
    fixtures,
    jose::{Alg, KeyState, Keyring, generate},
};

/// The realm's keys, what signs as its ID tokens are signed, and the identifier of that key.
static KEYS: LazyLock<(Keyring, RsassaJwsSigner, String)> = LazyLock::new(|| {
    let keys = [Alg::Rs256, Alg::Es256].map(|alg| generate(alg, KeyState::Active).unwrap());
    let private = Jwk::from_bytes(keys[0].to_stored()).unwrap();
    let mut signer = RS256.signer_from_jwk(&private).unwrap();
    signer.remove_key_id();
    (Keyring::new(&keys).unwrap(), signer, keys[0].kid.clone())
});

/// `data` is a token, or `[HEADER, CLAIMS]` in JSON, which our own key then signs.
pub fn id_token_hint(data: &[u8]) -> bool {
    let (keyring, signer, kid) = &*KEYS;
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let token = signed(text, signer, kid).unwrap_or_else(|| text.to_owned());
    let (realm, now) = (fixtures::realm(), fixtures::now());
    let access = keyring.verify_access(&token, &realm.issuer, now);
    let Ok(claims) = keyring.verify_hint(&token, &realm.issuer, now) else { return false };
    assert!(access.is_err(), "an ID token is no access token: {token}");
    assert!(claims.iss == realm.issuer && claims.iat <= now.timestamp() + 10, "{claims:?}");
    true
}

fn signed(text: &str, signer: &RsassaJwsSigner, kid: &str) -> Option<String> {
    let (header, claims): (Map<String, Value>, Map<String, Value>) = serde_json::from_str(text).ok()?;
    let mut header = JwsHeader::from_map(header).ok()?;
    if header.key_id().is_none() {
        header.set_key_id(kid);
    }
    jwt::encode_with_signer(&JwtPayload::from_map(claims).ok()?, &header, signer).ok()
}
