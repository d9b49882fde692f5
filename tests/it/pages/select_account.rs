//! `GET` and `POST /select-account`.

use reqwest::StatusCode;

use crate::scene::Scene;
use crate::support::prelude::*;

/// The page that offers the choice.
async fn choice(scene: &Scene, browser: &mut Browser, request: &AuthRequest) -> Page {
    let page = browser.get(request.url(&scene.signet)).await.page();
    assert_eq!(page.url.path(), "/select-account", "{}", page.body);
    assert!(page.form(&["decision"]).is_some() && page.body.contains(&scene.user.username), "{}", page.body);
    page
}

fn claim(tokens: &serde_json::Value, name: &str) -> serde_json::Value {
    flow::jwt_payload(flow::member(tokens, "id_token"))[name].clone()
}

/// A7: who is signed in goes on with that account, which is no new sign-in, or takes another one. Who is not signed in has
/// nothing to choose from.
#[tokio::test]
async fn the_choice_is_between_who_is_signed_in_and_another() {
    let scene = Scene::start().await;
    let other = scene.signet.user("otherwise").await;
    let request = scene.request().with("prompt", "select_account");
    let mut browser = scene.browser();
    let page = browser.get(request.url(&scene.signet)).await.page();
    assert!(flow::is_sign_in(&page), "{}", page.body);
    let page = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    assert_eq!(page.url.path(), "/consent");
    browser.submit(&page, &[("decision", "allow")]).await.left();
    assert!(scene.change("UPDATE sessions SET auth_time = auth_time - interval '100 seconds'") > 0);
    let before = scene.grant(&mut browser, &scene.request()).await;

    let page = choice(&scene, &mut browser, &request).await;
    // A reload offers it again, as does going on without an answer.
    let again = browser.get(&page.url).await.page();
    assert_eq!(again.url.path(), "/select-account");
    let around = browser.get(page.url.as_str().replace("/select-account?", "/continue?")).await.page();
    assert_eq!(around.url.path(), "/select-account");
    let callback = browser.submit(&page, &[("decision", "continue")]).await.left();
    let code = flow::parameter(&callback, "code").expect("a code");
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    for name in ["sub", "auth_time"] {
        assert_eq!(claim(&tokens, name), claim(&before, name), "{name}");
    }

    let page = choice(&scene, &mut browser, &request).await;
    let elsewhere = page.url.as_str().replace("/select-account?", "/signin?");
    let path = elsewhere.strip_prefix(scene.signet.issuer()).expect("a page of ours");
    assert!(page.body.contains(&format!("href=\"{path}\">Use another account</a>")), "{}", page.body);
    let page = browser.get(&elsewhere).await.page();
    assert!(flow::is_sign_in(&page), "{}", page.body);
    let page = flow::sign_in(&mut browser, &page, &other).await.page();
    assert!(page.url.path() == "/consent" && page.body.contains("otherwise"), "{}", page.body);
    let callback = browser.submit(&page, &[("decision", "allow")]).await.left();
    let code = flow::parameter(&callback, "code").expect("a code");
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    assert_ne!(claim(&tokens, "sub"), claim(&before, "sub"));
}

/// A7, A16: going on as who is signed in is no agreement: that is asked for after it.
#[tokio::test]
async fn consent_is_asked_after_the_choice() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, &scene.user).await.page();
    let page = choice(&scene, &mut browser, &scene.request().with("prompt", "select_account")).await;
    let page = browser.submit(&page, &[("decision", "continue")]).await.page();
    assert_eq!(page.url.path(), "/consent", "{}", page.body);
    let callback = browser.submit(&page, &[("decision", "allow")]).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
}

/// the choice needs the token of the page that this session saw, for this very interaction.
#[tokio::test]
async fn a_missing_or_foreign_token_is_refused() {
    let scene = Scene::start().await;
    let other = scene.signet.user("otherwise").await;
    let (mut browser, mut second) = (scene.browser(), scene.browser());
    for browser in [&mut browser, &mut second] {
        scene.code(browser, &scene.request()).await;
    }
    let request = || scene.request().with("prompt", "select_account");
    let page = choice(&scene, &mut browser, &request()).await;
    let form = page.form(&["decision"]).expect("the form").with(&[("decision", "continue")]);
    let token = |page: &Page| page.form(&["csrf"]).expect("a form").value("csrf").expect("a token").to_owned();
    let another = token(&choice(&scene, &mut browser, &request()).await);
    let foreign = token(&choice(&scene, &mut second, &request()).await);
    for bad in [
        form.clone().without("csrf"),
        form.clone().with(&[("csrf", "")]),
        form.clone().with(&[("csrf", &foreign)]),
        form.clone().with(&[("csrf", &another)]),
    ] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::FORBIDDEN);
    }
    for bad in [form.clone().without("decision"), form.clone().with(&[("decision", "allow")])] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::BAD_REQUEST);
    }
    // The token of this page is none for the page that asks for consent.
    let mut consent = form.clone().with(&[("decision", "allow")]);
    consent.action.set_path("/consent");
    assert_eq!(browser.send(consent).await.page().status, StatusCode::FORBIDDEN);

    // Somebody else signs in in a second tab: what the first person chose does not count for them.
    let tab = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &tab, &other).await.page();
    assert_eq!(browser.send(form.clone()).await.page().status, StatusCode::FORBIDDEN);

    // Nobody is signed in any more.
    browser.jar.remove("signet");
    assert!(flow::is_sign_in(&browser.send(form).await.page()));
}
