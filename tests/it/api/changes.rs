//! What changes have in common: conditions and `null`.

use serde_json::{Value, json};

use crate::api::office::{Office, json as body_of, problem};
use crate::scene::header;
use crate::support::prelude::*;

const ADMIN: &str = "/api/v1/admin";

/// A client, an API and a role, at these paths, and a change of each.
async fn things(office: &Office, token: &str) -> [(&'static str, &'static str, Value); 3] {
    for (list, new) in [
        ("clients", json!({ "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"] })),
        ("resources", json!({ "identifier": "https://api.example", "name": "An API" })),
        ("roles", json!({ "name": "editor" })),
    ] {
        let request = office.call("POST", &format!("{ADMIN}/{list}"), token).json(&new);
        body_of(request.send().await.expect("an answer"), 201).await;
    }
    [
        ("ClientChange", "clients/app", json!({ "client_name": "B" })),
        ("ResourceChange", "resources/https%3A%2F%2Fapi.example", json!({ "name": "B" })),
        ("RoleChange", "roles/editor", json!({ "description": "B" })),
    ]
}

/// RFC 9110 §13.1.1: a change, and a removal, whose `If-Match` names something else than what is stored is answered 412
/// and not made. Weak tags match nothing, `*` everything.
#[tokio::test]
async fn conditions_are_kept() {
    let office = Office::open().await;
    let token = office.administrator().await;
    for (_, path, change) in things(&office, &token).await {
        let path = format!("{ADMIN}/{path}");
        let tag = async || {
            let answer = office.call("GET", &path, &token).send().await.expect("an answer");
            let tag = header(&answer, "etag").to_owned();
            assert!(tag.len() > 10 && tag.starts_with('"'), "{path}: {tag}");
            tag
        };
        let first = tag().await;
        let with = |method: &str, condition: &str| {
            let request = office.call(method, &path, &token).header("If-Match", condition);
            if method == "PATCH" { request.json(&change) } else { request }
        };
        let weak = format!("W/{first}");
        for condition in ["\"other\"", &weak, "", "\"a\", \"b\"", "\u{e9}"] {
            for method in ["PATCH", "DELETE"] {
                let answer = with(method, condition).send().await.expect("an answer");
                let refusal = problem(answer).await;
                assert_eq!(refusal, (412, "changed_meanwhile".to_owned()), "{method} {path}: {condition}");
            }
            assert_eq!(tag().await, first, "{path}: {condition}");
        }
        let answer = with("PATCH", &format!("\"other\", {first}")).send().await.expect("an answer");
        let second = header(&answer, "etag").to_owned();
        body_of(answer, 200).await;
        assert!(second != first && tag().await == second, "{path}");
        let answer = with("DELETE", &first).send().await.expect("an answer");
        assert_eq!(problem(answer).await.0, 412, "{path}");
        body_of(with("PATCH", "*").send().await.expect("an answer"), 200).await;
        let answer = with("DELETE", &tag().await).send().await.expect("an answer");
        assert_eq!(answer.status(), 204, "{path}");
        let answer = with("DELETE", &first).send().await.expect("an answer");
        assert_eq!(problem(answer).await.0, 404, "{path}");
    }
    let document = office.call("GET", "/api/openapi.json", "").send().await.expect("an answer");
    let document = body_of(document, 200).await;
    let mut conditional = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let takes = operation["parameters"].to_string().contains("\"If-Match\"");
            assert_eq!(method != "get", !operation["responses"]["412"].is_null(), "{method} {path}");
            assert!(!takes || method != "get", "{method} {path}");
            conditional += usize::from(takes);
        }
    }
    assert_eq!(conditional, 13);
}

