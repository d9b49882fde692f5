//! `GET` and `POST /consent`.

use reqwest::StatusCode;
use url::Url;

use crate::scene::Scene;
use crate::support::prelude::*;

/// Signs in on the way to an application and gives the consent page.
async fn consent_page(scene: &Scene, browser: &mut Browser, request: &AuthRequest) -> Page {
    let mut page = browser.get(request.url(&scene.signet)).await.page();
    if flow::is_sign_in(&page) {
        page = flow::sign_in(browser, &page, &scene.user).await.page();
    }
    assert!(page.form(&["decision"]).is_some(), "{}", page.body);
    page
}

fn error(callback: &Url) -> Option<String> {
    flow::parameter(callback, "error")
}

/// A16: consent is asked once, remembered, and asked again for more.
#[tokio::test]
async fn consent_is_asked_once_and_again_for_more() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("scope", "openid email");
    let page = consent_page(&scene, &mut browser, &request).await;
    assert!(page.body.contains("Test application") && page.body.contains("app.example"), "{}", page.body);
    browser.submit(&page, &[("decision", "allow")]).await.left();
    for remembered in ["openid email", "openid"] {
        let request = scene.request().with("scope", remembered);
        let callback = browser.get(request.url(&scene.signet)).await.left();
        assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
    }
    let more = scene.request().with("scope", "openid phone");
    let page = consent_page(&scene, &mut browser, &more).await;
    browser.submit(&page, &[("decision", "allow")]).await.left();
    let all = scene.request().with("scope", "openid email phone");
    let callback = browser.get(all.url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
}

/// A16: refusal is `access_denied`, is not remembered, and completes the interaction.
#[tokio::test]
async fn refusal_is_access_denied() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request();
    let page = consent_page(&scene, &mut browser, &request).await;
    let callback = browser.submit(&page, &[("decision", "deny")]).await.left();
    assert_eq!(crate::scene::refusal(&scene, &request, &callback), "access_denied");
    let again = browser.submit(&page, &[("decision", "allow")]).await.page();
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.body.contains("interaction_completed"), "{}", again.body);
    consent_page(&scene, &mut browser, &scene.request()).await;
}

/// A16: first-party clients are not asked about; a public client on this machine is asked about every time.
#[tokio::test]
async fn who_is_asked_depends_on_the_client() {
    let spec = ClientSpec { first_party: true, ..ClientSpec::confidential() };
    let mut scene = Scene::with(spec).await;
    let mut browser = scene.browser();
    let page = browser.get(scene.request().url(&scene.signet)).await.page();
    let callback = flow::sign_in(&mut browser, &page, &scene.user).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");

    let mut local = ClientSpec::public();
    local.redirect_uris = vec!["http://127.0.0.1:9/cb".to_owned()];
    scene.client = scene.signet.client(local).await;
    for _ in 0..2 {
        let page = consent_page(&scene, &mut browser, &scene.request()).await;
        browser.submit(&page, &[("decision", "allow")]).await.left();
    }
    let silent = scene.request().with("prompt", "none");
    assert_eq!(error(&browser.get(silent.url(&scene.signet)).await.left()).as_deref(), Some("consent_required"));
}

/// R-52: consent needs the token of the page that this session saw, for this very interaction.
#[tokio::test]
async fn a_missing_or_foreign_token_is_refused() {
    let scene = Scene::start().await;
    let other = scene.signet.user("otherwise").await;
    let (mut browser, mut second) = (scene.browser(), scene.browser());
    let page = consent_page(&scene, &mut browser, &scene.request()).await;
    let form = page.form(&["decision"]).expect("the form").with(&[("decision", "allow")]);
    let token = |page: &Page| page.form(&["csrf"]).expect("a form").value("csrf").expect("a token").to_owned();
    let another = token(&consent_page(&scene, &mut browser, &scene.request()).await);
    let foreign = token(&consent_page(&scene, &mut second, &scene.request()).await);
    for bad in [
        form.clone().without("csrf"),
        form.clone().with(&[("csrf", "")]),
        form.clone().with(&[("csrf", &foreign)]),
        form.clone().with(&[("csrf", &another)]),
    ] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::FORBIDDEN);
    }
    for bad in [form.clone().without("decision"), form.clone().with(&[("decision", "maybe")])] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::BAD_REQUEST);
    }

    // Somebody else signs in in a second tab: what the first person saw does not count for them.
    let tab = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &tab, &other).await.page();
    assert_eq!(browser.send(form.clone()).await.page().status, StatusCode::FORBIDDEN);

    // Nobody is signed in any more: sign-in is asked for, and no code given.
    browser.jar.remove("signet");
    assert!(flow::is_sign_in(&browser.send(form).await.page()));
}

