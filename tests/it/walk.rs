//! The route table, walked: who is refused where, what every answer carries, what every change leaves in the audit log.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{Int8, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::api::office::{Office, json as body_of, problem};
use crate::scene::{admin, header};
use crate::support::prelude::*;

/// The lines of the table, from the program itself.
async fn table(signet: &Signet) -> Vec<Value> {
    let table = signet.cli_json(&["routes", "--json"], "").await;
    let lines = table.as_array().expect("an array of lines").clone();
    assert!(lines.len() > 40, "{} lines", lines.len());
    lines
}

/// The path of a line with names that nothing has.
fn nowhere(line: &Value) -> String {
    let mut path = String::new();
    let mut rest = flow::member(line, "path");
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str("nothing-has-this-name");
        rest = after.split_once('}').expect("a closed parameter").1;
    }
    path + rest
}

async fn call(signet: &Signet, method: &str, path: &str, token: Option<&str>) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = signet.http().request(method, signet.url(path));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.expect("an answer")
}

/// O2: what every answer carries, with the exceptions its line declares.
fn headers(answer: &Response, line: &Value, what: &str) {
    for (name, expected) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ] {
        assert_eq!(header(answer, name), expected, "{what}: {name}");
    }
    assert_eq!(header(answer, "x-request-id").len(), 32, "{what}");
    assert!(!header(answer, "cache-control").is_empty(), "{what}");
    let declared = &line["headers"];
    let policy = header(answer, "content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe-inline'"), "{what}: {policy}");
    let csp = declared["csp"].as_str().expect("a policy");
    assert_eq!(policy.contains("form-action 'self'"), csp != "interaction", "{what}: {policy}");
    assert_eq!(policy.contains("script-src"), !["strict", "interaction"].contains(&csp), "{what}: {policy}");
    let cors = declared["cors"] == true;
    assert_eq!(header(answer, "access-control-allow-origin"), if cors { "*" } else { "" }, "{what}");
    assert_eq!(header(answer, "cross-origin-resource-policy"), if cors { "" } else { "same-origin" }, "{what}");
    let opener = if declared["popup"] == true { "" } else { "same-origin" };
    assert_eq!(header(answer, "cross-origin-opener-policy"), opener, "{what}");
}

/// O2: each route refuses who it should: nobody, a token for something else, somebody without a role, a
/// moderator; and carries the headers its line declares, also where it refuses. A method without a line is 405.
#[tokio::test]
async fn each_route_refuses_who_it_should() {
    let office = Office::open().await;
    let signet = &office.signet;
    let nobody = office.token(&office.person("nobody", None).await, "openid *:*").await;
    let moderator = office.token(&office.person("moderator", Some("moderator")).await, "openid *:*").await;
    let administrator = office.administrator().await;
    let lent = office.token(&admin(), "openid").await;
    let app = signet.client(ClientSpec::confidential()).await;
    let elsewhere = office.token_by(&app, &admin(), "profile").await;

    let mut methods: BTreeMap<String, (Value, BTreeSet<String>)> = BTreeMap::new();
    for line in table(signet).await {
        let (method, path) = (flow::member(&line, "method").to_owned(), nowhere(&line));
        let entry = methods.entry(path.clone()).or_insert_with(|| (line.clone(), BTreeSet::new()));
        entry.1.insert(method.clone());
        let ask = async |token: Option<&str>| {
            let answer = call(signet, &method, &path, token).await;
            headers(&answer, &line, &format!("{method} {path}"));
            answer
        };
        let what = format!("{method} {path}");
        let anonymous = ask(None).await;
        let status = anonymous.status().as_u16();
        match flow::member(&line["requirement"], "kind") {
            "permission" => {
                let challenge = header(&anonymous, "www-authenticate").to_owned();
                assert_eq!(challenge, "Bearer realm=\"signet\"", "{what}");
                assert_eq!(problem(anonymous).await, (401, "token_missing".to_owned()), "{what}");
                assert_eq!(problem(ask(Some(&elsewhere)).await).await, (401, "invalid_token".to_owned()), "{what}");
                assert_eq!(problem(ask(Some(&lent)).await).await, (403, "insufficient_scope".to_owned()), "{what}");
                assert_eq!(problem(ask(Some(&nobody)).await).await, (403, "permission_missing".to_owned()), "{what}");
                let permission = flow::member(&line["requirement"], "permission");
                let allowed = ["user:read", "user:lock", "user:unlock"].contains(&permission);
                let answer = ask(Some(&moderator)).await.status().as_u16();
                assert_eq!([401, 403].contains(&answer), !allowed, "{what}: {answer} for a moderator");
                let answer = ask(Some(&administrator)).await.status().as_u16();
                assert!(![401, 403, 405].contains(&answer) && answer < 500, "{what}: {answer} for an administrator");
            }
            "token" => {
                assert_eq!(status, 401, "{what}");
                assert_eq!(ask(Some(&elsewhere)).await.status(), 401, "{what}");
                assert_eq!(ask(Some(&administrator)).await.status(), 200, "{what}");
            }
            "session" => assert!([303, 400, 403].contains(&status), "{what}: {status}"),
            "public" => {
                // What authenticates clients by itself.
                let clients = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"].contains(&&*path);
                assert_eq!(status == 401, clients, "{what}: {status}");
                assert!(status < 500, "{what}: {status}");
            }
            other => panic!("{what}: requirement {other}"),
        }
    }
    for (path, (line, known)) in methods {
        let wrong = ["PUT", "DELETE", "PATCH"].into_iter().find(|method| !known.contains(*method)).expect("a method");
        let answer = call(signet, wrong, &path, Some(&administrator)).await;
        assert_eq!(answer.status(), 405, "{wrong} {path}");
        headers(&answer, &line, &format!("{wrong} {path}"));
        let mut allow: BTreeSet<String> = header(&answer, "allow").split(", ").map(str::to_owned).collect();
        assert_eq!(allow.remove("OPTIONS"), line["headers"]["cors"] == true, "{path}");
        assert_eq!(allow, known, "{path}");
    }
    let strict = json!({ "headers": { "csp": "strict", "cors": false, "popup": false } });
    for path in ["/nothing", "/api/v1/nothing", "/oauth/token/", "//", "/%2e%2e/x"] {
        let answer = call(signet, "GET", path, None).await;
        assert_eq!(answer.status(), 404, "{path}");
        headers(&answer, &strict, path);
    }
}

