use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::{id::GrantId, jose::kind::LOGOUT_TOKEN};

fn ring() -> Keyring {
    let keys = [Alg::Es256, Alg::Rs256].map(|alg| generate(alg, KeyState::Active).unwrap());
    Keyring::new(&keys).unwrap()
}

#[test]
fn what_it_signs_with() {
    let ring = ring();
    for alg in Alg::ALL {
        assert_eq!(ring.signs_with(*alg), [Alg::Es256, Alg::Rs256].contains(alg), "{}", alg.as_str());
    }
    let shown = format!("{ring:?}");
    assert!(shown.starts_with("Keyring { kids: [") && shown.ends_with(", .. }"), "{shown}");
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn access() -> AccessClaims {
    AccessClaims {
        iss: "https://op.example".into(),
        sub: "s".into(),
        aud: vec!["https://op.example".into()],
        exp: now().timestamp() + 60,
        iat: now().timestamp(),
        jti: "j".into(),
        client_id: "c".into(),
        scope: "openid".into(),
        auth_time: None,
        acr: None,
        sid: None,
        user_id: None,
        grant: Some(GrantId(uuid::Uuid::nil())),
        account_generation: 0,
        client_generation: 0,
        extra: Map::new(),
    }
}

fn id() -> IdClaims {
    IdClaims {
        iss: "https://op.example".into(),
        sub: "s".into(),
        aud: "c".into(),
        azp: "c".into(),
        exp: now().timestamp() + 60,
        iat: now().timestamp(),
        auth_time: 0,
        nonce: None,
        acr: "1".into(),
        amr: vec![],
        sid: None,
        at_hash: None,
        c_hash: None,
        extra: Map::new(),
    }
}

/// D4: the published set has public members only, and distinct key ids.
#[test]
fn the_published_set_holds_no_private_member() {
    let ring = ring();
    let keys = ring.jwks()["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
        assert!(key["alg"].is_string() && key["use"] == "sig" && key["kty"].is_string());
    }
}

/// R-38, D4: the public part of a key that signs no more still checks what it signed: published while it retires; after
/// that for old hints alone.
#[test]
fn keys_that_sign_no_more() {
    let keys = [Alg::Es256, Alg::Rs256].map(|alg| generate(alg, KeyState::Active).unwrap());
    let ring = Keyring::new(&keys).unwrap();
    let (token, hint) = (ring.sign_access(&access(), None).unwrap(), ring.sign_id(&id(), Alg::Rs256).unwrap());
    for (state, published) in [(KeyState::Retiring, true), (KeyState::Retired, false)] {
        let old = keys.clone().map(|key| KeyMaterial { state, ..key.without_private().unwrap() });
        for key in &old {
            let stored = KeyMaterial::from_stored(key.kid.clone(), key.alg, state, &key.to_stored()).unwrap();
            for private in ["d", "p", "q"] {
                assert!(stored.private.parameter(private).is_none(), "{private}");
            }
        }
        let ring = Keyring::new(&old).unwrap();
        assert_eq!(ring.jwks()["keys"].as_array().unwrap().len(), if published { 2 } else { 0 });
        assert_eq!(ring.verify_access(&token, "https://op.example", now()).is_ok(), published, "{state:?}");
        assert!(ring.verify_hint(&hint, "https://op.example", now()).is_ok(), "{state:?}");
        assert!(ring.sign_access(&access(), None).is_err(), "{state:?}");
    }
}

/// T2, U1: clocks of ten seconds' difference are accepted, and tokens up to 16 KiB; a token ends at its last second.
#[test]
fn bounds_of_what_is_accepted() {
    let ring = ring();
    let at = |seconds: i64| now() + chrono::Duration::seconds(seconds);
    let token = ring.sign_access(&access(), None).unwrap();
    let hint = ring.sign_id(&id(), Alg::Rs256).unwrap();
    for (seconds, good) in [(-11, false), (-10, true), (59, true), (60, false)] {
        assert_eq!(ring.verify_access(&token, "https://op.example", at(seconds)).is_ok(), good, "{seconds}");
    }
    for (seconds, good) in [(-11, false), (-10, true), (60, true)] {
        assert_eq!(ring.verify_hint(&hint, "https://op.example", at(seconds)).is_ok(), good, "{seconds}");
    }
    assert!(ring.verify_hint(&hint, "https://other.example", now()).is_err());
    let sized = |length: usize| {
        let of = |fill: usize| {
            let claims = AccessClaims { scope: "x".repeat(fill), ..access() };
            ring.sign_access(&claims, None).unwrap()
        };
        let token = (0..4).map(|more| of((length - of(0).len()) / 4 * 3 + more)).find(|token| token.len() == length);
        token.map(|token| ring.verify_access(&token, "https://op.example", now()).is_ok())
    };
    let found: Vec<_> = (16_380..=16_388).filter_map(|length| Some((length, sized(length)?))).collect();
    assert!(found.iter().all(|(length, good)| *good == (*length <= 16_384)), "{found:?}");
    assert!(found.iter().any(|(_, good)| *good) && found.iter().any(|(_, good)| !good), "{found:?}");
}

/// U1: a signed userinfo answer names issuer and audience, whatever the claims held.
#[test]
fn a_signed_userinfo_answer() {
    let claims = json!({"sub": "s", "iss": "somebody", "aud": "somebody"}).as_object().unwrap().clone();
    let token = ring().sign_userinfo(claims, ("https://op.example", "c"), Alg::Rs256).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let read: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(read, json!({"sub": "s", "iss": "https://op.example", "aud": "c"}));
}

/// A9, RFC 8725 §3.11: no kind is taken for another, no foreign key or issuer or time accepted, but an ID token that
/// has ended as a hint.
#[test]
fn kinds_keys_and_times() {
    let ring = ring();
    let token = ring.sign_access(&access(), None).unwrap();
    assert!(ring.verify_access(&token, "https://op.example", now()).is_ok());
    assert!(ring.verify_access(&token, "https://other.example", now()).is_err());
    assert!(ring.verify_access(&token, "https://op.example", now() + chrono::Duration::seconds(60)).is_err());
    assert!(ring.verify_hint(&token, "https://op.example", now()).is_err());
    assert!(super::tests::ring().verify_access(&token, "https://op.example", now()).is_err());

    let hint = ring.sign_id(&id(), Alg::Rs256).unwrap();
    assert!(ring.verify_hint(&hint, "https://op.example", now() + chrono::Duration::days(365)).is_ok());
    // A signed userinfo answer of the same algorithm is neither.
    let person = ring.sign_userinfo(Map::new(), ("https://op.example", "c"), Alg::Rs256).unwrap();
    assert!(ring.verify_hint(&person, "https://op.example", now()).is_err());
    assert!(ring.verify_access(&person, "https://op.example", now()).is_err());
    assert!(ring.verify_access(&hint, "https://op.example", now()).is_err());

    let mut parts: Vec<&str> = token.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    parts[0] = &none;
    parts[2] = "";
    assert!(ring.verify_access(&parts.join("."), "https://op.example", now()).is_err());
}

/// A token for an API ends within the hour, whoever made it.
#[test]
fn an_access_token_has_a_greatest_age() {
    let ring = ring();
    for (seconds, good) in [(3_600, true), (3_601, false)] {
        let claims = AccessClaims { exp: access().iat + seconds, ..access() };
        let token = ring.sign_access(&claims, None).unwrap();
        assert_eq!(ring.verify_access(&token, "https://op.example", now()).is_ok(), good, "{seconds}");
    }
}

/// T8, U1: what is unsigned where that is registered is an ID token alone; a shared secret signs nothing of ours.
#[test]
fn what_a_kind_is_not_signed_with() {
    let ring = ring();
    assert!(ring.sign_id(&id(), Alg::None).is_ok());
    assert!(ring.sign_access(&access(), Some(Alg::None)).is_err());
    assert!(ring.sign_userinfo(Map::new(), ("https://op.example", "c"), Alg::None).is_err());
    assert!(ring.sign_id(&id(), Alg::Hs256).is_err());
}

/// A9: what lacks a claim of its kind is none of it: a userinfo answer, which has the same `typ`, is no hint.
#[test]
fn a_userinfo_answer_is_no_hint() {
    let ring = ring();
    let claims = Map::from_iter([("sub".to_owned(), Value::from("s"))]);
    let answer = ring.sign_userinfo(claims, ("https://op.example", "c"), Alg::Rs256).unwrap();
    assert_eq!(ring.verify_hint(&answer, "https://op.example", now()).unwrap_err(), VerifyError::Invalid);
    let logout = ring.sign(&LOGOUT_TOKEN, Alg::Rs256, &id()).unwrap();
    assert_eq!(ring.verify_hint(&logout, "https://op.example", now()).unwrap_err(), VerifyError::Kind);
}
