//! `GET` and `POST /signin`.

use reqwest::{Method, StatusCode};

use crate::scene::{Scene, admin, header};
use crate::support::prelude::*;

async fn start() -> (Signet, Browser) {
    let signet = Signet::start(Database::Postgres).await;
    let browser = Browser::new(&signet);
    (signet, browser)
}

/// The body without what may differ: the token of the form and the name that was typed.
fn neutral(page: &Page, typed: &str) -> String {
    let form = page.form(&["username", "password"]).expect("the form");
    assert_eq!(form.value("username"), Some(typed));
    page.body.replace(form.value("csrf").expect("a token"), "CSRF").replace(typed, "NAME")
}

/// username or email, in any case, opens a session.
#[tokio::test]
async fn username_or_email_signs_in() {
    let (signet, _) = start().await;
    let user = admin();
    for name in [user.username.clone(), user.username.to_uppercase(), user.email.clone(), user.email.to_uppercase()] {
        let mut browser = Browser::new(&signet);
        let page = browser.get("/signin").await.page();
        let fields = [("username", &*name), ("password", &*user.password)];
        let home = browser.submit(&page, &fields).await.page();
        assert_eq!((home.status, home.url.path()), (StatusCode::OK, "/"), "{name}");
        assert!(home.body.contains(&user.email), "{name}");
    }
}

/// an unknown account, a locked one and a wrong password get the very same page, so that nobody learns which accounts exist.
#[tokio::test]
async fn refusals_do_not_tell_whether_an_account_exists() {
    let (signet, mut browser) = start().await;
    let user = signet.user("somebody").await;
    let locked = signet.user("locked").await;
    let statement = "UPDATE users SET state = 'locked' WHERE username = 'locked'";
    diesel::RunQueryDsl::execute(diesel::sql_query(statement), &mut signet.database()).expect("lock");
    let right = user.password.as_str();
    let mut pages = Vec::new();
    for (name, password) in [
        ("nobody", right),
        ("nobody@people.test", right),
        ("somebody", "Wrong-Horse-11!"),
        (&user.email, "Wrong-Horse-11!"),
        ("somebody", ""),
        (&locked.username, &locked.password),
        ("not a name at all", right),
        ("", ""),
    ] {
        let page = browser.get("/signin").await.page();
        let refused = browser.submit(&page, &[("username", name), ("password", password)]).await.page();
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{name:?}");
        assert!(!refused.headers.contains_key("set-cookie"), "{name:?}");
        let names: Vec<_> = refused.headers.keys().map(|name| name.as_str().to_owned()).collect();
        let typed = if name.is_empty() { "value=\"\"" } else { name };
        let body = if name.is_empty() { None } else { Some(neutral(&refused, typed)) };
        pages.push((name, names, body));
    }
    let (_, names, body) = pages.first().expect("a page").clone();
    for (name, other_names, other) in &pages {
        assert_eq!(&names, other_names, "{name:?}");
        if other.is_some() {
            assert_eq!(&body, other, "{name:?}");
        }
    }
}

/// A17: a wrong password keeps the name and the way on to the application.
#[tokio::test]
async fn a_wrong_password_does_not_lose_the_way_on() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request();
    let page = browser.get(request.url(&scene.signet)).await.page();
    let fields = [("username", "admin"), ("password", "Wrong-Horse-11!")];
    let again = browser.submit(&page, &fields).await.page();
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert_eq!(again.form(&["username", "password"]).expect("the form").value("username"), Some("admin"));
    assert!(!again.body.contains("Wrong-Horse"), "the password is not repeated");
    let consent = flow::sign_in(&mut browser, &again, &scene.user).await.page();
    let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
    assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(request.get("state")));
}

/// the form's token is needed, is that of this browser, and is not that of another form.
#[tokio::test]
async fn a_missing_or_foreign_token_is_refused() {
    let (signet, mut browser) = start().await;
    let page = browser.get("/signin").await.page();
    let user = admin();
    let fields = [("username", &*user.username), ("password", &*user.password)];
    let form = page.form(&["username", "password"]).expect("the form").with(&fields);
    let token = |page: &Page| page.form(&["csrf"]).expect("a form").value("csrf").expect("a token").to_owned();
    let mut other = Browser::new(&signet);
    let foreign = token(&other.get("/signin").await.page());
    let register = token(&browser.get("/register").await.page());
    let own = token(&page);
    assert!(own != foreign && own != register);
    for bad in [
        form.clone().without("csrf"),
        form.clone().with(&[("csrf", "")]),
        form.clone().with(&[("csrf", &foreign)]),
        form.clone().with(&[("csrf", &register)]),
        form.clone().with(&[("csrf", &own[1..])]),
    ] {
        let refused = browser.send(bad).await.page();
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(browser.jar.get("signet").is_none());
    }
    // From another site, told by the browser.
    let url = browser.resolve("/signin");
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = browser.request(Method::POST, &url).header(name, value).form(&form.fields);
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::FORBIDDEN, "{name}");
    }
    // Without the browser's own cookie its token is worth nothing.
    let answer = signet.http().post(url).form(&form.fields).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.send(form).await.page().status, StatusCode::OK);
}

