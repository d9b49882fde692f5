//! Logout tokens (OIDC Back-Channel Logout §2.4).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    client::Client,
    jose::{Alg, Keyring, KeyringError, Recipient, kind::LOGOUT_TOKEN},
    realm::Realm,
    secret::Secret,
};

/// OIDC Back-Channel Logout §2.4: the member of `events` that makes a JWT a logout token.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a client is told: whose session at it has ended, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The subject as the client knows it.
    pub sub: String,
    /// The session as the client knows it.
    pub sid: String,
}

#[derive(Debug, Serialize)]
struct LogoutClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
    sid: &'a str,
    events: Map<String, Value>,
}

impl Ended {
    /// Reads what was stored with a delivery.
    pub fn read(content: &Value) -> Option<Self> {
        let text = |name| content.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self { sub: text("sub")?, sid: text("sid")? })
    }

    /// A fresh logout token, good for two minutes (protocol L2): signed as the client's ID tokens are, by RS256 where
    /// those are unsigned, and encrypted where they are. `jti` is random.
    pub fn token(
        &self,
        client: &Client,
        (realm, now): (&Realm, DateTime<Utc>),
        jti: &Secret,
        (keys, recipient): (&Keyring, Option<&Recipient>),
    ) -> Result<String, KeyringError> {
        let iat = now.timestamp();
        let claims = LogoutClaims {
            iss: &realm.issuer,
            sub: &self.sub,
            aud: client.id.as_str(),
            iat,
            exp: iat + LOGOUT_TOKEN.greatest_age.map_or(0, |age| age.num_seconds()),
            jti: jti.expose(),
            sid: &self.sid,
            events: Map::from_iter([(EVENT.to_owned(), json!({}))]),
        };
        let alg = Some(client.metadata.id_token_alg()).filter(|alg| *alg != Alg::None).unwrap_or(Alg::Rs256);
        let signed = keys.sign(&LOGOUT_TOKEN, alg, &claims)?;
        match client.metadata.id_token_encryption() {
            None => Ok(signed),
            Some(encryption) => {
                recipient.filter(|one| one.reads(encryption)).ok_or(KeyringError::Recipient)?.nest(&signed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use josekit::jwt;

    use super::*;
    use crate::{
        fixtures::{client, now, realm},
        jose::{KeyState, generate},
    };

    fn ended() -> Ended {
        Ended { sub: "subject".into(), sid: "session".into() }
    }

    /// L2: `typ: logout+jwt`, `iss aud iat exp jti sid sub events`, no nonce, two minutes.
    #[test]
    fn a_logout_token() {
        let keys = Keyring::new(&[Alg::Rs256, Alg::Es384].map(|alg| generate(alg, KeyState::Active).unwrap())).unwrap();
        for (registered, alg) in [(None, "RS256"), (Some(Alg::Es384), "ES384"), (Some(Alg::None), "RS256")] {
            let mut client = client();
            client.metadata.id_token_signed_response_alg = registered;
            let token = ended().token(&client, (&realm(), now()), &Secret::new("one"), (&keys, None)).unwrap();
            let header = jwt::decode_header(&token).unwrap();
            assert_eq!(header.claim("typ"), Some(&json!("logout+jwt")));
            assert_eq!(header.claim("alg"), Some(&json!(alg)));
            let part = token.split('.').nth(1).unwrap();
            let claims: Value = serde_json::from_slice(
                &base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap(),
            )
            .unwrap();
            let at = now().timestamp();
            let expected = json!({
                "iss": "https://op.example", "sub": "subject", "aud": "app", "iat": at, "exp": at + 120, "jti": "one",
                "sid": "session", "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            });
            assert_eq!(claims, expected);
            // Another kind than ID and access tokens (RFC 8725 §3.11).
            assert!(keys.verify_hint(&token, "https://op.example", now()).is_err());
            assert!(keys.verify_access(&token, "https://op.example", now()).is_err());
        }
    }

    /// L2: without the key of a client that wants its tokens encrypted there is none.
    #[test]
    fn encrypted_where_id_tokens_are() {
        let keys = Keyring::new(&[generate(Alg::Rs256, KeyState::Active).unwrap()]).unwrap();
        let mut client = client();
        client.metadata.id_token_encrypted_response_alg = Some(crate::jose::JweAlg::EcdhEs);
        let token = ended().token(&client, (&realm(), now()), &Secret::new("one"), (&keys, None));
        assert!(matches!(token, Err(KeyringError::Recipient)), "{token:?}");
    }

    /// L2: what is stored is what is told; anything else is no event.
    #[test]
    fn what_is_stored() {
        assert_eq!(Ended::read(&json!({"sub": "subject", "sid": "session"})), Some(ended()));
        for bad in [json!({"sub": "s"}), json!({"sid": "s"}), json!({"sub": 1, "sid": "s"}), json!(null)] {
            assert_eq!(Ended::read(&bad), None, "{bad}");
        }
    }
}
