//! Statements of the operations that must stay cheap, BEGIN and COMMIT left out.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::api::office::{Office, problem};
use crate::scene::{Scene, admin, header};
use crate::support::prelude::*;

fn count(answer: &reqwest::Response) -> u32 {
    flow::statements(answer.headers())
}

/// discovery and keys take no statement.
#[tokio::test]
async fn discovery_and_keys_take_none() {
    let signet = Signet::start(Database::Postgres).await;
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/jwks"] {
        let answer = signet.http().get(signet.url(path)).send().await.expect("an answer");
        assert_eq!((answer.status(), count(&answer)), (StatusCode::OK, 0), "{path}");
    }
}

/// checking a token takes no statement, whether it is refused or not; userinfo then reads the claims with one.
#[tokio::test]
async fn a_token_check_takes_none() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let access = flow::member(&tokens, "access_token");
    let answer = flow::userinfo(&scene.signet, access).await;
    assert_eq!((answer.status(), count(&answer)), (StatusCode::OK, 1));
    for refused in ["", "x", flow::member(&tokens, "id_token")] {
        let answer = flow::userinfo(&scene.signet, refused).await;
        assert_eq!((answer.status(), count(&answer)), (StatusCode::UNAUTHORIZED, 0));
    }
    let home = browser.get("/").await.page();
    browser.submit(&home, &[("decision", "signout")]).await.page();
    let answer = flow::userinfo(&scene.signet, access).await;
    assert_eq!((answer.status(), count(&answer)), (StatusCode::UNAUTHORIZED, 0), "revoked");
}

/// code exchange and refresh take at most four, the audit row included, on either database.
#[tokio::test]
async fn exchange_and_refresh_take_at_most_four() {
    for database in [Database::Postgres, Database::Embedded] {
        let scene = Scene::on(database, ClientSpec::confidential()).await;
        let request = scene.request().with("scope", "openid profile offline_access");
        let code = scene.code(&mut scene.browser(), &request).await;
        let answer = scene.exchange(&code, &request.verifier).await;
        assert!((1..=4).contains(&count(&answer)), "exchange: {}", count(&answer));
        let first = flow::granted(answer).await;
        let answer = scene.refresh(&first).await;
        assert!((1..=4).contains(&count(&answer)), "refresh: {}", count(&answer));
        flow::granted(answer).await;
        let repeated = scene.refresh(&first).await;
        assert!((1..=4).contains(&count(&repeated)), "a repeated refresh: {}", count(&repeated));
        flow::granted(repeated).await;
    }
}

