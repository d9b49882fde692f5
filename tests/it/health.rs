//! `/healthz`, `/readyz`, `/metrics`, and the log.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use rustix::process::Signal;
use serde_json::Value;

use crate::api::office::Office;
use crate::scene::{Scene, admin, header};
use crate::support::prelude::*;
use crate::support::services::redis_url;

async fn get(signet: &Signet, path: &str) -> Response {
    signet.http().get(signet.url(path)).send().await.expect("an answer")
}

/// What `/readyz` says, and its status.
async fn readiness(signet: &Signet) -> (StatusCode, Value) {
    let answer = get(signet, "/readyz").await;
    let status = answer.status();
    (status, answer.json().await.expect("JSON"))
}

/// The metrics. Panics unless they are shown.
async fn metrics(signet: &Signet) -> String {
    let answer = get(signet, "/metrics").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(header(&answer, CONTENT_TYPE.as_str()).starts_with("text/plain; version=0.0.4"), "{answer:?}");
    answer.text().await.expect("text")
}

/// The value of a series; zero where there is none.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |number| number.parse().expect("a number"))
}

/// a running instance lives and is ready, by GET and by HEAD, on both engines; every component is named.
#[tokio::test]
async fn a_running_instance_is_ready() {
    let redis = redis_url();
    for (database, redis) in [(Database::Postgres, Some(&*redis)), (Database::Embedded, None)] {
        let environment: Vec<_> = redis.map(|url| ("REDIS_URL", url)).into_iter().collect();
        let signet = Signet::start_with(database, &environment).await;
        for path in ["/healthz", "/readyz"] {
            let head = signet.http().head(signet.url(path)).send().await.expect("an answer");
            assert_eq!(head.status(), StatusCode::OK, "{path}");
            assert_eq!(head.text().await.expect("no body"), "");
        }
        let health: Value = get(&signet, "/healthz").await.json().await.expect("JSON");
        assert_eq!(health, serde_json::json!({ "status": "ok" }));
        let report = eventually(PATIENCE, "every component is well", async || {
            let (status, report) = readiness(&signet).await;
            assert_eq!(status, StatusCode::OK, "{report}");
            let components = report["components"].as_object().expect("components");
            components.values().all(|component| component["status"] == "ok").then_some(report)
        })
        .await;
        assert_eq!(report["status"], "ready");
        let names: Vec<_> = report["components"].as_object().expect("components").keys().map(String::as_str).collect();
        let mut expected = vec!["change_channel", "database", "keys", "password_hashing"];
        expected.extend(redis.map(|_| "redis"));
        expected.extend(["schema", "server"]);
        assert_eq!(names, expected);
    }
}

/// while the database is away the process lives and is not ready, says so quickly and without an address or
/// a password, and is ready again by itself.
#[tokio::test]
async fn a_database_outage_is_told() {
    let mut postgres = PrivatePostgres::start().await;
    let signet = Signet::start(Database::At(postgres.url())).await;
    assert_eq!(readiness(&signet).await.0, StatusCode::OK);
    postgres.kill_postmaster();
    let report = eventually(PATIENCE, "it is not ready", async || {
        let from = Instant::now();
        let answer = get(&signet, "/readyz").await;
        // One second for the database; the rest is for a busy machine.
        assert!(from.elapsed() < Duration::from_secs(8), "{:?}", from.elapsed());
        if answer.status() == StatusCode::OK {
            return None;
        }
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(RETRY_AFTER));
        Some(answer.text().await.expect("a body"))
    })
    .await;
    let url = url::Url::parse(&postgres.url()).expect("URL");
    let port = url.port().expect("a port").to_string();
    for hidden in [url.password().expect("a password"), "127.0.0.1", &port] {
        assert!(!report.contains(hidden), "{report}");
    }
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["status"], "not_ready");
    assert_eq!(report["components"]["database"]["status"], "failed");
    assert_eq!(get(&signet, "/healthz").await.status(), StatusCode::OK);
    assert!(value(&metrics(&signet).await, "signet_ready") < 0.5);
    postgres.restart().await;
    eventually(PATIENCE, "it is ready again", async || (readiness(&signet).await.0 == StatusCode::OK).then_some(()))
        .await;
}

