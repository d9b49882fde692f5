//! `sector_identifier_uri`: looked at before anything is stored, by O1, for whoever registers.

use serde_json::{Value, json};

use super::{OPEN, application_with, client_of, count, manage_own, refused, register, registered, tokens};
use crate::support::prelude::*;

const URIS: [&str; 2] = ["https://a.example/cb", "https://b.example/cb"];

async fn prepared() -> (Signet, Target) {
    let mut signet = Signet::prepare(Database::Postgres, &[OPEN, ("SIGNET_OUTBOUND__TIMEOUT", "2s")]);
    let target = Target::start(&signet);
    target.open_to(&mut signet);
    signet.restart().await;
    (signet, target)
}

fn pairwise(uri: &str) -> Value {
    application_with(&json!({ "redirect_uris": URIS, "subject_type": "pairwise", "sector_identifier_uri": uri }))
}

/// R3, OIDC Registration §5: what is at the address lists every redirect URI, byte by byte; then pairwise subjects are the
/// sector's, whichever client of it asks.
#[tokio::test]
async fn a_sector_lists_the_redirect_uris() {
    let (signet, target) = prepared().await;
    for (document, good) in [
        (json!(URIS), true),
        (json!(["https://c.example/", URIS[1], URIS[0]]), true),
        (json!([URIS[0]]), false),
        (json!([URIS[0], "https://B.example/cb"]), false),
        (json!([URIS[0], "https://b.example/cb/"]), false),
        (json!([]), false),
        (json!({ "redirect_uris": URIS }), false),
        (json!("https://a.example/cb"), false),
        (json!([URIS[0], URIS[1], 1]), false),
    ] {
        target.serve("/sector", &document);
        let answer = register(&signet, &pairwise(&target.url("/sector"))).await;
        if good {
            assert_eq!(answer.status(), 201, "{document}");
        } else {
            assert_eq!(refused(answer).await, (400, "invalid_client_metadata".to_owned()), "{document}");
        }
    }
    target.serve("/sector", &json!([URIS[0], URIS[1], "https://c.example/cb"]));
    let one = client_of(&registered(&signet, &pairwise(&target.url("/sector"))).await);
    let mut other = pairwise(&target.url("/sector"));
    other["redirect_uris"] = json!(["https://c.example/cb"]);
    let other = client_of(&registered(&signet, &other).await);
    let mut alone = pairwise(&target.url("/sector"));
    alone["redirect_uris"] = json!(["https://c.example/cb"]);
    alone["sector_identifier_uri"] = Value::Null;
    let alone = client_of(&registered(&signet, &alone).await);
    let mut subjects = Vec::new();
    for client in [&one, &other, &alone] {
        let granted = tokens(&signet, client, "openid").await;
        subjects.push(flow::jwt_payload(flow::member(&granted, "id_token"))["sub"].clone());
    }
    assert_eq!(subjects[0], subjects[1]);
    assert_ne!(subjects[0], subjects[2]);
}

/// R3, O1: an address that cannot be read, redirects, answers slowly, without end, or too much, is refused in words that say
/// nothing of what is there; nothing is stored.
#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let (signet, target) = prepared().await;
    target.serve("/large", &format!("[\"{}\"]", "x".repeat(70_000)));
    target.stall("/slow");
    target.pour("/endless");
    let begun = std::time::Instant::now();
    let mut descriptions = Vec::new();
    for path in ["/nothing", "/large", "/slow", "/endless"] {
        let answer = register(&signet, &pairwise(&target.url(path))).await;
        assert_eq!(answer.status(), 400, "{path}");
        let told: Value = answer.json().await.expect("JSON");
        assert_eq!(flow::member(&told, "error"), "invalid_client_metadata");
        descriptions.push(flow::member(&told, "error_description").to_owned());
    }
    descriptions.dedup();
    assert_eq!(descriptions.len(), 1, "{descriptions:?}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let odd = [
        "http://sector.example/",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://user@sector.example/",
    ];
    for uri in odd {
        assert_eq!(register(&signet, &pairwise(uri)).await.status(), 400, "{uri}");
    }
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 0);
}

