//! A registration read, changed and removed by its client.

use serde_json::{Value, json};

use super::{application, application_with, client_of, count, manage, manage_own, open, refused, registered, tokens};
use crate::scene::{Scene, admin, header};
use crate::support::prelude::*;

/// The registration as a client sends it back: without what belongs to the provider.
pub fn sent_back(own: &Value, members: &Value) -> Value {
    let mut body = own.clone();
    let all = body.as_object_mut().expect("an object");
    for ours in
        ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"]
    {
        all.remove(ours);
    }
    for (name, value) in members.as_object().expect("members") {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    body
}

/// R1, RFC 7592 §2.1: GET tells the registration with the token presented; the secret, which is stored hashed, is not in it.
#[tokio::test]
async fn a_registration_is_read() {
    let signet = open().await;
    let own = registered(&signet, &application()).await;
    let answer = manage_own(&signet, "GET", &own, None).await;
    assert_eq!((header(&answer, "cache-control"), header(&answer, "pragma")), ("no-store", "no-cache"));
    let read = flow::granted(answer).await;
    let mut expected = own.clone();
    for gone in ["client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().expect("an object").remove(gone);
    }
    assert_eq!(read, expected);
    let uri = flow::member(&own, "registration_client_uri");
    let by_uri = signet.http().get(uri).bearer_auth(flow::member(&own, "registration_access_token"));
    assert_eq!(flow::granted(by_uri.send().await.expect("an answer")).await, expected);
}

/// R1, RFC 7592 §2: a wrong token, the token of another client, an unknown client, and clients that did not register
/// themselves are answered alike, whatever is asked for; nothing changes.
#[tokio::test]
async fn only_its_own_token_opens_a_registration() {
    let signet = open().await;
    let (own, other) = (registered(&signet, &application()).await, registered(&signet, &application()).await);
    let admins = signet.client(ClientSpec::confidential()).await;
    let (id, token) = (flow::member(&own, "client_id"), flow::member(&own, "registration_access_token"));
    let body = sent_back(&own, &json!({ "client_name": "Mine" }));
    let long = "x".repeat(3_000);
    let mut seen = Vec::new();
    for (id, token) in [
        (id, &*flow::random()),
        (id, ""),
        (id, flow::member(&other, "registration_access_token")),
        (id, flow::member(&own, "client_secret")),
        ("nobody", token),
        ("playground", token),
        (&*admins.id, token),
        (&*long, token),
        ("%00", token),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = manage(&signet, method, id, token, Some(&body)).await;
            let challenge = header(&answer, "www-authenticate").to_owned();
            assert!(challenge.contains("error=\"invalid_token\"") || token.is_empty(), "{method} {id}: {challenge}");
            let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
            assert_eq!(status, 401, "{method} {id}");
            if !token.is_empty() {
                seen.push(text);
            }
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "one answer for all: {seen:?}");
    let bare = signet.http().get(signet.url(&format!("/oauth/register/{id}"))).send().await.expect("an answer");
    assert_eq!(header(&bare, "www-authenticate"), "Bearer realm=\"signet\"");
    assert_eq!(refused(bare).await, (401, "invalid_token".to_owned()));
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic' AND name = 'Reports'"), 2);
    assert_eq!(manage_own(&signet, "GET", &own, None).await.status(), 200);
}

/// R1, O3: wrong tokens are limited by address and client; the client's own token is not in their way elsewhere.
#[tokio::test]
async fn wrong_tokens_are_limited() {
    let limits = [
        super::OPEN,
        ("SIGNET_RATE_LIMITS__ENABLED", "true"),
        ("SIGNET_RATE_LIMITS__TOKEN_FAILURES", "3/1h"),
        ("SIGNET_RATE_LIMITS__CLIENT_REGISTRATION", "4/1h"),
    ];
    let signet = Signet::start_with(Database::Postgres, &limits).await;
    let (own, other) = (registered(&signet, &application()).await, registered(&signet, &application()).await);
    let id = flow::member(&own, "client_id");
    for status in [401, 401, 401, 429, 429] {
        let answer = manage(&signet, "GET", id, &flow::random(), None).await;
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(header(&answer, "retry-after").is_empty(), status != 429);
    }
    assert_eq!(manage_own(&signet, "GET", &own, None).await.status(), 429, "who knows it waits too");
    assert_eq!(manage_own(&signet, "GET", &other, None).await.status(), 200);
    // Whatever they name, tries at nobody count together, as do those without a token; who is right passes.
    let rows = "audit WHERE event = 'client_registration.refused'";
    for status in [401, 401, 401, 429] {
        let answer = manage(&signet, "GET", &flow::random(), &flow::random(), None).await;
        assert_eq!(answer.status().as_u16(), status);
    }
    let bare = signet.http().get(signet.url("/oauth/register/x")).send().await.expect("an answer");
    assert_eq!(bare.status(), 429);
    assert_eq!(manage_own(&signet, "GET", &other, None).await.status(), 200);
    eventually(PATIENCE, "what was refused is recorded", async || (count(&signet, rows) == 6).then_some(())).await;

    // Registrations have a rate of their own, which changes count with.
    let body = sent_back(&other, &json!({ "client_name": "B" }));
    assert_eq!(manage_own(&signet, "PUT", &other, Some(&body)).await.status(), 200);
    registered(&signet, &application()).await;
    let answer = super::register(&signet, &application()).await;
    assert_eq!(header(&answer, "ratelimit-policy"), "4;w=3600");
    assert_eq!(answer.status(), 429);
    let said: Value = answer.json().await.expect("JSON");
    assert!(flow::member(&said, "error_description").starts_with("tried too often; try again in "), "{said}");
    assert_eq!(manage_own(&signet, "PUT", &other, Some(&body)).await.status(), 429);
}

/// R1, RFC 7592 §2.2: PUT replaces: what is left out has its default again; the token and the identifier stay, the secret
/// too unless the method needs another one.
#[tokio::test]
async fn a_change_replaces_the_registration() {
    let signet = open().await;
    let members = json!({
        "logo_uri": "https://reports.example/logo.png", "client_name#de": "Berichte", "contacts": ["a@reports.example"],
        "default_max_age": 60, "subject_type": "pairwise", "post_logout_redirect_uris": ["https://reports.example/bye"],
    });
    let own = registered(&signet, &application_with(&members)).await;
    let body = json!({
        "client_id": own["client_id"], "client_secret": own["client_secret"], "client_name": "Other",
        "redirect_uris": ["https://reports.example/other"], "logo_uri": null,
    });
    let changed = flow::granted(manage_own(&signet, "PUT", &own, Some(&body)).await).await;
    let mut expected = json!({
        "client_name": "Other", "redirect_uris": ["https://reports.example/other"], "grant_types": ["authorization_code"],
        "response_types": ["code"], "scope": "address email openid phone profile", "subject_type": "public",
        "token_endpoint_auth_method": "client_secret_basic", "application_type": "web",
        "id_token_signed_response_alg": "RS256", "require_auth_time": false,
    });
    for same in ["client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"] {
        expected[same] = own[same].clone();
    }
    assert_eq!(changed, expected);
    assert_eq!(flow::granted(manage_own(&signet, "GET", &own, None).await).await, expected);
    let client = Client { redirect_uri: "https://reports.example/other".to_owned(), ..client_of(&own) };
    tokens(&signet, &client, "openid").await;
    let before = count(&signet, "audit WHERE event = 'client_registration.updated'");
    assert_eq!(flow::granted(manage_own(&signet, "PUT", &own, Some(&body)).await).await, expected);
    let after = count(&signet, "audit WHERE event = 'client_registration.updated'");
    assert_eq!((before, after), (1, 1), "what is the same is not written");

    let signing = sent_back(&changed, &json!({ "token_endpoint_auth_method": "client_secret_jwt" }));
    let renewed = flow::granted(manage_own(&signet, "PUT", &own, Some(&signing)).await).await;
    assert_eq!((flow::member(&renewed, "client_secret").len(), &renewed["client_secret_expires_at"]), (86, &json!(0)));
    assert_ne!(renewed["client_secret"], own["client_secret"]);
    let without = sent_back(&renewed, &json!({ "token_endpoint_auth_method": "none", "client_secret": null }));
    let public = flow::granted(manage_own(&signet, "PUT", &own, Some(&without)).await).await;
    assert_eq!(public.get("client_secret"), None);
}

/// RFC 7592 §2.2, R3: a change that names another client or secret, holds what is the provider's, or asks for what no client
/// may have, is refused and changes nothing.
#[tokio::test]
async fn what_a_change_must_not_hold() {
    let signet = open().await;
    let own = registered(&signet, &application()).await;
    for (members, expected) in [
        (json!({ "client_id": null }), "invalid_client_metadata"),
        (json!({ "client_id": "other" }), "invalid_client_metadata"),
        (json!({ "client_id": 1 }), "invalid_client_metadata"),
        (json!({ "client_secret": "mine" }), "invalid_client_metadata"),
        (json!({ "client_secret": "" }), "invalid_client_metadata"),
        (json!({ "registration_access_token": own["registration_access_token"] }), "invalid_client_metadata"),
        (json!({ "registration_client_uri": own["registration_client_uri"] }), "invalid_client_metadata"),
        (json!({ "client_secret_expires_at": 0 }), "invalid_client_metadata"),
        (json!({ "client_id_issued_at": 0 }), "invalid_client_metadata"),
        (json!({ "redirect_uris": null }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "grant_types": ["password"], "response_types": null }), "invalid_client_metadata"),
        (json!({ "logo_uri": "http://reports.example/logo.png" }), "invalid_client_metadata"),
    ] {
        let answer = manage_own(&signet, "PUT", &own, Some(&sent_back(&own, &members))).await;
        assert_eq!(refused(answer).await, (400, expected.to_owned()), "{members}");
    }
    let answer = manage_own(&signet, "PUT", &own, None).await;
    assert_eq!(refused(answer).await, (400, "invalid_request".to_owned()), "no body");
    assert_eq!(count(&signet, "audit WHERE event = 'client_registration.updated'"), 0);
}