/// once a stop is asked for `/readyz` answers 503 while requests are still served; the drain over, it ends.
#[tokio::test]
async fn a_stop_is_told_before_it_happens() {
    let mut signet = Signet::start_with(Database::Postgres, &[("SIGNET_HTTP__DRAIN", "5m")]).await;
    assert_eq!(readiness(&signet).await.0, StatusCode::OK);
    signet.signal(Signal::TERM);
    let report = eventually(PATIENCE, "it is not ready", async || {
        let (status, report) = readiness(&signet).await;
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some(report)
    })
    .await;
    assert_eq!(report["components"]["server"]["message"], "the server is stopping");
    assert_eq!(get(&signet, "/.well-known/openid-configuration").await.status(), StatusCode::OK);
    assert_eq!(get(&signet, "/healthz").await.status(), StatusCode::OK);
    // A second signal ends the wait.
    assert!(signet.terminate().await.success());
}

/// requests, sign-ins, tokens, refusals, hashes and connections are counted, under labels that callers do not
/// make.
#[tokio::test]
async fn what_happens_is_counted() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("scope", "openid offline_access");
    let tokens = scene.grant(&mut browser, &request).await;
    flow::granted(scene.refresh(&tokens).await).await;
    flow::refused(scene.exchange("no-such-code", &request.verifier).await).await;
    let mut other = scene.browser();
    let page = other.get("/signin").await.page();
    flow::sign_in(&mut other, &page, &User { password: "wrong".to_owned(), ..admin() }).await.page();
    let path = "/no-such-place/with-a-secret-in-it?code=another";
    assert_eq!(get(&scene.signet, path).await.status(), StatusCode::NOT_FOUND);
    let odd = Method::from_bytes(b"XYZZY").expect("a method");
    let odd = scene.signet.http().request(odd, scene.signet.url("/")).send().await.expect("an answer");
    assert!(odd.status().is_client_error(), "{odd:?}");

    let text = metrics(&scene.signet).await;
    for (series, least) in [
        ("signet_tokens_issued_total{grant_type=\"authorization_code\"}", 1.0),
        ("signet_tokens_issued_total{grant_type=\"refresh_token\"}", 1.0),
        ("signet_token_refusals_total{error=\"invalid_grant\"}", 1.0),
        ("signet_sign_ins_total{result=\"accepted\"}", 1.0),
        ("signet_sign_ins_total{result=\"refused\"}", 1.0),
        ("http_requests_total{route=\"/oauth/token\",method=\"POST\",status=\"200\"}", 2.0),
        ("http_requests_total{route=\"/oauth/token\",method=\"POST\",status=\"400\"}", 1.0),
        ("http_requests_total{route=\"(none)\",method=\"GET\",status=\"404\"}", 1.0),
        ("http_request_duration_seconds_count{route=\"/oauth/token\"}", 3.0),
        ("signet_password_hash_duration_seconds_count", 2.0),
        ("signet_database_connections{state=\"idle\"}", 1.0),
        ("signet_password_hash_queue_limit", 1.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 3.0),
        ("process_start_time_seconds", 1e9),
        ("signet_build_info{version=\"0.1.0\"}", 1.0),
        ("signet_signing_key_age_seconds{alg=\"ES256\"}", 0.001),
        ("signet_ready", 1.0),
    ] {
        assert!(value(&text, series) >= least, "{series}\n{text}");
    }
    assert!(text.lines().any(|line| line.starts_with("signet_audit_unsealed ")), "{text}");
    let help = |name: &str| text.contains(&format!("# HELP {name} "));
    assert!(help("http_requests_total") && help("signet_token_refusals_total"), "{text}");
    for absent in ["no-such", "secret", "XYZZY", &*scene.client.id, "code=", "?"] {
        let labels = text.lines().filter(|line| !line.starts_with('#'));
        assert!(labels.clone().all(|line| !line.contains(absent)), "{absent}\n{text}");
    }
}

/// what an administrator is refused is no failure of the database.
#[tokio::test]
async fn a_refusal_is_no_database_error() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let new = serde_json::json!({ "name": "admin" });
    for _ in 0..3 {
        let answer = office.call("POST", "/api/v1/admin/roles", &token).json(&new).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::CONFLICT);
    }
    let text = metrics(&office.signet).await;
    for kind in ["statement", "lost"] {
        let series = format!("signet_database_errors_total{{kind=\"{kind}\"}}");
        assert!(text.lines().any(|line| line == format!("{series} 0")), "{text}");
    }
}

