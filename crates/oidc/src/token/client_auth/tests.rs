mod maker;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use maker::{Maker, NOW, TOKEN_ENDPOINT, mac};
use serde_json::{Value, json};

use super::*;
use crate::{
    client::ClientMetadata,
    error::ErrorCode,
    fixtures::{client, now, realm},
    id::ClientId,
    jose::Alg,
    secret::Digest,
};

fn basic(text: &str) -> String {
    format!("bAsIc {}", STANDARD.encode(text))
}

/// T1: Basic is form-urlencoded before base64; the same `client_id` in the body is fine, two methods are not.
#[test]
fn credentials() {
    let read = |header: Option<&str>, body: &str| read(header, &Params::decode(body.as_bytes()));
    let (id, sent) = read(Some(&basic("a%3Ab:s%2Bs+t")), "").unwrap();
    assert_eq!((id.as_str(), sent), ("a:b", Credentials::Basic(Secret::new("s+s t"))));
    assert!(read(Some(&basic("a:s")), "client_id=a").is_ok());
    assert_eq!(read(Some(&basic("a:s")), "client_id=b").unwrap_err().code, ErrorCode::InvalidRequest);
    assert_eq!(read(Some(&basic("a:s")), "client_secret=s").unwrap_err().code, ErrorCode::InvalidRequest);
    assert_eq!(read(Some("Basic !!!"), "").unwrap_err().code, ErrorCode::InvalidClient);
    assert_eq!(read(None, "").unwrap_err().code, ErrorCode::InvalidClient);
    assert_eq!(read(None, "client_id=a").unwrap().1, Credentials::None);
    assert_eq!(read(None, "client_id=a&client_secret=s").unwrap().1, Credentials::Post(Secret::new("s")));
    assert_eq!(read(None, "client_id=a&client_id=a").unwrap_err().code, ErrorCode::InvalidRequest);
}

/// T1: an assertion comes with its type, alone, and names the client that the body may name too.
#[test]
fn assertions_in_a_request() {
    let jwt = Maker::rsa().assertion();
    let body = |fields: &[(&str, &str)]| Params::new(fields.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
    let (text, kind) = (("client_assertion", jwt.as_str()), ("client_assertion_type", JWT_BEARER));
    let read = |header: Option<&str>, fields: &[(&str, &str)]| read(header, &body(fields)).map(|(id, _)| id);
    assert_eq!(read(None, &[text, kind]).as_deref(), Ok("app"));
    assert_eq!(read(None, &[text, kind, ("client_id", "app")]).as_deref(), Ok("app"));
    let invalid_request = [
        (None, vec![text, kind, ("client_id", "other")]),
        (None, vec![text, kind, ("client_secret", "secret")]),
        (Some(basic("app:secret")), vec![text, kind]),
        (Some("Basic !!!".to_owned()), vec![text, kind]),
        (None, vec![text]),
        (None, vec![kind]),
        (None, vec![text, ("client_assertion_type", "")]),
        (None, vec![kind, ("client_assertion", ""), ("client_id", "app")]),
        (None, vec![text, text, kind]),
        (None, vec![text, kind, kind]),
    ];
    for (header, fields) in invalid_request {
        assert_eq!(read(header.as_deref(), &fields).unwrap_err().code, ErrorCode::InvalidRequest, "{fields:?}");
    }
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    for fields in [vec![text, ("client_assertion_type", saml)], vec![kind, ("client_assertion", "x")]] {
        assert_eq!(read(None, &fields).unwrap_err().code, ErrorCode::InvalidClient, "{fields:?}");
    }
}

/// A call of the introspection endpoint.
fn expected(realm: &Realm) -> Expected<'_> {
    Expected { realm, endpoint: "/oauth/introspect", now: now() }
}

fn by_key(alg: Option<Alg>) -> Client {
    let metadata = ClientMetadata { token_endpoint_auth_signing_alg: alg, ..ClientMetadata::default() };
    Client { auth: ClientAuth::PrivateKeyJwt, metadata, ..client() }
}

fn by_secret(secret: &str, alg: Option<Alg>) -> Client {
    Client { auth: ClientAuth::SecretJwt(Secret::new(secret)), ..by_key(alg) }
}