/// R-70, T2: a service takes none with a secret and one with an assertion, which is spent; whatever else an assertion
/// authenticates takes that one more.
#[tokio::test]
async fn an_assertion_takes_one() {
    for database in [Database::Postgres, Database::Embedded] {
        let key = Signer::new("ES256", "k");
        let grants = ["authorization_code", "refresh_token", "client_credentials"].map(str::to_owned).to_vec();
        let spec = ClientSpec {
            auth_method: Some("private_key_jwt".to_owned()),
            grant_types: grants.clone(),
            metadata: json!({ "jwks": signer::set(&[&key]) }),
            ..ClientSpec::confidential()
        };
        let scene = Scene::on(database, spec).await;
        let by_secret = scene.signet.client(ClientSpec { grant_types: grants, ..ClientSpec::confidential() }).await;
        let own = [("grant_type", "client_credentials")];
        // The client itself is read once, then kept.
        for expected in [1, 0, 0] {
            let answer = flow::token(&scene.signet, &by_secret, &own).await;
            assert_eq!((answer.status(), count(&answer)), (StatusCode::OK, expected));
        }
        let ask = async |path: &str, fields: &[(&str, &str)]| {
            let assertion = key.assertion(&scene.signet, &scene.client, json!({}));
            let fields = [fields, &signer::fields(&assertion)].concat();
            scene.signet.http().post(scene.signet.url(path)).form(&fields).send().await.expect("an answer")
        };
        for expected in [2, 1, 1] {
            let answer = ask("/oauth/token", &own).await;
            assert_eq!((answer.status(), count(&answer)), (StatusCode::OK, expected));
        }
        let request = scene.request().with("scope", "openid offline_access");
        let code = scene.code(&mut scene.browser(), &request).await;
        let answer = ask(
            "/oauth/token",
            &[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", &scene.client.redirect_uri),
                ("code_verifier", &request.verifier),
            ],
        )
        .await;
        assert!((1..=5).contains(&count(&answer)), "exchange: {}", count(&answer));
        let tokens = flow::granted(answer).await;
        let refresh_token = flow::member(&tokens, "refresh_token");
        let answer = ask("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await;
        assert!((1..=5).contains(&count(&answer)), "refresh: {}", count(&answer));
        let tokens = flow::granted(answer).await;
        let answer = ask("/oauth/introspect", &[("token", flow::member(&tokens, "refresh_token"))]).await;
        assert_eq!((answer.status(), count(&answer)), (StatusCode::OK, 2));
    }
}

/// that a client is limited to roles costs no statement where the roles are known.
#[tokio::test]
async fn a_limit_to_roles_costs_nothing() {
    let limit = serde_json::json!({ "access_roles": ["admin"] });
    let scene = Scene::with(ClientSpec::confidential().with_metadata(&limit)).await;
    let mut browser = scene.browser();
    let first = scene.grant(&mut browser, &scene.request()).await;
    let request = scene.request();
    let answer = browser.request(Method::GET, &request.url(&scene.signet)).send().await.expect("an answer");
    assert!((1..=4).contains(&count(&answer)), "authorize: {}", count(&answer));
    let callback = url::Url::parse(header(&answer, "location")).expect("a redirect");
    let answer = scene.exchange(&flow::parameter(&callback, "code").expect("a code"), &request.verifier).await;
    assert!((1..=4).contains(&count(&answer)), "exchange: {}", count(&answer));
    let told = flow::introspect(&scene.signet, &scene.client, flow::member(&first, "refresh_token")).await;
    assert_eq!(count(&told), 1, "introspection");
    let answer = scene.refresh(&first).await;
    assert!((1..=4).contains(&count(&answer)), "refresh: {}", count(&answer));
    flow::granted(answer).await;
}

/// a permission check takes none once the roles are known, whether it allows or refuses; what is allowed then
/// takes what its handler reads.
#[tokio::test]
async fn a_permission_check_takes_none() {
    let office = Office::open().await;
    let moderator = office.person("moderator", Some("moderator")).await;
    let (all, some) = (office.administrator().await, office.token(&moderator, "openid *:*").await);
    let narrow = office.token(&admin(), "openid client:read").await;
    let (clients, users) = ("/api/v1/admin/clients/none", "/api/v1/admin/users/none");
    for (what, token, path, refusal) in [
        ("a role lacks it", &some, clients, "permission_missing"),
        ("the scope lacks it", &narrow, users, "insufficient_scope"),
        ("it is allowed by one permission", &narrow, clients, "client_not_found"),
        ("it is allowed by all", &all, clients, "client_not_found"),
        ("it is allowed to some", &some, users, "user_unknown"),
    ] {
        let mut counted = Vec::new();
        for _ in 0..3 {
            let answer = office.call("GET", path, token).send().await.expect("an answer");
            counted.push(count(&answer));
            assert_eq!(problem(answer).await.1, refusal, "{what}");
        }
        let reads = u32::from(["client_not_found", "user_unknown"].contains(&refusal));
        assert_eq!(counted[1..], [reads, reads], "{what}: {counted:?}");
        assert!(counted[0] <= reads + 1, "{what}: {counted:?}");
    }
    // A change of roles is read once more, and known again.
    let path = "/api/v1/admin/users/moderator/roles/admin";
    assert_eq!(office.call("PUT", path, &all).send().await.expect("an answer").status(), StatusCode::OK);
    let again = async || {
        let answer = office.call("GET", clients, &some).send().await.expect("an answer");
        let counted = count(&answer);
        (problem(answer).await.1, counted)
    };
    assert_eq!(again().await, ("client_not_found".to_owned(), 2));
    assert_eq!(again().await, ("client_not_found".to_owned(), 1));
}

/// introspection takes at most one, for whoever asks and whatever is asked about; an access token without the
/// person's name takes none.
#[tokio::test]
async fn introspection_takes_at_most_one() {
    for database in [Database::Postgres, Database::Embedded] {
        let scene = Scene::on(database, ClientSpec::confidential()).await;
        let mut browser = scene.browser();
        let named = scene.grant(&mut browser, &scene.request()).await;
        let plain = scene.grant(&mut browser, &scene.request().with("scope", "openid")).await;
        for (what, token, most) in [
            ("an access token", flow::member(&plain, "access_token"), 0),
            ("an access token with the profile", flow::member(&named, "access_token"), 1),
            ("a refresh token", flow::member(&named, "refresh_token"), 1),
            ("an ID token", flow::member(&plain, "id_token"), 0),
            ("garbage", "garbage", 1),
        ] {
            let answer = flow::introspect(&scene.signet, &scene.client, token).await;
            assert_eq!(answer.status(), StatusCode::OK, "{what}");
            assert!(count(&answer) <= most, "{what}: {}", count(&answer));
        }
    }
}

/// authorize with a session and remembered consent takes at most four, also when the session's idle time is
/// wound up.
#[tokio::test]
async fn authorize_with_a_session_takes_at_most_four() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    for idle in ["0", "1 hour"] {
        let statement = format!("UPDATE sessions SET idle_expires_at = idle_expires_at - interval '{idle}'");
        assert_eq!(scene.change(&statement), 1);
        let url = scene.request().url(&scene.signet);
        let answer = browser.request(Method::GET, &url).send().await.expect("an answer");
        assert!(header(&answer, "location").contains("code="), "{answer:?}");
        assert!((1..=4).contains(&count(&answer)), "idle for {idle}: {}", count(&answer));
    }
    let wound_up = "UPDATE sessions SET state = state WHERE idle_expires_at > now() + interval '11 hours 50 minutes'";
    assert_eq!(scene.change(wound_up), 1);
}

