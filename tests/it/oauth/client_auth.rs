//! Client authentication by assertion: `client_secret_jwt` and `private_key_jwt`.

use reqwest::Response;
use serde_json::{Value, json};

use crate::scene::{Scene, at_once, header};
use crate::support::prelude::*;

/// A service that authenticates with a method and this metadata.
fn service(method: &str, metadata: Value) -> ClientSpec {
    ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        redirect_uris: Vec::new(),
        auth_method: Some(method.to_owned()),
        metadata,
        ..ClientSpec::confidential()
    }
}

/// Asks for a token with an assertion.
async fn ask(signet: &Signet, assertion: &str) -> Response {
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend(signer::fields(assertion));
    signet.http().post(signet.url("/oauth/token")).form(&fields).send().await.expect("an answer")
}

async fn accepted(signet: &Signet, assertion: &str, what: &str) {
    let answer = ask(signet, assertion).await;
    assert_eq!(answer.status(), 200, "{what}: {}", answer.text().await.expect("a body"));
}

/// The one answer to whatever is wrong: status, challenge and body do not tell reasons apart.
async fn refused(signet: &Signet, assertion: &str, what: &str) {
    let answer = ask(signet, assertion).await;
    assert_eq!(answer.status(), 401, "{what}");
    assert!(header(&answer, "www-authenticate").starts_with("Basic realm="), "{what}");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        body,
        json!({ "error": "invalid_client", "error_description": "client authentication failed" }),
        "{what}"
    );
}

/// T2, D2, D3: every advertised algorithm authenticates a client, and only by its own method; others are refused.
#[tokio::test]
async fn the_advertised_algorithms_are_those_that_are_served() {
    let signet = Signet::start(Database::Postgres).await;
    let document: Value = flow::granted(
        signet.http().get(signet.url("/.well-known/openid-configuration")).send().await.expect("an answer"),
    )
    .await;
    let advertised = document["token_endpoint_auth_signing_alg_values_supported"].as_array().expect("algorithms");
    for endpoint in ["introspection", "revocation"] {
        let same = document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")].as_array();
        assert_eq!(same, Some(advertised), "{endpoint}");
    }
    let rsa = Signer::new("RS256", "rsa");
    let keys: Vec<Signer> = advertised
        .iter()
        .filter_map(Value::as_str)
        .filter(|alg| !alg.starts_with("HS"))
        .map(|alg| if alg.starts_with('E') { Signer::new(alg, alg) } else { rsa.with_alg(alg) })
        .collect();
    assert_eq!((keys.len(), advertised.len()), (11, 14), "{advertised:?}");
    let public = signer::set(&keys.iter().collect::<Vec<_>>());
    let by_key = signet.client(service("private_key_jwt", json!({ "jwks": public }))).await;
    let by_secret = signet.client(service("client_secret_jwt", Value::Null)).await;
    assert!(by_key.secret.is_none() && by_secret.secret.is_some());
    for key in &keys {
        let assertion = key.assertion(&signet, &by_key, json!({}));
        accepted(&signet, &assertion, &flow::jwt_header(&assertion).to_string()).await;
        refused(&signet, &key.assertion(&signet, &by_secret, json!({})), "a key for a secret").await;
    }
    for alg in ["HS256", "HS384", "HS512"] {
        let secret = Signer::secret(alg, &by_secret);
        accepted(&signet, &secret.assertion(&signet, &by_secret, json!({})), alg).await;
        refused(&signet, &secret.assertion(&signet, &by_key, json!({})), "a secret for a key").await;
    }
    let claims = signer::assertion_claims(&signet, &by_key, json!({}));
    let unsigned = signer::unsigned(&claims);
    refused(&signet, &unsigned, "none").await;
    let es256k = rsa.sign(json!({ "alg": "ES256K" }), &claims);
    let answer = ask(&signet, &es256k).await;
    assert_eq!(flow::refused(answer).await, (401, "invalid_client".to_owned()));
}

