//! What each change by the API leaves in the audit log.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rows::{count, rows};
use super::table;
use crate::api::office::Office;
use crate::scene::header;
use crate::support::prelude::*;

/// What a row names: an object, an account, a client.
type Names = (Option<&'static str>, Option<&'static str>, Option<&'static str>);

const CLIENT: Names = (Some("client:app"), None, Some("app"));
const RESOURCE: Names = (Some("resource:https://api.example"), None, None);
/// The identifier of the token follows.
const TOKEN: Names = (Some("registration_token:"), None, None);
const ROLE: Names = (Some("role:editor"), None, None);
const PERSON: Names = (None, Some("grace"), None);
const ROLE_OF_PERSON: Names = (Some("role:editor"), Some("grace"), None);
const ROLE_OF_CLIENT: Names = (Some("role:editor"), None, Some("app"));
const CONSENT: Names = (None, Some("grace"), Some("app"));
const DELIVERY: Names = (Some("delivery:7"), None, None);
/// The identifiers of the keys follow.
const KEYS: Names = (Some("key:"), None, None);
/// The client is gone, and with it the name behind its key.
const GONE: Names = (Some("client:app"), None, None);

/// Calls that change something, in an order in which each can be done: method, pattern, path, body, what the row names.
fn changes() -> Vec<(&'static str, &'static str, String, Value, Names)> {
    let admin = "/api/v1/admin";
    let client = json!({ "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
    let resource = json!({ "identifier": "https://api.example", "name": "An API" });
    let role = json!({ "name": "editor", "permissions": ["text:write"] });
    let person = json!({ "username": "grace", "email": "grace@people.test", "password": "Meadow-Anchor-47!" });
    let path = |rest: &str| format!("{admin}/{rest}");
    let api = path("resources/https%3A%2F%2Fapi.example");
    vec![
        ("POST", "clients", path("clients"), client, CLIENT),
        ("PATCH", "clients/{client_id}", path("clients/app"), json!({ "client_name": "B" }), CLIENT),
        ("POST", "clients/{client_id}/rotate-secret", path("clients/app/rotate-secret"), json!({}), CLIENT),
        ("POST", "clients/{client_id}/disable", path("clients/app/disable"), Value::Null, CLIENT),
        ("POST", "clients/{client_id}/enable", path("clients/app/enable"), Value::Null, CLIENT),
        ("POST", "registration-tokens", path("registration-tokens"), json!({ "uses": 2 }), TOKEN),
        ("DELETE", "registration-tokens/{id}", path("registration-tokens/"), Value::Null, TOKEN),
        ("POST", "resources", path("resources"), resource, RESOURCE),
        ("PATCH", "resources/{identifier}", api.clone(), json!({ "name": "B" }), RESOURCE),
        ("DELETE", "resources/{identifier}", api, Value::Null, RESOURCE),
        ("POST", "roles", path("roles"), role, ROLE),
        ("PATCH", "roles/{role}", path("roles/editor"), json!({ "description": "Edits" }), ROLE),
        ("POST", "users", path("users"), person, PERSON),
        ("PATCH", "users/{user}", path("users/grace"), json!({ "name": "Grace" }), PERSON),
        ("POST", "users/{user}/set-password", path("users/grace/set-password"), json!({}), PERSON),
        ("POST", "users/{user}/lock", path("users/grace/lock"), json!({ "reason": "a test" }), PERSON),
        ("POST", "users/{user}/unlock", path("users/grace/unlock"), Value::Null, PERSON),
        ("PUT", "users/{user}/roles/{role}", path("users/grace/roles/editor"), Value::Null, ROLE_OF_PERSON),
        ("DELETE", "users/{user}/roles/{role}", path("users/grace/roles/editor"), Value::Null, ROLE_OF_PERSON),
        ("PUT", "clients/{client_id}/roles/{role}", path("clients/app/roles/editor"), Value::Null, ROLE_OF_CLIENT),
        ("DELETE", "clients/{client_id}/roles/{role}", path("clients/app/roles/editor"), Value::Null, ROLE_OF_CLIENT),
        ("DELETE", "users/{user}/consents/{client_id}", path("users/grace/consents/app"), Value::Null, CONSENT),
        ("DELETE", "roles/{role}", path("roles/editor"), Value::Null, ROLE),
        ("POST", "keys/rotate", path("keys/rotate"), json!({ "alg": "ES256" }), KEYS),
        ("POST", "deliveries/{id}/repeat", path("deliveries/7/repeat"), Value::Null, DELIVERY),
        ("DELETE", "clients/{client_id}", path("clients/app"), Value::Null, GONE),
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
    let mut made = String::new();
    for (method, pattern, path, body, names) in changes() {
        // What it is called is known once it is made.
        let path = if path.ends_with('/') { format!("{path}{made}") } else { path };
        let key = (method.to_owned(), format!("/api/v1/admin/{pattern}"));
        let writes = expected.remove(&key).unwrap_or_else(|| panic!("{key:?} is no line, or stands here twice"));
        if pattern == "users/{user}/consents/{client_id}" {
            let consent = "INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at) SELECT \
                           u.realm_id, u.id, c.id, '{openid}', now(), now() FROM users u, clients c \
                           WHERE u.username = 'grace' AND c.client_id = 'app'";
            assert_eq!(office.change(consent), 1);
        }
        if pattern == "deliveries/{id}/repeat" {
            let delivery = "INSERT INTO deliveries (id, realm_id, kind, client_key, content, state, due_at, created_at) \
                            OVERRIDING SYSTEM VALUE SELECT 7, realm_id, 'backchannel_logout', id, '{}', 'waiting', \
                            now() + interval '1 day', now() FROM clients WHERE client_id = 'app'";
            assert_eq!(office.change(delivery), 1);
        }
        let before = count(signet);
        let request = office.call(method, &path, &token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.expect("an answer");
        let id = header(&answer, "x-request-id").to_owned();
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        made = told["id"].as_str().unwrap_or_default().to_owned();
        let written = rows(signet, &id);
        assert_eq!((written.len(), count(signet) - before), (1, 1), "{method} {path}: {written:?}");
        let row = &written[0];
        assert!(writes.contains(&row.event), "{method} {path}: {row:?}");
        assert_eq!((&*row.result, &*row.actor_kind), ("success", "user"), "{row:?}");
        assert_eq!((row.actor.as_deref(), row.actor_client.as_deref()), (Some("admin"), Some(&*office.console.id)));
        let object = row.object.as_deref().map(|object| match names {
            (Some(kind), ..) if kind.ends_with(':') => &object[..kind.len()],
            _ => object,
        });
        assert_eq!((object, row.subject.as_deref(), row.client.as_deref()), names, "{method} {path}: {row:?}");
    }
    assert!(expected.is_empty(), "nobody calls {expected:?}");
}

/// a client that wants an algorithm nobody signs with yet has keys made for it: two things changed, two rows,
/// both declared.
#[tokio::test]
async fn keys_that_a_client_needs_are_a_row_of_their_own() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let new = json!({ "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
        "id_token_signed_response_alg": "ES384" });
    let answer = office.call("POST", "/api/v1/admin/clients", &token).json(&new).send().await.expect("an answer");
    let id = header(&answer, "x-request-id").to_owned();
    assert_eq!(answer.status(), 201);
    let mut events: Vec<_> = rows(&office.signet, &id).into_iter().map(|row| (row.event, row.actor)).collect();
    events.sort();
    let admin = || Some("admin".to_owned());
    assert_eq!(events, [("client.created".to_owned(), admin()), ("key.created".to_owned(), admin())]);
    let table = table(&office.signet).await;
    let line = table.iter().find(|line| line["method"] == "POST" && line["path"] == "/api/v1/admin/clients");
    assert_eq!(line.expect("a line")["writes"], json!(["client.created", "key.created"]));
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
        ("PATCH", "/api/v1/admin/users/admin", json!({ "nickname": null, "groups": [] })),
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
