//! `grant_type=password`: a person's name and password, sent by an application of ours.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Scene, at_once, header};
use crate::support::prelude::*;

/// A confidential first-party client that was given it.
fn own() -> ClientSpec {
    ClientSpec {
        grant_types: ["password", "refresh_token"].map(str::to_owned).to_vec(),
        redirect_uris: Vec::new(),
        first_party: true,
        ..ClientSpec::confidential()
    }
}

async fn ask(signet: &Signet, client: &Client, (username, password): (&str, &str), scope: &str) -> Response {
    let mut fields = vec![("grant_type", "password"), ("username", username), ("password", password)];
    fields.extend((!scope.is_empty()).then_some(("scope", scope)));
    flow::token(signet, client, &fields).await
}

async fn rows(signet: &Signet, event: &str) -> usize {
    let rows = signet.cli(&["audit", "export", "--event", event]).await.stdout;
    String::from_utf8_lossy(&rows).lines().count()
}

/// R-32, T7, T6, D3: advertised and served: by username or address, with what was asked of what the client may have; the ID
/// token names no session; userinfo, introspection and refresh work, until the account is locked. The sign-in and the
/// grant are in the audit log.
#[tokio::test]
async fn an_application_of_ours_sends_a_password() {
    let scene = Scene::with(own()).await;
    let signet = &scene.signet;
    let document: Value = scene.open(signet.url("/.well-known/openid-configuration")).await.json().await.expect("JSON");
    assert!(document["grant_types_supported"].as_array().expect("a list").contains(&json!("password")));
    let ada = signet.user("ada").await;
    for (name, scope, given) in [
        (&*ada.username, "openid profile", "openid profile"),
        (&*ada.email, "", "address email offline_access openid phone profile"),
        ("ADA", "profile", "profile"),
    ] {
        let answer = ask(signet, &scene.client, (name, &ada.password), scope).await;
        assert_eq!(header(&answer, "cache-control"), "no-store");
        let tokens = flow::granted(answer).await;
        assert_eq!(tokens["scope"], given, "{tokens}");
        assert_eq!(tokens["id_token"].is_string(), given.contains("openid"), "{tokens}");
        assert_eq!(tokens["token_type"], "Bearer");
    }
    let tokens = flow::granted(ask(signet, &scene.client, ("ada", &ada.password), "openid email").await).await;
    let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert_eq!(
        (&id["aud"], &id["amr"], id.get("sid"), id.get("nonce")),
        (&json!(scene.client.id), &json!(["pwd"]), None, None)
    );
    assert!(id["auth_time"].is_i64() && id["at_hash"].is_string(), "{id}");
    let claims = flow::granted(flow::userinfo(signet, flow::member(&tokens, "access_token")).await).await;
    assert_eq!((&claims["sub"], &claims["email"], claims.get("name")), (&id["sub"], &json!(ada.email), None));
    let told =
        flow::granted(flow::introspect(signet, &scene.client, flow::member(&tokens, "refresh_token")).await).await;
    assert_eq!(told["active"], true);
    let renewed = flow::granted(scene.refresh(&tokens).await).await;
    let again = flow::jwt_payload(flow::member(&renewed, "id_token"));
    assert_eq!((&again["sub"], &again["auth_time"]), (&id["sub"], &id["auth_time"]));
    assert_eq!((rows(signet, "sign_in.succeeded").await, rows(signet, "password_grant.issued").await), (4, 4));
    assert_eq!(scene.change("UPDATE grants SET kind = kind WHERE kind = 'password' AND session_id IS NULL"), 4);
    assert_eq!(scene.change("UPDATE users SET username = username WHERE last_sign_in_at IS NOT NULL"), 1);

    signet.cli_json(&["user", "lock", "ada", "--reason", "test", "--json"], "").await;
    eventually(PATIENCE, "its tokens end", async || (!scene.accepts(&renewed).await).then_some(())).await;
    assert_eq!(flow::refused(scene.refresh(&renewed).await).await, (400, "invalid_grant".to_owned()));
}

