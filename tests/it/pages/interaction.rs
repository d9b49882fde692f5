//! What carries a request from `/oauth/authorize` over the pages to its end.

use reqwest::StatusCode;
use url::Url;

use crate::scene::Scene;
use crate::support::prelude::*;

/// The page of a request: sign-in with an interaction.
async fn begin(scene: &Scene, browser: &mut Browser) -> (AuthRequest, Page) {
    let request = scene.request();
    let page = browser.get(request.url(&scene.signet)).await.page();
    assert!(flow::is_sign_in(&page), "{}", page.body);
    (request, page)
}

fn sealed(page: &Page) -> String {
    flow::parameter(&page.url, "interaction").expect("an interaction")
}

/// A17: a clear page with its code, without redirect, and with a way back.
fn refused(page: &Page, code: &str) {
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.url);
    assert!(page.body.contains(code), "{code}: {}", page.body);
    assert!(page.text("main a[href]").is_some(), "a way on");
}

/// A17: a changed, cut or made-up interaction is refused on every page, and by every form.
#[tokio::test]
async fn a_tampered_interaction_is_refused() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let (_, page) = begin(&scene, &mut browser).await;
    let good = sealed(&page);
    let middle = good.len() / 2;
    let other = if good.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &good[..middle], &good[middle + 1..]);
    let made_up = "00000000-0000-4000-8000-000000000000";
    for bad in [&*changed, &good[..middle], &good[4..], "AAAA", "!", "a.b.c"] {
        for path in ["/signin", "/register", "/consent", "/continue"] {
            let page = browser.get(format!("{path}?interaction={bad}")).await.page();
            refused(&page, "interaction_invalid");
        }
        let form = page.form(&["username", "password"]).expect("the form").with(&[
            ("interaction", bad),
            ("username", "admin"),
            ("password", &scene.user.password),
        ]);
        refused(&browser.send(form).await.page(), "interaction_invalid");
        assert!(browser.jar.get("signet").is_none());
    }
    let page = browser.get(format!("/signin?interaction={made_up}")).await.page();
    refused(&page, "interaction_expired");
}

/// A17: an interaction sent to another browser is refused there (login CSRF), and stays good in its own.
#[tokio::test]
async fn another_browsers_interaction_is_refused() {
    let scene = Scene::start().await;
    let (mut browser, mut victim) = (scene.browser(), scene.browser());
    let (_, page) = begin(&scene, &mut browser).await;
    let own = victim.get("/signin").await.page();
    for path in ["/signin", "/register", "/consent", "/continue"] {
        let url = format!("{path}?interaction={}", sealed(&page));
        refused(&victim.get(&url).await.page(), "interaction_other_browser");
        refused(&scene.browser().get(&url).await.page(), "interaction_other_browser");
    }
    let form = own.form(&["username", "password"]).expect("the form").with(&[
        ("interaction", &sealed(&page)),
        ("username", "admin"),
        ("password", &scene.user.password),
    ]);
    refused(&victim.send(form).await.page(), "interaction_other_browser");
    let consent = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    browser.submit(&consent, &[("decision", "allow")]).await.left();
}

/// A17: going back after the end shows "already completed"; no second code is issued.
#[tokio::test]
async fn a_completed_interaction_gives_no_second_code() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let (_, page) = begin(&scene, &mut browser).await;
    let consent = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    browser.submit(&consent, &[("decision", "allow")]).await.left();
    refused(&browser.submit(&consent, &[("decision", "allow")]).await.page(), "interaction_completed");
    refused(&browser.submit(&consent, &[("decision", "deny")]).await.page(), "interaction_completed");
    refused(&flow::sign_in(&mut browser, &page, &scene.user).await.page(), "interaction_completed");
    for path in ["/signin", "/register", "/consent", "/continue"] {
        let page = browser.get(format!("{path}?interaction={}", sealed(&page))).await.page();
        refused(&page, "interaction_completed");
    }
}

/// A17: of 20 consents posted at once, one gives a code.
#[tokio::test]
async fn concurrent_consents_give_one_code() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let (_, page) = begin(&scene, &mut browser).await;
    let consent = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    let form = consent.form(&["decision"]).expect("the form").with(&[("decision", "allow")]);
    let mut race = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (mut browser, form) = (browser.clone(), form.clone());
        race.spawn(async move { browser.send(form).await });
    }
    let mut codes = 0;
    for landing in race.join_all().await {
        match landing {
            Landing::Left(callback) => {
                assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
                codes += 1;
            }
            Landing::Page(page) => refused(&page, "interaction_completed"),
        }
    }
    assert_eq!(codes, 1);
}

/// A17: reload and a second tab do no harm; each tab ends with its own state.
#[tokio::test]
async fn two_tabs_end_each_with_its_own_state() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let (first, page) = begin(&scene, &mut browser).await;
    let (second, tab) = begin(&scene, &mut browser).await;
    let page = browser.get(&page.url).await.page();
    let consent = flow::sign_in(&mut browser, &tab, &scene.user).await.page();
    let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
    assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(second.get("state")));
    let callback = flow::sign_in(&mut browser, &page, &scene.user).await.left();
    assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(first.get("state")));
}

/// A3: a request over 3 KiB is stored, only its id travels, and the state comes back whole.
#[tokio::test]
async fn a_large_request_is_stored_and_comes_back_whole() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("state", &"long ".repeat(800));
    let page = browser.get(request.url(&scene.signet)).await.page();
    assert!(sealed(&page).len() < 100, "{}", page.url);
    let other = scene.browser().get(&page.url).await.page();
    refused(&other, "interaction_other_browser");
    scene.code(&mut browser, &request).await;
}

/// A17: an interaction that has ended and was swept gets a page that says so, whatever is opened or posted, and the same
/// request works anew.
#[tokio::test]
async fn an_interaction_that_has_ended_is_refused() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("state", &"long ".repeat(800));
    let page = browser.get(request.url(&scene.signet)).await.page();
    assert_eq!(scene.change("DELETE FROM interactions"), 1, "one over 3 KiB is a row");
    for path in ["/signin", "/register", "/consent", "/continue"] {
        let page = browser.get(format!("{path}?interaction={}", sealed(&page))).await.page();
        refused(&page, "interaction_expired");
    }
    refused(&flow::sign_in(&mut browser, &page, &scene.user).await.page(), "interaction_expired");
    scene.code(&mut browser, &request).await;
}

/// A5: the interaction shows nothing of the request, and nothing of who signed in.
#[tokio::test]
async fn the_interaction_is_opaque() {
    use base64::Engine as _;
    let scene = Scene::start().await;
    let (request, page) = begin(&scene, &mut scene.browser()).await;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(sealed(&page)).expect("base64url");
    let text = String::from_utf8_lossy(&bytes);
    for secret in ["redirect", &*scene.client.id, request.get("state"), request.get("code_challenge")] {
        assert!(!text.contains(secret), "{secret}");
    }
    let again: Url = scene.browser().get(request.url(&scene.signet)).await.page().url;
    assert_ne!(flow::parameter(&again, "interaction"), Some(sealed(&page)));
}