/// for whoever may not read the metrics the address does not exist; neither behind a proxy nobody told us of.
#[tokio::test]
async fn metrics_are_for_those_who_may_read_them() {
    let missing = |answer: Response| async move {
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{answer:?}");
        let text = answer.text().await.expect("a page");
        assert!(!text.contains("http_requests_total"), "{text}");
    };
    let trusting = [("SIGNET_PROXY__TRUSTED", "127.0.0.1/32")];
    let signet = Signet::start_with(Database::Postgres, &trusting).await;
    metrics(&signet).await;
    for (name, value) in [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")] {
        let request = signet.http().get(signet.url("/metrics")).header(name, value);
        missing(request.send().await.expect("an answer")).await;
    }
    let nobody = [("SIGNET_METRICS__ALLOW", "10.0.0.0/8")];
    let signet = Signet::start_with(Database::Postgres, &nobody).await;
    missing(get(&signet, "/metrics").await).await;
    let signet = Signet::start(Database::Postgres).await;
    for (name, value) in [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1"), ("x-real-ip", "127.0.0.1")]
    {
        let request = signet.http().get(signet.url("/metrics")).header(name, value);
        missing(request.send().await.expect("an answer")).await;
    }
}

/// the log is lines of JSON; the line of a request has the id its error answer carries, the route's pattern
/// and never the query.
#[tokio::test]
async fn an_error_answer_is_found_in_the_log() {
    let signet = Signet::start_with(Database::Postgres, &[("SIGNET_LOG__FORMAT", "json")]).await;
    let answer = get(&signet, "/oauth/authorize?client_id=nobody&password=hunter2").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let id = header(&answer, "x-request-id").to_owned();
    assert_eq!(id.len(), 32, "{id}");
    assert!(answer.text().await.expect("a page").contains(&id), "the page shows it");
    let line = signet.access_line(&id).await;
    assert_eq!(line["message"], "request");
    assert_eq!((&line["method"], &line["route"]), (&"GET".into(), &"/oauth/authorize".into()));
    assert_eq!(line["status"], 400);
    assert_eq!(line["address"], "127.0.0.1");
    assert!(line["duration_ms"].as_f64().is_some_and(|took| took > 0.0), "{line}");
    assert!(line["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{line}");
    assert!(!signet.output().contains("hunter2"));

    // An id from outside is not taken over.
    let request = signet.http().get(signet.url("/nowhere")).header("x-request-id", "mine\u{1b}");
    assert!(request.build().is_err(), "not even sent");
    let answer = signet.http().get(signet.url("/nowhere")).header("x-request-id", "0".repeat(32)).send().await;
    let answer = answer.expect("an answer");
    assert_ne!(header(&answer, "x-request-id"), "0".repeat(32));
    let line = signet.access_line(header(&answer, "x-request-id")).await;
    assert_eq!((&line["route"], &line["status"]), (&"(none)".into(), &404.into()));
}

/// R-62, W3C Trace Context §3.2: a valid `traceparent` is continued under a place of its own, another is ignored.
#[tokio::test]
async fn a_trace_is_continued() {
    let signet = Signet::start_with(Database::Postgres, &[("SIGNET_LOG__FORMAT", "json")]).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (sent, continued) in [
        (vec![format!("00-{trace}-00f067aa0ba902b7-01")], true),
        (vec![format!("00-{trace}-0000000000000000-01")], false),
        (vec![format!("00-{trace}-00f067aa0ba902b7-01"), format!("00-{trace}-00f067aa0ba902b7-01")], false),
        (vec!["nonsense".to_owned()], false),
        (Vec::new(), false),
    ] {
        let mut request = signet.http().get(signet.url("/.well-known/openid-configuration"));
        for header in &sent {
            request = request.header("traceparent", header);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let span = signet.access_line(header(&answer, "x-request-id")).await["span"].clone();
        assert_eq!(span["trace_id"] == trace, continued, "{sent:?} {span}");
        assert_eq!(span["trace_id"].as_str().map(str::len), Some(32));
        assert_eq!(span["span_id"].as_str().map(str::len), Some(16));
        assert_ne!(span["span_id"], "00f067aa0ba902b7");
    }
}
