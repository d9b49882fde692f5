//! ID tokens and userinfo answers that only the client can read.

use josekit::jwe::{self, ECDH_ES, ECDH_ES_A256KW, JweDecrypter, JweHeader, RSA_OAEP_256};
use josekit::jwk::Jwk;
use josekit::jwk::alg::{ec::EcCurve, ecx::EcxCurve, ed::EdCurve};
use reqwest::Response;
use serde_json::{Map, Value, json};

use super::algorithms::verified;
use crate::scene::{Scene, header, refusal};
use crate::support::prelude::*;

/// A key of a client, to decrypt with.
struct Reader {
    key: Jwk,
    kid: String,
}

impl Reader {
    fn new(kind: &str) -> Self {
        let key = match kind {
            "P-256" => Jwk::generate_ec_key(EcCurve::P256),
            "P-384" => Jwk::generate_ec_key(EcCurve::P384),
            "P-521" => Jwk::generate_ec_key(EcCurve::P521),
            "X25519" => Jwk::generate_ecx_key(EcxCurve::X25519),
            "Ed25519" => Jwk::generate_ed_key(EdCurve::Ed25519),
            _ => Jwk::generate_rsa_key(2_048),
        };
        Self { key: key.expect("a key"), kid: format!("{kind} of the client") }
    }

    /// The public key with further members.
    fn public(&self, members: &Value) -> Value {
        let mut key: Map<String, Value> = self.key.to_public_key().expect("a public key").into();
        key.insert("kid".to_owned(), json!(self.kid));
        key.extend(members.as_object().expect("members").clone());
        Value::Object(key)
    }

    fn set(&self) -> Value {
        json!({ "keys": [self.public(&json!({ "use": "enc" }))] })
    }

    fn decrypter(&self, alg: &str) -> Box<dyn JweDecrypter> {
        match alg {
            "RSA-OAEP-256" => Box::new(RSA_OAEP_256.decrypter_from_jwk(&self.key).expect("a key")),
            "ECDH-ES" => Box::new(ECDH_ES.decrypter_from_jwk(&self.key).expect("a key")),
            "ECDH-ES+A256KW" => Box::new(ECDH_ES_A256KW.decrypter_from_jwk(&self.key).expect("a key")),
            other => panic!("no decrypter for {other}"),
        }
    }

    /// What is inside, and the header, of a token encrypted so.
    fn open(&self, token: &str, (alg, enc): (&str, &str)) -> (String, JweHeader) {
        assert_eq!(token.split('.').count(), 5, "{token}");
        let (content, header) =
            jwe::deserialize_compact(token, self.decrypter(alg).as_ref()).expect("the client reads");
        assert_eq!((header.algorithm(), header.content_encryption()), (Some(alg), Some(enc)));
        assert_eq!(header.key_id(), Some(&*self.kid));
        (String::from_utf8(content).expect("text"), header)
    }

    /// The signed JWT inside.
    fn nested(&self, token: &str, way: (&str, &str)) -> String {
        let (inner, header) = self.open(token, way);
        assert_eq!(header.content_type(), Some("JWT"));
        inner
    }
}

fn encrypted(keys: Value, (alg, enc): (&str, &str), more: Value) -> Value {
    let mut members = json!({
        "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc,
        "userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc,
    });
    for further in [keys, more] {
        members.as_object_mut().expect("members").extend(further.as_object().expect("members").clone());
    }
    members
}