/// A2: a client or redirect URI that was withdrawn while the person read gets nothing.
#[tokio::test]
async fn a_client_withdrawn_meanwhile_gets_nothing() {
    let mut scene = Scene::start().await;
    let mut browser = scene.browser();
    let page = consent_page(&scene, &mut browser, &scene.request()).await;
    let uri = "UPDATE clients SET redirect_uris = '{https://app.example/new}' WHERE name = 'Test application'";
    assert_eq!(scene.change(uri), 1);
    // A change made behind the program's back is seen once its cache of clients is gone.
    scene.signet.restart().await;
    let refused = browser.submit(&page, &[("decision", "allow")]).await.page();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("interaction_invalid"), "{}", refused.body);
}

/// A16, R4, O2: the page shows name, picture, policy and terms of the application, as those of sign-in and registration on
/// the way there do; pictures of that one origin are allowed there, and nowhere else.
#[tokio::test]
async fn the_application_is_shown_with_picture_policy_and_terms() {
    let scene = Scene::start().await;
    let policy = |page: &Page| page.headers["content-security-policy"].to_str().expect("ASCII").to_owned();
    let mut browser = scene.browser();
    let bare = consent_page(&scene, &mut browser, &scene.request()).await;
    assert!(policy(&bare).contains("img-src 'self' data:;"), "{}", policy(&bare));
    assert!(!bare.body.contains("<img") && !bare.body.contains("privacy policy"), "{}", bare.body);

    let metadata = r#"{"logo_uri":"https://cdn.example:8443/a/logo.png?size=1","policy_uri":"https://app.example/privacy","tos_uri":"https://app.example/terms"}"#;
    scene.signet.cli_json(&["client", "update", &scene.client.id, "--metadata", metadata, "--json"], "").await;
    let page = eventually(PATIENCE, "the picture is shown", async || {
        let page = consent_page(&scene, &mut browser, &scene.request()).await;
        page.body.contains("<img").then_some(page)
    })
    .await;
    let mut fresh = scene.browser();
    let signin = fresh.get(scene.request().url(&scene.signet)).await.page();
    let form = signin.form(&["password"]).expect("the form").with(&[("username", "ada"), ("password", "wrong")]);
    let again = fresh.send(form).await.page();
    let register = fresh.get(signin.url.as_str().replace("/signin?", "/register?")).await.page();
    let form = register.form(&["email"]).expect("the form").with(&[("username", "-")]);
    let corrected = fresh.send(form).await.page();
    assert_eq!((again.status.as_u16(), corrected.status.as_u16()), (401, 422));
    for page in [page, signin, again, register, corrected] {
        assert!(policy(&page).contains("img-src 'self' data: https://cdn.example:8443;"), "{}", policy(&page));
        for expected in [
            "src=\"https://cdn.example:8443/a/logo.png?size=1\" alt=\"\"",
            "referrerpolicy=\"no-referrer\"",
            "<a href=\"https://app.example/privacy\" rel=\"noopener noreferrer\">",
            "<a href=\"https://app.example/terms\" rel=\"noopener noreferrer\">",
        ] {
            assert!(page.body.contains(expected), "{expected}\n{}", page.body);
        }
    }
    for path in ["/", "/signin", "/account/applications"] {
        let page = browser.get(path).await.page();
        assert!(policy(&page).contains("img-src 'self' data:;"), "{path}: {}", policy(&page));
    }
    // What is no web address cannot be registered.
    for bad in ["javascript:alert(1)", "data:image/png;base64,AAAA", "http://app.example/logo.png", "/logo.png"] {
        let metadata = format!("{{\"logo_uri\":\"{bad}\"}}");
        let output = scene.signet.cli(&["client", "update", &scene.client.id, "--metadata", &metadata]).await;
        assert_eq!(output.status.code(), Some(1), "{bad}");
    }
}