/// O1, R3: nobody has Signet look around in its network: without `outbound.allow_private` no connection is made to a private
/// address, and the answer is the same whether something is there or not.
#[tokio::test]
async fn private_addresses_are_not_looked_at() {
    let mut signet = Signet::prepare(Database::Postgres, &[OPEN]);
    let target = Target::start(&signet);
    target.trusted_by(&mut signet);
    signet.restart().await;
    target.serve("/sector", &json!(URIS));
    let mut seen = Vec::new();
    for uri in [
        target.url("/sector"),
        target.url("/sector").replace("localhost", "127.0.0.1"),
        target.url("/sector").replace("localhost", "[::1]"),
        target.url("/sector").replace("localhost", "127.1"),
        "https://10.0.0.1/sector".to_owned(),
        "https://[fd00::1]/sector".to_owned(),
        "https://169.254.169.254/".to_owned(),
        "https://localhost:1/".to_owned(),
    ] {
        let answer = register(&signet, &pairwise(&uri)).await;
        assert_eq!(answer.status(), 400, "{uri}");
        seen.push(answer.text().await.expect("a body"));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(target.connections(), 0);
    for members in [
        json!({ "jwks_uri": target.url("/jwks") }),
        json!({ "logo_uri": "https://10.0.0.1/logo.png", "request_uris": [target.url("/request")] }),
        json!({ "backchannel_logout_uri": target.url("/back") }),
    ] {
        registered(&signet, &application_with(&members)).await;
    }
    assert_eq!(target.connections(), 0, "nothing else is fetched at registration");
}

/// O1, R1: who may not register has nothing looked at.
#[tokio::test]
async fn nothing_is_looked_at_for_who_may_not() {
    let mut signet = Signet::prepare(Database::Postgres, &[("SIGNET_REGISTRATION__CLIENTS", "token")]);
    let target = Target::start(&signet);
    target.open_to(&mut signet);
    signet.restart().await;
    target.serve("/sector", &json!(URIS));
    let body = pairwise(&target.url("/sector"));
    assert_eq!(register(&signet, &body).await.status(), 401);
    let wrong = signet.http().post(signet.url("/oauth/register")).bearer_auth(flow::random()).json(&body);
    assert_eq!(wrong.send().await.expect("an answer").status(), 401);
    assert_eq!(target.connections(), 0);
}

/// R3: a change is held to the same; what was looked at and stays the same is not looked at again.
#[tokio::test]
async fn a_change_is_looked_at_anew() {
    let (signet, target) = prepared().await;
    target.serve("/sector", &json!(URIS));
    let own = registered(&signet, &pairwise(&target.url("/sector"))).await;
    assert_eq!(target.asked("/sector"), 1);
    let body = |uris: Value, name: &str| {
        let mut body = pairwise(&target.url("/sector"));
        body["client_id"] = own["client_id"].clone();
        body["redirect_uris"] = uris;
        body["client_name"] = json!(name);
        body
    };
    flow::granted(manage_own(&signet, "PUT", &own, Some(&body(json!(URIS), "B"))).await).await;
    assert_eq!(target.asked("/sector"), 1, "nothing of it changed");
    let more = json!([URIS[0], "https://evil.example/cb"]);
    let answer = manage_own(&signet, "PUT", &own, Some(&body(more, "C"))).await;
    assert_eq!(refused(answer).await, (400, "invalid_client_metadata".to_owned()));
    assert_eq!(target.asked("/sector"), 2);
    target.withdraw("/sector");
    let answer = manage_own(&signet, "PUT", &own, Some(&body(json!([URIS[0]]), "D"))).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(flow::granted(manage_own(&signet, "GET", &own, None).await).await["client_name"], "B");
}

/// R3, R-37, R-69a: clients that administrators make are held to the same, by command line and by file.
#[tokio::test]
async fn administrators_are_held_to_it() {
    let (signet, target) = prepared().await;
    target.serve("/sector", &json!([URIS[0]]));
    let metadata = json!({ "subject_type": "pairwise", "sector_identifier_uri": target.url("/sector") }).to_string();
    let create = async |uri: &str, id: &str| {
        let arguments = ["client", "create", "--name", "x", "--client-id", id, "--redirect-uri", uri];
        signet.cli(&[&arguments[..], &["--metadata", &metadata, "--json"]].concat()).await
    };
    let refused = create(URIS[1], "b").await;
    assert!(!refused.status.success(), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not list"), "{refused:?}");
    assert!(create(URIS[0], "a").await.status.success());
    let update = signet.cli(&["client", "update", "a", "--redirect-uri", URIS[1]]).await;
    assert!(!update.status.success(), "{update:?}");
    let asked = target.asked("/sector");
    assert!(signet.cli(&["client", "update", "a", "--name", "y"]).await.status.success());
    assert_eq!(target.asked("/sector"), asked, "a name is no matter of the sector");
    let file = |uri: &str| {
        json!({ "version": 1, "clients": { "items": [{
            "client_id": "c", "client_name": "C", "redirect_uris": [uri], "subject_type": "pairwise",
            "sector_identifier_uri": target.url("/sector"),
        }] } })
        .to_string()
    };
    for (uri, good) in [(URIS[1], false), (URIS[0], true), (URIS[0], true)] {
        std::fs::write(signet.folder().join("state.yaml"), file(uri)).expect("a file");
        let applied = signet.cli(&["apply", "state.yaml", "--yes"]).await;
        assert_eq!(applied.status.success(), good, "{uri}: {applied:?}");
    }
}
