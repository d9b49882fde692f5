//! Applications are called what they registered for the person's language.

use reqwest::{Method, header::ACCEPT_LANGUAGE};
use serde_json::json;
use url::Url;

use crate::scene::{Scene, admin};
use crate::support::prelude::*;

/// A page as a browser that asks for a language shows it.
async fn shown(browser: &Browser, url: &Url, language: &str) -> String {
    let request = browser.request(Method::GET, url).header(ACCEPT_LANGUAGE, language);
    request.send().await.expect("an answer").text().await.expect("a page")
}

/// The page says one name, and not the other one.
async fn is_called(browser: &Browser, url: &Url, language: &str, german: bool) {
    let body = shown(browser, url, language).await;
    assert!(body.contains("Zeitung") == german && body.contains("Newspaper") != german, "{language} {url}: {body}");
}

/// A server with an application of two names, which sends people back to a place of its own after a sign-out.
async fn scene(members: serde_json::Value) -> Scene {
    let mut metadata = json!({ "localized": { "client_name#de": "Zeitung" } });
    metadata.as_object_mut().expect("members").append(&mut members.as_object().expect("members").clone());
    let spec = ClientSpec { name: "Newspaper".to_owned(), ..ClientSpec::confidential().with_metadata(&metadata) };
    let scene = Scene::with(spec).await;
    let update =
        ["client", "update", &scene.client.id, "--post-logout-redirect-uri", "https://app.example/bye", "--json"];
    scene.signet.cli_json(&update, "").await;
    scene
}

/// R4, A10: on each page of a sign-in, in the language that the application asks for, else in the browser's.
#[tokio::test]
async fn an_application_is_called_what_it_is_called_there() {
    let scene = scene(json!({})).await;
    let mut browser = scene.browser();
    let request = scene.request().with("prompt", "select_account");
    let first = browser.get(request.url(&scene.signet)).await.page();
    let consent = flow::sign_in(&mut browser, &first, &scene.user).await.page();
    let chosen = scene.request().with("prompt", "select_account");
    let choice = browser.get(chosen.url(&scene.signet)).await.page();
    assert_eq!((consent.url.path(), choice.url.path()), ("/consent", "/select-account"));
    let asked = chosen.with("ui_locales", "xx de-CH");
    let asked = browser.get(asked.url(&scene.signet)).await.page();
    for (language, german) in [("de", true), ("en", false)] {
        is_called(&browser, &consent.url, language, german).await;
        is_called(&browser, &choice.url, language, german).await;
        is_called(&browser, &asked.url, language, true).await;
    }
    browser.submit(&consent, &[("decision", "allow")]).await.left();
    let applications = browser.resolve("/account/applications");
    for (language, german) in [("de", true), ("en", false)] {
        is_called(&browser, &applications, language, german).await;
        // That it is completed, and the way back.
        is_called(&browser, &consent.url, language, german).await;
    }
}

/// R4, R-46: who may not use it is told by the same name.
#[tokio::test]
async fn it_is_called_so_where_it_is_for_others() {
    let scene = scene(json!({ "access_roles": ["moderator"] })).await;
    let ada = scene.signet.user("ada").await;
    let mut browser = scene.browser();
    let page = browser.get(scene.request().url(&scene.signet)).await.page();
    let page = flow::sign_in(&mut browser, &page, &ada).await.page();
    assert_eq!(page.url.path(), "/no-access");
    is_called(&browser, &page.url, "de", true).await;
    is_called(&browser, &page.url, "en", false).await;
}

/// R4, L1: at sign-out `ui_locales` counts before the browser's languages, and what it holds makes no error.
#[tokio::test]
async fn it_is_called_so_at_the_sign_out() {
    let scene = scene(json!({ "frontchannel_logout_uri": "https://app.example/out" })).await;
    assert_eq!(scene.user.username, admin().username);
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let mut asks = Url::parse(&scene.signet.url("/oauth/logout")).expect("a URL");
    asks.query_pairs_mut().append_pair("client_id", &scene.client.id);
    for (locales, language, german) in
        [("", "de", true), ("", "en", false), ("de", "en", true), ("de_DE \u{1f600} <b>", "en", false)]
    {
        let mut url = asks.clone();
        url.query_pairs_mut().append_pair("ui_locales", locales);
        is_called(&browser, &url, language, german).await;
    }
    // Asked, the page keeps the language for what follows.
    asks.query_pairs_mut().append_pair("ui_locales", "de");
    let page = browser.get(&asks).await.page();
    let form = page.form(&["decision"]).expect("the form");
    assert_eq!(form.value("ui_locales"), Some("de"));
    let mut ends = Url::parse(&scene.signet.url("/oauth/logout")).expect("a URL");
    ends.query_pairs_mut()
        .append_pair("id_token_hint", flow::member(&tokens, "id_token"))
        .append_pair("post_logout_redirect_uri", "https://app.example/bye")
        .append_pair("ui_locales", "de");
    let page = browser.get(&ends).await.page();
    assert!(page.body.contains("Go back to Zeitung"), "{}", page.body);
}