/// T7, R-50: a wrong password, nobody's name, a locked account, somebody who may not use the application, and what cannot
/// be a name are answered alike in status, headers and body; each is recorded with the client.
#[tokio::test]
async fn what_is_wrong_with_the_person_is_answered_alike() {
    let limited = json!({ "access_roles": ["moderator"] });
    let scene = Scene::with(own()).await;
    let signet = &scene.signet;
    let staff = signet.client(own().with_metadata(&limited)).await;
    let (ada, locked) = (signet.user("ada").await, signet.user("locked").await);
    signet.cli_json(&["user", "lock", "locked", "--reason", "test", "--json"], "").await;
    for client in [&scene.client, &staff] {
        // Read once, then kept: it counts among the statements.
        ask(signet, client, ("nobody", "x"), "openid").await;
    }
    let mut answers = Vec::new();
    for (client, name, password) in [
        (&scene.client, "ada", "Wrong-Anchor-47!"),
        (&scene.client, "ada", &*ada.password.to_uppercase()),
        (&scene.client, "nobody", &ada.password),
        (&scene.client, "nobody@people.test", &ada.password),
        (&scene.client, "no name!", &ada.password),
        (&scene.client, "locked", &locked.password),
        (&scene.client, "locked", "Wrong-Anchor-47!"),
        (&staff, "ada", &ada.password),
    ] {
        let answer = ask(signet, client, (name, password), "openid").await;
        let names: Vec<String> = answer.headers().keys().map(ToString::to_string).collect();
        let statements = flow::statements(answer.headers());
        answers.push((answer.status(), names, answer.text().await.expect("a body"), (name, statements)));
    }
    let (status, names, body, _) = answers[0].clone();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expected = json!({ "error": "invalid_grant", "error_description": "the username, email address or password is not right" });
    assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON"), expected);
    for other in &answers {
        assert_eq!((&other.0, &other.1, &other.2), (&status, &names, &body), "{:?}", other.3);
    }
    // Whoever has no account takes the statements of whoever has one.
    assert_eq!((answers[0].3.1, answers[2].3.1, answers[5].3.1), (3, 3, 3));
    eventually(PATIENCE, "the client is in the audit log", async || {
        (rows(signet, "token.refused").await == 9).then_some(())
    })
    .await;
    assert_eq!((rows(signet, "sign_in.failed").await, rows(signet, "access.refused").await), (9, 1));
    assert_eq!(rows(signet, "password_grant.issued").await, 0);
    signet.cli_json(&["user", "unlock", "locked", "--json"], "").await;
    flow::granted(ask(signet, &scene.client, ("locked", &locked.password), "openid").await).await;
}

/// T7, R-32, RFC 9700 §2.4: nobody else's application, and none that does not show who it is, is given it, or serves it.
#[tokio::test]
async fn only_applications_of_ours_are_given_it() {
    let scene = Scene::with(own()).await;
    let signet = &scene.signet;
    let ada = signet.user("ada").await;
    let third = ClientSpec { first_party: false, ..own() };
    let public = ClientSpec { auth_method: Some("none".to_owned()), ..own() };
    for spec in [third, public] {
        let arguments = spec.arguments();
        let made = signet.cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(!made.status.success(), "{made:?}");
        assert!(String::from_utf8_lossy(&made.stderr).contains("password is for first-party clients"), "{made:?}");
    }
    for change in [&["--auth-method", "none"][..], &["--first-party", "false"]] {
        let arguments = [&["client", "update", &*scene.client.id][..], change].concat();
        let changed = signet.cli(&arguments).await;
        assert!(!changed.status.success(), "{changed:?}");
    }
    let without = ClientSpec { first_party: true, ..ClientSpec::confidential() };
    let without = signet.client(without).await;
    let refused = ask(signet, &without, ("ada", &ada.password), "").await;
    assert_eq!(flow::refused(refused).await, (400, "unauthorized_client".to_owned()));
    let stranger = Client { secret: Some(flow::random()), ..scene.client.clone() };
    let refused = ask(signet, &stranger, ("ada", &ada.password), "").await;
    assert_eq!(flow::refused(refused).await, (401, "invalid_client".to_owned()));

    // However it came to be: a registration that says so is not enough.
    for (column, id) in [("first_party = false", "third"), ("source = 'dynamic'", "self-made")] {
        let mut arguments = own().arguments();
        arguments.extend(["--client-id", id].map(str::to_owned));
        let made = signet.cli_json(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "").await;
        let secret = Some(flow::member(&made, "client_secret").to_owned());
        let client = Client { id: id.to_owned(), secret, redirect_uri: String::new() };
        assert_eq!(scene.change(&format!("UPDATE clients SET {column} WHERE client_id = '{id}'")), 1);
        let refused = ask(signet, &client, ("ada", &ada.password), "").await;
        assert_eq!(flow::refused(refused).await, (400, "unauthorized_client".to_owned()), "{id}");
    }
    for (fields, error) in [
        (vec![("username", "ada")], "invalid_request"),
        (vec![("password", "x")], "invalid_request"),
        (vec![("username", "ada"), ("username", "ada"), ("password", "x")], "invalid_request"),
        (vec![("username", "ada"), ("password", &*ada.password), ("scope", "openid admin")], "invalid_scope"),
        (
            vec![("username", "ada"), ("password", &*ada.password), ("resource", "https://other.example")],
            "invalid_target",
        ),
    ] {
        let fields = [&[("grant_type", "password")][..], &fields].concat();
        let refused = flow::token(signet, &scene.client, &fields).await;
        assert_eq!(flow::refused(refused).await, (400, error.to_owned()));
    }
    assert_eq!(rows(signet, "sign_in.failed").await, 0, "nothing was tried");
}

