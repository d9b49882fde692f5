//! `/oauth/authorize`: whether the person is asked, and for what (`prompt`, `max_age`, `id_token_hint`).

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::scene::{Scene, refusal};
use crate::support::prelude::*;

/// The error that reaches the application for a request of this browser.
async fn refused(scene: &Scene, browser: &mut Browser, request: &AuthRequest) -> String {
    let callback = browser.get(request.url(&scene.signet)).await.left();
    refusal(scene, request, &callback)
}

/// The page a request leads to.
async fn asked(scene: &Scene, browser: &mut Browser, request: &AuthRequest) -> Page {
    browser.get(request.url(&scene.signet)).await.page()
}

fn auth_time(tokens: &Value) -> i64 {
    flow::jwt_payload(flow::member(tokens, "id_token"))["auth_time"].as_i64().expect("auth_time")
}

/// Puts every sign-in some seconds into the past.
fn age_sessions(scene: &Scene, seconds: u32) {
    let rows = scene.change(&format!("UPDATE sessions SET auth_time = auth_time - interval '{seconds} seconds'"));
    assert!(rows > 0);
}

/// A7: `prompt=none` never shows a page: `login_required`, `consent_required`, or the code.
#[tokio::test]
async fn prompt_none_shows_no_page() {
    let scene = Scene::start().await;
    let silent = scene.request().with("prompt", "none");
    let mut browser = scene.browser();
    assert_eq!(refused(&scene, &mut browser, &silent).await, "login_required");

    // Signed in, but asked nothing yet.
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, &scene.user).await;
    assert_eq!(refused(&scene, &mut browser, &silent).await, "consent_required");

    scene.code(&mut browser, &scene.request()).await;
    let callback = browser.get(silent.url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");

    let more = silent.clone().with("scope", "openid profile email phone");
    assert_eq!(refused(&scene, &mut browser, &more).await, "consent_required");
    let fresh = silent.clone().with("max_age", "0");
    assert_eq!(refused(&scene, &mut browser, &fresh).await, "login_required");
    browser.jar.remove("signet");
    assert_eq!(refused(&scene, &mut browser, &silent).await, "login_required");
}

/// A7: `none` beside another value is `invalid_request`.
#[tokio::test]
async fn prompt_none_beside_another_value_is_invalid() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    for prompt in ["none login", "consent none", "none none login", "none create"] {
        let request = scene.request().with("prompt", prompt);
        assert_eq!(refused(&scene, &mut browser, &request).await, "invalid_request", "{prompt}");
    }
}

/// A7, D3: `create` is refused where nobody registers by themselves, as it is not advertised there.
#[tokio::test]
async fn prompt_create_is_refused_where_registration_is_closed() {
    let closed = [("SIGNET_REGISTRATION__ACCOUNTS", "closed")];
    let signet = Signet::start_with(Database::Postgres, &closed).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let scene = Scene { signet, client, user: crate::scene::admin() };
    let document: serde_json::Value =
        scene.open(scene.signet.url("/.well-known/openid-configuration")).await.json().await.expect("JSON");
    let prompts = document["prompt_values_supported"].as_array().expect("a list");
    assert!(!prompts.contains(&"create".into()) && prompts.contains(&"login".into()), "{prompts:?}");
    let mut browser = scene.browser();
    assert_eq!(refused(&scene, &mut browser, &scene.request().with("prompt", "create")).await, "invalid_request");
}

/// A7: `login` asks again although the session is good, and moves `auth_time`.
#[tokio::test]
async fn prompt_login_asks_again_and_moves_auth_time() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let first = auth_time(&scene.grant(&mut browser, &scene.request()).await);
    age_sessions(&scene, 100);
    let request = scene.request().with("prompt", "login");
    let page = asked(&scene, &mut browser, &request).await;
    assert!(flow::is_sign_in(&page), "{}", page.body);

    // The old session alone does not go on: nothing but a new sign-in helps.
    let on = page.url.as_str().replace("/signin?", "/continue?");
    assert!(flow::is_sign_in(&browser.get(on).await.page()));

    let callback = flow::sign_in(&mut browser, &page, &scene.user).await.left();
    let code = flow::parameter(&callback, "code").expect("a code");
    let second = auth_time(&flow::granted(scene.exchange(&code, &request.verifier).await).await);
    assert!(second >= first, "{second} {first}");
}

/// A7: `consent` asks again, `create` opens registration.
#[tokio::test]
async fn other_prompts_show_their_page() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    let page = asked(&scene, &mut browser, &scene.request().with("prompt", "consent")).await;
    assert!(page.form(&["decision"]).is_some(), "{}", page.body);
    let page = asked(&scene, &mut browser, &scene.request().with("prompt", "create")).await;
    assert!(page.form(&["username", "email", "password"]).is_some(), "{}", page.body);

    // Whoever registers then is who the application gets, not the person signed in before.
    let landing = flow::register(&mut browser, &page, &User::named("newcomer")).await;
    let consent = landing.page();
    assert!(consent.body.contains("newcomer"), "{}", consent.body);
    let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
}

/// A8: `max_age` asks again once the session is older; a larger one asks nothing and leaves `auth_time`.
#[tokio::test]
async fn max_age_asks_again_when_the_session_is_older() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let first = auth_time(&scene.grant(&mut browser, &scene.request()).await);
    age_sessions(&scene, 100);
    let later = scene.grant(&mut browser, &scene.request().with("max_age", "1000")).await;
    assert_eq!(auth_time(&later), first - 100);
    for age in ["0", "60"] {
        let page = asked(&scene, &mut browser, &scene.request().with("max_age", age)).await;
        assert!(flow::is_sign_in(&page), "{age}: {}", page.body);
    }
    let renewed = scene.grant(&mut browser, &scene.request().with("max_age", "60")).await;
    assert!(auth_time(&renewed) >= first);
}

