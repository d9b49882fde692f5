//! The route table, walked: who is refused where, what every answer carries, what every change leaves in the audit log.

mod changes;
mod flows;
mod requests;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::api::office::{Office, json as body_of, problem};
use crate::scene::{admin, header};
use crate::support::prelude::*;

/// The lines of the table, from the program itself.
async fn table(signet: &Signet) -> Vec<Value> {
    let table = signet.cli_json(&["routes", "--json"], "").await;
    let lines = table.as_array().expect("an array of lines").clone();
    assert!(lines.len() > 40, "{} lines", lines.len());
    lines
}

/// One line of the table.
pub async fn line_of(signet: &Signet, method: &str, path: &str) -> Value {
    let found = table(signet).await.into_iter().find(|line| line["method"] == method && line["path"] == path);
    found.unwrap_or_else(|| panic!("no line {method} {path}"))
}

/// The path of a line with names that nothing has.
fn nowhere(line: &Value) -> String {
    let mut path = String::new();
    let mut rest = flow::member(line, "path");
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str("nothing-has-this-name");
        rest = after.split_once('}').expect("a closed parameter").1;
    }
    path + rest
}

async fn call(signet: &Signet, method: &str, path: &str, token: Option<&str>) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = signet.http().request(method, signet.url(path));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.expect("an answer")
}

/// O2: what every answer carries, with the exceptions its line declares.
pub fn headers(answer: &Response, line: &Value, what: &str) {
    for (name, expected) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ] {
        assert_eq!(header(answer, name), expected, "{what}: {name}");
    }
    assert_eq!(header(answer, "x-request-id").len(), 32, "{what}");
    assert!(!header(answer, "cache-control").is_empty(), "{what}");
    let declared = &line["headers"];
    let policy = header(answer, "content-security-policy");
    let framed = declared["csp"] == "framed";
    assert_eq!(header(answer, "x-frame-options"), if framed { "" } else { "DENY" }, "{what}");
    let ancestors = if framed { "frame-ancestors *" } else { "frame-ancestors 'none'" };
    assert!(policy.contains("default-src 'none'") && policy.contains(ancestors), "{what}: {policy}");
    assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe-inline'"), "{what}: {policy}");
    let csp = declared["csp"].as_str().expect("a policy");
    let leads_on = ["interaction", "application", "logout"].contains(&csp);
    assert_eq!(policy.contains("form-action 'self'"), !leads_on && !framed, "{what}: {policy}");
    assert_eq!(policy.contains("script-src"), csp != "strict" && !leads_on, "{what}: {policy}");
    let cors = declared["cors"] == true;
    assert_eq!(header(answer, "access-control-allow-origin"), if cors { "*" } else { "" }, "{what}");
    let readers = if framed { "cross-origin" } else { "same-origin" };
    assert_eq!(header(answer, "cross-origin-resource-policy"), if cors { "" } else { readers }, "{what}");
    let opener = if declared["popup"] == true { "" } else { "same-origin" };
    assert_eq!(header(answer, "cross-origin-opener-policy"), opener, "{what}");
    let secure = answer.url().scheme() == "https";
    let expected = if secure { "max-age=31536000; includeSubDomains" } else { "" };
    assert_eq!(header(answer, "strict-transport-security"), expected, "{what}");
    cookies(answer, what);
}

/// how each cookie of an answer is kept. Gives how many there are.
fn cookies(answer: &Response, what: &str) -> usize {
    let secure = answer.url().scheme() == "https";
    let path = if answer.url().path().starts_with("/playground") { "Path=/playground" } else { "Path=/" };
    let all: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    for cookie in &all {
        let cookie = cookie.to_str().expect("an ASCII cookie");
        let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
        // What the frame of session management reads, within pages of others (L4).
        let read = cookie.contains("signet-state=");
        assert_eq!(attributes.contains(&"HttpOnly"), !read, "{what}: {cookie}");
        let site = if read && secure { "SameSite=None" } else { "SameSite=Lax" };
        for wanted in [site, path] {
            assert!(attributes.contains(&wanted), "{what}: {wanted}: {cookie}");
        }
        assert!(!attributes.iter().any(|attribute| attribute.starts_with("Domain")), "{what}: {cookie}");
        assert_eq!(attributes.contains(&"Secure"), secure, "{what}: {cookie}");
        assert_eq!(cookie.starts_with("__Host-"), secure, "{what}: {cookie}");
    }
    all.len()
}