/// R1, RFC 7592 §2.3: DELETE answers 204; tokens, sign-ins under way and the registration itself end at once.
#[tokio::test]
async fn a_client_removes_itself() {
    let signet = open().await;
    let own = registered(&signet, &application()).await;
    let client = client_of(&own);
    let granted = tokens(&signet, &client, "openid profile offline_access").await;
    let scene = Scene { client: client.clone(), user: admin(), signet };
    assert!(scene.accepts(&granted).await);
    let answer = manage_own(&scene.signet, "DELETE", &own, None).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (204, "no-store"));
    assert!(!scene.accepts(&granted).await, "its access token");
    assert_eq!(flow::refused(scene.refresh(&granted).await).await, (401, "invalid_client".to_owned()));
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(manage_own(&scene.signet, method, &own, Some(&own)).await.status(), 401, "{method}");
    }
    let page = scene.open(scene.request().url(&scene.signet)).await;
    crate::scene::error_page(page).await;
    for table in ["clients WHERE source = 'dynamic'", "grants", "consents"] {
        assert_eq!(count(&scene.signet, table), 0, "{table}");
    }
}

/// R-37: an administrator may switch off, change and remove a client that registered itself, and cannot give it what is for
/// clients of one's own; while it is off it reads and changes nothing.
#[tokio::test]
async fn administrators_stand_above_it() {
    let signet = open().await;
    let own = registered(&signet, &application()).await;
    let id = flow::member(&own, "client_id");
    for given in [
        &["--first-party", "true"] as &[&str],
        &["--scope", "openid", "--scope", "reports:read"],
        &["--audience", "https://api.example/"],
        &["--access-role", "admin"],
        &["--grant-type", "password"],
        &["--metadata", r#"{"resources": ["https://api.example/"]}"#],
        &["--metadata", r#"{"claims": {"groups": {"from": "groups"}}}"#],
    ] {
        let output = signet.cli(&[&["client", "update", id][..], given].concat()).await;
        assert!(!output.status.success(), "{given:?}: {output:?}");
    }
    let role = signet.cli(&["role", "assign", "moderator", "--client", id]).await;
    assert!(!role.status.success() && String::from_utf8_lossy(&role.stderr).contains("registered itself"), "{role:?}");
    signet.cli_json(&["client", "update", id, "--name", "Checked", "--pkce", "required", "--json"], "").await;
    assert_eq!(flow::granted(manage_own(&signet, "GET", &own, None).await).await["client_name"], "Checked");
    let body = sent_back(&own, &json!({ "client_name": "Mine again" }));
    flow::granted(manage_own(&signet, "PUT", &own, Some(&body)).await).await;
    let shown = signet.cli_json(&["client", "show", id, "--json"], "").await;
    assert_eq!((&shown["client_name"], &shown["pkce"]), (&json!("Mine again"), &json!("required")), "its rules stay");

    signet.cli_json(&["client", "disable", id, "--json"], "").await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = manage_own(&signet, method, &own, Some(&own)).await;
        assert_eq!(refused(answer).await, (403, "access_denied".to_owned()), "{method}");
    }
    signet.cli_json(&["client", "enable", id, "--json"], "").await;
    assert_eq!(manage_own(&signet, "GET", &own, None).await.status(), 200);
    signet.cli_json(&["client", "delete", id, "--yes", "--json"], "").await;
    assert_eq!(manage_own(&signet, "GET", &own, None).await.status(), 401);
}

/// A16: people agreed to what they saw: a client that changes its name, where it leads or where it is started asks again.
#[tokio::test]
async fn who_looks_otherwise_asks_again() {
    let signet = open().await;
    let own = registered(&signet, &application()).await;
    let client = client_of(&own);
    let mut browser = Browser::new(&signet);
    let url = AuthRequest::new(&client).url(&signet);
    flow::sign_in_and_consent(&mut browser, &url, &admin()).await;
    let silent = AuthRequest::new(&client).with("prompt", "none").url(&signet);
    let error = async |browser: &mut Browser| flow::parameter(&browser.get(&silent).await.left(), "error");
    assert_eq!(error(&mut browser).await, None);
    let contact = sent_back(&own, &json!({ "contacts": ["ada@reports.example"] }));
    flow::granted(manage_own(&signet, "PUT", &own, Some(&contact)).await).await;
    assert_eq!(error(&mut browser).await, None, "what nobody saw asks nobody");
    let elsewhere = "https://elsewhere.example/begin";
    for members in
        [json!({ "client_name": "Your bank" }), json!({ "client_name": "Your bank", "initiate_login_uri": elsewhere })]
    {
        let body = sent_back(&own, &members);
        flow::granted(manage_own(&signet, "PUT", &own, Some(&body)).await).await;
        assert_eq!(error(&mut browser).await.as_deref(), Some("consent_required"), "{members}");
        flow::sign_in_and_consent(&mut browser, &url, &admin()).await;
        assert_eq!(error(&mut browser).await, None, "{members}");
    }
}
