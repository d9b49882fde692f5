//! Who may register: nobody, who has a token, everybody.

use diesel::RunQueryDsl as _;
use serde_json::{Value, json};

use super::{OPEN, application, client_of, count, manage_own, refused, register, registered, tokens};
use crate::scene::{at_once, header};
use crate::support::prelude::*;

const TOKEN: (&str, &str) = ("SIGNET_REGISTRATION__CLIENTS", "token");

async fn discovery(signet: &Signet) -> Value {
    let url = signet.url("/.well-known/openid-configuration");
    flow::granted(signet.http().get(url).send().await.expect("an answer")).await
}

/// A registration with a token in the header.
fn with_token(signet: &Signet, token: &str) -> reqwest::RequestBuilder {
    signet.http().post(signet.url("/oauth/register")).bearer_auth(token).json(&application())
}

async fn make_token(signet: &Signet, more: &[&str]) -> (String, String) {
    let arguments = [&["client", "registration-token", "create", "--json"][..], more].concat();
    let made = signet.cli_json(&arguments, "").await;
    (flow::member(&made, "id").to_owned(), flow::member(&made, "token").to_owned())
}

/// R1, R-37, D3: off by default: refused in words, with or without a token, and not advertised; a reload opens it, and what
/// was registered is managed on when it is closed again.
#[tokio::test]
async fn off_is_the_default() {
    let mut signet = Signet::start(Database::Postgres).await;
    assert_eq!(discovery(&signet).await.get("registration_endpoint"), None);
    let answer = register(&signet, &application()).await;
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let told: Value = answer.json().await.expect("JSON");
    assert_eq!(told["error"], "access_denied");
    assert!(flow::member(&told, "error_description").contains("administrator"), "{told}");
    let (_, token) = make_token(&signet, &[]).await;
    let refusal = refused(with_token(&signet, &token).send().await.expect("an answer")).await;
    assert_eq!(refusal, (403, "access_denied".to_owned()));
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 0);

    signet.set(OPEN.0, OPEN.1);
    signet.restart().await;
    let document = discovery(&signet).await;
    assert_eq!(document["registration_endpoint"], format!("{}/oauth/register", signet.issuer()));
    let own = registered(&signet, &application()).await;
    signet.set(OPEN.0, "off");
    signet.restart().await;
    assert_eq!(register(&signet, &application()).await.status(), 403);
    assert_eq!(manage_own(&signet, "GET", &own, None).await.status(), 200);
    tokens(&signet, &client_of(&own), "openid").await;
    assert_eq!(manage_own(&signet, "DELETE", &own, None).await.status(), 204);
}

/// R1, D3: where discovery says that clients may register, they do; what it says is taken over by a reload.
#[tokio::test]
async fn a_reload_opens_and_closes_it() {
    let signet = Signet::start(Database::Postgres).await;
    let file = signet.folder().join("config/signet.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    for (clients, status) in [("open", 201), ("token", 401), ("off", 403)] {
        std::fs::write(&file, format!("[registration]\nclients = \"{clients}\"\n")).expect("the settings");
        let reloaded = signet.cli(&["reload"]).await;
        assert!(reloaded.status.success(), "{reloaded:?}");
        let advertised = discovery(&signet).await.get("registration_endpoint").is_some();
        assert_eq!(advertised, clients != "off");
        assert_eq!(register(&signet, &application()).await.status().as_u16(), status, "{clients}");
    }
}

/// R1: with initial access tokens: a token counts as often as it says and no more, also when many come at once; without one,
/// with a wrong one and with one that is over the answer is 401 with a challenge; a refused registration costs no use.
#[tokio::test]
async fn an_initial_access_token_is_counted() {
    let signet = Signet::start_with(Database::Postgres, &[TOKEN]).await;
    let (id, token) = make_token(&signet, &["--uses", "3", "--note", "For a test"]).await;
    let missing = register(&signet, &application()).await;
    assert_eq!(header(&missing, "www-authenticate"), "Bearer realm=\"signet\"");
    assert_eq!(refused(missing).await, (401, "invalid_token".to_owned()));
    for wrong in [&flow::random(), "x", &format!("{token}x"), &id] {
        let answer = with_token(&signet, wrong).send().await.expect("an answer");
        assert!(header(&answer, "www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
        assert_eq!(refused(answer).await, (401, "invalid_token".to_owned()));
    }
    for bad in [json!({ "redirect_uris": ["http://reports.example/"] }), json!({ "jwks": 1 })] {
        let request = signet.http().post(signet.url("/oauth/register")).bearer_auth(&token).json(&bad);
        assert_eq!(request.send().await.expect("an answer").status(), 400, "{bad}");
    }
    let left = format!("initial_access_tokens WHERE id = '{id}' AND uses_left = 3");
    assert_eq!(count(&signet, &left), 1, "nothing was registered");
    let answers = at_once((0..12).map(|_| with_token(&signet, &token)).collect()).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 9, "{statuses:?}");
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 3);
    let noted = format!("audit WHERE event = 'client_registration.created' AND detail = 'registration_token:{id}'");
    assert_eq!(count(&signet, &noted), 3);
    let used_up = format!("audit WHERE event = 'registration_token.used_up' AND object = 'registration_token:{id}'");
    assert_eq!(count(&signet, &used_up), 1);

    let (over, token) = make_token(&signet, &["--expires-in", "1m"]).await;
    let ended = format!("UPDATE initial_access_tokens SET expires_at = now() WHERE id = '{over}'");
    diesel::sql_query(ended).execute(&mut signet.database()).expect("a change");
    assert_eq!(with_token(&signet, &token).send().await.expect("an answer").status(), 401, "over");
    let (gone, token) = make_token(&signet, &[]).await;
    signet.cli_json(&["client", "registration-token", "delete", &gone, "--json"], "").await;
    assert_eq!(with_token(&signet, &token).send().await.expect("an answer").status(), 401, "deleted");
    let listed = signet.cli_json(&["client", "registration-token", "list", "--json"], "").await;
    let listed: Vec<_> = listed.as_array().expect("a list").iter().map(|one| flow::member(one, "id")).collect();
    assert_eq!(listed, [&*id, &*over], "by age");
}

