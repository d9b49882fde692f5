//! `/oauth/authorize` with a request object (RFC 9101, OIDC Core §6): `request` and `request_uri`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use josekit::jwk::Jwk;
use josekit::jwk::alg::{ec::EcCurve, ed::EdCurve};
use josekit::jws::{self, JwsHeader, JwsSigner};
use josekit::jwt::{self, JwtPayload};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::scene::{Scene, error_page, header};
use crate::support::hosted::Hosted;
use crate::support::prelude::*;

/// Signet may fetch from this machine.
const PRIVATE: &[(&str, &str)] = &[("SIGNET_OUTBOUND__ALLOW_PRIVATE", "true")];
const CALLBACK: &str = "https://app.example/callback";
const SECOND: &str = "https://app.example/second";

/// The private keys of an application, one of each kind.
struct Keys(Vec<Jwk>);

impl Keys {
    fn new() -> Self {
        let curves = [EcCurve::P256, EcCurve::P384, EcCurve::P521].map(Jwk::generate_ec_key);
        let all = [Jwk::generate_rsa_key(2048), Jwk::generate_ed_key(EdCurve::Ed25519)];
        Self(curves.into_iter().chain(all).map(|key| key.expect("a key")).collect())
    }

    /// The public parts.
    fn set(&self) -> Value {
        let public = self.0.iter().map(|key| Value::Object(key.to_public_key().expect("public").into()));
        json!({ "keys": public.collect::<Vec<_>>() })
    }

    fn find(&self, kty: &str, curve: &str) -> &Jwk {
        let fits = |key: &&Jwk| key.key_type() == kty && key.curve().is_none_or(|name| name == curve);
        self.0.iter().find(fits).expect("a key of that kind")
    }

    /// Claims as a JWT by that algorithm.
    fn object(&self, alg: &str, claims: &Value) -> String {
        if alg == "Ed25519" {
            // josekit has no such name.
            let parts = [json!({ "alg": alg }), claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let text = parts.join(".");
            let signer = jws::EdDSA.signer_from_jwk(self.find("OKP", alg)).expect(alg);
            return format!("{text}.{}", URL_SAFE_NO_PAD.encode(signer.sign(text.as_bytes()).expect("a signature")));
        }
        let rsa = || self.find("RSA", "");
        let signer: Box<dyn JwsSigner> = match alg {
            "RS256" => Box::new(jws::RS256.signer_from_jwk(rsa()).expect(alg)),
            "RS384" => Box::new(jws::RS384.signer_from_jwk(rsa()).expect(alg)),
            "RS512" => Box::new(jws::RS512.signer_from_jwk(rsa()).expect(alg)),
            "PS256" => Box::new(jws::PS256.signer_from_jwk(rsa()).expect(alg)),
            "PS384" => Box::new(jws::PS384.signer_from_jwk(rsa()).expect(alg)),
            "PS512" => Box::new(jws::PS512.signer_from_jwk(rsa()).expect(alg)),
            "ES256" => Box::new(jws::ES256.signer_from_jwk(self.find("EC", "P-256")).expect(alg)),
            "ES384" => Box::new(jws::ES384.signer_from_jwk(self.find("EC", "P-384")).expect(alg)),
            "ES512" => Box::new(jws::ES512.signer_from_jwk(self.find("EC", "P-521")).expect(alg)),
            "EdDSA" => Box::new(jws::EdDSA.signer_from_jwk(self.find("OKP", "Ed25519")).expect(alg)),
            "none" => Box::new(jwt::None.signer()),
            other => panic!("no signer for {other}"),
        };
        let mut header = JwsHeader::new();
        header.set_token_type("oauth-authz-req+jwt");
        let payload = JwtPayload::from_map(claims.as_object().expect("an object").clone()).expect("claims");
        jwt::encode_with_signer(&payload, &header, signer.as_ref()).expect("a JWT")
    }
}

/// A server with one application that has keys.
struct Stage {
    scene: Scene,
    keys: Keys,
}

impl Stage {
    async fn start(environment: &[(&str, &str)], metadata: Value, further: &[&str]) -> Self {
        let keys = Keys::new();
        Self::with(environment, with(json!({ "jwks": keys.set() }), &metadata), further, keys).await
    }