/// D2, D3, T8, U1: each advertised pair of algorithms, by each kind of key: the ID token, a refreshed one and the userinfo
/// answer are signed, then encrypted to the client; where no signature is registered userinfo is encrypted claims.
#[tokio::test]
async fn each_advertised_pair_is_read_by_the_client() {
    let scene = Scene::start().await;
    let signet = &scene.signet;
    let document: Value = scene.open(signet.url("/.well-known/openid-configuration")).await.json().await.expect("JSON");
    let list = |name: &str| -> Vec<String> { serde_json::from_value(document[name].clone()).expect("a list") };
    let (algs, encs) =
        (list("id_token_encryption_alg_values_supported"), list("id_token_encryption_enc_values_supported"));
    assert_eq!(list("userinfo_encryption_alg_values_supported"), algs);
    assert_eq!(list("userinfo_encryption_enc_values_supported"), encs);
    assert_eq!(algs, ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"]);
    assert_eq!(encs, ["A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"]);
    let mut curves = ["P-256", "X25519", "P-384", "P-521"].into_iter().cycle();
    let mut browser = scene.browser();
    for (alg, enc) in algs.iter().flat_map(|alg| encs.iter().map(move |enc| (&**alg, &**enc))) {
        let reader = Reader::new(if alg.starts_with("RSA") { "RSA" } else { curves.next().expect("a curve") });
        let with_signature = enc.ends_with("GCM");
        let more = if with_signature { json!({ "userinfo_signed_response_alg": "ES256" }) } else { json!({}) };
        let members = encrypted(json!({ "jwks": reader.set() }), (alg, enc), more);
        let client = signet.client(ClientSpec::confidential().with_metadata(&members)).await;
        let request = AuthRequest::new(&client);
        let code = flow::code(signet, &mut browser, &request, &scene.user).await;
        let tokens = flow::granted(flow::exchange(signet, &client, &code, &request.verifier).await).await;
        let id = verified(signet, &reader.nested(flow::member(&tokens, "id_token"), (alg, enc)), "RS256").await;
        assert_eq!((&id["aud"], id["nonce"].as_str()), (&json!(client.id), Some(request.get("nonce"))), "{alg} {enc}");

        let answer = flow::userinfo(signet, flow::member(&tokens, "access_token")).await;
        assert!(header(&answer, "content-type").starts_with("application/jwt"), "{answer:?}");
        let token = answer.text().await.expect("a JWT");
        let claims = if with_signature {
            verified(signet, &reader.nested(&token, (alg, enc)), "ES256").await
        } else {
            let (inner, header) = reader.open(&token, (alg, enc));
            assert_eq!(header.content_type(), None);
            serde_json::from_str(&inner).expect("claims")
        };
        assert_eq!((&claims["sub"], &claims["email"]), (&id["sub"], &json!(scene.user.email)), "{alg} {enc}");

        let renewed = flow::refresh(signet, &client, flow::member(&tokens, "refresh_token")).await;
        let renewed = flow::granted(renewed).await;
        let again = verified(signet, &reader.nested(flow::member(&renewed, "id_token"), (alg, enc)), "RS256").await;
        assert_eq!(again["sub"], id["sub"], "{alg} {enc}");
    }
}

/// T8, A9, L1: the ID token of the authorization endpoint is encrypted too; as a hint counts what the client decrypted, and
/// nothing that is encrypted.
#[tokio::test]
async fn the_front_channel_and_hints() {
    let (reader, way) = (Reader::new("P-256"), ("ECDH-ES", "A256GCM"));
    let members = encrypted(json!({ "jwks": reader.set() }), way, json!({}));
    let spec = ClientSpec::confidential().with_metadata(&members);
    let scene = Scene::with(spec.with_response_types(&["id_token", "code id_token"])).await;
    let mut browser = scene.browser();
    for asked in ["id_token", "code id_token"] {
        let request = scene.request().with("response_type", asked);
        let callback = flow::sign_in_and_consent(&mut browser, &request.url(&scene.signet), &scene.user).await;
        let outer = flow::parameter(&callback, "id_token").expect("an ID token");
        let inner = reader.nested(&outer, way);
        let claims = verified(&scene.signet, &inner, "RS256").await;
        assert_eq!(claims["nonce"], request.get("nonce"));
        assert_eq!(claims.get("c_hash").is_some(), asked == "code id_token");

        let hinted = |hint: &str| request.clone().with("prompt", "none").with("id_token_hint", hint);
        let good = hinted(&inner);
        let callback = browser.get(good.url(&scene.signet)).await.left();
        assert!(flow::parameter(&callback, "id_token").is_some(), "{callback}");
        let bad = hinted(&outer);
        let callback = browser.get(bad.url(&scene.signet)).await.left();
        assert_eq!(refusal(&scene, &bad, &callback), "invalid_request");
    }
}

/// That nothing is given because of the client's keys, and why.
async fn unavailable(answer: Response, why: &str) {
    assert_eq!((answer.status().as_u16(), answer.headers().get("www-authenticate")), (503, None));
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["error"], "temporarily_unavailable");
    assert!(flow::member(&body, "error_description").contains(why), "{body}");
}