/// Reads and verifies as the endpoint does.
fn judge(client: &Client, text: &str, keys: Option<&ClientKeys>) -> Result<Proof, OAuthError> {
    let pairs = [("client_assertion", text), ("client_assertion_type", JWT_BEARER)];
    let (_, credentials) = read(None, &Params::new(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()))?;
    let realm = realm();
    let expected = expected(&realm);
    let keys = keys.filter(|_| needs_keys(Some(client), &credentials, expected));
    verify(Some(client), &credentials, expected, keys).map(|(_, proof)| proof)
}

#[track_caller]
fn refused(result: Result<Proof, OAuthError>, what: &str) {
    assert_eq!(result.unwrap_err().code, ErrorCode::InvalidClient, "{what}");
}

/// T2: every algorithm with a key pair, any where none is registered, else the registered one only.
#[test]
fn algorithms_of_private_key_jwt() {
    for alg in Alg::ACCEPTED {
        let maker = Maker::of(alg);
        let (text, keys) = (maker.assertion(), maker.keys());
        let own = [(None, true), (Some(alg), true)];
        for (registered, good) in own.into_iter().chain([Alg::Rs256, Alg::EdDsa].map(|one| (Some(one), alg == one))) {
            let result = judge(&by_key(registered), &text, Some(&keys));
            assert_eq!(result.is_ok(), good, "{alg:?} {registered:?}");
        }
        refused(judge(&by_key(None), &text, None), "no keys");
        refused(judge(&by_key(None), &text, Some(&Maker::of(Alg::Es256).keys())), "another's key");
        refused(judge(&by_key(None), &maker.with(json!({"alg": "none"}), json!({})).assertion(), Some(&keys)), "none");
    }
    let rsa = Maker::rsa();
    refused(judge(&by_key(None), &Maker { alg: Alg::None, ..Maker::rsa() }.assertion(), Some(&rsa.keys())), "unsigned");
    // RFC 8725 §2.1: the public key is no secret.
    let public = rsa.key.to_public_key().unwrap().to_string();
    let confused = mac(Alg::Hs256, &public).assertion();
    refused(judge(&by_key(None), &confused, Some(&rsa.keys())), "confused");
    refused(judge(&by_key(Some(Alg::Hs256)), &confused, Some(&rsa.keys())), "confused and registered");
}

fn by_hand<M: Mac + KeyInit>(secret: &str, signed: &str) -> Vec<u8> {
    <M as KeyInit>::new_from_slice(secret.as_bytes()).unwrap().chain_update(signed).finalize().into_bytes().to_vec()
}

/// T2: the three with a shared secret, for secrets that are long enough.
#[test]
fn algorithms_of_client_secret_jwt() {
    let secret = "s".repeat(64);
    for alg in Alg::MAC {
        let text = mac(alg, &secret).assertion();
        for (registered, good) in [(None, true), (Some(alg), true), (Some(Alg::Hs256), alg == Alg::Hs256)] {
            assert_eq!(judge(&by_secret(&secret, registered), &text, None).is_ok(), good, "{alg:?} {registered:?}");
        }
        refused(judge(&by_secret(&"t".repeat(64), None), &text, None), "another secret");
        for bad in
            [text[..text.len() - 1].to_owned(), format!("{text}="), text.replacen('.', "A.", 1), text.clone() + "A"]
        {
            refused(judge(&by_secret(&secret, None), &bad, None), "another signature");
        }
        refused(judge(&by_key(None), &text, None), "another method");
    }
    let short = "s".repeat(43);
    for (alg, good) in [(Alg::Hs256, true), (Alg::Hs384, false), (Alg::Hs512, false)] {
        // Made by hand: josekit signs with no short key.
        let text = mac(alg, &secret).assertion();
        let (signed, _) = text.rsplit_once('.').unwrap();
        let made = match alg {
            Alg::Hs256 => by_hand::<Hmac<sha2::Sha256>>(&short, signed),
            Alg::Hs384 => by_hand::<Hmac<sha2::Sha384>>(&short, signed),
            _ => by_hand::<Hmac<sha2::Sha512>>(&short, signed),
        };
        let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(made));
        assert_eq!(judge(&by_secret(&short, None), &text, None).is_ok(), good, "{alg:?}");
    }
    let rsa = Maker::rsa();
    refused(
        judge(&by_secret(&secret, None), &rsa.assertion(), Some(&rsa.keys())),
        "a key where a secret is registered",
    );
}

