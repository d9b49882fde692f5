//! The support code itself, against the services alone.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

use super::chrome::Chrome;
use super::flow::{challenge, jwt_payload};
use super::html::find_form;
use super::jar::Jar;
use super::port::Port;
use super::postgres::{PrivatePostgres, Schema, connect};
use super::redis;
use super::services::{database_url, scratch};
use super::wait::eventually;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    value: String,
}

fn number(connection: &mut PgConnection, query: &str) -> i64 {
    sql_query(query).get_result::<Number>(connection).expect(query).value
}

#[test]
fn a_schema_is_its_own_world_and_goes_with_the_test() {
    let (one, two) = (Schema::create(), Schema::create());
    let (mut first, mut second) = (connect(&one.url()), connect(&two.url()));
    let table = "CREATE TABLE things (id bigint); INSERT INTO things VALUES (1)";
    first.batch_execute(table).expect("a table in the first schema");
    second.batch_execute(table).expect("a table in the second schema");
    second.batch_execute("DELETE FROM things").expect("delete in the second");
    assert_eq!(number(&mut first, "SELECT count(*) AS value FROM things"), 1);

    let path = sql_query("SHOW search_path").get_result::<SearchPath>(&mut first);
    assert_eq!(path.expect("search path").search_path, one.name());

    let left = format!("SELECT count(*) AS value FROM pg_namespace WHERE nspname = '{}'", one.name());
    let mut shared = connect(&database_url());
    assert_eq!(number(&mut shared, &left), 1);
    drop(first);
    drop(one);
    assert_eq!(number(&mut shared, &left), 0);
}

#[derive(QueryableByName)]
struct SearchPath {
    #[diesel(sql_type = Text)]
    search_path: String,
}

#[test]
fn the_shared_postgresql_wants_its_password() {
    let mut url = Url::parse(&database_url()).expect("URL of PostgreSQL");
    url.set_password(Some("wrong")).expect("a URL with a password");
    let refused = <PgConnection as diesel::Connection>::establish(url.as_str());
    assert!(refused.is_err());
}

#[tokio::test]
async fn redis_answers() {
    assert_eq!(redis::command(&["PING"]).await, "+PONG");
}

#[test]
fn a_reserved_port_is_ours_to_listen_on() {
    let port = Port::reserve();
    let listener = TcpListener::bind(("127.0.0.1", port.number())).expect("listen on it");
    let again = TcpListener::bind(("127.0.0.1", port.number()));
    assert!(again.is_err(), "two listeners on one port");
    drop(listener);
    TcpListener::bind(("127.0.0.1", port.number())).expect("listen on it again");
}

#[test]
fn reserved_ports_differ() {
    let ports: Vec<_> = (0..200).map(|_| Port::reserve()).collect();
    let mut numbers: Vec<_> = ports.iter().map(Port::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), ports.len());
}

#[test]
fn a_scratch_directory_may_be_entered_by_everybody() {
    let folder = scratch();
    let mode = folder.path().metadata().expect("metadata").mode();
    assert_eq!(mode & 0o777, 0o755);
    for parent in folder.path().ancestors() {
        let mode = parent.metadata().expect("metadata").mode();
        assert_eq!(mode & 0o001, 0o001, "{}", parent.display());
    }
}

#[tokio::test]
async fn a_private_postgresql_survives_the_kill_of_its_postmaster() {
    let mut server = PrivatePostgres::start().await;
    let mut connection = connect(&server.url());
    connection.batch_execute("CREATE TABLE kept (id bigint); INSERT INTO kept VALUES (7)").expect("a committed row");
    let fsync = sql_query("SELECT current_setting('fsync') AS value");
    assert_eq!(fsync.get_result::<Words>(&mut connection).expect("fsync").value, "on");

    server.kill_postmaster();
    let limit = Duration::from_secs(30);
    eventually(limit, "the old connection ends", async || connection.batch_execute("SELECT 1").is_err().then_some(()))
        .await;

    server.restart().await;
    let mut connection = connect(&server.url());
    assert_eq!(number(&mut connection, "SELECT id AS value FROM kept"), 7);
}

