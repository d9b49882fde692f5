//! `/docs` and `/api/openapi.json`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::office::json;
use crate::support::prelude::*;

/// the document describes each route of the API, by `OpenAPI` 3.1, with the permission it needs.
#[tokio::test]
async fn the_document_describes_each_route() {
    let signet = Signet::start(Database::Postgres).await;
    let answer = signet.http().get(signet.url("/api/openapi.json")).send().await.expect("an answer");
    let document = json(answer, 200).await;
    assert!(flow::member(&document, "openapi").starts_with("3.1."), "{}", document["openapi"]);
    let table = signet.cli_json(&["routes", "--json"], "").await;
    let expected: BTreeSet<(String, String)> = table
        .as_array()
        .expect("an array")
        .iter()
        .filter(|line| line["requirement"]["kind"] == "permission")
        .map(|line| (flow::member(line, "path").to_owned(), flow::member(line, "method").to_lowercase()))
        .collect();
    let paths = document["paths"].as_object().expect("paths");
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys();
            methods.map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(described, expected);
    let list: &Value = &document["paths"]["/api/v1/admin/clients"]["get"];
    assert!(flow::member(list, "description").contains("`client:read`"), "{list}");
    assert!(list["responses"]["403"]["content"]["application/problem+json"].is_object(), "{list}");
}

/// nothing but the files of the page is served below `/docs`.
#[tokio::test]
async fn only_its_own_files_are_served() {
    let signet = Signet::start(Database::Postgres).await;
    for (path, status) in [
        ("/docs", 200),
        ("/docs/swagger-ui.css", 200),
        ("/docs/swagger-ui-bundle.js", 200),
        ("/docs/start.js", 200),
        ("/docs/oauth2-redirect.html", 404),
        ("/docs/swagger-initializer.js", 404),
        ("/docs/..%2F..%2Fetc%2Fpasswd", 404),
        ("/docs/", 404),
    ] {
        let answer = signet.http().get(signet.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
}
