//! What each line takes: HEAD, and bodies up to its limit.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use reqwest::Method;

use super::{call, headers, nowhere, table};
use crate::api::office::Office;
use crate::scene::header;
use crate::support::prelude::*;

/// RFC 9110 §9.1, §9.2.1, §9.3.2: HEAD is served wherever GET is, to the same callers, with the same headers and without a
/// body; but where GET changes something it is refused, so that nothing is changed unread.
#[tokio::test]
async fn head_is_served_wherever_get_only_reads() {
    let office = Office::open().await;
    let administrator = office.administrator().await;
    for line in table(&office.signet).await {
        let path = nowhere(&line);
        for token in [None, Some(&*administrator)] {
            if line["method"] != "GET" {
                continue;
            }
            let get = call(&office.signet, "GET", &path, token).await;
            let head = call(&office.signet, "HEAD", &path, token).await;
            headers(&head, &line, &path);
            if line["writes"].as_array().is_some_and(Vec::is_empty) {
                assert_eq!(head.status(), get.status(), "{path}");
                assert_eq!(header(&head, "content-type"), header(&get, "content-type"), "{path}");
            } else {
                assert_eq!(head.status(), 405, "{path}");
                assert!(!header(&head, "allow").contains("HEAD"), "{path}");
            }
            assert!(head.bytes().await.expect("no body").is_empty(), "{path}");
        }
    }
    let tls = Signet::start_tls(Database::Postgres, &[]).await;
    for path in ["/", "/docs", "/api/openapi.json", "/oauth/jwks"] {
        let head = call(&tls, "HEAD", path, None).await;
        assert_eq!((head.status().as_u16(), head.version()), (200, reqwest::Version::HTTP_2), "{path}");
        assert!(head.bytes().await.expect("no body").is_empty(), "{path}");
    }
}

/// Sends this over a connection of its own and gives the first line that comes back.
async fn first_line(signet: &Signet, sent: Vec<u8>) -> String {
    let port = signet.port();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.write_all(&sent).expect("sent");
        let (mut received, mut buffer) = (Vec::new(), [0; 1024]);
        while !received.contains(&b'\n') {
            match stream.read(&mut buffer).expect("an answer") {
                0 => break,
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
        String::from_utf8_lossy(&received).into_owned()
    });
    answer.await.expect("an answer").lines().next().unwrap_or_default().to_owned()
}

/// no route takes more than its line says: what is announced as larger is refused before it comes, what is not
/// announced is counted as it comes, and what fits is read.
#[tokio::test]
async fn each_route_refuses_what_is_too_large() {
    let office = Office::open().await;
    let (signet, token) = (&office.signet, office.administrator().await);
    let mut limits = BTreeSet::new();
    for line in table(signet).await {
        let (method, path) = (flow::member(&line, "method").to_owned(), nowhere(&line));
        let limit = line["body_limit"].as_u64().expect("a limit");
        let api = path.starts_with("/api/");
        let kind = if api { "application/json" } else { "application/x-www-form-urlencoded" };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
        for authorization in ["", &format!("Authorization: Bearer {token}\r\n")] {
            let sent = format!("{head}{authorization}Content-Length: {}\r\n\r\n", limit + 1);
            assert_eq!(first_line(signet, sent.into()).await, "HTTP/1.1 413 Payload Too Large", "{method} {path}");
        }
        if method == "GET" {
            continue;
        }
        limits.insert(limit);
        let body = vec![b'a'; usize::try_from(limit).expect("a size")];
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = signet.http().request(method, signet.url(&path)).header("content-type", kind).body(body);
        let request = if api { request.bearer_auth(&token) } else { request };
        assert_ne!(request.send().await.expect("an answer").status(), 413, "{path}");
    }
    assert!(limits.len() > 2, "narrow routes take less: {limits:?}");

    for (path, limit) in [
        ("/signin/link", 4_096),
        ("/api/v1/admin/keys/rotate", 4_096),
        ("/api/v1/admin/users/nothing/set-password", 16_384),
    ] {
        let kind = if path.starts_with("/api/") { "application/json" } else { "application/x-www-form-urlencoded" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nAuthorization: Bearer {token}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            limit + 1,
            "a".repeat(limit + 1)
        );
        assert_eq!(first_line(signet, head.into()).await, "HTTP/1.1 413 Payload Too Large", "{path}");
    }
}