/// T7, O3, R-51: wrong tries count together with the tries of the sign-in page, right ones do not; whoever fails too often
/// is told when to come back, whatever the password.
#[tokio::test]
async fn tries_are_limited_together_with_the_pages() {
    let limits = [("SIGNET_RATE_LIMITS__ENABLED", "true"), ("SIGNET_RATE_LIMITS__SIGN_IN", "3/1h")];
    let signet = Signet::start_with(Database::Postgres, &limits).await;
    let client = signet.client(own()).await;
    let admin = crate::scene::admin();
    let mut browser = Browser::new(&signet);
    let page = browser.get("/signin").await.page();
    let wrong = User { password: "wrong".to_owned(), ..admin.clone() };
    assert_eq!(flow::sign_in(&mut browser, &page, &wrong).await.page().status.as_u16(), 401);
    let refused = ask(&signet, &client, ("admin", "wrong"), "").await;
    assert_eq!(flow::refused(refused).await, (400, "invalid_grant".to_owned()));
    for _ in 0..4 {
        flow::granted(ask(&signet, &client, ("admin", &admin.password), "").await).await;
    }
    let refused = ask(&signet, &client, ("admin", "wrong"), "").await;
    assert_eq!(flow::refused(refused).await, (400, "invalid_grant".to_owned()));
    for password in ["wrong", &admin.password] {
        let limited = ask(&signet, &client, ("admin", password), "").await;
        assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(header(&limited, "retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{limited:?}");
    }
    assert_eq!(flow::sign_in(&mut browser, &page, &admin).await.page().status.as_u16(), 429);
    assert_eq!(rows(&signet, "sign_in.failed").await, 3);
}

/// R-50, T7: a full hashing queue is answered at once, with when to come back; other grants go on.
#[tokio::test]
async fn a_full_hashing_queue_is_told() {
    let few = [("SIGNET_HASHING__QUEUE", "1"), ("SIGNET_HASHING__THREADS", "1")];
    let signet = Signet::start_with(Database::Postgres, &few).await;
    let client = signet.client(own()).await;
    let admin = crate::scene::admin();
    let fields = [("grant_type", "password"), ("username", "admin"), ("password", &*admin.password)];
    let request = || {
        let request = signet.http().post(signet.url("/oauth/token")).form(&fields);
        request.basic_auth(&client.id, client.secret.as_ref())
    };
    let answers = at_once((0..20).map(|_| request()).collect()).await;
    let busy: Vec<&Response> =
        answers.iter().filter(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert!(!busy.is_empty() && busy.len() < 20, "{answers:?}");
    assert!(busy.iter().all(|answer| header(answer, "retry-after") == "2"), "{busy:?}");
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status().as_u16())), "{answers:?}");
}
