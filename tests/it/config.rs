//! Settings: where they come from, what they are refused for, and how a running server reads them again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use diesel::{QueryableByName, RunQueryDsl as _, sql_types::Int8};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::admin;
use crate::support::prelude::*;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Int8)]
    count: i64,
}

/// How many audit rows fit.
fn audited(signet: &Signet, detail: &str) -> i64 {
    let query = format!(
        "SELECT count(*) AS count FROM audit WHERE event = 'configuration.reloaded' AND actor_kind = 'operator' \
         AND detail = '{detail}'"
    );
    let row: Count = diesel::sql_query(query).get_result(&mut signet.database()).expect("a count");
    row.count
}

fn write(signet: &Signet, text: &str) {
    let folder = signet.folder().join("config");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("signet.toml"), text).expect("a file");
}

/// A server that reads these settings from its file.
async fn start(text: &str, environment: &[(&str, &str)]) -> Signet {
    let mut signet = Signet::prepare(Database::Postgres, environment);
    write(&signet, text);
    signet.restart().await;
    signet
}

/// The answer to a wrong password.
async fn wrong_password(signet: &Signet) -> (StatusCode, Option<String>) {
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin").await.page();
    let user = User { password: "not-this-one".to_owned(), ..admin() };
    let page = flow::sign_in(&mut browser, &page, &user).await.page();
    (page.status, page.text("code"))
}

