//! What a client compares with to learn whether the person is still signed in (OIDC Session Management §3).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{id::SessionId, secret::DerivationKey};

/// What the browser keeps of a session where scripts may read it: it is the same while the session is, says nothing of
/// it, and opens nothing.
pub fn browser_state(session: SessionId, key: &DerivationKey) -> String {
    key.text(&[b"browser-state", session.0.as_bytes()])
}

/// OIDC Session Management §3.1 `session_state`: the hash of client, origin, browser state and salt, and the salt. None
/// where the redirect URI has no origin: no script there has one to ask from.
pub fn session_state(client_id: &str, redirect_uri: &str, browser_state: &str, salt: &str) -> Option<String> {
    let origin = Url::parse(redirect_uri).ok()?.origin();
    if !origin.is_tuple() {
        return None;
    }
    let origin = origin.ascii_serialization();
    let hash = Sha256::digest(format!("{client_id} {origin} {browser_state} {salt}"));
    Some(format!("{}.{salt}", URL_SAFE_NO_PAD.encode(hash)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{key, session};

    /// L4: the value depends on client, origin, session and salt, not on the rest of the redirect URI.
    #[test]
    fn values() {
        let state = browser_state(session().id, &key());
        let of = |client: &str, uri: &str, state: &str, salt: &str| session_state(client, uri, state, salt).unwrap();
        let base = of("app", "https://app.example/cb", &state, "salt");
        assert_eq!(base.split_once('.').map(|(_, salt)| salt), Some("salt"));
        assert_eq!(base, of("app", "https://app.example:443/other?x=1", &state, "salt"));
        let mut all = vec![
            base,
            of("app2", "https://app.example/cb", &state, "salt"),
            of("app", "https://app.example:8443/cb", &state, "salt"),
            of("app", "http://app.example/cb", &state, "salt"),
            of("app", "https://app.example/cb", "another", "salt"),
            of("app", "https://app.example/cb", &state, "other"),
        ];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert_eq!(session_state("app", "com.example.app:/cb", &state, "salt"), None);
    }

    /// L4: the published example of the hash: SHA-256 of the four parts with spaces between them.
    #[test]
    fn known_answer() {
        let expected = URL_SAFE_NO_PAD.encode(Sha256::digest(b"app https://app.example state salt"));
        let value = session_state("app", "https://app.example/cb", "state", "salt");
        assert_eq!(value, Some(format!("{expected}.salt")));
    }

    /// L4: another session, another state; neither is the session's identifier.
    #[test]
    fn browser_states() {
        let (one, two) = (session().id, SessionId(uuid::Uuid::from_u128(99)));
        assert_ne!(browser_state(one, &key()), browser_state(two, &key()));
        assert_eq!(browser_state(one, &key()), browser_state(one, &key()));
        assert!(!browser_state(one, &key()).contains(&one.0.to_string()));
    }
}
