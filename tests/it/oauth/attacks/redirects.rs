//! Where answers go, and who sees them on the way.

use reqwest::{Method, StatusCode};
use url::Url;

use crate::scene::{Scene, error_page, header};
use crate::support::prelude::*;

/// What an attacker makes of `https://app.example/callback`.
const ALIKE: [&str; 22] = [
    "https://app.example.evil.example/callback",
    "https://app.example@evil.example/callback",
    "https://evil.example/https://app.example/callback",
    "https://evil.example#@app.example/callback",
    "https://evil.example\\@app.example/callback",
    "https:/app.example/callback",
    "http://app.example/callback",
    "//app.example/callback",
    "https://APP.example/callback",
    "https://app.example:443/callback",
    "https://app.example:8443/callback",
    "https://app.example./callback",
    "https://app.example/callback/",
    "https://app.example/callback/../evil",
    "https://app.example/%63allback",
    "https://app.example/callback?next=https://evil.example",
    "https://app.example/callback#evil",
    "https://app.example/callback%0d%0aSet-Cookie:%20a=b",
    " https://app.example/callback",
    "https://app.example/callback ",
    "https://*.example/callback",
    "javascript://app.example/callback%0aalert(1)",
];

/// A2, RFC 9700 §4.1: an address that looks like the registered one to some program gets nothing, with every response
/// type and also with `prompt=none`, where nobody would see it.
#[tokio::test]
async fn attack_redirect_uri_that_looks_like_the_registered_one() {
    let scene = Scene::with(ClientSpec::confidential().with_response_types(&["code", "id_token token"])).await;
    for uri in ALIKE {
        for response_type in ["code", "id_token token"] {
            let request = scene.request().with("redirect_uri", uri).with("response_type", response_type);
            let page = error_page(scene.open(request.with("prompt", "none").url(&scene.signet)).await).await;
            assert!(!page.contains("href=\"https://evil"), "{uri}: {page}");
        }
    }
    let request = scene.request().with("prompt", "none");
    assert_eq!(scene.open(request.url(&scene.signet)).await.status(), StatusCode::SEE_OTHER, "the registered one");
}

/// RFC 9700 §4.2, §4.3: no page that a request or an answer passes through is cached, sends its address on, or loads
/// anything from elsewhere.
#[tokio::test]
async fn attack_leak_by_referrer_or_cache() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("response_mode", "form_post");
    let signin = browser.get(request.url(&scene.signet)).await.page();
    let consent = flow::sign_in(&mut browser, &signin, &scene.user).await.page();
    let posted = browser.submit(&consent, &[("decision", "allow")]).await.page();
    let refused = browser.get(scene.request().with("client_id", "nobody").url(&scene.signet)).await.page();
    for page in [&signin, &consent, &posted, &refused] {
        let header = |name: &str| page.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"));
        assert_eq!(header("referrer-policy"), "no-referrer", "{}", page.url);
        assert!(header("cache-control").contains("no-store"), "{}", page.url);
        for attribute in ["src=\"http", "<link rel=\"stylesheet\" href=\"http", "url("] {
            assert!(!page.body.contains(attribute), "{}: {attribute}", page.url);
        }
    }
    assert!(posted.body.contains("name=\"code\""), "{}", posted.body);
    assert!(!posted.url.as_str().contains("code="), "{}", posted.url);
}