/// RFC 9110 §13.1.1: an action whose `If-Match` names something else than what is stored is answered 412 and not done;
/// where nothing has an `ETag` each `If-Match` is.
#[tokio::test]
async fn conditions_of_actions_are_kept() {
    let office = Office::open().await;
    let token = office.administrator().await;
    things(&office, &token).await;
    office.person("ada", None).await;
    let call = async |method: &str, path: &str, condition: Option<&str>| {
        let request = office.call(method, &format!("{ADMIN}/{path}"), &token);
        let request = match condition {
            Some(condition) => request.header("If-Match", condition),
            None => request,
        };
        request.send().await.expect("an answer")
    };
    let tag = async |path: &str| header(&call("GET", path, None).await, "etag").to_owned();
    let state = async |path: &str| {
        let seen = body_of(call("GET", path, None).await, 200).await;
        (seen["disabled"].clone(), seen["state"].clone())
    };
    let rows = async || {
        let seen = body_of(call("GET", "audit?limit=500", None).await, 200).await;
        let items = seen["items"].as_array().expect("rows").iter();
        items.filter(|row| !flow::member(row, "event").starts_with("token.")).count()
    };
    let before = rows().await;
    for (thing, action) in [
        ("clients/app", "rotate-secret"),
        ("clients/app", "disable"),
        ("clients/app", "enable"),
        ("users/ada", "set-password"),
        ("users/ada", "lock"),
        ("users/ada", "unlock"),
    ] {
        let path = format!("{thing}/{action}");
        let (first, was) = (tag(thing).await, state(thing).await);
        for condition in ["\"nope\"", &format!("W/{first}"), ""] {
            let refusal = problem(call("POST", &path, Some(condition)).await).await;
            assert_eq!(refusal, (412, "changed_meanwhile".to_owned()), "{path}: {condition}");
        }
        assert_eq!((tag(thing).await, state(thing).await), (first.clone(), was), "{path}");
        body_of(call("POST", &path, Some(&first)).await, 200).await;
        body_of(call("POST", &path, Some("*")).await, 200).await;
    }
    // Each was done with the right tag; a secret and a password once more with `*`.
    assert_eq!(rows().await, before + 8);

    for (method, path) in [
        ("PUT", "users/ada/roles/moderator"),
        ("DELETE", "users/ada/roles/user"),
        ("PUT", "clients/app/roles/moderator"),
        ("DELETE", "clients/app/roles/moderator"),
        ("DELETE", "users/ada/consents/app"),
        ("POST", "keys/rotate"),
        ("POST", "clients"),
        ("POST", "resources"),
        ("POST", "users"),
        ("POST", "roles"),
    ] {
        for condition in ["\"nope\"", "*"] {
            let refusal = problem(call(method, path, Some(condition)).await).await;
            assert_eq!(refusal, (412, "no_revision".to_owned()), "{method} {path}: {condition}");
        }
    }
    assert_eq!(rows().await, before + 8);
}

/// RFC 7396: `null` clears what can be absent and is refused, by its name, where nothing can; the document says which is
/// which.
#[tokio::test]
async fn null_clears_or_is_refused() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let document = office.call("GET", "/api/openapi.json", "").send().await.expect("an answer");
    let document = body_of(document, 200).await;
    let patch = async |path: &str, change: &Value| {
        let request = office.call("PATCH", &format!("{ADMIN}/{path}"), &token).json(change);
        request.send().await.expect("an answer")
    };
    for (schema, path, _) in things(&office, &token).await {
        let described = &document["components"]["schemas"][schema];
        let parts = described["allOf"].as_array().cloned().unwrap_or_else(|| vec![described.clone()]);
        let members: Vec<_> = parts.iter().filter_map(|part| part["properties"].as_object()).flatten().collect();
        assert!(members.len() > 2, "{schema}: {described}");
        for (name, described) in members {
            let clears = described.to_string().contains("\"null\"");
            let answer = patch(path, &json!({ name: null })).await;
            let status = answer.status();
            let body: Value = answer.json().await.expect("JSON");
            if clears {
                assert!(status == 200 && body[name].is_null(), "{schema}.{name}: {status} {body}");
            } else {
                assert_eq!((status.as_u16(), &body["errors"][0]["field"]), (422, &json!(name)), "{schema}: {body}");
            }
        }
    }
    let set = json!({ "default_audience": "https://api.example", "logo_uri": "https://app.example/logo.png" });
    let shown = body_of(patch("clients/app", &set).await, 200).await;
    assert_eq!((&shown["default_audience"], &shown["logo_uri"]), (&set["default_audience"], &set["logo_uri"]));
    let cleared = json!({ "default_audience": null, "logo_uri": null });
    let shown = body_of(patch("clients/app", &cleared).await, 200).await;
    assert!(shown["default_audience"].is_null() && shown["logo_uri"].is_null(), "{shown}");
    let resource = "resources/https%3A%2F%2Fapi.example";
    let set = json!({ "access_token_seconds": 120, "access_token_alg": "ES256" });
    assert_eq!(body_of(patch(resource, &set).await, 200).await["access_token_seconds"], 120);
    let cleared = json!({ "access_token_seconds": null, "access_token_alg": null });
    let shown = body_of(patch(resource, &cleared).await, 200).await;
    assert!(shown["access_token_seconds"].is_null() && shown["access_token_alg"].is_null(), "{shown}");
    for path in ["clients/app", resource, "roles/editor"] {
        assert_eq!(patch(path, &json!({ "nothing": null })).await.status(), 422, "{path}");
    }
}