/// A8: what a client registered counts where its request is silent: how old a sign-in may be, and the contexts it wants,
/// which, like those of a request, are no error when nobody reaches them. A request that names its own counts alone.
#[tokio::test]
async fn registered_defaults_count_where_the_request_is_silent() {
    let registered = json!({
        "default_max_age": 60, "require_auth_time": true, "default_acr_values": ["urn:nothing", "urn:signet:acr:1fa"],
    });
    let scene = Scene::with(ClientSpec::confidential().with_metadata(&registered)).await;
    let mut browser = scene.browser();
    let first = scene.grant(&mut browser, &scene.request()).await;
    assert_eq!(flow::jwt_payload(flow::member(&first, "id_token"))["acr"], "urn:signet:acr:1fa");
    let silent = scene.request().with("prompt", "none");
    let callback = browser.get(silent.url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "it is fresh: {callback}");

    age_sessions(&scene, 100);
    assert_eq!(refused(&scene, &mut browser, &silent).await, "login_required");
    let page = asked(&scene, &mut browser, &scene.request()).await;
    assert!(flow::is_sign_in(&page), "{}", page.body);
    let own = scene.grant(&mut browser, &scene.request().with("max_age", "1000").with("acr_values", "urn:more")).await;
    assert_eq!(auth_time(&own), auth_time(&first) - 100);
    let renewed = scene.grant(&mut browser, &scene.request()).await;
    assert!(auth_time(&renewed) >= auth_time(&first));

    // Whoever registered nothing is asked nothing, and is told the time all the same.
    let plain = scene.signet.client(ClientSpec::confidential()).await;
    age_sessions(&scene, 100);
    let request = AuthRequest::new(&plain);
    let code = flow::code(&scene.signet, &mut browser, &request, &scene.user).await;
    let tokens = flow::granted(flow::exchange(&scene.signet, &plain, &code, &request.verifier).await).await;
    assert_eq!(auth_time(&tokens), auth_time(&renewed) - 100);
}

/// A9: a hint that names somebody else leads to sign-in or `login_required`, never to another person's code.
#[tokio::test]
async fn an_id_token_hint_for_somebody_else_is_not_answered_with_the_person_signed_in() {
    let scene = Scene::start().await;
    let other = scene.signet.user("otherwise").await;
    let hint = flow::tokens(&scene.signet, &scene.client, &other).await;
    let hint = flow::member(&hint, "id_token");
    let mut browser = scene.browser();
    let own = scene.grant(&mut browser, &scene.request()).await;
    let own = flow::member(&own, "id_token");

    let request = scene.request().with("prompt", "none").with("id_token_hint", own);
    let callback = browser.get(request.url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
    let request = scene.request().with("prompt", "none").with("id_token_hint", hint);
    assert_eq!(refused(&scene, &mut browser, &request).await, "login_required");
    let page = asked(&scene, &mut browser, &scene.request().with("id_token_hint", hint)).await;
    assert!(flow::is_sign_in(&page));
    // Signing in as the wrong person again leads back to sign-in; as the right one it leads on.
    let again = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    assert!(flow::is_sign_in(&again), "{}", again.body);
    let request = scene.request().with("id_token_hint", hint);
    let callback = flow::sign_in_and_consent(&mut browser, &request.url(&scene.signet), &other).await;
    let code = flow::parameter(&callback, "code").expect("a code");
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    let subject = |token: &str| flow::jwt_payload(token)["sub"].clone();
    assert_eq!(subject(flow::member(&tokens, "id_token")), subject(hint));
}

/// A9, R-35: an access token, a token of another issuer and a tampered one are no hints (RFC 8725 §3.11).
#[tokio::test]
async fn an_access_token_is_no_id_token_hint() {
    let (scene, elsewhere) = tokio::join!(Scene::start(), Scene::start());
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let foreign = elsewhere.tokens().await;
    let id_token = flow::member(&tokens, "id_token");
    let (head, signature) = id_token.rsplit_once('.').expect("a signature");
    let unsigned = format!("{head}.");
    let swapped = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let hints = [flow::member(&tokens, "access_token"), flow::member(&foreign, "id_token"), &unsigned, &swapped];
    for hint in hints {
        let request = scene.request().with("id_token_hint", hint);
        assert_eq!(refused(&scene, &mut browser, &request).await, "invalid_request", "{hint}");
    }
}

/// A10: `login_hint` prefills the form; locales and display never cause an error, from the first page to the tokens.
#[tokio::test]
async fn hints_prefill_and_never_fail() {
    let scene = Scene::start().await;
    let request = scene.request().with("login_hint", "ada@people.test").with("ui_locales", "xx tlh");
    let request = request.with("claims_locales", "??").with("display", "hologram").with("acr_values", "gold");
    let page = asked(&scene, &mut scene.browser(), &request).await;
    assert_eq!(page.status, StatusCode::OK);
    let form = page.form(&["username", "password"]).expect("the form");
    assert_eq!(form.value("username"), Some("ada@people.test"));
    let mut browser = scene.browser();
    scene.grant(&mut browser, &request).await;
    for (name, value) in
        [("ui_locales", "de-ch-1996 \u{1f600} -"), ("claims_locales", "en;q=1"), ("display", "PAGE <b>")]
    {
        scene.grant(&mut browser, &scene.request().with("prompt", "none").with(name, value)).await;
    }
}