#[tokio::test]
async fn polling_gives_the_first_value() {
    let mut calls = 0;
    let limit = Duration::from_secs(10);
    let value = eventually(limit, "the third call", async || {
        calls += 1;
        (calls == 3).then_some("third")
    })
    .await;
    assert_eq!((value, calls), ("third", 3));
}

#[tokio::test]
#[should_panic(expected = "a value: not within")]
async fn polling_ends_at_its_limit() {
    eventually(Duration::from_millis(50), "a value", async || None::<()>).await;
}

#[test]
fn a_jar_keeps_replaces_and_removes() {
    let mut headers = HeaderMap::new();
    for cookie in ["a=1; Path=/", "b=2; Path=/oauth; HttpOnly", "c=3; Path=/"] {
        headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
    }
    let mut jar = Jar::default();
    jar.remember(&headers);
    jar.store("c=; Path=/; Max-Age=0");
    jar.store("a=4; Path=/; Secure");
    assert_eq!(jar.header("/oauth/token").as_deref(), Some("b=2; a=4"));
    assert_eq!(jar.header("/oauths").as_deref(), Some("a=4"));
    jar.remove("a");
    assert_eq!(jar.header("/"), None);
}

#[test]
fn a_form_is_read_as_a_browser_sends_it() {
    let page = r#"<form action="/search"><input name="q" value="x"></form>
        <form method="POST" action="sign-in?next=1">
          <input type="hidden" name="csrf" value="a&amp;b"><input name="username">
          <input type="password" name="password"><input type="checkbox" name="keep">
          <select name="lang"><option value="de">Deutsch<option value="en" selected>English</select>
          <button name="decision" value="allow">Allow</button>
        </form>"#;
    let url = Url::parse("http://localhost:1/pages/one").expect("a URL");
    let form = find_form(&url, page, &["username", "decision"]).expect("the second form");
    assert!(form.post);
    assert_eq!(form.action.as_str(), "http://localhost:1/pages/sign-in?next=1");
    assert_eq!(form.value("csrf"), Some("a&b"));
    assert_eq!(form.value("lang"), Some("en"));
    assert_eq!(form.value("username"), Some(""));
    assert_eq!((form.value("keep"), form.value("decision")), (None, None));
    let form = form.with(&[("username", "ada"), ("decision", "deny")]);
    assert_eq!(form.value("username"), Some("ada"));
    assert_eq!(form.value("decision"), Some("deny"));
    assert!(find_form(&url, page, &["absent"]).is_none());
}

#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let expected = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert_eq!(challenge(verifier), expected);
}

#[test]
fn a_payload_is_decoded() {
    // {"alg":"none"}.{"sub":"ada"}.
    let payload = jwt_payload("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.");
    assert_eq!(payload, serde_json::json!({ "sub": "ada" }));
}

#[tokio::test]
async fn chromium_shows_and_pictures_a_page() {
    let chrome = Chrome::start().await;
    chrome.goto("about:blank").await.expect("a blank page");
    let script = "document.title = 'Here'; document.body.style.height = '1234px'; \
                  document.body.style.margin = 0;";
    chrome.execute(script, Vec::new()).await.expect("a script runs");
    assert_eq!(chrome.title().await.expect("title"), "Here");

    let views = [(1280, "light"), (390, "dark")];
    let files = chrome.screenshot("selftest-blank", &views).await;
    let sizes: Vec<_> = files.iter().map(|file| png_size(file)).collect();
    assert_eq!(sizes, [(1280, 1234), (390, 1234)]);
    for file in files {
        std::fs::remove_file(file).expect("remove the picture");
    }
}

#[tokio::test]
async fn chromium_takes_over_the_colour_scheme() {
    let chrome = Chrome::start().await;
    chrome.goto("about:blank").await.expect("a blank page");
    let dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
    for (scheme, expected) in [("dark", true), ("light", false)] {
        chrome.show_as(390, scheme).await;
        let seen = chrome.execute(dark, Vec::new()).await.expect("a script runs");
        assert_eq!(seen.json().as_bool(), Some(expected), "{scheme}");
    }
}

/// Width and height out of the header of a PNG file.
fn png_size(file: &Path) -> (u32, u32) {
    let bytes = std::fs::read(file).expect("the picture");
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    (number(16), number(20))
}
