//! Tables for request objects.

mod places;
mod shape;

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::jws::JwsHeader;
use serde_json::json;

use super::*;
use crate::{
    authorize::{self, AuthorizeRequest},
    client::ClientMetadata,
    fixtures::{CHALLENGE, REDIRECT, client, now, realm},
    jose::{KeyMaterial, KeyState, Keyring, generate, signer},
    policy::ClientPolicy,
};

const KINDS: [Alg; 4] = [Alg::Rs256, Alg::Ps256, Alg::Es256, Alg::EdDsa];
const OTHER: &str = "https://app.example/other";

/// One key of each kind, made once: RSA ones take their time.
fn keys() -> &'static [KeyMaterial; 4] {
    static KEYS: OnceLock<[KeyMaterial; 4]> = OnceLock::new();
    KEYS.get_or_init(|| KINDS.map(|alg| generate(alg, KeyState::Active).unwrap()))
}

fn key(alg: Alg) -> &'static KeyMaterial {
    keys().iter().find(|key| key.alg == alg).unwrap()
}

fn set() -> ClientKeys {
    ClientKeys::from_value(Keyring::new(keys()).unwrap().jwks()).unwrap()
}

/// Two redirect URIs: without one that counts there is nowhere to send an error.
fn two() -> Client {
    Client { redirect_uris: vec![REDIRECT.into(), OTHER.into()], ..client() }
}

fn having(metadata: ClientMetadata) -> Client {
    Client { metadata, ..two() }
}

fn exclusive() -> Client {
    let policy = ClientPolicy { request_objects: RequestObjects::Exclusive, ..ClientPolicy::default() };
    Client { policy, ..two() }
}

fn requiring() -> Client {
    having(ClientMetadata { require_signed_request_object: true, ..ClientMetadata::default() })
}