/// T2: `iss` and `sub` are the client, `aud` is this provider, times are near, the identifier is there.
#[test]
fn claims() {
    let maker = Maker::rsa();
    let keys = maker.keys();
    let hour = 3_600;
    for (claims, good) in [
        (json!({}), true),
        (json!({"aud": "https://op.example"}), true),
        (json!({"aud": ["https://other.example", TOKEN_ENDPOINT]}), true),
        (json!({"aud": "https://op.example/"}), false),
        (json!({"aud": "https://OP.example"}), false),
        (json!({"aud": "https://op.example/oauth/token/"}), false),
        // The endpoint that is called, and one that is not.
        (json!({"aud": "https://op.example/oauth/introspect"}), true),
        (json!({"aud": "https://op.example/oauth/revoke"}), false),
        (json!({"aud": ["https://other.example"]}), false),
        (json!({"aud": []}), false),
        (json!({"aud": null}), false),
        (json!({"aud": 1}), false),
        (json!({"aud": "app"}), false),
        (json!({"iss": "other"}), false),
        (json!({"iss": "https://op.example"}), false),
        (json!({"iss": null}), false),
        (json!({"sub": "other"}), false),
        (json!({"sub": null}), false),
        (json!({"iss": "other", "sub": "other"}), false),
        (json!({"exp": null}), false),
        (json!({"exp": "1800000060"}), false),
        (json!({"exp": NOW - 10}), false),
        (json!({"exp": NOW - 9}), true),
        (json!({"exp": NOW + hour + 10}), true),
        (json!({"exp": NOW + hour + 60}), true),
        (json!({"exp": NOW + hour + 61}), false),
        (json!({"exp": 1_800_000_060.5}), true),
        (json!({"exp": 1e300}), false),
        (json!({"exp": i64::MAX}), false),
        (json!({"exp": u64::MAX}), false),
        (json!({"exp": i64::MIN}), false),
        (json!({"iat": null}), true),
        (json!({"iat": NOW - 10 * hour}), true),
        (json!({"iat": NOW + 10}), true),
        (json!({"iat": NOW + 61}), false),
        (json!({"iat": "now"}), false),
        (json!({"nbf": NOW + 10}), true),
        (json!({"nbf": NOW + 61}), false),
        (json!({"nbf": 1e300}), false),
        (json!({"jti": null}), false),
        (json!({"jti": ""}), false),
        (json!({"jti": 1}), false),
        (json!({"jti": "j".repeat(1_024)}), true),
        (json!({"jti": "j".repeat(1_025)}), false),
        (json!({"other": {"a": [1]}}), true),
    ] {
        let result = judge(&by_key(None), &maker.with(json!({}), claims.clone()).assertion(), Some(&keys));
        assert_eq!(result.is_ok(), good, "{claims}");
    }
    let twice = "{\"iss\":\"app\",\"sub\":\"app\",\"sub\":\"app\",\"aud\":\"https://op.example\",\"exp\":1800000060,\"jti\":\"j\"}";
    refused(judge(&by_key(None), &maker.sign("{\"alg\":\"RS256\"}", twice), Some(&keys)), "a claim twice");
}

/// T2: another kind of JWT is no assertion, extensions are not ignored, and what the header says of keys counts for
/// nothing but the name.
#[test]
fn headers() {
    let maker = Maker::rsa();
    let mut named = maker.key.to_public_key().unwrap();
    named.set_key_id("k1");
    let keys = ClientKeys::from_value(&json!({ "keys": [Value::Object(named.into())] })).unwrap();
    let thief = Maker::of(Alg::Es256);
    for (header, good) in [
        (json!({}), true),
        (json!({"typ": "JWT"}), true),
        (json!({"typ": "jwt"}), true),
        (json!({"typ": "client-authentication+jwt"}), true),
        (json!({"typ": "application/client-authentication+jwt"}), true),
        (json!({"typ": "at+jwt"}), false),
        (json!({"typ": "logout+jwt"}), false),
        (json!({"typ": "oauth-authz-req+jwt"}), false),
        (json!({"typ": 1}), false),
        (json!({"kid": "k1"}), true),
        (json!({"kid": "k2"}), false),
        (json!({"kid": ""}), false),
        (json!({"kid": 1}), false),
        (json!({"kid": "k".repeat(1_025)}), false),
        (json!({"crit": ["exp"]}), false),
        (json!({"crit": []}), false),
        (json!({"b64": false}), false),
        (json!({"alg": "RS999"}), false),
        (json!({"jku": "https://evil.example/", "x5u": "https://evil.example/"}), true),
    ] {
        let result = judge(&by_key(None), &maker.with(header.clone(), json!({})).assertion(), Some(&keys));
        assert_eq!(result.is_ok(), good, "{header}");
    }
    let brought = json!({"jwk": Value::Object(thief.key.to_public_key().unwrap().into())});
    refused(judge(&by_key(None), &thief.with(brought, json!({})).assertion(), Some(&keys)), "a key it brings along");
    let text = maker.assertion();
    let long = maker.with(json!({}), json!({"other": "x".repeat(16_384)})).assertion();
    for bad in ["x", "..", "a.b", "a.b.c.d", &text.replace('.', ""), &format!("{text}.x"), &format!(" {text}"), &long] {
        refused(judge(&by_key(None), bad, Some(&keys)), bad.get(..10).unwrap_or(bad));
    }
}

