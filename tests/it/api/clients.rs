//! `/api/v1/admin/clients`

use serde_json::json;

use crate::api::office::{Office, console, json, problem};
use crate::scene::{admin, header};
use crate::support::prelude::*;

const CLIENTS: &str = "/api/v1/admin/clients";

/// a client is made, read, changed and removed; a change based on an old reading is refused.
#[tokio::test]
async fn a_clients_life() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let new = json!({ "client_id": "https://app.example/a b", "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
    let answer = office.call("POST", CLIENTS, &token).json(&new).send().await.expect("an answer");
    let location = header(&answer, "location").to_owned();
    let made = json(answer, 201).await;
    assert_eq!(location, office.signet.url(&format!("{CLIENTS}/https%3A%2F%2Fapp.example%2Fa%20b")));
    let secret = flow::member(&made, "client_secret").to_owned();
    let path = location.strip_prefix(office.signet.issuer()).expect("of the issuer").to_owned();

    let answer = office.call("GET", &path, &token).send().await.expect("an answer");
    let tag = header(&answer, "etag").to_owned();
    let shown = json(answer, 200).await;
    assert!(shown.get("client_secret").is_none() && !shown.to_string().contains(&secret), "{shown}");

    let change = |name: &str| office.call("PATCH", &path, &token).json(&json!({ "client_name": name }));
    let answer = change("Renamed").header("If-Match", &tag).send().await.expect("an answer");
    assert_eq!(json(answer, 200).await["client_name"], "Renamed");
    let answer = change("Again").header("If-Match", &tag).send().await.expect("an answer");
    assert_eq!(problem(answer).await, (412, "changed_meanwhile".to_owned()));
    let body = json!({ "client_name": "Again", "revision": tag.trim_matches('"') });
    let answer = office.call("PATCH", &path, &token).json(&body).send().await.expect("an answer");
    assert_eq!(problem(answer).await, (409, "changed_meanwhile".to_owned()));

    let again = office.call("POST", CLIENTS, &token).json(&new).send().await.expect("an answer");
    assert_eq!(problem(again).await, (409, "client_exists".to_owned()));
    let answer = office.call("POST", &format!("{path}/rotate-secret"), &token).send().await.expect("an answer");
    assert_ne!(flow::member(&json(answer, 200).await, "client_secret"), secret);

    let answer = office.call("DELETE", &path, &token).send().await.expect("an answer");
    assert_eq!(answer.status(), 204);
    let answer = office.call("GET", &path, &token).send().await.expect("an answer");
    assert_eq!(problem(answer).await, (404, "client_not_found".to_owned()));
}

/// a list comes in pages, each with the way to the next; a search takes `%` and `_` as they are.
#[tokio::test]
async fn a_list_comes_in_pages() {
    let office = Office::open().await;
    let token = office.administrator().await;
    for (id, name) in [("a1", "One"), ("a2", "50% off"), ("a3", "Three")] {
        let new = json!({ "client_id": id, "client_name": name, "redirect_uris": ["https://app.example/cb"] });
        json(office.call("POST", CLIENTS, &token).json(&new).send().await.expect("an answer"), 201).await;
    }
    let (mut next, mut seen) = (Some(format!("{CLIENTS}?limit=2")), Vec::new());
    while let Some(path) = next {
        let answer = office.call("GET", &path, &token).send().await.expect("an answer");
        let link = header(&answer, "link").to_owned();
        let page = json(answer, 200).await;
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|client| flow::member(client, "client_id").to_owned()));
        assert_eq!(link.is_empty(), page["next"].is_null(), "{page}");
        let url = link.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(url, _)| url.to_owned());
        next = url.map(|url| url.strip_prefix(office.signet.issuer()).expect("of the issuer").to_owned());
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(seen, sorted);
    assert!(["a1", "a2", "a3"].iter().all(|id| seen.iter().any(|one| one == id)), "{seen:?}");

    for (search, expected) in [("%25", 1), ("_", 0), ("three", 1), ("%5C", 0), ("'", 0)] {
        let path = format!("{CLIENTS}?search={search}");
        let page = json(office.call("GET", &path, &token).send().await.expect("an answer"), 200).await;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(expected), "{search}: {page}");
    }
}

/// who may switch a client off may switch it on again, change and remove it, if the client may do no more than
/// that person; while it is switched off it is judged by the roles that it holds when it is on.
#[tokio::test]
async fn who_switches_off_can_switch_on() {
    let office = Office::open().await;
    let scopes = ["client:read", "client:create", "client:update", "client:delete"];
    let narrow = console(&office.signet, &scopes).await;
    let token = office.token_by(&narrow, &admin(), &format!("openid {}", scopes.join(" "))).await;
    let call = async |method: &str, path: &str| {
        let request = office.call(method, &format!("{CLIENTS}/{path}"), &token);
        let request = if method == "PATCH" { request.json(&json!({ "client_name": "Other" })) } else { request };
        request.send().await.expect("an answer")
    };
    for id in ["plain", "mighty"] {
        let new = json!({ "client_id": id, "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
        json(office.call("POST", CLIENTS, &token).json(&new).send().await.expect("an answer"), 201).await;
        json(call("POST", &format!("{id}/disable")).await, 200).await;
    }
    let administrator = office.administrator().await;
    let role = format!("{CLIENTS}/mighty/roles/moderator");
    json(office.call("PUT", &role, &administrator).send().await.expect("an answer"), 200).await;

    json(call("PATCH", "plain").await, 200).await;
    json(call("POST", "plain/rotate-secret").await, 200).await;
    assert_eq!(json(call("POST", "plain/enable").await, 200).await["disabled"], false);
    json(call("POST", "plain/disable").await, 200).await;
    assert_eq!(call("DELETE", "plain").await.status(), 204);

    for (method, path) in
        [("POST", "mighty/enable"), ("PATCH", "mighty"), ("POST", "mighty/rotate-secret"), ("DELETE", "mighty")]
    {
        let refusal = problem(call(method, path).await).await;
        assert_eq!(refusal, (403, "above_own_permissions".to_owned()), "{method} {path}");
    }
    let shown = office.call("GET", &format!("{CLIENTS}/mighty"), &administrator).send().await.expect("an answer");
    let shown = json(shown, 200).await;
    assert_eq!((&shown["disabled"], &shown["client_name"]), (&json!(true), &json!("App")), "{shown}");
}
