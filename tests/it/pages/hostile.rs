//! Input that no browser sends, to every form and endpoint: refused, escaped, and never an error of the server.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, USER_AGENT};
use reqwest::{Method, RequestBuilder, Response, StatusCode};

use crate::scene::{Scene, admin, header};
use crate::support::prelude::*;

/// A script as it must never stand in a page, and as it is sent.
const SCRIPT: &str = "\"><script>alert(1)</script>";
const SENT: &str = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
const FORM: &str = "application/x-www-form-urlencoded";

/// A form or endpoint: its path, the fields that make it good, and those a person or application fills in.
struct Target {
    path: &'static str,
    good: String,
    fields: &'static [&'static str],
}

struct Hostile {
    scene: Scene,
    browser: Browser,
    targets: Vec<Target>,
}

fn encoded(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl Hostile {
    /// A browser on its way through every form, with the tokens that let a post pass the first check.
    async fn start() -> Self {
        let scene = Scene::start().await;
        let mut browser = scene.browser();
        let sign_in = browser.get(scene.request().url(&scene.signet)).await.page();
        let register = browser.get(sign_in.url.as_str().replace("/signin?", "/register?")).await.page();
        let consent = flow::sign_in(&mut browser, &sign_in, &scene.user).await.page();
        let home = browser.get("/").await.page();
        let form = |page: &Page, names: &[&str]| page.form(names).expect("a form").fields;
        let secret = scene.client.secret.clone().unwrap_or_default();
        let token = format!("grant_type=authorization_code&client_id={}&client_secret={secret}", scene.client.id);
        let targets = vec![
            Target {
                path: "/signin",
                good: encoded(&form(&sign_in, &["username", "password"])),
                fields: &["username", "password", "csrf", "interaction"],
            },
            Target {
                path: "/register",
                good: encoded(&form(&register, &["email"])),
                fields: &["username", "email", "password", "csrf", "interaction"],
            },
            Target {
                path: "/consent",
                good: format!("{}&decision=allow", encoded(&form(&consent, &["decision"]))),
                fields: &["decision", "csrf", "interaction"],
            },
            Target {
                path: "/oauth/logout",
                good: format!("{}&decision=signout", encoded(&form(&home, &["decision"]))),
                fields: &["decision", "csrf"],
            },
            Target {
                path: "/oauth/logout",
                good: String::new(),
                fields: &["id_token_hint", "client_id", "post_logout_redirect_uri", "state"],
            },
            Target {
                path: "/oauth/token",
                good: token,
                fields: &["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "scope"],
            },
            Target {
                path: "/oauth/authorize",
                good: encoded(&scene.request().parameters),
                fields: &["client_id", "redirect_uri", "scope", "state", "nonce", "login_hint", "prompt", "max_age"],
            },
            Target { path: "/oauth/userinfo", good: String::new(), fields: &["access_token"] },
        ];
        Self { scene, browser, targets }
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = self.browser.resolve(path);
        self.browser.request(Method::POST, &url).header(CONTENT_TYPE, FORM).body(body)
    }

    /// The fields of a target without one of them, and then that one as given.
    fn body(target: &Target, field: &str, raw: &str) -> String {
        let kept = target.good.split('&').filter(|pair| !pair.starts_with(&format!("{field}=")) && !pair.is_empty());
        kept.chain([raw]).collect::<Vec<_>>().join("&")
    }

    /// Follows a redirect within the issuer; a GET carries what the POST held.
    async fn settle(&self, mut answer: Response) -> Response {
        for _ in 0..5 {
            let target = header(&answer, LOCATION.as_str());
            if !target.starts_with('/') {
                return answer;
            }
            let url = self.browser.resolve(target);
            answer = self.browser.request(Method::GET, &url).send().await.expect("an answer");
        }
        answer
    }

    /// A refusal: 4xx, or for a request whose redirect URI is good an error there. Gives the body.
    async fn refused(&self, request: RequestBuilder, what: &str) -> String {
        let answer = self.settle(request.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"))).await;
        let (status, location) = (answer.status(), header(&answer, LOCATION.as_str()).to_owned());
        let body = answer.text().await.expect("text");
        assert!(!body.contains("<script>"), "{what}: {body}");
        let sent_back = status == StatusCode::SEE_OTHER && location.contains("error=invalid_request");
        assert!(status.is_client_error() || sent_back, "{what}: {status} {location}\n{body}");
        body
    }

    /// Whatever the answer, it is none of the server's errors and has no raw HTML.
    async fn harmless(&self, request: RequestBuilder, what: &str) {
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let location = header(&answer, LOCATION.as_str());
        assert!(!location.contains(['<', '>', '"']), "{what}: {location}");
        let answer = self.settle(answer).await;
        assert!(!answer.status().is_server_error(), "{what}: {}", answer.status());
        let body = answer.text().await.expect("text");
        assert!(!body.contains("<script>") && !body.contains(SCRIPT), "{what}: {body}");
    }

    /// The server still answers, and still signs in.
    async fn is_well(&self) {
        let discovery = self.scene.open(self.scene.signet.url("/.well-known/openid-configuration")).await;
        assert_eq!(discovery.status(), StatusCode::OK);
        self.scene.code(&mut self.scene.browser(), &self.scene.request()).await;
        let output = self.scene.signet.output();
        assert!(!output.contains("panicked"), "{output}");
    }
}

/// R-57, A1, A10: NUL, invalid UTF-8 and control characters in any field are refused; at the authorization endpoint they do
/// no harm in what is only a hint or has no meaning there.
#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let hostile = Hostile::start().await;
    for target in &hostile.targets {
        for field in target.fields {
            for bytes in ["a%00b", "%ff", "%c3%28", "%ed%a0%80", "a%0d%0aX-Injected:%201", "%1b%5b2J"] {
                let body = Hostile::body(target, field, &format!("{field}={bytes}"));
                let what = format!("{} {field} {bytes}", target.path);
                if *field == "login_hint" {
                    hostile.harmless(hostile.post(target.path, body), &what).await;
                    continue;
                }
                hostile.refused(hostile.post(target.path, body.clone()), &what).await;
                if target.path == "/oauth/authorize" {
                    let url = hostile.browser.resolve(&format!("{}?{body}", target.path));
                    hostile.refused(hostile.browser.request(Method::GET, &url), &what).await;
                }
            }
            let name = Hostile::body(target, field, &format!("{field}%00=a"));
            let (request, what) = (hostile.post(target.path, name), format!("{} {field}: name", target.path));
            if target.path == "/oauth/authorize" {
                hostile.harmless(request, &what).await;
            } else {
                hostile.refused(request, &what).await;
            }
        }
        // Raw bytes, not even percent-encoded.
        let raw = [target.good.as_bytes(), b"&x=\xff\x00\xfe"].concat();
        let request = hostile.post(target.path, raw);
        if target.path == "/oauth/authorize" {
            hostile.harmless(request, target.path).await;
        } else {
            hostile.refused(request, target.path).await;
        }
    }
    hostile.is_well().await;
}

/// A1, T3: a repeated parameter is refused by every form and endpoint that knows it.
#[tokio::test]
async fn repeated_parameters_are_refused() {
    let hostile = Hostile::start().await;
    for target in &hostile.targets {
        for field in target.fields {
            let value = target.good.split('&').find_map(|pair| pair.strip_prefix(&format!("{field}=")));
            let pair = format!("{field}={}", value.unwrap_or("x"));
            let body = Hostile::body(target, field, &format!("{pair}&{pair}"));
            hostile.refused(hostile.post(target.path, body), &format!("{} {field}", target.path)).await;
        }
    }
    hostile.is_well().await;
}

/// a field of 1 MiB is 413, 10,000 parameters are 400, and another content type is no form.
#[tokio::test]
async fn too_much_is_refused() {
    let hostile = Hostile::start().await;
    let mut many = String::new();
    for number in 0..10_000 {
        write!(many, "p{number}=1&").expect("write");
    }
    for target in &hostile.targets {
        for field in target.fields {
            let body = Hostile::body(target, field, &format!("{field}={}", "a".repeat(1024 * 1024)));
            let what = format!("{} {field}: 1 MiB", target.path);
            hostile.refused(hostile.post(target.path, body), &what).await;
        }
        hostile.refused(hostile.post(target.path, format!("{many}{}", target.good)), target.path).await;
        let few = "p=&".repeat(300);
        hostile.refused(hostile.post(target.path, format!("{few}{}", target.good)), target.path).await;
        for kind in ["application/json", "multipart/form-data; boundary=x", "text/plain"] {
            let url = hostile.browser.resolve(target.path);
            let request = hostile.browser.request(Method::POST, &url).header(CONTENT_TYPE, kind);
            let what = format!("{} {kind}", target.path);
            hostile.refused(request.body("{\"username\": \"admin\"}"), &what).await;
        }
    }
    hostile.is_well().await;
}

/// HTML in any field, as a value or as a name, is never repeated unescaped.
#[tokio::test]
async fn html_in_any_field_is_escaped() {
    let hostile = Hostile::start().await;
    for target in &hostile.targets {
        for field in target.fields {
            for raw in [format!("{field}={SENT}"), format!("{field}={SENT}&{field}={SENT}"), format!("{field}{SENT}=1")]
            {
                let body = Hostile::body(target, field, &raw);
                let what = format!("{} {raw}", target.path);
                hostile.harmless(hostile.post(target.path, body.clone()), &what).await;
                let url = hostile.browser.resolve(&format!("{}?{body}", target.path));
                hostile.harmless(hostile.browser.request(Method::GET, &url), &what).await;
            }
        }
        let url = hostile.browser.resolve(target.path);
        let agent = hostile.browser.request(Method::GET, &url).header(USER_AGENT, SCRIPT).header("origin", SCRIPT);
        hostile.harmless(agent, target.path).await;
    }
    for path in [format!("/{SENT}"), format!("/playground/callback?error={SENT}&state={SENT}")] {
        let url = hostile.browser.resolve(&path);
        hostile.harmless(hostile.browser.request(Method::GET, &url), &path).await;
    }
    hostile.is_well().await;
}

/// the name of an application and what a person typed are text on the pages that show them.
#[tokio::test]
async fn names_are_shown_as_text() {
    let scene = Scene::with(ClientSpec { name: SCRIPT.to_owned(), ..ClientSpec::confidential() }).await;
    let mut browser = scene.browser();
    let request = scene.request().with("login_hint", SCRIPT);
    let sign_in = browser.get(request.url(&scene.signet)).await.page();
    let again = browser.submit(&sign_in, &[("username", SCRIPT), ("password", "x")]).await.page();
    assert_eq!(again.form(&["username"]).expect("the form").value("username"), Some(SCRIPT));
    let register = browser.get(sign_in.url.as_str().replace("/signin?", "/register?")).await.page();
    let typed = User { username: SCRIPT.to_owned(), email: SCRIPT.to_owned(), password: SCRIPT.to_owned() };
    let refused = flow::register(&mut browser, &register, &typed).await.page();
    let consent = flow::sign_in(&mut browser, &sign_in, &admin()).await.page();
    assert!(consent.form(&["decision"]).is_some());
    for page in [&sign_in, &again, &register, &refused, &consent] {
        assert!(!page.body.contains("<script"), "{}", page.body);
        assert!(page.text("main").is_some_and(|text| text.contains(SCRIPT)), "{}", page.url);
    }
}

/// What the server answers to these bytes; nothing when it hangs up in the middle.
async fn raw(port: u16, bytes: String) -> String {
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut answer = Vec::new();
        let _ = stream.write_all(bytes.as_bytes());
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    exchange.await.expect("an exchange")
}

/// a very long URL, header or cookie is refused or ignored, and the server goes on.
#[tokio::test]
async fn long_urls_and_headers_do_no_harm() {
    let hostile = Hostile::start().await;
    for target in &hostile.targets {
        for size in [20_000, 60_000] {
            let url = hostile.browser.resolve(&format!("{}?{}&x={}", target.path, target.good, "a".repeat(size)));
            hostile.harmless(hostile.browser.request(Method::GET, &url), &format!("{} {size}", target.path)).await;
        }
        let url = hostile.browser.resolve(target.path);
        let http = hostile.scene.signet.http();
        for (name, value) in [
            (COOKIE, format!("signet={}", "a".repeat(50_000))),
            (COOKIE, format!("signet-browser={}", "é%00;".repeat(100))),
            (COOKIE, "signet=; signet=x; =; ;;; \"".to_owned()),
            (USER_AGENT, "u".repeat(50_000)),
        ] {
            let what = format!("{} {name}", target.path);
            hostile.harmless(http.get(url.clone()).header(&name, value.clone()), &what).await;
            hostile.harmless(http.post(url.clone()).header(&name, value).form(&[("a", "b")]), &what).await;
        }
    }
    // Beyond what a client would send at all.
    for head in [
        format!("GET /signin?x={} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(400_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(400_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: a\r\n".repeat(20_000)),
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "\0\x01\x02 garbage\r\n\r\n".to_owned(),
    ] {
        let answer = raw(hostile.scene.signet.port(), head).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("<script"), "{answer}");
    }
    let user = admin();
    let mut browser = hostile.scene.browser();
    let page = browser.get("/signin").await.page();
    let password = "p".repeat(60_000);
    let refused = browser.submit(&page, &[("username", &*user.username), ("password", &*password)]).await.page();
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    hostile.is_well().await;
}
