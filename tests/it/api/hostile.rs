//! Input that nobody means well with.

use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::api::office::{Office, json, problem};
use crate::walk::{headers, line_of};

const CLIENTS: &str = "/api/v1/admin/clients";

/// R-44, O2: bodies that are not what is taken are refused with a code, change nothing and repeat nothing of themselves;
/// the refusal carries the headers of its line.
#[tokio::test]
async fn hostile_bodies_are_refused() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let count = async || {
        let page = json(office.call("GET", CLIENTS, &token).send().await.expect("an answer"), 200).await;
        page["items"].as_array().map(Vec::len)
    };
    let before = count().await;
    let line = line_of(&office.signet, "POST", CLIENTS).await;
    let good = br#"{"client_name":"A","redirect_uris":["https://app.example/cb"]}"#.to_vec();
    let deep = format!("{{\"client_name\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    let huge = format!("{{\"client_name\":\"{}\"}}", "a".repeat(100_000)).into_bytes();
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("text/plain", good.clone(), 415, "not_json"),
        ("application/x-www-form-urlencoded", b"client_name=A".to_vec(), 415, "not_json"),
        ("", good.clone(), 415, "not_json"),
        ("application/json", Vec::new(), 400, "invalid_json"),
        ("application/json", b"{\"client_name\":\"\xff\"}".to_vec(), 400, "invalid_json"),
        ("application/json", deep, 400, "invalid_json"),
        ("application/json", huge, 413, "request_too_large"),
        ("application/json", b"{\"client_name\":\"hunter2\",".to_vec(), 400, "invalid_json"),
        ("application/json", b"[]".to_vec(), 422, "invalid_body"),
        ("application/json", b"{\"client_name\":\"A\",\"admin\":true}".to_vec(), 422, "invalid_client_metadata"),
        ("application/json", b"{\"client_name\":\"A\",\"client_name\":\"B\"}".to_vec(), 422, "invalid_body"),
        ("application/json", b"{\"client_name\":{\"hunter2\":1}}".to_vec(), 422, "invalid_body"),
        ("application/json", b"{\"client_name\":\"a\\u0000b\"}".to_vec(), 422, "invalid_client_metadata"),
        (
            "application/json",
            b"{\"client_name\":\"A\",\"redirect_uris\":[\"javascript:hunter2\"]}".to_vec(),
            422,
            "invalid_client_metadata",
        ),
    ];
    for (kind, body, status, code) in cases {
        let what = format!("{kind}: {}", String::from_utf8_lossy(&body).chars().take(80).collect::<String>());
        let mut request = office.call("POST", CLIENTS, &token).body(body);
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        let answer = request.send().await.expect("an answer");
        headers(&answer, &line, &what);
        assert_eq!(problem(answer).await, (status, code.to_owned()), "{what}");
    }
    assert_eq!(count().await, before);
    let spelt = office.call("POST", CLIENTS, &token).header(CONTENT_TYPE, "Application/JSON; charset=utf-8").body(good);
    assert_eq!(spelt.send().await.expect("an answer").status(), 201, "the case of a type does not matter");
}

/// R-44: paths and queries that nobody means well with find nothing and break nothing.
#[tokio::test]
async fn hostile_paths_and_queries_are_refused() {
    let office = Office::open().await;
    let token = office.administrator().await;
    for (path, status) in [
        ("/api/v1/admin/clients?limit=ten", 400),
        ("/api/v1/admin/clients?nothing=1", 400),
        ("/api/v1/admin/clients?search=a&search=b", 400),
        ("/api/v1/admin/clients?search=%FF", 400),
        ("/api/v1/admin/clients?after=%00", 400),
        ("/api/v1/admin/clients/%00", 404),
        ("/api/v1/admin/clients/%FF", 404),
        ("/api/v1/admin/clients/..%2F..%2Fkeys", 404),
        ("/api/v1/admin/clients/';DROP TABLE clients;--", 404),
        ("/api/v1/admin/users/%00", 404),
        ("/api/v1/admin/roles/%2A", 404),
        ("/api/v1/admin/nothing", 404),
        ("/api/v1/admin/clients/", 404),
        ("/api/v2/admin/clients", 404),
    ] {
        let answer = office.call("GET", path, &token).send().await.expect("an answer");
        let (seen, code) = problem(answer).await;
        assert_eq!(seen, status, "{path}: {code}");
    }
    let reason = json!({ "reason": "x".repeat(10_000) });
    let answer = office.call("POST", "/api/v1/admin/users/admin/lock", &token).json(&reason).send().await;
    assert_eq!(problem(answer.expect("an answer")).await, (422, "invalid_reason".to_owned()));
}

/// R-44: a page of no or of too many entries is refused, in every list.
#[tokio::test]
async fn a_page_has_bounds() {
    let office = Office::open().await;
    let token = office.administrator().await;
    for (list, most) in
        [("clients", 200), ("resources", 200), ("users", 200), ("users/admin/consents", 200), ("audit", 500)]
    {
        for limit in ["0", "-1", "99999999999", &(most + 1).to_string()] {
            let path = format!("/api/v1/admin/{list}?limit={limit}");
            let answer = office.call("GET", &path, &token).send().await.expect("an answer");
            assert_eq!(problem(answer).await, (422, "invalid_limit".to_owned()), "{path}");
        }
        let path = format!("/api/v1/admin/{list}?limit={most}");
        json(office.call("GET", &path, &token).send().await.expect("an answer"), 200).await;
    }
}

/// R-37: identifiers of clients that paths swallow, or that look like others, are not given; a client that has one from
/// earlier can be read.
#[tokio::test]
async fn identifiers_that_deceive_are_not_given() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let new = |id: &str| json!({ "client_id": id, "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
    for id in [".", "..", "app\u{202e}ppa", "app\u{200b}", "\u{feff}app", "app\u{2066}", "a\u{85}b", "a\nb"] {
        let answer = office.call("POST", CLIENTS, &token).json(&new(id)).send().await.expect("an answer");
        assert_eq!(problem(answer).await, (422, "invalid_client_metadata".to_owned()), "{id:?}");
    }
    json(office.call("POST", CLIENTS, &token).json(&new("app")).send().await.expect("an answer"), 201).await;
    assert_eq!(office.change("UPDATE clients SET client_id = 'app\u{202e}ppa' WHERE client_id = 'app'"), 1);
    let path = format!("{CLIENTS}/app%E2%80%AEppa");
    let shown = json(office.call("GET", &path, &token).send().await.expect("an answer"), 200).await;
    assert_eq!(shown["client_id"], "app\u{202e}ppa");
    assert_eq!(office.call("DELETE", &path, &token).send().await.expect("an answer").status(), 204);
}