/// T1, T2: what an assertion must say, and who may send one.
#[tokio::test]
async fn what_is_wrong_is_answered_alike() {
    let signet = Signet::start(Database::Postgres).await;
    let (key, other) = (Signer::new("ES256", "k"), Signer::new("ES256", "k"));
    let metadata = json!({ "jwks": signer::set(&[&key]), "token_endpoint_auth_signing_alg": "ES256" });
    let client = signet.client(service("private_key_jwt", metadata.clone())).await;
    let basic = signet.client(service("client_secret_basic", Value::Null)).await;
    let only_512 = json!({ "token_endpoint_auth_signing_alg": "HS512" });
    let by_secret = signet.client(service("client_secret_jwt", only_512)).await;
    let nobody = Client { id: "nobody".to_owned(), secret: None, redirect_uri: String::new() };
    let now = signer::now();

    for claims in [
        json!({}),
        json!({ "aud": signet.url("/oauth/token") }),
        json!({ "aud": ["https://other.example", signet.issuer()] }),
        json!({ "exp": now + 3_600 }),
        json!({ "iat": now + 9, "exp": now + 3_609 }),
        json!({ "iat": now + 5, "nbf": now + 5 }),
        json!({ "iat": null }),
    ] {
        accepted(&signet, &key.assertion(&signet, &client, claims.clone()), &claims.to_string()).await;
    }
    for claims in [
        json!({ "aud": "https://other.example" }),
        json!({ "aud": [format!("{}/", signet.issuer())] }),
        json!({ "aud": signet.url("/oauth/introspect") }),
        json!({ "iss": "other" }),
        json!({ "exp": now - 60 }),
        json!({ "exp": now + 90_000 }),
        json!({ "iat": now + 600 }),
        json!({ "nbf": now + 600 }),
    ] {
        refused(&signet, &key.assertion(&signet, &client, claims.clone()), &claims.to_string()).await;
    }
    refused(&signet, &other.assertion(&signet, &client, json!({})), "another key of that name").await;
    refused(&signet, &key.assertion(&signet, &nobody, json!({})), "nobody").await;
    refused(&signet, &key.assertion(&signet, &basic, json!({})), "a client with a password").await;
    refused(&signet, &Signer::new("ES256", "x").assertion(&signet, &client, json!({})), "an unknown name").await;
    refused(&signet, &Signer::secret("HS256", &by_secret).assertion(&signet, &by_secret, json!({})), "registered")
        .await;
    let claims = signer::assertion_claims(&signet, &client, json!({}));
    refused(&signet, &other.sign(json!({ "jwk": other.public() }), &claims), "a key it brings along").await;
    // Incomplete ones are no assertions at all.
    for claims in [json!({ "exp": null }), json!({ "jti": null }), json!({ "aud": null }), json!({ "sub": null })] {
        let answer = ask(&signet, &key.assertion(&signet, &client, claims.clone())).await;
        assert_eq!(flow::refused(answer).await, (401, "invalid_client".to_owned()), "{claims}");
    }

    let good = key.assertion(&signet, &client, json!({}));
    let post = |fields: Vec<(&str, &str)>| {
        let mut all = vec![("grant_type", "client_credentials")];
        all.extend(fields);
        signet.http().post(signet.url("/oauth/token")).form(&all)
    };
    let with = |more: (&'static str, &'static str)| [signer::fields(&good).to_vec(), vec![more]].concat();
    for (request, what) in [
        (post(with(("client_secret", "x"))), "a secret in the body too"),
        (post(with(("client_id", "other"))), "another client in the body"),
        (post(signer::fields(&good).to_vec()).basic_auth(&client.id, Some("x")), "Basic too"),
        (post(vec![("client_assertion", &good)]), "no type"),
    ] {
        let answer = flow::refused(request.send().await.expect("an answer")).await;
        assert_eq!(answer, (400, "invalid_request".to_owned()), "{what}");
    }
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let answer = post(vec![("client_assertion", &good), ("client_assertion_type", saml)]).send().await;
    assert_eq!(flow::refused(answer.expect("an answer")).await, (401, "invalid_client".to_owned()));
    let body = [signer::fields(&good).to_vec(), vec![("client_id", &*client.id)]].concat();
    assert_eq!(post(body).send().await.expect("an answer").status(), 200, "none of it spent the assertion");
}