    async fn with(environment: &[(&str, &str)], metadata: Value, further: &[&str], keys: Keys) -> Self {
        let signet = Signet::start_with(Database::Postgres, environment).await;
        let metadata = metadata.to_string();
        let mut arguments = vec!["client", "create", "--json", "--name", "Objects", "--metadata", &metadata];
        arguments.extend(["--redirect-uri", CALLBACK, "--redirect-uri", SECOND]);
        arguments.extend(further);
        let made = signet.cli_json(&arguments, "").await;
        let client = Client {
            id: flow::member(&made, "client_id").to_owned(),
            secret: Some(flow::member(&made, "client_secret").to_owned()),
            redirect_uri: CALLBACK.to_owned(),
        };
        Self { scene: Scene { signet, client, user: crate::scene::admin() }, keys }
    }

    /// The claims of an object that says all of `request`, and what RFC 9101 §4 asks for.
    fn claims(&self, request: &AuthRequest) -> Value {
        let parameters = request.parameters.iter().map(|(name, value)| (name.clone(), json!(value)));
        let mut claims: Map<String, Value> = parameters.collect();
        claims.extend([
            ("iss".to_owned(), json!(self.scene.client.id)),
            ("aud".to_owned(), json!(self.scene.signet.issuer())),
            ("exp".to_owned(), json!(now() + 60)),
        ]);
        Value::Object(claims)
    }

    /// A request of `client_id`, `response_type` and `scope`, with a further parameter: what OIDC Core §6.1 wants outside.
    fn around(&self, name: &str, value: &str) -> AuthRequest {
        let outer = AuthRequest { verifier: String::new(), parameters: Vec::new() };
        let outer = outer.with("client_id", &self.scene.client.id).with("response_type", "code");
        outer.with("scope", "openid").with(name, value)
    }

    /// Goes the whole way with `outer`, which means `inner`; the ID token's claims.
    async fn complete(&self, browser: &mut Browser, outer: &AuthRequest, inner: &AuthRequest) -> Value {
        let callback = flow::sign_in_and_consent(browser, &outer.url(&self.scene.signet), &self.scene.user).await;
        assert!(callback.as_str().starts_with(inner.get("redirect_uri")), "{callback}");
        assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(inner.get("state")), "{callback}");
        let code = flow::parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"));
        let redirect_uri = inner.get("redirect_uri");
        let client = Client { redirect_uri: redirect_uri.to_owned(), ..self.scene.client.clone() };
        let answer = flow::exchange(&self.scene.signet, &client, &code, &inner.verifier).await;
        let tokens = flow::granted(answer).await;
        let claims = flow::jwt_payload(flow::member(&tokens, "id_token"));
        assert_eq!(claims["nonce"], inner.get("nonce"));
        claims
    }

    /// Where an error arrives, and which.
    async fn refused(&self, request: &AuthRequest) -> (String, String) {
        let callback = self.scene.browser().get(request.url(&self.scene.signet)).await.left();
        let error = flow::parameter(&callback, "error").unwrap_or_else(|| panic!("no error in {callback}"));
        let iss = flow::parameter(&callback, "iss");
        assert_eq!(iss.as_deref(), Some(self.scene.signet.issuer()), "{callback}");
        (error, flow::parameter(&callback, "state").unwrap_or_default())
    }
}

/// An object with the members of another put over its own.
fn with(mut object: Value, over: &Value) -> Value {
    for (name, value) in over.as_object().expect("an object") {
        object[name] = value.clone();
    }
    object
}

/// The time, in seconds: the application has a clock of its own.
#[expect(clippy::disallowed_methods, reason = "Signet compares with the clock")]
fn now() -> i64 {
    Utc::now().timestamp()
}

fn refusal(code: &str, state: &str) -> (String, String) {
    (code.to_owned(), state.to_owned())
}