/// T1: an assertion is no way in for a client of another method, for one that is switched off, or for one that is
/// not there; and other methods are none for a client with keys.
#[test]
fn only_the_registered_method() {
    let maker = Maker::rsa();
    let (text, keys) = (maker.assertion(), maker.keys());
    refused(judge(&client(), &text, Some(&keys)), "basic is registered");
    refused(judge(&Client { auth: ClientAuth::None, ..by_key(None) }, &text, Some(&keys)), "public");
    refused(judge(&Client { disabled: true, ..by_key(None) }, &text, Some(&keys)), "switched off");
    let realm = realm();
    let expected = expected(&realm);
    let secret = Secret::new("secret");
    for client in [by_key(None), by_secret("secret", None)] {
        for credentials in [Credentials::None, Credentials::Basic(secret.clone()), Credentials::Post(secret.clone())] {
            assert!(verify(Some(&client), &credentials, expected, Some(&keys)).is_err(), "{credentials:?}");
        }
    }
    let assertion = Credentials::Assertion(Box::new(Assertion::read(&text).unwrap()));
    let error = verify(None, &assertion, expected, Some(&keys)).unwrap_err();
    assert_eq!(error, verify(Some(&by_key(None)), &assertion, expected, None).unwrap_err(), "answered alike");
    assert!(needs_keys(Some(&by_key(None)), &assertion, expected));
    for (client, why) in [
        (None, "nobody"),
        (Some(client()), "another method"),
        (Some(by_secret("s", None)), "a secret"),
        (Some(Client { disabled: true, ..by_key(None) }), "switched off"),
        (Some(by_key(Some(Alg::Es256))), "another algorithm"),
    ] {
        assert!(!needs_keys(client.as_ref(), &assertion, expected), "{why}");
    }
}

/// T2: an assertion counts once: the identifier is spent under its client, until the assertion is accepted no more.
#[test]
fn an_assertion_is_spent() {
    let maker = Maker::rsa();
    let keys = maker.keys();
    for exp in [NOW + 60, NOW - 9] {
        let proof = judge(&by_key(None), &maker.with(json!({}), json!({"exp": exp})).assertion(), Some(&keys)).unwrap();
        let Proof::Once(Change::Spend { what, expires, on_conflict }) = proof else { panic!("{proof:?}") };
        let app = ClientId::parse("app").unwrap();
        assert_eq!(what, Spent::ClientAssertion { client: app, jti: Digest::of(b"one") });
        assert!(expires.timestamp() > exp + 10, "{expires}");
        assert_eq!(on_conflict, failed(), "a replay is answered like a wrong key");
    }
    let secret = Credentials::Basic(Secret::new("secret"));
    let (_, proof) = verify(Some(&client()), &secret, expected(&realm()), None).unwrap();
    assert!(matches!(proof, Proof::Repeatable));
}

/// an assertion is a secret for as long as it is good.
#[test]
fn debug_shows_nothing() {
    let (_, credentials) = read(
        None,
        &Params::new(vec![
            (
                "client_assertion".into(),
                Maker::rsa().with(json!({"kid": "hunter2"}), json!({"jti": "hunter2"})).assertion(),
            ),
            ("client_assertion_type".into(), JWT_BEARER.into()),
        ]),
    )
    .unwrap();
    assert_eq!(format!("{credentials:?}"), "Assertion(Assertion(…))");
}