/// T2: an assertion counts once, also where many arrive at once; a replay reaches neither code nor token, and the audit
/// log says so.
#[tokio::test]
async fn an_assertion_counts_once() {
    let key = Signer::new("ES256", "k");
    let spec = ClientSpec {
        auth_method: Some("private_key_jwt".to_owned()),
        grant_types: ["authorization_code", "refresh_token", "client_credentials"].map(str::to_owned).to_vec(),
        metadata: json!({ "jwks": signer::set(&[&key]) }),
        ..ClientSpec::confidential()
    };
    let scene = Scene::with(spec).await;
    let (signet, client) = (&scene.signet, &scene.client);
    let used = key.assertion(signet, client, json!({}));
    accepted(signet, &used, "the first time").await;
    refused(signet, &used, "the second time").await;

    // The identifier counts, whatever else is new.
    let jti = flow::jwt_payload(&used)["jti"].clone();
    refused(signet, &key.assertion(signet, client, json!({ "jti": jti, "exp": signer::now() + 61 })), "another").await;

    let request = scene.request().with("scope", "openid offline_access");
    let code = scene.code(&mut scene.browser(), &request).await;
    let exchange = async |assertion: &str| {
        let code = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", &*client.redirect_uri)];
        let fields = [&code[..], &[("code_verifier", &*request.verifier)], &signer::fields(assertion)].concat();
        scene.token_request(&fields).send().await.expect("an answer")
    };
    assert_eq!(flow::refused(exchange(&used).await).await, (401, "invalid_client".to_owned()));
    let fresh = key.assertion(signet, client, json!({}));
    let tokens = flow::granted(exchange(&fresh).await).await;
    let refresh = async |assertion: &str| {
        let token = [("grant_type", "refresh_token"), ("refresh_token", flow::member(&tokens, "refresh_token"))];
        scene.token_request(&[&token[..], &signer::fields(assertion)].concat()).send().await.expect("an answer")
    };
    assert_eq!(flow::refused(refresh(&fresh).await).await, (401, "invalid_client".to_owned()));
    flow::granted(refresh(&key.assertion(signet, client, json!({}))).await).await;

    // A request that is refused for something else has used it too.
    let spent = key.assertion(signet, client, json!({}));
    let other = [&[("grant_type", "urn:example:unheard")][..], &signer::fields(&spent)].concat();
    let answer = scene.token_request(&other).send().await.expect("an answer");
    assert_eq!(flow::refused(answer).await, (400, "unsupported_grant_type".to_owned()));
    refused(signet, &spent, "used in vain").await;

    let racing = key.assertion(signet, client, json!({}));
    let fields = [&[("grant_type", "client_credentials")][..], &signer::fields(&racing)].concat();
    let answers = at_once((0..20).map(|_| scene.token_request(&fields)).collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status() == 401).count(), 19);
    eventually(PATIENCE, "the replays are in the audit log", async || {
        let rows = signet.cli(&["audit", "export", "--event", "client_assertion.replayed"]).await.stdout;
        (String::from_utf8_lossy(&rows).lines().count() == 24).then_some(())
    })
    .await;
}

/// T2, U3, U4: introspection and revocation take an assertion for the issuer, the token endpoint or themselves, once.
#[tokio::test]
async fn introspection_and_revocation() {
    let key = Signer::new("EdDSA", "k");
    let signet = Signet::start(Database::Postgres).await;
    let client = signet.client(service("private_key_jwt", json!({ "jwks": signer::set(&[&key]) }))).await;
    let mine = ask(&signet, &key.assertion(&signet, &client, json!({}))).await;
    let token = flow::member(&flow::granted(mine).await, "access_token").to_owned();
    let post = async |path: &str, assertion: &str| {
        let fields = [&[("token", &*token)][..], &signer::fields(assertion)].concat();
        signet.http().post(signet.url(path)).form(&fields).send().await.expect("an answer")
    };
    for (path, other) in [("/oauth/introspect", "/oauth/revoke"), ("/oauth/revoke", "/oauth/introspect")] {
        for audience in [signet.issuer().to_owned(), signet.url("/oauth/token"), signet.url(path)] {
            let assertion = key.assertion(&signet, &client, json!({ "aud": audience }));
            assert_eq!(post(path, &assertion).await.status(), 200, "{path} {audience}");
            let again = flow::refused(post(path, &assertion).await).await;
            assert_eq!(again, (401, "invalid_client".to_owned()), "{path} {audience}");
        }
        let assertion = key.assertion(&signet, &client, json!({ "aud": signet.url(other) }));
        let answer = flow::refused(post(path, &assertion).await).await;
        assert_eq!(answer, (401, "invalid_client".to_owned()), "{path}");
    }
    let assertion = key.assertion(&signet, &client, json!({}));
    let told = flow::granted(post("/oauth/introspect", &assertion).await).await;
    assert_eq!(told, json!({ "active": false }), "it was revoked");
}