/// The claims of a good object with some put over them; null takes one away.
fn claims(over: &Value) -> Value {
    let mut claims = json!({
        "iss": "app", "aud": "https://op.example", "exp": now().timestamp() + 60, "client_id": "app",
        "response_type": "code", "redirect_uri": REDIRECT, "scope": "openid", "state": "inside",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    });
    for (name, value) in over.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn none(claims: &Value) -> String {
    unsigned(&json!({"alg": "none"}), claims)
}

fn signed_by(key: &KeyMaterial, header: &Value, claims: &Value) -> String {
    let header = JwsHeader::from_map(header.as_object().unwrap().clone()).unwrap();
    // josekit would put the key's own name there.
    let mut unnamed = key.private.clone();
    unnamed.set_parameter("kid", None).unwrap();
    let signer = signer(key.alg, &unnamed).unwrap();
    josekit::jws::serialize_compact(claims.to_string().as_bytes(), &header, signer.as_ref()).unwrap()
}

fn signed(claims: &Value) -> String {
    signed_by(key(Alg::Es256), &json!({}), claims)
}

fn params(pairs: &[(&str, &str)]) -> Params {
    Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn around(text: &str) -> Params {
    params(&[
        ("client_id", "app"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("redirect_uri", OTHER),
        ("state", "outside"),
        ("nonce", "n"),
        ("request", text),
    ])
}

fn unpack(params: &Params, client: &Client) -> Result<Params, AuthorizeError> {
    let realm = realm();
    let envelope = Envelope { params, client, realm: &realm };
    let Some(Carried::Value(text)) = envelope.carried()? else { panic!("no object") };
    let object = Object::parse(text).map_err(|error| envelope.refuse(error))?;
    let keys = object.is_signed().then(set);
    envelope.unpack(&object, keys.as_ref(), now()).map(|unpacked| unpacked.params)
}

/// The request that an object around usual parameters makes.
fn request(text: &str, client: &Client) -> Result<AuthorizeRequest, AuthorizeError> {
    authorize::read(&unpack(&around(text), client)?, Some(client), Ok(None), &realm())
}

/// Whether it is refused as an object, and the `state` that the error is returned with; none on our page.
fn refused(result: Result<AuthorizeRequest, AuthorizeError>) -> Option<String> {
    let error = |error: &OAuthError| assert_eq!(error.code, ErrorCode::InvalidRequestObject, "{error}");
    match result.unwrap_err() {
        AuthorizeError::Page(refusal) => {
            error(&refusal);
            None
        }
        AuthorizeError::Redirect(delivery, refusal) => {
            error(&refusal);
            let state = delivery.state.unwrap();
            assert_eq!(delivery.redirect_uri, if state == "inside" { REDIRECT } else { OTHER });
            Some(state)
        }
    }
}

/// A14: signed with a key of the client's by each algorithm served, or unsigned; what is inside wins.
#[test]
fn signed_and_unsigned() {
    for alg in KINDS {
        for header in [json!({}), json!({"kid": key(alg).kid}), json!({"typ": "JWT"})] {
            let read = request(&signed_by(key(alg), &header, &claims(&json!({}))), &two()).unwrap();
            assert_eq!((read.redirect_uri.as_str(), read.state.as_deref()), (REDIRECT, Some("inside")));
            assert_eq!(read.nonce.as_deref(), Some("n"), "only outside");
            assert_eq!(read.scopes.to_string(), "openid");
        }
        let registered = |alg| ClientMetadata { request_object_signing_alg: Some(alg), ..ClientMetadata::default() };
        let text = signed_by(key(alg), &json!({}), &claims(&json!({})));
        for other in KINDS {
            assert_eq!(request(&text, &having(registered(other))).is_ok(), alg == other, "{alg:?} {other:?}");
        }
        assert!(refused(request(&text, &having(registered(Alg::None)))).is_some());
        assert!(refused(request(&none(&claims(&json!({}))), &having(registered(alg)))).is_some());
        assert!(request(&text, &requiring()).is_ok());
    }
    let text = none(&claims(&json!({})));
    assert!(request(&text, &two()).is_ok());
    let registered = ClientMetadata { request_object_signing_alg: Some(Alg::None), ..ClientMetadata::default() };
    assert!(request(&text, &having(registered)).is_ok());
    assert_eq!(refused(request(&text, &requiring())).as_deref(), Some("outside"));
}

/// A14: no key but one of the client's, no signature but the object's, no algorithm but the key's.
#[test]
fn forged() {
    let good = signed(&claims(&json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!() };
    let other = URL_SAFE_NO_PAD.encode(claims(&json!({"state": "forged"})).to_string());
    let alg = |alg: &str| URL_SAFE_NO_PAD.encode(json!({ "alg": alg }).to_string());
    let foreign = generate(Alg::Es256, KeyState::Active).unwrap();
    let mac = |alg: &str| {
        let public = Keyring::new(keys()).unwrap().jwks().to_string();
        let mut secret = josekit::jwk::Jwk::new("oct");
        secret.set_key_value(public.as_bytes());
        let signer = josekit::jws::HS256.signer_from_jwk(&secret).unwrap();
        let header = JwsHeader::from_map(json!({ "alg": alg }).as_object().unwrap().clone()).unwrap();
        josekit::jws::serialize_compact(claims(&json!({})).to_string().as_bytes(), &header, &signer).unwrap()
    };
    for text in [
        format!("{header}.{other}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", &signature[4..]),
        format!("{}.{payload}.{signature}", alg("none")),
        format!("{}.{payload}.{signature}", alg("ES384")),
        format!("{}.{payload}.{signature}", alg("RS256")),
        format!("{}.{payload}.{signature}", alg("NONE")),
        format!("{}.{payload}.", alg("None")),
        mac("HS256"),
        signed_by(&foreign, &json!({}), &claims(&json!({}))),
        signed_by(&foreign, &json!({"kid": key(Alg::Es256).kid}), &claims(&json!({}))),
        signed_by(key(Alg::Es256), &json!({"kid": "unknown"}), &claims(&json!({}))),
        signed_by(&foreign, &json!({"jwk": foreign.without_private().unwrap().private.as_ref()}), &claims(&json!({}))),
    ] {
        assert_eq!(refused(request(&text, &two())).as_deref(), Some("outside"), "{text}");
    }
    let realm = realm();
    let params = around(&good);
    let envelope = Envelope { params: &params, client: &two(), realm: &realm };
    let unknown = envelope.unpack(&Object::parse(&good).unwrap(), None, now());
    assert!(matches!(unknown, Err(AuthorizeError::Redirect(..))), "a client without keys");
}

/// A14: what is no object, or one of another kind.
#[test]
fn other_things() {
    let good = claims(&json!({}));
    let typ = |typ: Value| signed_by(key(Alg::Es256), &json!({ "typ": typ }), &good);
    for known in ["JWT", "jwt", "oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "application/JWT"] {
        assert!(request(&typ(known.into()), &two()).is_ok(), "{known}");
    }
    let long = none(&claims(&json!({"filler": "x".repeat(LARGEST)})));
    let fits = none(&claims(&json!({"filler": "x".repeat(20_000)})));
    assert!(fits.len() > 26_000 && request(&fits, &two()).is_ok());
    for text in [
        "a",
        "a.b",
        "a.b.c",
        "..",
        "....",
        "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOEdDTSJ9..a.b.c",
        &long,
        &typ("at+jwt".into()),
        &typ("logout+jwt".into()),
        &typ("application/at+jwt".into()),
        &typ("\u{e9}".into()),
        &typ("".into()),
        &unsigned(&json!({"alg": "none", "typ": 1}), &good),
        &unsigned(&json!({"alg": "none", "crit": ["b64"], "b64": false}), &good),
        &unsigned(&json!({"alg": "none", "crit": []}), &good),
        &unsigned(&json!({"alg": 1}), &good),
        &unsigned(&json!({}), &good),
        &unsigned(&json!([]), &good),
        &format!("{}a", none(&good)),
        &none(&json!([])),
        &none(&json!("text")),
    ] {
        assert_eq!(refused(request(text, &two())).as_deref(), Some("outside"), "{text}");
    }
}

/// A14: issuer, audience, times, client, response type, nesting. What the client signed says where the error goes.
#[test]
fn claims_are_checked() {
    let at = |seconds: i64| json!(now().timestamp() + seconds);
    let good = [
        json!({}),
        json!({"iss": null, "aud": null, "exp": null, "client_id": null, "response_type": null}),
        json!({"aud": ["https://other.example", "https://op.example"]}),
        json!({"exp": at(-9), "nbf": at(60), "iat": at(60)}),
        json!({"exp": 1_800_000_060.5, "nbf": at(-600), "iat": at(-600)}),
        json!({"sub": "somebody", "jti": "1"}),
    ];
    for over in &good {
        assert!(request(&signed(&claims(over)), &two()).is_ok(), "{over}");
        assert!(request(&none(&claims(over)), &two()).is_ok(), "{over}");
    }
    let bad = [
        json!({"iss": "other"}),
        json!({"iss": "https://op.example"}),
        json!({"aud": "https://other.example"}),
        json!({"aud": "https://op.example/"}),
        json!({"aud": ["https://other.example"]}),
        json!({"aud": []}),
        json!({"exp": at(-10)}),
        json!({"nbf": at(61)}),
        json!({"iat": at(61)}),
        json!({"sub": "app"}),
        json!({"client_id": "other"}),
        json!({"client_id": ["app"]}),
        json!({"response_type": "code id_token"}),
        json!({"response_type": ["code"]}),
        json!({"request": "a.b.c"}),
        json!({"request": ""}),
        json!({"request_uri": "https://app.example/r"}),
        json!({"nonce": "a\nb"}),
        json!({"nonce": "a\u{FFFD}"}),
        json!({"claims": {"userinfo": {"name": {"value": "\u{0}"}}}}),
        json!({"resource": ["\u{7f}"]}),
    ];
    for over in &bad {
        let state = |text: String| refused(request(&text, &two()));
        assert_eq!(state(signed(&claims(over))).as_deref(), Some("inside"), "{over}");
        assert_eq!(state(none(&claims(over))).as_deref(), Some("outside"), "{over}");
    }
    // Neither times nor names; by josekit or by us.
    for over in [json!({"exp": "soon"}), json!({"iss": 1}), json!({"nbf": true}), json!({"exp": -1e300})] {
        let over = &over;
        assert_eq!(refused(request(&none(&claims(over)), &two())).as_deref(), Some("outside"), "{over}");
    }
}

/// A14: under the policy `Exclusive`, and where signatures are required, nothing outside counts, and the object must say
/// who made it for whom.
#[test]
fn exclusive_objects() {
    for client in [exclusive(), requiring()] {
        let read = request(&signed(&claims(&json!({"state": null}))), &client).unwrap();
        assert_eq!((read.nonce, read.state, read.scopes.to_string()), (None, None, "openid".to_owned()));
        let other_type = signed(&claims(&json!({"response_type": "code id_token"})));
        let error = request(&other_type, &client).unwrap_err();
        assert!(matches!(error, AuthorizeError::Redirect(_, error) if error.code == ErrorCode::UnauthorizedClient));
        for missing in ["iss", "aud"] {
            let text = signed(&claims(&json!({ missing: null })));
            assert_eq!(refused(request(&text, &client)).as_deref(), Some("inside"), "{missing}");
        }
        // Not even a good redirect URI outside counts.
        let text = signed(&claims(&json!({"redirect_uri": null})));
        assert!(matches!(request(&text, &client), Err(AuthorizeError::Page(_))));
    }
    assert!(request(&none(&claims(&json!({"iss": null, "aud": null}))), &exclusive()).is_ok());
}

/// A14: a parameter of another type than it has in a query is refused, not turned into text.
#[test]
fn values_of_the_wrong_type_are_refused() {
    for wrong in [
        json!({"state": {"a": 1}}),
        json!({"state": ["a"]}),
        json!({"state": 1}),
        json!({"prompt": ["login"]}),
        json!({"login_hint": {}}),
        json!({"max_age": true}),
        json!({"claims": []}),
        json!({"resource": [1]}),
        json!({"redirect_uri": [REDIRECT]}),
    ] {
        let error = unpack(&around(&none(&claims(&wrong))), &two()).unwrap_err();
        let code = match error {
            AuthorizeError::Page(error) | AuthorizeError::Redirect(_, error) => error.code,
        };
        assert_eq!(code, ErrorCode::InvalidRequestObject, "{wrong}");
    }
}

/// A14: values that are not text become the text that a query would hold; what is inside replaces all outside.
#[test]
fn values_become_text() {
    let values = json!({
        "max_age": 10, "nonce": null, "state": "", "claims": {"userinfo": {"name": null}}, "resource": ["a:1", "a:2"],
        "x": true,
    });
    let mut claims = claims(&json!({}));
    claims.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
    let mut outer: Vec<(String, String)> =
        around(&none(&claims)).iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    outer.push(("resource".into(), "a:3".into()));
    let params = unpack(&Params::new(outer), &two()).unwrap();
    for (name, expected) in [
        ("max_age", Some("10")),
        ("nonce", None),
        ("state", None),
        ("claims", Some(r#"{"userinfo":{"name":null}}"#)),
        ("x", Some("true")),
        ("client_id", Some("app")),
        ("redirect_uri", Some(REDIRECT)),
        ("request", None),
        ("iss", None),
        ("aud", None),
        ("exp", None),
    ] {
        assert_eq!(params.get(name), expected, "{name}");
    }
    assert_eq!(params.all("resource").collect::<Vec<_>>(), ["a:1", "a:2"]);
    assert_eq!(params.iter().filter(|(name, _)| *name == "client_id").count(), 1);
}

/// R-55: what a caller sent is not shown by accident.
#[test]
fn debug_shows_no_value() {
    let object = Object::parse(&none(&claims(&json!({})))).unwrap();
    let shown = format!("{object:?} {:?} {:?}", Carried::Value("eyJ"), Carried::Reference("eyJ"));
    assert!(!shown.contains("eyJ"), "{shown}");
}