/// sign-in takes at most six: alone, on the way to an application, renewing a session, in place of another's.
#[tokio::test]
async fn sign_in_takes_at_most_six() {
    let scene = Scene::start().await;
    let other = scene.signet.user("otherwise").await;
    let mut browser = scene.browser();
    let mut counted = Vec::new();
    let authorize = scene.request().with("prompt", "login").url(&scene.signet).to_string();
    for (what, path, user) in [
        ("alone", "/signin", &scene.user),
        ("renewing", "/signin", &scene.user),
        ("in place of another", "/signin", &other),
        ("renewing, to an application", &*authorize, &other),
        ("in place of another, to an application", &*authorize, &scene.user),
    ] {
        let page = browser.get(path).await.page();
        let fields = [("username", &*user.username), ("password", &*user.password)];
        let form = page.form(&["username", "password"]).expect("the form").with(&fields);
        let request = browser.request(Method::POST, &form.action).form(&form.fields);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{what}");
        browser.jar.remember(answer.headers());
        counted.push((what, count(&answer)));
    }
    assert!(counted.iter().all(|(_, count)| (1..=6).contains(count)), "{counted:?}");
}

/// R-70, T7: a password sent by an application takes four more than a sign-in's three reads and rows: the grant, its
/// refresh token and their row, on either database; a refused one takes three.
#[tokio::test]
async fn a_password_grant_takes_seven() {
    for database in [Database::Postgres, Database::Embedded] {
        let spec = ClientSpec {
            grant_types: ["password", "refresh_token"].map(str::to_owned).to_vec(),
            redirect_uris: Vec::new(),
            first_party: true,
            ..ClientSpec::confidential()
        };
        let scene = Scene::on(database, spec).await;
        let ask = async |password: &str| {
            let fields = [("grant_type", "password"), ("username", "admin"), ("password", password)];
            flow::token(&scene.signet, &scene.client, &fields).await
        };
        // The client itself is read once, then kept.
        flow::granted(ask(&scene.user.password).await).await;
        for (password, status, expected) in
            [(&*scene.user.password, StatusCode::OK, 7), ("wrong", StatusCode::BAD_REQUEST, 3)]
        {
            let answer = ask(password).await;
            assert_eq!((answer.status(), count(&answer)), (status, expected));
        }
    }
}

/// counting is a matter of tests: without the setting no answer says how many statements it took.
#[tokio::test]
async fn statements_are_counted_in_tests_only() {
    let signet = Signet::start_with(Database::Postgres, &[("SIGNET_TEST_COUNT_STATEMENTS", "")]).await;
    let answer = signet.http().get(signet.url("/")).send().await.expect("an answer");
    assert!(answer.headers().get("x-signet-statements").is_none(), "{answer:?}");
}

/// A13: what an answer without a code takes: one more where an ID token says something of the person, one where
/// the session is held for an access token, one where a request object counts once.
#[tokio::test]
async fn answers_without_a_code() {
    let key = Signer::new("ES256", "k");
    let spec = ClientSpec::confidential()
        .with_metadata(&json!({ "jwks": signer::set(&[&key]) }))
        .with_response_types(&["code", "id_token", "id_token token"]);
    let scene = Scene::with(spec).await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    let mut took = Vec::new();
    for response_type in ["code", "id_token", "id_token token"] {
        for _ in 0..2 {
            let request = scene.request().with("response_type", response_type);
            let answer = browser.request(Method::GET, &request.url(&scene.signet)).send().await.expect("an answer");
            took.push((response_type, count(&answer)));
        }
    }
    let request = scene.request();
    let mut claims: serde_json::Map<String, serde_json::Value> =
        request.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    claims.extend([
        ("iss".to_owned(), json!(scene.client.id)),
        ("aud".to_owned(), json!(scene.signet.issuer())),
        ("exp".to_owned(), json!(signer::now() + 60)),
        ("jti".to_owned(), json!(flow::random())),
    ]);
    let request = request.with("request", &key.sign(json!({}), &claims.into()));
    let answer = browser.request(Method::GET, &request.url(&scene.signet)).send().await.expect("an answer");
    took.push(("object", count(&answer)));
    let most = |what: &str| if what == "code" { 4 } else { 5 };
    assert!(took.iter().all(|(what, count)| (1..=most(what)).contains(count)), "{took:?}");
}