#[derive(Debug, QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    event: String,
    #[diesel(sql_type = Text)]
    result: String,
    #[diesel(sql_type = Text)]
    actor_kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    actor: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    actor_client: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    client: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    object: Option<String>,
}

/// The audit rows of the request behind an answer.
fn rows(signet: &Signet, request: &str) -> Vec<Row> {
    assert_eq!(request.len(), 32);
    let statement = format!(
        "SELECT event, result, actor_kind, actors.username AS actor, bearers.client_id AS actor_client, \
         subjects.username AS subject, clients.client_id AS client, object FROM audit \
         LEFT JOIN users actors ON actors.id = actor_user LEFT JOIN users subjects ON subjects.id = subject_user \
         LEFT JOIN clients bearers ON bearers.id = actor_client LEFT JOIN clients ON clients.id = client_key \
         WHERE request_id = '{request}'"
    );
    sql_query(statement).load(&mut signet.database()).expect("audit rows")
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Int8)]
    count: i64,
}

fn count(signet: &Signet) -> i64 {
    let counted = sql_query("SELECT count(*) AS count FROM audit").get_result::<Count>(&mut signet.database());
    counted.expect("a count").count
}

/// Calls that change something, in an order in which each can be done: method, pattern, path, body, what the row names.
fn changes() -> Vec<(&'static str, &'static str, String, Value, &'static str)> {
    let admin = "/api/v1/admin";
    let client = json!({ "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
    let resource = json!({ "identifier": "https://api.example", "name": "An API" });
    let role = json!({ "name": "editor", "permissions": ["text:write"] });
    let person = json!({ "username": "grace", "email": "grace@people.test", "password": "Meadow-Anchor-47!" });
    let api = "https%3A%2F%2Fapi.example";
    let path = |rest: &str| format!("{admin}/{rest}");
    vec![
        ("POST", "clients", path("clients"), client, "client:app"),
        ("PATCH", "clients/{client_id}", path("clients/app"), json!({ "client_name": "B" }), "client:app"),
        ("POST", "clients/{client_id}/rotate-secret", path("clients/app/rotate-secret"), json!({}), "client:app"),
        ("POST", "clients/{client_id}/disable", path("clients/app/disable"), Value::Null, "client:app"),
        ("POST", "clients/{client_id}/enable", path("clients/app/enable"), Value::Null, "client:app"),
        ("POST", "resources", path("resources"), resource, "resource:https://api.example"),
        (
            "PATCH",
            "resources/{identifier}",
            path(&format!("resources/{api}")),
            json!({ "name": "B" }),
            "resource:https://api.example",
        ),
        (
            "DELETE",
            "resources/{identifier}",
            path(&format!("resources/{api}")),
            Value::Null,
            "resource:https://api.example",
        ),
        ("POST", "roles", path("roles"), role, "role:editor"),
        ("PATCH", "roles/{role}", path("roles/editor"), json!({ "description": "Edits" }), "role:editor"),
        ("POST", "users", path("users"), person, "grace"),
        ("POST", "users/{user}/set-password", path("users/grace/set-password"), json!({}), "grace"),
        ("POST", "users/{user}/lock", path("users/grace/lock"), json!({ "reason": "a test" }), "grace"),
        ("POST", "users/{user}/unlock", path("users/grace/unlock"), Value::Null, "grace"),
        ("PUT", "users/{user}/roles/{role}", path("users/grace/roles/editor"), Value::Null, "role:editor"),
        ("DELETE", "users/{user}/roles/{role}", path("users/grace/roles/editor"), Value::Null, "role:editor"),
        ("PUT", "clients/{client_id}/roles/{role}", path("clients/app/roles/editor"), Value::Null, "role:editor"),
        ("DELETE", "clients/{client_id}/roles/{role}", path("clients/app/roles/editor"), Value::Null, "role:editor"),
        ("DELETE", "roles/{role}", path("roles/editor"), Value::Null, "role:editor"),
        ("POST", "keys/rotate", path("keys/rotate"), json!({ "alg": "ES256" }), "key:"),
        ("DELETE", "clients/{client_id}", path("clients/app"), Value::Null, "client:app"),
    ]
}

/// each route of the API that changes something writes exactly one audit row: who did it, by which
/// application, to what, with which result.
#[tokio::test]
async fn each_change_by_the_api_writes_one_row() {
    let office = Office::open().await;
    let signet = &office.signet;
    let token = office.administrator().await;
    let mut expected: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for line in table(signet).await {
        let writes = line["writes"].as_array().expect("events").clone();
        if line["requirement"]["kind"] == "permission" && !writes.is_empty() {
            let key = (flow::member(&line, "method").to_owned(), flow::member(&line, "path").to_owned());
            expected.insert(key, writes.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
    }
    for (method, pattern, path, body, names) in changes() {
        let key = (method.to_owned(), format!("/api/v1/admin/{pattern}"));
        let writes = expected.remove(&key).unwrap_or_else(|| panic!("{key:?} is no line, or stands here twice"));
        let before = count(signet);
        let request = office.call(method, &path, &token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.expect("an answer");
        let id = header(&answer, "x-request-id").to_owned();
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        let written = rows(signet, &id);
        assert_eq!((written.len(), count(signet) - before), (1, 1), "{method} {path}: {written:?}");
        let row = &written[0];
        assert!(writes.contains(&row.event), "{method} {path}: {row:?}");
        assert_eq!((&*row.result, &*row.actor_kind), ("success", "user"), "{row:?}");
        assert_eq!((row.actor.as_deref(), row.actor_client.as_deref()), (Some("admin"), Some(&*office.console.id)));
        let named = row.object.as_deref().or(row.subject.as_deref()).unwrap_or_default();
        assert!(named.starts_with(names), "{method} {path}: {row:?}");
    }
    assert!(expected.is_empty(), "nobody calls {expected:?}");
}

/// what changes nothing because it was so before, or because it is refused, leaves no row of a change.
#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let before = count(&office.signet);
    for (method, path, body) in [
        ("GET", "/api/v1/admin/clients", Value::Null),
        ("POST", "/api/v1/admin/users/admin/unlock", Value::Null),
        ("POST", "/api/v1/admin/clients", json!({ "client_name": "" })),
        ("DELETE", "/api/v1/admin/roles/admin", Value::Null),
        ("PUT", "/api/v1/admin/users/admin/roles/admin", Value::Null),
        ("DELETE", "/api/v1/admin/users/admin/roles/admin", Value::Null),
    ] {
        let request = office.call(method, path, &token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().as_u16() < 500, "{method} {path}: {answer:?}");
        assert_eq!(count(&office.signet), before, "{method} {path}");
    }
}

/// The form of a page, posted as it would be; the answer is not followed.
async fn post(browser: &mut Browser, page: &Page, fields: &[(&str, &str)]) -> Response {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let form = page.form(&names).expect("the form").with(fields);
    let answer = browser.request(Method::POST, &form.action).form(&form.fields).send().await.expect("an answer");
    browser.jar.remember(answer.headers());
    answer
}

/// each change by a person or an application, in the browser or at the token endpoint, writes one row.
#[tokio::test]
async fn each_change_by_a_flow_writes_one_row() {
    let office = Office::open().await;
    let signet = &office.signet;
    let client = signet.client(ClientSpec::confidential()).await;
    let ada = User::named("ada");
    let request = AuthRequest::new(&client).with("scope", "openid offline_access");
    let url = request.url(signet);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut one = |answer: &Response, event: &str, actor: &str, client: Option<&str>| {
        let written = rows(signet, header(answer, "x-request-id"));
        assert_eq!(written.len(), 1, "{event}: {written:?}");
        let row = &written[0];
        assert_eq!(row.event, event, "{row:?}");
        assert_eq!(row.actor_kind, actor, "{row:?}");
        assert_eq!(row.client.as_deref(), client, "{row:?}");
        if actor == "user" {
            assert_eq!((row.actor.as_deref(), row.subject.as_deref()), (Some("ada"), Some("ada")), "{row:?}");
        }
        let failed = ["sign_in.failed", "consent.denied", "code.replayed", "refresh_token.replayed"].contains(&event);
        assert_eq!(row.result, if failed { "refused" } else { "success" }, "{row:?}");
        seen.insert(event.to_owned());
    };

    let mut browser = Browser::new(signet);
    let page = browser.get("/register").await.page();
    let fields = [("username", &*ada.username), ("email", &*ada.email), ("password", &*ada.password)];
    one(&post(&mut browser, &page, &fields).await, "account.registered", "user", None);
    let mut browser = Browser::new(signet);
    let page = browser.get(&url).await.page();
    let wrong = post(&mut browser, &page, &[("username", "ada"), ("password", "wrong")]).await;
    one(&wrong, "sign_in.failed", "anonymous", None);
    let right = post(&mut browser, &page, &[("username", "ada"), ("password", &ada.password)]).await;
    one(&right, "sign_in.succeeded", "user", None);
    let consent = browser.get(&url).await.page();
    let denied = post(&mut browser, &consent, &[("decision", "deny")]).await;
    one(&denied, "consent.denied", "user", Some(&client.id));
    let consent = browser.get(&url).await.page();
    let allowed = post(&mut browser, &consent, &[("decision", "allow")]).await;
    one(&allowed, "consent.given", "user", Some(&client.id));
    let code = |answer: &Response| {
        let target = url::Url::parse(header(answer, "location")).expect("a redirect");
        flow::parameter(&target, "code").expect("a code")
    };
    let direct = browser.request(Method::GET, &url).send().await.expect("an answer");
    one(&direct, "code.issued", "user", Some(&client.id));

    let redeemed = flow::exchange(signet, &client, &code(&direct), &request.verifier).await;
    one(&redeemed, "code.redeemed", "user", Some(&client.id));
    let tokens = flow::granted(redeemed).await;
    let refreshed = flow::refresh(signet, &client, flow::member(&tokens, "refresh_token")).await;
    one(&refreshed, "token.refreshed", "user", Some(&client.id));
    let replayed = flow::exchange(signet, &client, &code(&direct), &request.verifier).await;
    one(&replayed, "code.replayed", "client", Some(&client.id));

    let back = {
        let code = flow::code(signet, &mut browser, &request, &ada).await;
        flow::granted(flow::exchange(signet, &client, &code, &request.verifier).await).await
    };
    let revoked = flow::revoke(signet, &client, flow::member(&back, "access_token")).await;
    one(&revoked, "token.revoked", "user", Some(&client.id));
    let revoked = flow::revoke(signet, &client, flow::member(&back, "refresh_token")).await;
    one(&revoked, "token.revoked", "user", Some(&client.id));

    let home = browser.get("/").await.page();
    one(&post(&mut browser, &home, &[("decision", "signout")]).await, "session.ended", "user", None);
    assert_eq!(seen.len(), 11, "{seen:?}");
}

/// O2: a preflight is answered where scripts may call, and nowhere else.
#[tokio::test]
async fn preflights_are_for_scripts() {
    let signet = Signet::start(Database::Postgres).await;
    for line in table(&signet).await {
        let answer = call(&signet, "OPTIONS", &nowhere(&line), None).await;
        let cors = line["headers"]["cors"] == true;
        assert_eq!(answer.status().as_u16(), if cors { 204 } else { 405 }, "{line}");
        assert_eq!(header(&answer, "access-control-allow-methods").is_empty(), !cors, "{line}");
    }
    let answer = signet.http().get(signet.url("/api/v1/nothing")).send().await.expect("an answer");
    assert_eq!(problem(answer).await.0, 404);
    let answer = signet.http().get(signet.url("/api/openapi.json")).send().await.expect("an answer");
    body_of(answer, 200).await;
}