/// the session's cookie is `HttpOnly`, `SameSite=Lax`, and new at every sign-in; the value before is dead.
#[tokio::test]
async fn the_sessions_cookie_is_protected_and_rotates() {
    let (signet, mut browser) = start().await;
    let other = signet.user("otherwise").await;
    let mut values: Vec<String> = Vec::new();
    for user in [admin(), admin(), other] {
        let page = browser.get("/signin").await.page();
        flow::sign_in(&mut browser, &page, &user).await;
        let cookie = browser.jar.get("signet").expect("a session").clone();
        let attributes = cookie.header.to_ascii_lowercase();
        for attribute in ["httponly", "samesite=lax", "path=/"] {
            assert!(attributes.split("; ").any(|part| part == attribute), "{attribute}: {attributes}");
        }
        assert!(!attributes.contains("domain="), "{attributes}");
        assert!(cookie.value.len() * 6 >= 128 && !values.contains(&cookie.value));
        for old in &values {
            let mut thief = Browser::new(&signet);
            thief.jar.store(&format!("signet={old}; Path=/"));
            assert!(!thief.get("/").await.page().body.contains("Sign out"), "an old cookie");
        }
        values.push(cookie.value);
    }
    for cookie in browser.jar.all() {
        assert!(cookie.header.contains("HttpOnly"), "{}", cookie.header);
    }
}

/// a session's cookie that somebody planted before sign-in is not the one after it (session fixation).
#[tokio::test]
async fn a_planted_cookie_does_not_become_a_session() {
    let (signet, mut browser) = start().await;
    let planted = flow::random();
    browser.jar.store(&format!("signet={planted}; Path=/"));
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, &admin()).await;
    assert_ne!(browser.jar.get("signet").expect("a session").value, planted);
    let mut thief = Browser::new(&signet);
    thief.jar.store(&format!("signet={planted}; Path=/"));
    assert!(!thief.get("/").await.page().body.contains("Sign out"));
}

/// a session ends after 12 hours without use and after 7 days in any case; the newest sign-in is noted.
#[tokio::test]
async fn a_session_ends_without_use_and_in_any_case() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    for (change, alive) in [
        ("idle_expires_at = idle_expires_at - interval '11 hours 59 minutes'", true),
        ("idle_expires_at = idle_expires_at - interval '12 hours'", false),
        ("expires_at = expires_at - interval '6 days 23 hours'", true),
        ("expires_at = expires_at - interval '7 days'", false),
        ("ended_at = now()", false),
    ] {
        scene.change("DELETE FROM sessions");
        let page = browser.get("/signin").await.page();
        flow::sign_in(&mut browser, &page, &scene.user).await.page();
        assert_eq!(scene.change(&format!("UPDATE sessions SET {change}")), 1);
        let home = browser.get("/").await.page();
        assert_eq!(home.body.contains("Sign out"), alive, "{change}");
    }
    let noted = "UPDATE users SET state = state WHERE last_sign_in_at = (SELECT auth_time FROM sessions)";
    assert_eq!(scene.change(noted), 1);
}

/// R-53, O2: the security headers are on every answer; pages that lead on to an application omit `form-action`.
#[tokio::test]
async fn security_headers_are_on_every_answer() {
    let scene = Scene::start().await;
    let authorize = scene.request().with("redirect_uri", "https://evil.example/").url(&scene.signet);
    let mut answers = vec![("/oauth/authorize", scene.open(authorize).await)];
    for path in [
        "/",
        "/signin",
        "/register",
        "/consent",
        "/signin?interaction=bad",
        "/nowhere",
        "/assets/style.css",
        "/oauth/logout",
        "/oauth/userinfo",
        "/oauth/token",
        "/oauth/jwks",
        "/.well-known/openid-configuration",
        "/playground",
    ] {
        answers.push((path, scene.open(scene.signet.url(path)).await));
    }
    for (path, answer) in answers {
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "x-frame-options"), "DENY", "{path}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert!(header(&answer, "permissions-policy").contains("camera=()"), "{path}");
        assert!(!header(&answer, "x-request-id").is_empty(), "{path}");
        let policy = header(&answer, "content-security-policy");
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let leads_on = ["/signin", "/register", "/consent", "/oauth/logout"];
        let free = leads_on.iter().any(|page| path.starts_with(page));
        assert_eq!(policy.contains("form-action 'self'"), !free, "{path}: {policy}");
        let content = header(&answer, "content-type");
        if content.starts_with("text/html") {
            assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
            let body = answer.text().await.expect("a page");
            assert!(!body.contains("<script") && !body.contains(" style=") && !body.contains(" onclick="), "{path}");
            assert!(!body.contains("src=\"http"), "{path}: nothing from elsewhere");
        }
    }
}