/// T8, U1, O1: while the client's key cannot be had, nothing goes out in the clear and nothing is spent: the same code and
/// the same refresh token serve once it can.
#[tokio::test]
async fn without_a_key_nothing_is_spent() {
    let mut signet = Signet::prepare(Database::Postgres, &[]);
    let target = Target::start(&signet);
    target.open_to(&mut signet);
    signet.restart().await;
    let (reader, way) = (Reader::new("P-256"), ("ECDH-ES", "A128GCM"));
    target.serve("/keys", &reader.set());
    target.serve("/others", &json!({ "keys": [reader.public(&json!({ "use": "sig" }))] }));
    let members = encrypted(json!({ "jwks_uri": target.url("/nothing") }), way, json!({}));
    let spec = ClientSpec::confidential().with_metadata(&members);
    let client = signet.client(spec.with_response_types(&["code", "id_token"])).await;
    let scene = Scene { signet, client, user: crate::scene::admin() };
    let signet = &scene.signet;
    let mut browser = scene.browser();
    let direct = scene.request().with("response_type", "id_token");
    // The address of the keys, as the server knows it: it hears of a change within a second. Gives what the authorization
    // endpoint answers then.
    let mut keys_at = async |path: &str, expected: &str| {
        let members = json!({ "jwks_uri": target.url(path) }).to_string();
        signet.cli_json(&["client", "update", &scene.client.id, "--metadata", &members, "--json"], "").await;
        eventually(PATIENCE, expected, async || {
            let callback = flow::sign_in_and_consent(&mut browser, &direct.url(signet), &scene.user).await;
            if flow::parameter(&callback, "error").is_some() {
                assert_eq!(refusal(&scene, &direct, &callback), "temporarily_unavailable");
                assert_eq!(flow::parameter(&callback, "id_token"), None);
            }
            callback.as_str().replace('+', " ").contains(expected).then_some(callback)
        })
        .await
    };
    let places = [("/nothing", "cannot be read"), ("/others", "holds no key for the encryption")];
    for (place, why) in places {
        keys_at(place, why).await;
    }
    let callback = keys_at("/keys", "id_token=").await;
    reader.nested(&flow::parameter(&callback, "id_token").expect("an ID token"), way);

    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    for (place, why) in places {
        keys_at(place, why).await;
        unavailable(scene.exchange(&code, &request.verifier).await, why).await;
    }
    keys_at("/keys", "id_token=").await;
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    reader.nested(flow::member(&tokens, "id_token"), way);
    let userinfo = async || flow::userinfo(signet, flow::member(&tokens, "access_token")).await;
    for (place, why) in places {
        keys_at(place, why).await;
        unavailable(scene.refresh(&tokens).await, why).await;
        unavailable(userinfo().await, why).await;
    }
    keys_at("/keys", "id_token=").await;
    let renewed = flow::granted(scene.refresh(&tokens).await).await;
    reader.nested(flow::member(&renewed, "id_token"), way);
    let rows = signet.cli(&["audit", "export", "--event", "token.refreshed"]).await.stdout;
    assert_eq!(String::from_utf8_lossy(&rows).lines().count(), 1, "it counted once");
    reader.open(&userinfo().await.text().await.expect("a JWE"), way);
}

/// R3, T8: who wants what is encrypted gives a public key for it, by a served pair of algorithms.
#[tokio::test]
async fn registration_needs_a_key_that_fits() {
    let signet = Signet::start(Database::Postgres).await;
    let (p256, rsa, ed) = (Reader::new("P-256"), Reader::new("RSA"), Reader::new("Ed25519"));
    let private: Map<String, Value> = p256.key.clone().into();
    let set = |key: Value| json!({ "jwks": { "keys": [key] } });
    let zero = json!({ "kty": "OKP", "crv": "X25519", "x": "A".repeat(43) });
    let (es, gcm) = ("ECDH-ES", "A256GCM");
    for (keys, way, good) in [
        (set(p256.public(&json!({}))), (es, gcm), true),
        (json!({ "jwks_uri": "https://app.example/keys" }), (es, gcm), true),
        (json!({}), (es, gcm), false),
        (set(Value::Object(private)), (es, gcm), false),
        (set(p256.public(&json!({ "use": "sig" }))), (es, gcm), false),
        (set(p256.public(&json!({ "alg": "ECDH-ES+A256KW" }))), (es, gcm), false),
        (set(rsa.public(&json!({}))), (es, gcm), false),
        (set(p256.public(&json!({}))), ("RSA-OAEP-256", gcm), false),
        (set(ed.public(&json!({}))), (es, gcm), false),
        (set(zero), (es, gcm), false),
        (set(rsa.public(&json!({}))), ("RSA-OAEP", gcm), false),
        (set(rsa.public(&json!({}))), ("RSA1_5", gcm), false),
        (set(p256.public(&json!({}))), ("dir", gcm), false),
        (set(p256.public(&json!({}))), (es, "A192GCM"), false),
    ] {
        let members = encrypted(keys, way, json!({}));
        let arguments = ClientSpec::confidential().with_metadata(&members).arguments();
        let made = signet.cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(made.status.success(), good, "{members} {made:?}");
    }
    let alone = ClientSpec::confidential().with_metadata(&json!({ "id_token_encrypted_response_enc": "A128GCM" }));
    let made = signet.cli(&alone.arguments().iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(!made.status.success(), "{made:?}");
}