/// T2, O1: keys at a `jwks_uri`: a new one is found without a restart, an unknown one leads to one fetch and no more, and
/// no proxy of the environment is asked.
#[tokio::test]
async fn keys_at_an_address_may_change() {
    let mut signet = Signet::prepare(
        Database::Postgres,
        &[
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
            ("https_proxy", "http://127.0.0.1:1"),
            ("ALL_PROXY", "http://127.0.0.1:1"),
        ],
    );
    let target = Target::start(&signet);
    target.open_to(&mut signet);
    signet.restart().await;
    let (old, new, stranger) = (Signer::new("ES256", "old"), Signer::new("RS256", "new"), Signer::new("ES256", "x"));
    target.serve("/jwks", &signer::set(&[&old]));
    let client = signet.client(service("private_key_jwt", json!({ "jwks_uri": target.url("/jwks") }))).await;
    for _ in 0..3 {
        accepted(&signet, &old.assertion(&signet, &client, json!({})), "the first key").await;
    }
    assert_eq!(target.asked("/jwks"), 1);
    target.serve("/jwks", &signer::set(&[&new]));
    accepted(&signet, &new.assertion(&signet, &client, json!({})), "the new key").await;
    assert_eq!(target.asked("/jwks"), 2);
    refused(&signet, &old.assertion(&signet, &client, json!({})), "the old key").await;
    for _ in 0..3 {
        refused(&signet, &stranger.assertion(&signet, &client, json!({})), "nobody's key").await;
    }
    assert_eq!(target.asked("/jwks"), 2, "once in 30 seconds");
    target.withdraw("/jwks");
    accepted(&signet, &new.assertion(&signet, &client, json!({})), "what was read serves on").await;

    // A key that was replaced without a new name.
    let (first, second) = (Signer::new("ES256", "same"), Signer::new("ES256", "same"));
    target.serve("/same", &signer::set(&[&first]));
    let same = signet.client(service("private_key_jwt", json!({ "jwks_uri": target.url("/same") }))).await;
    accepted(&signet, &first.assertion(&signet, &same, json!({})), "the first of the name").await;
    target.serve("/same", &signer::set(&[&second]));
    accepted(&signet, &second.assertion(&signet, &same, json!({})), "the second of the name").await;
    refused(&signet, &first.assertion(&signet, &same, json!({})), "the first is gone").await;
    assert_eq!(target.asked("/same"), 2);

    let away = signet.client(service("private_key_jwt", json!({ "jwks_uri": target.url("/nothing") }))).await;
    for _ in 0..3 {
        refused(&signet, &new.assertion(&signet, &away, json!({})), "no keys there").await;
    }
    assert_eq!(target.asked("/nothing"), 1);
    // What is refused whatever the keys say leads to no fetch.
    let late = json!({ "jwks_uri": target.url("/late"), "token_endpoint_auth_signing_alg": "ES256" });
    let late = signet.client(service("private_key_jwt", late)).await;
    refused(&signet, &new.assertion(&signet, &late, json!({})), "another algorithm").await;
    refused(&signet, &old.assertion(&signet, &late, json!({ "exp": 1 })), "over").await;
    assert_eq!(target.asked("/late"), 0);
}

/// O1, T2: without `outbound.allow_private` nothing connects to an address of this machine; the answer is that to a wrong
/// key, and the reason is in the log, without the path.
#[tokio::test]
async fn private_addresses_are_not_fetched_from() {
    let mut signet = Signet::prepare(Database::Postgres, &[]);
    let target = Target::start(&signet);
    target.trusted_by(&mut signet);
    signet.restart().await;
    let key = Signer::new("ES256", "k");
    target.serve("/jwks-hunter2", &signer::set(&[&key]));
    for url in [target.url("/jwks-hunter2"), target.url("/jwks-hunter2").replace("localhost", "127.0.0.1")] {
        let client = signet.client(service("private_key_jwt", json!({ "jwks_uri": url }))).await;
        refused(&signet, &key.assertion(&signet, &client, json!({})), &url).await;
    }
    assert_eq!(target.connections(), 0);
    let log = signet.output();
    assert!(log.contains("outbound.allow_private") && !log.contains("hunter2"), "{log}");

    target.open_to(&mut signet);
    signet.restart().await;
    let client = json!({ "jwks_uri": target.url("/jwks-hunter2") });
    let client = signet.client(service("private_key_jwt", client)).await;
    accepted(&signet, &key.assertion(&signet, &client, json!({})), "allowed").await;
    assert_eq!(target.connections(), 1);
}

/// R-32, T2: the secret of `client_secret_jwt` is long enough for each algorithm, and a new one takes its place at once.
#[tokio::test]
async fn a_secret_that_signs_is_replaced() {
    let signet = Signet::start(Database::Postgres).await;
    let client = signet.client(service("client_secret_jwt", Value::Null)).await;
    let old = Signer::secret("HS512", &client);
    accepted(&signet, &old.assertion(&signet, &client, json!({})), "the first secret").await;
    let made = signet.cli_json(&["client", "rotate-secret", "--json", &client.id], "").await;
    let renewed = Client { secret: Some(flow::member(&made, "client_secret").to_owned()), ..client.clone() };
    let new = Signer::secret("HS512", &renewed);
    eventually(PATIENCE, "the new secret counts", async || {
        (ask(&signet, &new.assertion(&signet, &client, json!({}))).await.status() == 200).then_some(())
    })
    .await;
    refused(&signet, &old.assertion(&signet, &client, json!({})), "the old secret").await;
}