/// A3, RFC 9700 §4.4: an application with two providers, one of them hostile, tells by `iss` whose answer it holds: it
/// is in each answer, in each mode, in errors too, to the letter of discovery.
#[tokio::test]
async fn attack_mix_up() {
    let spec = ClientSpec::confidential().with_response_types(&["code", "code id_token", "id_token token"]);
    let honest = Scene::with(spec).await;
    let document = honest.open(honest.signet.url("/.well-known/openid-configuration")).await;
    let document = flow::granted(document).await;
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    let mut browser = honest.browser();
    for (response_type, mode) in [
        ("code", "query"),
        ("code", "fragment"),
        ("code", "form_post"),
        ("code id_token", "fragment"),
        ("id_token token", "form_post"),
    ] {
        let request = honest.request().with("response_type", response_type).with("response_mode", mode);
        let iss = |landing: Landing| match landing {
            Landing::Page(page) => page.form(&["iss"]).expect("a form").value("iss").map(str::to_owned),
            Landing::Left(url) => flow::parameter(&url, "iss"),
        };
        let answer = flow::through(&mut browser, &request.url(&honest.signet), &honest.user).await;
        assert_eq!(iss(answer).as_deref(), document["issuer"].as_str(), "{response_type} by {mode}");
        let silent = honest.browser().get(request.with("prompt", "none").url(&honest.signet)).await;
        assert_eq!(iss(silent).as_deref(), document["issuer"].as_str(), "an error to {response_type} by {mode}");
    }
}

/// RFC 9700 §4.11: no parameter of an address of ours takes a browser to where an attacker wants it.
#[tokio::test]
async fn attack_open_redirect() {
    let scene = Scene::start().await;
    let evil = "https://evil.example/";
    let names = [
        "redirect_uri",
        "post_logout_redirect_uri",
        "next",
        "return_to",
        "returnUrl",
        "continue",
        "url",
        "interaction",
        "login_hint",
        "request_uri",
        "initiate_login_uri",
        "target_link_uri",
    ];
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    for path in
        ["/", "/signin", "/register", "/consent", "/continue", "/oauth/authorize", "/oauth/logout", "//evil.example/"]
    {
        let mut url = Url::parse(&scene.signet.url(path)).expect("a URL");
        url.query_pairs_mut().extend_pairs(names.map(|name| (name, evil)));
        for answer in [scene.open(&url).await, browser.request(Method::GET, &url).send().await.expect("an answer")] {
            let target = url.join(header(&answer, "location")).expect("a URL");
            assert_eq!(target.origin(), url.origin(), "{path}: {answer:?}");
        }
    }
}

/// RFC 9700 §4.12: what a person posted is never posted on: every redirect that follows a post is a 303.
#[tokio::test]
async fn attack_307() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let url = Url::parse(&scene.signet.url("/oauth/authorize")).expect("a URL");
    let request = scene.request();
    let posted = scene.signet.http().post(url).form(&request.parameters).send().await.expect("an answer");
    assert_eq!(posted.status(), StatusCode::SEE_OTHER);
    let signin = browser.get(request.url(&scene.signet)).await.page();
    let consent = flow::sign_in(&mut browser, &signin, &scene.user).await.page();
    let fill = |form: crate::support::html::Form, browser: &Browser| {
        browser.request(Method::POST, &form.action).form(&form.fields)
    };
    let other = &mut scene.browser();
    let again = other.get(request.url(&scene.signet)).await.page();
    let form = again.form(&["username", "password"]).expect("a form");
    let form = form.with(&[("username", &scene.user.username), ("password", &scene.user.password)]);
    let answer = fill(form, other).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "after the password");
    let form = consent.form(&["decision"]).expect("a form").with(&[("decision", "allow")]);
    let answer = fill(form, &browser).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "to the application");
    assert!(header(&answer, "location").starts_with(&scene.client.redirect_uri), "{answer:?}");
}

/// RFC 9700 §4.16: no page is shown in a frame of another site.
#[tokio::test]
async fn attack_clickjacking() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let signin = browser.get(scene.request().url(&scene.signet)).await.page();
    let consent = flow::sign_in(&mut browser, &signin, &scene.user).await.page();
    let home = browser.get("/").await.page();
    let logout = browser.get("/oauth/logout").await.page();
    for page in [signin, consent, home, logout] {
        let header = |name: &str| page.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"));
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{}", page.url);
        assert_eq!(header("x-frame-options"), "DENY", "{}", page.url);
    }
}