/// O2: each route refuses who it should: nobody, a token for something else, somebody without a role, a
/// moderator; and carries the headers its line declares, also where it refuses. A method without a line is 405.
#[tokio::test]
async fn each_route_refuses_who_it_should() {
    let office = Office::open().await;
    let signet = &office.signet;
    let nobody = office.token(&office.person("nobody", None).await, "openid *:*").await;
    let moderator = office.token(&office.person("moderator", Some("moderator")).await, "openid *:*").await;
    let administrator = office.administrator().await;
    let lent = office.token(&admin(), "openid").await;
    let app = signet.client(ClientSpec::confidential()).await;
    let elsewhere = office.token_by(&app, &admin(), "profile").await;

    let mut methods: BTreeMap<String, (Value, BTreeSet<String>)> = BTreeMap::new();
    let mut reads = BTreeSet::new();
    for line in table(signet).await {
        let (method, path) = (flow::member(&line, "method").to_owned(), nowhere(&line));
        let entry = methods.entry(path.clone()).or_insert_with(|| (line.clone(), BTreeSet::new()));
        entry.1.insert(method.clone());
        if method == "GET" && line["writes"].as_array().is_some_and(Vec::is_empty) {
            reads.insert(path.clone());
        }
        let ask = async |token: Option<&str>| {
            let answer = call(signet, &method, &path, token).await;
            headers(&answer, &line, &format!("{method} {path}"));
            answer
        };
        let what = format!("{method} {path}");
        let anonymous = ask(None).await;
        let status = anonymous.status().as_u16();
        match flow::member(&line["requirement"], "kind") {
            "permission" => {
                let challenge = header(&anonymous, "www-authenticate").to_owned();
                assert_eq!(challenge, "Bearer realm=\"signet\"", "{what}");
                assert_eq!(problem(anonymous).await, (401, "token_missing".to_owned()), "{what}");
                assert_eq!(problem(ask(Some(&elsewhere)).await).await, (401, "invalid_token".to_owned()), "{what}");
                assert_eq!(problem(ask(Some(&lent)).await).await, (403, "insufficient_scope".to_owned()), "{what}");
                assert_eq!(problem(ask(Some(&nobody)).await).await, (403, "permission_missing".to_owned()), "{what}");
                let permission = flow::member(&line["requirement"], "permission");
                let allowed = ["user:read", "user:lock", "user:unlock"].contains(&permission);
                let answer = ask(Some(&moderator)).await.status().as_u16();
                assert_eq!([401, 403].contains(&answer), !allowed, "{what}: {answer} for a moderator");
                let answer = ask(Some(&administrator)).await.status().as_u16();
                assert!(![401, 403, 405].contains(&answer) && answer < 500, "{what}: {answer} for an administrator");
            }
            "token" => {
                assert_eq!(status, 401, "{what}");
                assert_eq!(ask(Some(&elsewhere)).await.status(), 401, "{what}");
                assert_eq!(ask(Some(&administrator)).await.status(), 200, "{what}");
            }
            "session" => assert!([303, 400, 403].contains(&status), "{what}: {status}"),
            "public" => {
                // What authenticates clients by itself.
                let clients = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"].contains(&&*path);
                let registration = path.starts_with("/oauth/register/");
                assert_eq!(status == 401, clients || registration, "{what}: {status}");
                assert!(status < 500, "{what}: {status}");
            }
            other => panic!("{what}: requirement {other}"),
        }
    }
    for (path, (line, known)) in methods {
        let wrong = ["PUT", "DELETE", "PATCH"].into_iter().find(|method| !known.contains(*method)).expect("a method");
        let answer = call(signet, wrong, &path, Some(&administrator)).await;
        assert_eq!(answer.status(), 405, "{wrong} {path}");
        headers(&answer, &line, &format!("{wrong} {path}"));
        let mut allow: BTreeSet<String> = header(&answer, "allow").split(", ").map(str::to_owned).collect();
        assert_eq!(allow.remove("OPTIONS"), line["headers"]["cors"] == true, "{path}");
        assert_eq!(allow.remove("HEAD"), reads.contains(&path), "{path}");
        assert_eq!(allow, known, "{path}");
    }
    let strict = json!({ "headers": { "csp": "strict", "cors": false, "popup": false } });
    for path in ["/nothing", "/api/v1/nothing", "/oauth/token/", "//", "/%2e%2e/x"] {
        let answer = call(signet, "GET", path, None).await;
        assert_eq!(answer.status(), 404, "{path}");
        headers(&answer, &strict, path);
    }
}

/// O2: over https too every answer carries what its line declares, the promise of https, and cookies for
/// https and this host alone.
#[tokio::test]
async fn over_https_every_answer_promises_https() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let mut set = 0;
    for line in table(&signet).await {
        let (method, path) = (flow::member(&line, "method"), nowhere(&line));
        let what = format!("{method} {path}");
        let answer = call(&signet, method, &path, None).await;
        // What is served in development only is not there, and has no exceptions.
        if line["development"] == true {
            assert_eq!(answer.status(), 404, "{what}");
            continue;
        }
        headers(&answer, &line, &what);
        set += cookies(&answer, &what);
    }
    assert!(set > 3, "{set} cookies");
}

/// O2: a preflight is answered where scripts may call, and nowhere else.
#[tokio::test]
async fn preflights_are_for_scripts() {
    let signet = Signet::start(Database::Postgres).await;
    for line in table(&signet).await {
        let answer = call(&signet, "OPTIONS", &nowhere(&line), None).await;
        let cors = line["headers"]["cors"] == true;
        assert_eq!(answer.status().as_u16(), if cors { 204 } else { 405 }, "{line}");
        assert_eq!(header(&answer, "access-control-allow-methods").is_empty(), !cors, "{line}");
    }
    let answer = signet.http().get(signet.url("/api/v1/nothing")).send().await.expect("an answer");
    assert_eq!(problem(answer).await.0, 404);
    let answer = signet.http().get(signet.url("/api/openapi.json")).send().await.expect("an answer");
    body_of(answer, 200).await;
}