/// neither token is kept, logged or told again.
#[tokio::test]
async fn tokens_are_kept_as_hashes() {
    let signet = Signet::start_with(Database::Postgres, &[TOKEN]).await;
    let (_, token) = make_token(&signet, &["--uses", "2"]).await;
    let own: Value = with_token(&signet, &token).send().await.expect("an answer").json().await.expect("JSON");
    let access = flow::member(&own, "registration_access_token");
    let secret = flow::member(&own, "client_secret");
    let shown = signet.cli_json(&["client", "show", flow::member(&own, "client_id"), "--json"], "").await.to_string();
    let listed = signet.cli_json(&["client", "registration-token", "list", "--json"], "").await.to_string();
    let log = signet.output();
    for hidden in [&*token, access, secret] {
        for text in [&shown, &listed, &log] {
            assert!(!text.contains(hidden), "{text}");
        }
        for row in ["clients", "initial_access_tokens", "audit", "audit_personal"] {
            assert_eq!(count(&signet, &format!("{row} WHERE {row}::text LIKE '%{hidden}%'")), 0, "{row}");
        }
    }
}

/// the API makes, lists and deletes initial access tokens, within bounds and with the permissions of clients.
#[tokio::test]
async fn the_api_makes_initial_access_tokens() {
    use crate::api::office::{Office, json as body_of, problem};
    let office = Office::open().await;
    let token = office.administrator().await;
    let path = "/api/v1/admin/registration-tokens";
    let made = office.call("POST", path, &token).json(&json!({ "note": " Team A ", "uses": 5, "expires_in": 3600 }));
    let made = made.send().await.expect("an answer");
    let location = header(&made, "location").to_owned();
    let made = body_of(made, 201).await;
    assert_eq!((&made["note"], &made["uses_left"]), (&json!("Team A"), &json!(5)));
    assert_eq!(flow::member(&made, "token").len(), 43);
    assert!(flow::member(&made, "created_by").starts_with("user:"), "{made}");
    assert!(location.ends_with(flow::member(&made, "id")), "{location}");
    let plain = body_of(office.call("POST", path, &token).send().await.expect("an answer"), 201).await;
    assert_eq!((&plain["uses_left"], &plain["note"]), (&json!(1), &json!("")));
    for (bad, field) in [
        (json!({ "uses": 0 }), "uses"),
        (json!({ "uses": 10_001 }), "uses"),
        (json!({ "expires_in": 59 }), "expires_in"),
        (json!({ "expires_in": 31_536_001 }), "expires_in"),
        (json!({ "note": "x".repeat(201) }), "note"),
        (json!({ "note": "a\u{7}" }), "note"),
    ] {
        let answer = office.call("POST", path, &token).json(&bad).send().await.expect("an answer");
        assert_eq!(body_of(answer, 422).await["errors"][0]["field"], field, "{bad}");
    }
    let page = office.call("GET", &format!("{path}?limit=1"), &token).send().await.expect("an answer");
    let page = body_of(page, 200).await;
    assert_eq!(page["items"][0]["id"], made["id"]);
    assert_eq!(page["items"][0].get("token"), None);
    let next = format!("{path}?limit=1&after={}", flow::member(&page, "next"));
    let page = body_of(office.call("GET", &next, &token).send().await.expect("an answer"), 200).await;
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&plain["id"], &Value::Null));
    let gone = format!("{path}/{}", flow::member(&made, "id"));
    assert_eq!(office.call("DELETE", &gone, &token).send().await.expect("an answer").status(), 204);
    for nothing in [&*gone, &format!("{path}/x")] {
        let answer = office.call("DELETE", nothing, &token).send().await.expect("an answer");
        assert_eq!(problem(answer).await, (404, "registration_token_not_found".to_owned()));
    }
    let answer = office.call("GET", &format!("{path}?after=x"), &token).send().await.expect("an answer");
    assert_eq!(problem(answer).await, (422, "invalid_after".to_owned()));
}