/// A request over a connection that is kept.
fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /signin HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let (mut seen, mut buffer) = (Vec::new(), [0_u8; 4096]);
    while !String::from_utf8_lossy(&seen).contains("</html>") {
        let read = connection.read(&mut buffer).expect("an answer on the same connection");
        assert!(read > 0, "the connection was closed");
        seen.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// a reload changes a rate and the log's level at once, names what needs a restart, writes one audit row,
/// and drops no connection.
#[tokio::test]
async fn a_reload_changes_a_rate_and_the_level_of_the_log() {
    let before = "[http]\nkeep_alive = \"10m\"\n[rate_limits]\nsign_in = \"2/1h\"\n";
    let signet = start(before, &[("SIGNET_RATE_LIMITS__ENABLED", "")]).await;
    let mut connection = TcpStream::connect(("127.0.0.1", signet.port())).expect("a connection");
    assert!(ask(&mut connection).starts_with("HTTP/1.1 200"));

    for _ in 0..2 {
        assert_eq!(wrong_password(&signet).await.0, StatusCode::UNAUTHORIZED);
    }
    let limited = wrong_password(&signet).await;
    assert_eq!(limited, (StatusCode::TOO_MANY_REQUESTS, Some("too_many_requests".to_owned())));
    assert!(!signet.output().contains("a page was refused"), "{}", signet.output());

    let after = "[http]\nkeep_alive = \"10m\"\n[rate_limits]\nsign_in = \"3/1h\"\n[database]\npool_size = 3\n\
                 [log]\nlevel = \"warn,signet=debug\"\n";
    write(&signet, after);
    let answer = signet.cli_json(&["reload", "--json"], "").await;
    assert_eq!(answer, json!({ "changed": ["log.level", "rate_limits.sign_in"], "restart": ["database.pool_size"] }));
    assert_eq!(audited(&signet, "log.level rate_limits.sign_in"), 1);

    for _ in 0..3 {
        assert_eq!(wrong_password(&signet).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(wrong_password(&signet).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert!(signet.output().contains("a page was refused"), "{}", signet.output());
    assert!(ask(&mut connection).starts_with("HTTP/1.1 200"), "the connection is still of use");
}

/// How long an access token lives, in seconds.
async fn lifetime(signet: &Signet, client: &Client) -> u64 {
    let answer = flow::token(signet, client, &[("grant_type", "client_credentials")]).await;
    flow::granted(answer).await["expires_in"].as_u64().expect("a number")
}

/// settings that are wrong change nothing, and the log says why; SIGHUP takes right ones over.
#[tokio::test]
async fn settings_that_are_wrong_change_nothing() {
    let signet = start("[tokens]\naccess = \"2m\"\n", &[]).await;
    let mut spec = ClientSpec::confidential();
    spec.grant_types = vec!["client_credentials".to_owned()];
    let client = signet.client(spec).await;
    assert_eq!(lifetime(&signet, &client).await, 120);

    write(&signet, "[tokens]\naccess = \"3m\"\nid = \"9d\"\n");
    let output = signet.cli(&["reload"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    signet.signal(Signal::HUP);
    let refused = "config/signet.toml:3: tokens.id: 9d is out of bounds; write 1m to 1d";
    eventually(PATIENCE, "the log says why", async || signet.output().contains(refused).then_some(())).await;
    assert_eq!(lifetime(&signet, &client).await, 120);

    write(&signet, "[tokens]\naccess = \"3m\"\n");
    signet.signal(Signal::HUP);
    eventually(PATIENCE, "the lifetime changes", async || (lifetime(&signet, &client).await == 180).then_some(()))
        .await;
    assert_eq!(audited(&signet, "tokens.access"), 1);
}

/// `signet reload` reaches every node on a data directory, and the one that holds the embedded database.
#[tokio::test]
async fn a_reload_reaches_every_node() {
    let first = Signet::start(Database::Postgres).await;
    let shared = first.data_dir();
    let second = first.beside(&[("SIGNET_DATA_DIR", shared.to_str().expect("UTF-8"))]).await;
    let output = first.cli(&["reload", "--json"]).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers, vec![json!({ "changed": [], "restart": [] }); 2]);
    drop(second);

    let embedded = Signet::start(Database::Embedded).await;
    write(&embedded, "[sessions]\nidle = \"1h\"\n");
    let answer = embedded.cli_json(&["reload", "--json"], "").await;
    assert_eq!(answer, json!({ "changed": ["sessions.idle"], "restart": [] }));

    let nobody = Signet::prepare(Database::Postgres, &[]);
    let output = nobody.cli(&["reload"]).await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no running Signet answers"), "{output:?}");
}

/// `config show` tells each value and its place, the later place wins, secrets are hidden; no database is asked.
#[tokio::test]
async fn show_tells_where_each_value_stands_and_no_secret() {
    let url = "postgres://signet:hunter2@127.0.0.1:1/none";
    let signet = Signet::prepare(Database::Postgres, &[("DATABASE_URL", ""), ("DATABASE_URL_FILE", "url")]);
    fs::write(signet.folder().join("url"), url).expect("a file");
    fs::write(signet.folder().join(".env"), "SIGNET_TOKENS__ACCESS=3m\nSIGNET_TOKENS__ID=3m\n").expect("a file");
    write(&signet, "[tokens]\naccess = \"2m\"\nid = \"2m\"\ncode = \"20s\"\n");
    let shown = signet.cli_json(&["config", "show", "--json", "--set", "tokens.id=4m"], "").await;
    let find = |key: &str| {
        let entries = shown.as_array().expect("a list");
        let entry = entries.iter().find(|entry| entry["key"] == key).expect("a setting");
        (entry["value"].clone(), entry["source"].as_str().expect("a place").to_owned())
    };
    for (key, value, source) in [
        ("tokens.refresh", "30d", "default"),
        ("tokens.code", "20s", "config/signet.toml:4"),
        ("tokens.access", "3m", ".env: SIGNET_TOKENS__ACCESS"),
        ("tokens.id", "4m", "--set tokens.id"),
        ("issuer", signet.issuer(), "SIGNET_ISSUER"),
        ("database.url", "(hidden)", "DATABASE_URL_FILE"),
        ("admin_password", "(hidden)", "SIGNET_ADMIN_PASSWORD"),
    ] {
        assert_eq!(find(key), (json!(value), source.to_owned()));
    }
    let secret = |text: &str| text.contains("hunter2") || text.contains(crate::support::signet::ADMIN_PASSWORD);
    assert!(!secret(&shown.to_string()));
    let plain = signet.cli(&["config", "show"]).await;
    assert!(plain.status.success() && !secret(&String::from_utf8_lossy(&plain.stdout)), "{plain:?}");

    let check = signet.cli(&["config", "check"]).await;
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let check = signet.cli(&["config", "check", "--set", "tokens.id=9d", "--bind", "here"]).await;
    assert_eq!(check.status.code(), Some(2), "{check:?}");
    assert_eq!(String::from_utf8_lossy(&check.stderr).lines().count(), 2, "{check:?}");
}

/// R-51, O3: failures at the token endpoint are limited for an address and a client; others are not in the way.
#[tokio::test]
async fn failures_at_the_token_endpoint_are_limited() {
    let environment = [("SIGNET_RATE_LIMITS__ENABLED", "true"), ("SIGNET_RATE_LIMITS__TOKEN_FAILURES", "2/1h")];
    let signet = Signet::start_with(Database::Postgres, &environment).await;
    let mut spec = ClientSpec::confidential();
    spec.grant_types = vec!["client_credentials".to_owned()];
    let (client, other) = (signet.client(spec.clone()).await, signet.client(spec).await);
    let ask = async |client: &Client| flow::token(&signet, client, &[("grant_type", "client_credentials")]).await;
    for _ in 0..5 {
        assert_eq!(ask(&client).await.status(), StatusCode::OK, "success is not counted");
    }
    let wrong = Client { secret: Some("wrong".to_owned()), ..client.clone() };
    for _ in 0..2 {
        assert_eq!(ask(&wrong).await.status(), StatusCode::UNAUTHORIZED);
    }
    let limited = ask(&client).await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
    let text = |name: &str| limited.headers()[name].to_str().expect("text").to_owned();
    assert_eq!((&*text("ratelimit-limit"), &*text("ratelimit-remaining")), ("2", "0"));
    let wait: u64 = text("retry-after").parse().expect("seconds");
    assert!((1_700..=1_800).contains(&wait), "{wait}");
    assert_eq!(ask(&other).await.status(), StatusCode::OK);
}

/// registration by domain, by invitation and closed.
#[tokio::test]
async fn who_may_register_is_a_setting() {
    let signet = start("[registration]\naccounts = \"domains\"\ndomains = [\"people.test\"]\n", &[]).await;
    let mut browser = Browser::new(&signet);
    let page = browser.get("/register").await.page();
    // One that exists and one that does not are refused alike.
    for email in [crate::support::signet::ADMIN_EMAIL, "nobody@signet.test"] {
        let user = User { email: email.to_owned(), ..User::named("ada") };
        let page = flow::register(&mut browser, &page, &user).await.page();
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text("#email-error").is_some_and(|text| text.contains("people.test")), "{}", page.body);
    }
    let home = flow::register(&mut browser, &page, &User::named("ada")).await.page();
    assert_eq!((home.status, home.url.path()), (StatusCode::OK, "/"));

    for (mode, code) in [("closed", "registration_closed"), ("invitation", "invitation_needed")] {
        write(&signet, &format!("[registration]\naccounts = \"{mode}\"\n"));
        signet.cli_json(&["reload", "--json"], "").await;
        let mut browser = Browser::new(&signet);
        let page = browser.get("/register").await.page();
        assert_eq!((page.status, page.text("code")), (StatusCode::FORBIDDEN, Some(code.to_owned())));
        assert!(!browser.get("/signin").await.page().body.contains("/register"));
    }
}
