//! `POST /oauth/token` in the clothes that HTTP libraries give it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::prelude::*;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const BODY: &str = "grant_type=client_credentials";

/// A service with a secret.
async fn service(method: &str) -> Scene {
    Scene::with(ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: vec!["reports:read".to_owned()],
        redirect_uris: Vec::new(),
        auth_method: Some(method.to_owned()),
        ..ClientSpec::confidential()
    })
    .await
}

/// Sends a head and a body as they are; gives the status and the JSON.
async fn raw(signet: &Signet, head: &[&str], body: &str) -> (u16, Value) {
    let port = signet.port();
    let head = head.join("\r\n");
    let message = format!("POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n\r\n{body}");
    let read = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a limit");
        stream.write_all(message.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    });
    let answer = read.await.expect("an answer");
    let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (open, close) = (answer.find('{'), answer.rfind('}'));
    let json = answer.get(open.unwrap_or(0)..=close.unwrap_or(0)).and_then(|json| serde_json::from_str(json).ok());
    (status.unwrap_or_else(|| panic!("{answer}")), json.unwrap_or_else(|| panic!("{answer}")))
}

/// T1, T3: a charset, another case, no `Accept` or one for pages, chunks, `Expect`, a repeated `client_id`, parameters
/// that nobody knows: the request is the same.
#[tokio::test]
async fn the_same_request_in_other_clothes() {
    let scene = service("client_secret_basic").await;
    let secret = scene.client.secret.as_deref().expect("a secret");
    let basic = STANDARD.encode(format!("{}:{secret}", scene.client.id));
    let basic = format!("Authorization: Basic {basic}");
    let length = |body: &str| format!("Content-Length: {}", body.len());
    let plain = length(BODY);
    let named = format!("{BODY}&client_id={}&client_secret=&state=x&audience=&nonce=1", scene.client.id);
    let named_length = length(&named);
    let chunked = format!("5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &BODY[..5], BODY.len() - 5, &BODY[5..]);
    let cases: [(&str, Vec<&str>, &str); 8] = [
        ("plain", vec![FORM, &plain], BODY),
        ("charset", vec!["content-type: application/x-www-form-urlencoded;charset=UTF-8", &plain], BODY),
        ("case", vec!["CONTENT-TYPE: Application/X-WWW-Form-URLEncoded; Charset=\"utf-8\"", &plain], BODY),
        ("accepts a page", vec![FORM, &plain, "Accept: text/html"], BODY),
        ("accepts what libraries accept", vec![FORM, &plain, "Accept: application/json, application/jwt"], BODY),
        ("chunks", vec![FORM, "Transfer-Encoding: chunked"], &chunked),
        ("expects", vec![FORM, &plain, "Expect: 100-continue"], BODY),
        ("more parameters", vec![FORM, &named_length], &named),
    ];
    for (what, mut head, body) in cases {
        head.push(&basic);
        let (status, answer) = raw(&scene.signet, &head, body).await;
        assert_eq!((status, &answer["scope"]), (200, &json!("reports:read")), "{what}: {answer}");
    }
}

/// T1, T3: what is no form, and credentials where they do not belong, are refused in JSON.
#[tokio::test]
async fn another_request_is_refused_in_json() {
    let scene = service("client_secret_post").await;
    let secret = scene.client.secret.as_deref().expect("a secret");
    let body = format!("{BODY}&client_id={}&client_secret={secret}", scene.client.id);
    let length = format!("Content-Length: {}", body.len());
    assert_eq!(raw(&scene.signet, &[FORM, &length], &body).await.0, 200);
    let json = format!(r#"{{"grant_type":"client_credentials","client_id":"{}"}}"#, scene.client.id);
    let json_length = format!("Content-Length: {}", json.len());
    let basic = STANDARD.encode(format!("{}:{secret}", scene.client.id));
    let basic = format!("Authorization: Basic {basic}");
    let bearer = "Authorization: Bearer x";
    let bare = format!("Content-Length: {}", BODY.len());
    let unfit: [(&str, &[&str], &str); 3] = [
        ("JSON", &["Content-Type: application/json", &json_length], &json),
        ("no type", &[&length], &body),
        ("a coding", &[FORM, &length, "Content-Encoding: gzip"], &body),
    ];
    for (what, head, body) in unfit {
        let (status, answer) = raw(&scene.signet, head, body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")), "{what}: {answer}");
    }
    let unknown: [(&str, &[&str], &str); 3] = [
        ("nothing", &[FORM, "Content-Length: 0"], ""),
        ("Basic where post is registered", &[FORM, &bare, &basic], BODY),
        ("a token", &[FORM, &bare, bearer], BODY),
    ];
    for (what, head, body) in unknown {
        let (status, answer) = raw(&scene.signet, head, body).await;
        assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")), "{what}: {answer}");
    }
}
