//! What the program does by itself: sweeping, its own client, slow callers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Int8, Text};
use diesel::{QueryableByName, RunQueryDsl as _};
use reqwest::{Method, StatusCode};

use crate::scene::Scene;
use crate::support::prelude::*;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Int8)]
    count: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn count(signet: &Signet, from: &str) -> i64 {
    let row: Count = diesel::sql_query(format!("SELECT count(*) AS count FROM {from}"))
        .get_result(&mut signet.database())
        .expect("a count");
    row.count
}

/// what has expired goes at the next round, more than one batch of it, and nothing that is alive.
#[tokio::test]
async fn expired_rows_are_swept() {
    let mut scene = Scene::start().await;
    let living = scene.tokens().await;
    let ended = scene.tokens().await;
    drop(ended);
    scene
        .signet
        .database()
        .batch_execute(
            "UPDATE grants SET ends_at = now() - interval '2 days' \
             WHERE id = (SELECT id FROM grants ORDER BY created_at DESC LIMIT 1); \
             INSERT INTO interactions SELECT realms.id, gen_random_uuid(), 'x', now() - interval '1 hour' \
             FROM realms, generate_series(1, 450); \
             INSERT INTO spent SELECT realms.id, 'interaction', '', sha256(n::text::bytea), current_date - 3 \
             FROM realms, generate_series(1, 450) n; \
             INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT id, 1, 'revoked.token', 'x', now(), now() - interval '1 minute' FROM realms",
        )
        .expect("rows");
    // The first round comes with the start.
    scene.signet.restart().await;
    let limit = Duration::from_mins(1);
    eventually(limit, "expired rows are gone", async || {
        let left = count(&scene.signet, "interactions")
            + count(&scene.signet, "spent WHERE expires_on < current_date - 1")
            + count(&scene.signet, "notices WHERE key = 'x'")
            + count(&scene.signet, "grants WHERE ends_at < now() - interval '1 day'");
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(count(&scene.signet, "grants"), 1);
    assert!(scene.accepts(&living).await, "the other grant stays");
}

/// the playground's client belongs to Signet: nobody else registers it, and outside development it is switched off.
#[tokio::test]
async fn the_playgrounds_client_is_for_development() {
    let mut signet = Signet::start(Database::Postgres).await;
    let taken =
        ["client", "create", "--name", "x", "--client-id", "playground", "--redirect-uri", "https://a.example/"];
    assert!(!signet.cli(&taken).await.status.success());
    assert_eq!(count(&signet, "clients WHERE disabled_at IS NULL"), 1);
    signet.terminate().await;

    let bind = format!("127.0.0.1:{}", signet.port());
    let mut command = signet.command(&["serve"]);
    command.env("SIGNET_ISSUER", "https://id.example.org").env("SIGNET_BIND", &bind);
    let mut production =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("a start");
    let limit = Duration::from_mins(1);
    eventually(limit, "the client is off", async || {
        (count(&signet, "clients WHERE disabled_at IS NULL") == 0).then_some(())
    })
    .await;
    production.kill().expect("an end");
    production.wait().expect("an end");

    signet.restart().await;
    assert_eq!(count(&signet, "clients WHERE disabled_at IS NULL"), 1, "back in development it is on again");
}

/// What Signet did by itself, in order: event, object without random names, detail.
fn own_rows(signet: &Signet) -> Vec<String> {
    let query = "SELECT concat_ws(' ', event, regexp_replace(object, '^key:.*', 'key:' || \
                 cardinality(string_to_array(object, ','))), detail) AS line FROM audit WHERE actor_kind = 'system' \
                 AND result = 'success' ORDER BY at, event, object";
    let rows: Vec<Line> = diesel::sql_query(query).load(&mut signet.database()).expect("the rows");
    rows.into_iter().map(|row| row.line).collect()
}

/// what Signet makes and changes for itself at a start is recorded, once, and only where it changes something.
#[tokio::test]
async fn what_a_start_changes_is_recorded() {
    let mut signet = Signet::start(Database::Postgres).await;
    let mut expected = vec![
        // Two for each algorithm, and the four that are random values.
        "key.created key:8",
        "role.created role:admin",
        "role.created role:moderator",
        "role.created role:user",
        "client.created client:playground",
    ];
    assert_eq!(own_rows(&signet), expected);
    let of_client = "audit JOIN clients ON clients.id = client_key WHERE event = 'client.created' \
                     AND client_id = 'playground'";
    assert_eq!(count(&signet, of_client), 1);
    signet.restart().await;
    assert_eq!(own_rows(&signet), expected, "nothing changed");

    // The address is another one.
    let issuer = format!("http://127.0.0.1:{}", signet.port());
    signet.set("SIGNET_ISSUER", &issuer);
    signet.restart().await;
    expected.push("client.updated client:playground redirect_uris,post_logout_redirect_uris");
    assert_eq!(own_rows(&signet), expected);
    signet.terminate().await;

    let mut command = signet.command(&["serve"]);
    command.env("SIGNET_ISSUER", "https://id.example.org");
    let mut production =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("a start");
    expected.push("client.disabled client:playground");
    eventually(PATIENCE, "the client is off", async || (own_rows(&signet) == expected).then_some(())).await;
    production.kill().expect("an end");
    production.wait().expect("an end");

    signet.restart().await;
    expected.push("client.enabled client:playground");
    assert_eq!(own_rows(&signet), expected);
    assert!(signet.cli(&["audit", "verify"]).await.status.success());

    // A key that is missing is made, and that is recorded too.
    signet.terminate().await;
    signet.database().batch_execute("DELETE FROM signing_keys WHERE alg = 'ES256' AND state = 'next'").expect("a loss");
    signet.restart().await;
    expected.push("key.created key:1");
    assert_eq!(own_rows(&signet), expected);
}

/// a body that does not arrive is given up, and the connection with it.
#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let signet = Signet::start(Database::Postgres).await;
    let port = signet.port();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a limit");
        stream
            .write_all(
                b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                  Content-Length: 100\r\n\r\ngrant_type=",
            )
            .expect("half a request");
        let mut answer = [0; 256];
        let read = stream.read(&mut answer).expect("an answer within the limit");
        String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned()
    })
    .await
    .expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// D1, T3: probes may ask with HEAD; a token request by GET gets JSON.
#[tokio::test]
async fn other_methods_have_designed_answers() {
    let signet = Signet::start(Database::Postgres).await;
    for path in ["/.well-known/openid-configuration", "/oauth/jwks"] {
        let answer = signet.http().request(Method::HEAD, signet.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let answer = signet.http().get(signet.url("/oauth/token")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(body["error"], "invalid_request");
}

/// an application that signs people in through a popup keeps hold of it; other pages are on their own.
#[tokio::test]
async fn sign_in_by_popup_is_not_cut_off() {
    let scene = Scene::start().await;
    let authorize = scene.open(scene.request().url(&scene.signet)).await;
    assert!(authorize.headers().get("cross-origin-opener-policy").is_none());
    for (path, expected) in [("/signin", None), ("/consent", None), ("/", Some("same-origin"))] {
        let answer = scene.open(scene.signet.url(path)).await;
        let policy = answer.headers().get("cross-origin-opener-policy").and_then(|value| value.to_str().ok());
        assert_eq!(policy, expected, "{path}");
    }
}
