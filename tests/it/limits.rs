//! Clients that take their time, and clients that send too much.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::api::office::{Office, console};
use crate::scene::header;
use crate::support::prelude::*;

const SHORT: [(&str, &str); 3] =
    [("SIGNET_HTTP__HEAD_TIMEOUT", "1s"), ("SIGNET_HTTP__BODY_TIMEOUT", "1s"), ("SIGNET_HTTP__KEEP_ALIVE", "1s")];

/// Sends `first`, then where `on` a byte every tenth of a second, until the server ends the connection, at most for a minute. Gives
/// everything that came back, and how long that took.
fn drip(port: u16, first: &str, on: bool) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
    stream.write_all(first.as_bytes()).expect("a beginning");
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    while begun.elapsed() < PATIENCE {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if on && stream.write_all(b"a").is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    (String::from_utf8_lossy(&received).into_owned(), begun.elapsed())
}

async fn dripping(signet: &Signet, first: &'static str, on: bool) -> (String, Duration) {
    let port = signet.port();
    tokio::task::spawn_blocking(move || drip(port, first, on)).await.expect("an end")
}

/// Asks again and again without reading an answer, until the server ends the connection, at most for a minute. Gives
/// how long that took.
fn stall(port: u16) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a limit");
    let request = FIRST.repeat(100);
    while begun.elapsed() < PATIENCE {
        match stream.write(request.as_bytes()) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    begun.elapsed()
}

const FIRST: &str = "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// a first head, a second head and a body that drip in, a beginning of a second head, silence on a connection that
/// was kept, and an answer that is not read are each given up within the limit.
#[tokio::test]
async fn slow_clients_are_given_up() {
    let signet = Signet::start_with(Database::Postgres, &SHORT).await;
    let body = "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 4000\r\n\r\ngrant_type=";
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    let port = signet.port();
    let (head, body, kept, second, begun, unread) = tokio::join!(
        dripping(&signet, head, true),
        dripping(&signet, body, true),
        dripping(&signet, FIRST, false),
        dripping(&signet, FIRST, true),
        dripping(&signet, "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\n\r\nG", false),
        tokio::task::spawn_blocking(move || stall(port)),
    );
    let (limit, unread) = (Duration::from_secs(30), unread.expect("an end"));
    assert!(head.0.starts_with("HTTP/1.1 408") && head.1 < limit, "{head:?}");
    assert!(body.0.starts_with("HTTP/1.1 408") && body.1 < limit, "{body:?}");
    for (what, (answer, took)) in [("kept", &kept), ("second", &second), ("begun", &begun)] {
        assert!(answer.starts_with("HTTP/1.1 200") && *took < limit, "{what}: {took:?} {answer}");
    }
    assert!(unread < limit, "unread: {unread:?}");
    println!(
        "head {:?}, body {:?}, kept {:?}, second {:?}, begun {:?}, unread {unread:?}",
        head.1, body.1, kept.1, second.1, begun.1
    );
}

/// the body of a request of the API has `http.body_timeout` as any other.
#[tokio::test]
async fn a_slow_body_at_the_api_is_given_up() {
    let signet = Signet::start_with(Database::Postgres, &SHORT).await;
    let console = console(&signet, &["*:*"]).await;
    let office = Office { signet, console };
    let (port, token) = (office.signet.port(), office.administrator().await);
    let head = format!(
        "POST /api/v1/admin/clients HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 4000\r\n\r\n{{"
    );
    let (answer, took) = tokio::task::spawn_blocking(move || drip(port, &head, true)).await.expect("an end");
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("longer than 1 s"), "{answer}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// too many headers, a head too large and a body too large are refused, and the next request is answered.
#[tokio::test]
async fn large_requests_are_refused() {
    let signet = Signet::start(Database::Postgres).await;
    let discovery = signet.url("/.well-known/openid-configuration");
    let mut many = signet.http().get(&discovery);
    for number in 0..200 {
        many = many.header(format!("x-many-{number}"), "1");
    }
    let answer = many.send().await.expect("an answer");
    assert!(answer.status().is_client_error(), "{answer:?}");
    // The server may end the connection while the rest is still on its way.
    if let Ok(answer) = signet.http().get(&discovery).header("x-large", "a".repeat(300_000)).send().await {
        assert!(answer.status().is_client_error(), "{answer:?}");
    }
    if let Ok(answer) =
        signet.http().post(signet.url("/oauth/token")).form(&[("a", "a".repeat(1_000_000))]).send().await
    {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    let answer = signet.http().get(&discovery).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!header(&answer, "x-request-id").is_empty());
}

/// more sign-ins at once than there is room for get 503 with `Retry-After` at once; tokens go on meanwhile.
#[tokio::test]
async fn a_full_hashing_queue_answers_503() {
    let small =
        [("SIGNET_HASHING__QUEUE", "2"), ("SIGNET_HASHING__THREADS", "1"), ("SIGNET_RATE_LIMITS__ENABLED", "false")];
    let signet = Signet::start_with(Database::Postgres, &small).await;
    let ada = signet.user("ada").await;
    let mut browser = Browser::new(&signet);
    let page = browser.get("/signin").await.page();
    let pages = futures_util::future::join_all((0..24).map(|_| {
        let (mut browser, page, ada) = (browser.clone(), page.clone(), &ada);
        async move { flow::sign_in(&mut browser, &page, ada).await.page() }
    }))
    .await;
    let busy: Vec<_> = pages.iter().filter(|page| page.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    let through = pages.iter().filter(|page| page.status == StatusCode::OK).count();
    assert!(
        busy.len() + through == pages.len() && !busy.is_empty() && through > 0,
        "{} busy, {through} in",
        busy.len()
    );
    assert!(busy.iter().all(|page| page.headers.contains_key("retry-after")));
    assert_eq!(flow::sign_in(&mut browser, &page, &ada).await.page().status, StatusCode::OK);
}