/// A14, D3: by every algorithm that is advertised, unsigned too, an object brings people through sign-in; what is inside
/// wins.
#[tokio::test]
async fn every_advertised_algorithm_brings_people_through() {
    let stage = Stage::start(&[], json!({}), &[]).await;
    let url = stage.scene.signet.url("/.well-known/openid-configuration");
    let document = flow::granted(stage.scene.open(url).await).await;
    assert_eq!(document["request_parameter_supported"], true);
    assert_eq!(document["request_uri_parameter_supported"], true);
    assert_eq!(document["require_request_uri_registration"], true);
    let advertised = document["request_object_signing_alg_values_supported"].as_array().expect("a list");
    let names: Vec<&str> = advertised.iter().filter_map(Value::as_str).collect();
    assert!(
        ["none", "RS256", "PS256", "ES256", "EdDSA", "Ed25519"].iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    let mut browser = stage.scene.browser();
    for alg in names {
        let inner = stage.scene.request().with("redirect_uri", SECOND);
        let object = stage.keys.object(alg, &stage.claims(&inner));
        // Also over a redirect URI that nobody registered.
        let outer =
            stage.around("request", &object).with("redirect_uri", "https://evil.example/").with("state", "outside");
        stage.complete(&mut browser, &outer, &inner).await;
    }
}

/// A14, A17: an object with `jti` counts once: the request may be loaded again until it was answered, and not after that.
#[tokio::test]
async fn an_object_counts_once() {
    let stage = Stage::start(&[], json!({}), &[]).await;
    let mut browser = stage.scene.browser();
    let inner = stage.scene.request().with("redirect_uri", SECOND);
    let claims = with(stage.claims(&inner), &json!({ "jti": flow::random() }));
    let outer = stage.around("request", &stage.keys.object("ES256", &claims));
    let url = outer.url(&stage.scene.signet);
    for _ in 0..2 {
        assert!(flow::is_sign_in(&browser.get(&url).await.page()));
    }
    stage.complete(&mut browser, &outer, &inner).await;
    let expected = refusal("invalid_request_object", inner.get("state"));
    let replayed = browser.get(&url).await.left();
    let error = flow::parameter(&replayed, "error").unwrap_or_else(|| panic!("no error in {replayed}"));
    assert_eq!(refusal(&error, &flow::parameter(&replayed, "state").unwrap_or_default()), expected);
    // In another browser, after its sign-in.
    let replayed = flow::sign_in_and_consent(&mut stage.scene.browser(), &url, &stage.scene.user).await;
    assert_eq!(flow::parameter(&replayed, "error").as_deref(), Some("invalid_request_object"), "{replayed}");
    assert!(flow::parameter(&replayed, "code").is_none(), "{replayed}");
    // Another one goes through, as does one that may be repeated.
    let another = with(claims, &json!({ "jti": flow::random() }));
    for claims in [another, stage.claims(&inner)] {
        let object = stage.keys.object("ES256", &claims);
        stage.complete(&mut browser, &stage.around("request", &object), &inner).await;
    }
}

/// A14: an object that is refused is an error at a redirect URI that is known good: the one outside while the object is
/// not verified, the one inside once it is; otherwise a page.
#[tokio::test]
async fn a_refused_object_sends_people_only_where_the_client_registered() {
    let stage = Stage::start(&[], json!({ "request_object_signing_alg": "ES256" }), &[]).await;
    let inner = stage.scene.request().with("redirect_uri", SECOND).with("state", "inside");
    let good = stage.claims(&inner);
    let foreign = Keys::new();
    let outer = |object: &str| stage.around("request", object).with("redirect_uri", CALLBACK).with("state", "outside");
    let signed = stage.keys.object("ES256", &good);
    let unverified = [
        foreign.object("ES256", &good),
        stage.keys.object("RS256", &good),
        stage.keys.object("none", &good),
        format!("{}x", &signed[..signed.len() - 4]),
        "a.b.c".to_owned(),
        "a.b.c.d.e".to_owned(),
    ];
    for object in unverified {
        let expected = refusal("invalid_request_object", "outside");
        assert_eq!(stage.refused(&outer(&object)).await, expected, "{object}");
        assert_eq!(stage.refused(&outer(&object).with("response_mode", "fragment")).await, expected, "{object}");
        // Nobody that is known says where else.
        error_page(stage.scene.open(stage.around("request", &object).url(&stage.scene.signet)).await).await;
    }
    for wrong in [
        json!({ "iss": "other" }),
        json!({ "aud": "https://other.example" }),
        json!({ "exp": now() - 60 }),
        json!({ "nbf": now() + 90 }),
        json!({ "client_id": "other" }),
        json!({ "response_type": "code id_token" }),
        json!({ "request": "a.b.c" }),
        json!({ "request_uri": "https://app.example/r" }),
    ] {
        let object = stage.keys.object("ES256", &with(good.clone(), &wrong));
        assert_eq!(stage.refused(&outer(&object)).await, refusal("invalid_request_object", "inside"), "{wrong}");
    }
    let evil = with(good.clone(), &json!({ "redirect_uri": "https://evil.example/", "iss": "other" }));
    for object in [stage.keys.object("ES256", &evil), stage.keys.object("none", &evil)] {
        error_page(stage.scene.open(stage.around("request", &object).url(&stage.scene.signet)).await).await;
    }
    let both = outer(&signed).with("request_uri", "https://app.example/r");
    assert_eq!(stage.refused(&both).await, refusal("invalid_request", "outside"));
    let inside = with(good, &json!({ "prompt": "none", "max_age": 10 }));
    let object = stage.keys.object("ES256", &inside);
    assert_eq!(stage.refused(&outer(&object)).await, refusal("login_required", "inside"));
}

/// A14: under the policy `Exclusive`, and for a client that must sign, nothing that stands outside counts.
#[tokio::test]
async fn nothing_outside_an_exclusive_object_counts() {
    let required = json!({ "require_signed_request_object": true });
    for (metadata, further) in [(json!({}), &["--request-objects", "exclusive"][..]), (required, &[])] {
        let stage = Stage::start(&[], metadata, further).await;
        let inner = stage.scene.request().with("scope", "openid");
        let claims = stage.claims(&inner);
        let outer = |object: &str| {
            let outer = stage.around("request", object).with("redirect_uri", SECOND).with("state", "outside");
            outer
                .with("prompt", "none")
                .with("max_age", "0")
                .with("response_mode", "fragment")
                .with("response_type", "x")
        };
        let object = stage.keys.object("PS256", &claims);
        let id = stage.complete(&mut stage.scene.browser(), &outer(&object), &inner).await;
        assert_eq!(id["email"], Value::Null);
        let mut missing = claims.clone();
        missing.as_object_mut().expect("an object").remove("aud");
        let expected = refusal("invalid_request_object", inner.get("state"));
        assert_eq!(stage.refused(&outer(&stage.keys.object("PS256", &missing))).await, expected);
        if further.is_empty() {
            let expected = refusal("invalid_request_object", "outside");
            assert_eq!(stage.refused(&outer(&stage.keys.object("none", &claims))).await, expected);
            assert_eq!(stage.refused(&inner).await, refusal("invalid_request", inner.get("state")));
        }
    }
}

/// A14, A1: numbers and objects inside are what they would be in a query, and a long object survives a POST.
#[tokio::test]
async fn a_long_object_survives_a_post() {
    let stage = Stage::start(&[], json!({}), &[]).await;
    let mut browser = stage.scene.browser();
    let inner = stage.scene.request().with("state", &"s".repeat(4_096));
    let claims = json!({
        "max_age": 0, "claims": { "userinfo": { "name": { "essential": true } } }, "filler": "x".repeat(18_000),
    });
    let object = stage.keys.object("RS256", &with(stage.claims(&inner), &claims));
    assert!(object.len() > 28_000, "{}", object.len());
    let outer = stage.around("request", &object);
    stage.complete(&mut browser, &outer, &inner).await;
    // The number asks for another sign-in.
    let url = browser.resolve("/oauth/authorize");
    let posted = browser.request(Method::POST, &url).form(&outer.parameters).send().await.expect("an answer");
    assert_eq!(posted.status(), StatusCode::SEE_OTHER);
    let page = browser.get(header(&posted, "location")).await.page();
    assert!(flow::is_sign_in(&page), "{}", page.url);

    let long = stage.keys.object("RS256", &with(stage.claims(&inner), &json!({ "filler": "x".repeat(30_000) })));
    let refused = stage.refused(&stage.around("request", &long).with("redirect_uri", CALLBACK)).await;
    assert_eq!(refused, refusal("invalid_request_object", ""));
}

/// A15, O1: an object is fetched from an address that the client registered, each time anew; keys from `jwks_uri`.
#[tokio::test]
async fn an_object_by_reference_is_fetched_each_time() {
    let hosted = Hosted::start();
    let keys = Keys::new();
    hosted.put("/keys", &keys.set().to_string());
    let registered = [hosted.url("/object#v1"), hosted.url("/plain")];
    let metadata = json!({ "jwks_uri": hosted.url("/keys"), "request_uris": registered });
    let stage = Stage::with(PRIVATE, metadata, &[], keys).await;
    let mut browser = stage.scene.browser();
    for (turn, (path, alg)) in [("/object", "ES256"), ("/object", "EdDSA"), ("/plain", "none")].into_iter().enumerate()
    {
        let inner = stage.scene.request();
        hosted.put(path, &format!("{}\n", stage.keys.object(alg, &stage.claims(&inner))));
        let uri = if path == "/object" { &registered[0] } else { &registered[1] };
        // Neither the pages nor the way back ask for it again.
        stage.complete(&mut browser, &stage.around("request_uri", uri), &inner).await;
        assert_eq!(hosted.hits("/object") + hosted.hits("/plain"), turn + 1);
    }
    assert_eq!(hosted.hits("/keys"), 1);
}

/// A15, O1: an address that is not registered is not fetched; what cannot be fetched is an error at the redirect URI.
#[tokio::test]
async fn what_cannot_be_fetched_is_an_error_at_the_redirect_uri() {
    let hosted = Hosted::start();
    let paths = ["/missing", "/moved", "/long", "/text", "/object"];
    let uris = paths.map(|path| hosted.url(path));
    let stage = Stage::start(PRIVATE, json!({ "request_uris": uris }), &[]).await;
    let good = stage.keys.object("ES256", &stage.claims(&stage.scene.request().with("state", "inside")));
    hosted.put("/object", &good);
    hosted.answer("/moved", &format!("302 Found\r\nLocation: {}", hosted.url("/object")), "");
    hosted.put("/long", &good.repeat(200));
    hosted.put("/text", "a.b.c");
    hosted.put("/unregistered", &good);
    let outer = |uri: &str| stage.around("request_uri", uri).with("redirect_uri", CALLBACK).with("state", "outside");
    for (path, error) in [
        ("/missing", "invalid_request_uri"),
        ("/moved", "invalid_request_uri"),
        ("/long", "invalid_request_uri"),
        ("/text", "invalid_request_object"),
        ("/unregistered", "invalid_request_uri"),
        ("/object#v2", "invalid_request_uri"),
        ("/object?x", "invalid_request_uri"),
    ] {
        assert_eq!(stage.refused(&outer(&hosted.url(path))).await, refusal(error, "outside"), "{path}");
    }
    assert_eq!((hosted.hits("/object"), hosted.hits("/unregistered"), hosted.hits("/moved")), (0, 0, 1));
    // Without a redirect URI outside, there is nowhere to send it.
    error_page(stage.scene.open(stage.around("request_uri", &uris[0]).url(&stage.scene.signet)).await).await;

    // Private addresses are refused where nobody allowed them.
    let stage = Stage::start(&[], json!({ "request_uris": uris }), &[]).await;
    let asked = stage.around("request_uri", &uris[4]).with("redirect_uri", CALLBACK);
    assert_eq!(stage.refused(&asked).await, refusal("invalid_request_uri", ""));
    assert_eq!(hosted.hits("/object"), 0);
}
