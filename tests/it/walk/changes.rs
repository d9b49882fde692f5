//! What each change by the API leaves in the audit log.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rows::{count, rows};
use super::table;
use crate::api::office::Office;
use crate::scene::header;
use crate::support::prelude::*;

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
        ("DELETE", "users/{user}/consents/{client_id}", path("users/grace/consents/app"), Value::Null, "grace"),
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
        if pattern == "users/{user}/consents/{client_id}" {
            let consent = "INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at) SELECT \
                           u.realm_id, u.id, c.id, '{openid}', now(), now() FROM users u, clients c \
                           WHERE u.username = 'grace' AND c.client_id = 'app'";
            assert_eq!(office.change(consent), 1);
        }
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
