//! `GET` and `POST /oauth/logout`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::scene::{Scene, header};
use crate::support::prelude::*;

/// A client with a place to go after signing out.
async fn scene() -> Scene {
    let signet = Signet::start(Database::Postgres).await;
    let mut arguments = vec!["client", "create", "--json", "--name", "Bye", "--redirect-uri"];
    arguments.extend(["https://app.example/callback", "--post-logout-redirect-uri", "https://app.example/bye"]);
    let made = signet.cli_json(&arguments, "").await;
    let client = Client {
        id: flow::member(&made, "client_id").to_owned(),
        secret: Some(flow::member(&made, "client_secret").to_owned()),
        redirect_uri: "https://app.example/callback".to_owned(),
    };
    Scene { signet, client, user: crate::scene::admin() }
}

fn logout(scene: &Scene, parameters: &[(&str, &str)]) -> Url {
    let mut url = Url::parse(&scene.signet.url("/oauth/logout")).expect("a URL");
    url.query_pairs_mut().extend_pairs(parameters);
    url
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.get("/").await.page().form(&["decision"]).is_some()
}

/// R-06, T6: the end of a session kills its access and refresh tokens at once, except those of offline access.
#[tokio::test]
async fn sign_out_ends_tokens_except_those_of_offline_access() {
    let scene = Scene::start().await;
    let (mut browser, mut elsewhere) = (scene.browser(), scene.browser());
    let bound = scene.grant(&mut browser, &scene.request()).await;
    let offline = scene.request().with("scope", "openid offline_access");
    let offline = scene.grant(&mut browser, &offline).await;
    let other = scene.grant(&mut elsewhere, &scene.request()).await;
    let cookie = browser.jar.get("signet").expect("the session's cookie").clone();

    let home = browser.get("/").await.page();
    let page = browser.submit(&home, &[("decision", "signout")]).await.page();
    assert_eq!(page.status, StatusCode::OK);
    assert!(!is_signed_in(&mut browser).await);

    assert!(!scene.accepts(&bound).await);
    let refused = flow::refused(scene.refresh(&bound).await).await;
    assert_eq!(refused, (400, "invalid_grant".to_owned()));
    assert!(scene.accepts(&offline).await);
    let renewed = flow::granted(scene.refresh(&offline).await).await;
    assert!(scene.accepts(&renewed).await);
    assert!(scene.accepts(&other).await, "a session in another browser");
    flow::granted(scene.refresh(&other).await).await;

    // The old cookie is of no more use.
    browser.jar.store(&cookie.header);
    assert!(!is_signed_in(&mut browser).await);
}

/// L1: with the person's own ID token and a registered URI the session ends and the browser goes there, with state.
#[tokio::test]
async fn a_hint_and_a_registered_target_lead_back_with_state() {
    let scene = scene().await;
    for method in [Method::GET, Method::POST] {
        let mut browser = scene.browser();
        let tokens = scene.grant(&mut browser, &scene.request()).await;
        let hint = flow::member(&tokens, "id_token");
        let parameters = [
            ("id_token_hint", hint),
            ("client_id", &*scene.client.id),
            ("post_logout_redirect_uri", "https://app.example/bye"),
            ("state", "a&b é"),
        ];
        let target = if method == Method::GET {
            browser.get(logout(&scene, &parameters)).await.left()
        } else {
            let fields = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
            browser.post("/oauth/logout", &fields).await.left()
        };
        assert!(target.as_str().starts_with("https://app.example/bye?"), "{target}");
        assert_eq!(flow::parameter(&target, "state").as_deref(), Some("a&b é"));
        assert!(!is_signed_in(&mut browser).await && !scene.accepts(&tokens).await, "{method}");
    }
}

/// L1, R-52: an application may post its request; then nothing of it stands in an address, and what does is of no use when
/// it was changed. `logout_hint` neither leads anywhere nor is wrong.
#[tokio::test]
async fn what_is_posted_does_not_stand_in_an_address() {
    let scene = scene().await;
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let hint = flow::member(&tokens, "id_token");
    let url = browser.resolve("/oauth/logout");
    let fields = [
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", "https://app.example/bye"),
        ("state", "a state of its own"),
        ("logout_hint", "somebody@people.test"),
    ];
    // As browsers send what another site posts: without our cookies.
    let answer = scene.browser().request(Method::POST, &url).form(&fields).send().await.expect("an answer");
    let location = header(&answer, "location").to_owned();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    for part in hint.split('.').chain(["app.example", "state", "people"]) {
        assert!(!location.contains(part), "{location}");
    }
    let changed = location.replace("posted=", "posted=A");
    for useless in [changed.as_str(), "/oauth/logout?posted=", "/oauth/logout?posted=AAAA"] {
        let page = browser.get(useless).await.page();
        assert!(page.form(&["decision"]).is_some(), "{useless}: {}", page.body);
    }
    let target = browser.get(&location).await.left();
    assert_eq!(target.as_str(), "https://app.example/bye?state=a+state+of+its+own");
    assert!(!is_signed_in(&mut browser).await);
    // What is long is kept here meanwhile.
    let (long, mut browser) = ("s".repeat(8_000), scene.browser());
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let fields = [fields[1], ("id_token_hint", flow::member(&tokens, "id_token")), ("state", &long)];
    let answer = browser.request(Method::POST, &url).form(&fields).send().await.expect("an answer");
    let location = header(&answer, "location").to_owned();
    assert!(location.len() < 100, "{location}");
    let target = browser.get(&location).await.left();
    assert_eq!(flow::parameter(&target, "state").as_deref(), Some(&*long));
    let unknown = browser.get("/oauth/logout?posted=00000000-0000-4000-8000-000000000000").await.page();
    assert_eq!(unknown.status, StatusCode::OK);
    let twice = [("client_id", "a"), ("client_id", "b")];
    let answer = browser.request(Method::POST, &url).form(&twice).send().await.expect("an answer");
    let page = browser.get(header(&answer, "location")).await.page();
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
}

/// L1: an unregistered target, or none that a valid hint vouches for, is never redirected to.
#[tokio::test]
async fn there_is_no_redirect_to_a_target_that_is_not_vouched_for() {
    let scene = scene().await;
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let (hint, access) = (flow::member(&tokens, "id_token"), flow::member(&tokens, "access_token"));
    let good = "https://app.example/bye";
    let (head, _) = hint.rsplit_once('.').expect("a signature");
    let unsigned = format!("{head}.");
    let cases: [Vec<(&str, &str)>; 7] = [
        vec![("post_logout_redirect_uri", good)],
        vec![("post_logout_redirect_uri", good), ("client_id", &scene.client.id)],
        vec![("post_logout_redirect_uri", good), ("id_token_hint", access)],
        vec![("post_logout_redirect_uri", good), ("id_token_hint", &unsigned)],
        vec![("post_logout_redirect_uri", good), ("id_token_hint", hint), ("client_id", "another")],
        vec![("post_logout_redirect_uri", good), ("post_logout_redirect_uri", good), ("id_token_hint", hint)],
        vec![],
    ];
    for parameters in cases {
        // L1: without proof of who asks, the person is asked and nothing ends.
        let page = browser.get(logout(&scene, &parameters)).await.page();
        assert!(matches!(page.status.as_u16(), 200 | 400), "{parameters:?}: {}", page.status);
        assert!(is_signed_in(&mut browser).await, "{parameters:?}");
    }
    let bad = [("post_logout_redirect_uri", "https://app.example/bye/"), ("id_token_hint", hint)];
    let page = browser.get(logout(&scene, &bad)).await.page();
    assert_eq!(page.status, StatusCode::OK, "a page, and no redirect");
}

/// L1: a hint for another person than the browser's asks before anything ends.
#[tokio::test]
async fn a_hint_for_somebody_else_asks_first() {
    let scene = scene().await;
    let other = scene.signet.user("otherwise").await;
    let theirs: Value = flow::tokens(&scene.signet, &scene.client, &other).await;
    let mut browser = scene.browser();
    let own = scene.grant(&mut browser, &scene.request()).await;
    let page = browser.get(logout(&scene, &[("id_token_hint", flow::member(&theirs, "id_token"))])).await.page();
    assert!(page.form(&["decision"]).is_some(), "{}", page.body);
    assert!(is_signed_in(&mut browser).await && scene.accepts(&own).await);

    let stay = browser.submit(&page, &[("decision", "stay")]).await.page();
    assert_eq!(stay.url.path(), "/");
    assert!(is_signed_in(&mut browser).await);
    browser.submit(&page, &[("decision", "signout")]).await.page();
    assert!(!is_signed_in(&mut browser).await);
}

/// a sign-out posted without our form's token, or from another site, ends nothing.
#[tokio::test]
async fn sign_out_needs_the_forms_token() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    scene.grant(&mut browser, &scene.request()).await;
    let home = browser.get("/").await.page();
    let form = home.form(&["decision"]).expect("the form").with(&[("decision", "signout")]);
    let foreign = scene.browser().get("/").await.page();
    assert!(foreign.form(&["csrf"]).is_none(), "nobody is signed in there");
    for bad in [form.clone().without("csrf"), form.clone().with(&[("csrf", "x")])] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::FORBIDDEN);
    }
    let url = browser.resolve("/oauth/logout");
    let cross = browser.request(Method::POST, &url).header("origin", "https://evil.example").form(&form.fields);
    let answer = cross.send().await.expect("an answer");
    assert_eq!((answer.status(), header(&answer, "set-cookie")), (StatusCode::FORBIDDEN, ""));
    assert!(is_signed_in(&mut browser).await);
}

/// L3, O2: an application that is told in a frame gets one with `iss` and `sid`, and the page allows frames of its origin
/// alone; without such an application there is no exception.
#[tokio::test]
async fn frames_are_for_those_who_are_told_in_them() {
    let scene = Scene::start().await;
    let policy = |page: &Page| page.headers["content-security-policy"].to_str().expect("ASCII").to_owned();
    let told = json!({ "frontchannel_logout_uri": "https://app.example/out?a=1" });
    let framed = scene.signet.client(ClientSpec::confidential().with_metadata(&told)).await;
    for (client, frames) in [(&scene.client, false), (&framed, true)] {
        let mut browser = scene.browser();
        let request = AuthRequest::new(client);
        let code = flow::code(&scene.signet, &mut browser, &request, &scene.user).await;
        let tokens = flow::granted(flow::exchange(&scene.signet, client, &code, &request.verifier).await).await;
        let sid = flow::jwt_payload(flow::member(&tokens, "id_token"))["sid"].as_str().expect("sid").to_owned();
        let home = browser.get("/").await.page();
        let page = browser.submit(&home, &[("decision", "signout")]).await.page();
        assert_eq!(page.body.contains("<iframe"), frames, "{}", page.body);
        let allowed = policy(&page).split("; ").find(|part| part.starts_with("frame-src")).map(str::to_owned);
        assert_eq!(allowed.as_deref(), frames.then_some("frame-src https://app.example"));
        assert!(policy(&page).contains("frame-ancestors 'none'"), "{}", policy(&page));
        let mut address = Url::parse("https://app.example/out?a=1").expect("a URL");
        address.query_pairs_mut().append_pair("iss", scene.signet.issuer()).append_pair("sid", &sid);
        let source = format!("src=\"{}\"", address.as_str().replace('&', "&#38;"));
        assert_eq!(page.body.contains(&source), frames, "{source}\n{}", page.body);
    }
}

/// L1: who was asked and agrees goes where the application that asked with its own ID token wanted.
#[tokio::test]
async fn who_was_asked_goes_on_where_that_is_registered() {
    let scene = scene().await;
    let other = scene.signet.user("otherwise").await;
    let theirs: Value = flow::tokens(&scene.signet, &scene.client, &other).await;
    let hint = flow::member(&theirs, "id_token");
    for (target, leads) in [("https://app.example/bye", true), ("https://app.example/other", false)] {
        let mut browser = scene.browser();
        scene.grant(&mut browser, &scene.request()).await;
        let sent = [("id_token_hint", hint), ("post_logout_redirect_uri", target), ("state", "s")];
        let page = browser.get(logout(&scene, &sent)).await.page();
        let landing = browser.submit(&page, &[("decision", "signout")]).await;
        assert_eq!(matches!(&landing, Landing::Left(url) if url.as_str() == format!("{target}?state=s")), leads);
        assert!(!is_signed_in(&mut browser).await);
    }
}

/// L4: `session_state` comes with each answer of OpenID Connect, for the origin of the redirect URI; the frame that compares
/// it may be framed, and its cookie is for scripts, and is taken away at sign-out.
#[tokio::test]
async fn session_state_and_its_frame() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let callback = flow::sign_in_and_consent(&mut browser, &scene.request().url(&scene.signet), &scene.user).await;
    let state = flow::parameter(&callback, "session_state").expect("session_state");
    let cookie = browser.jar.get("signet-state").expect("the cookie").header.clone();
    assert!(!cookie.contains("HttpOnly"), "{cookie}");
    let known = cookie.split(['=', ';']).nth(1).expect("a value").to_owned();
    let (_, salt) = state.split_once('.').expect("a salt");
    let text = format!("{} https://app.example {known} {salt}", scene.client.id);
    assert_eq!(state, format!("{}.{salt}", URL_SAFE_NO_PAD.encode(Sha256::digest(text))));
    let again = browser.get(scene.request().url(&scene.signet)).await.left();
    assert_ne!(flow::parameter(&again, "session_state"), Some(state), "a salt of its own");
    let plain = scene.request().with("scope", "profile");
    let plain = browser.get(plain.url(&scene.signet)).await.left();
    assert_eq!(flow::parameter(&plain, "session_state"), None, "no request of OpenID Connect");

    let frame = scene.open(scene.signet.url("/oauth/check-session")).await;
    assert_eq!((frame.status().as_u16(), header(&frame, "x-frame-options")), (200, ""));
    assert!(header(&frame, "content-security-policy").contains("frame-ancestors *"), "{frame:?}");
    let home = browser.get("/").await.page();
    browser.submit(&home, &[("decision", "signout")]).await.page();
    assert!(browser.jar.get("signet-state").is_none());
}

/// L4: when the session ended elsewhere, what scripts know of it is taken away wherever the browser next comes, so that
/// applications hear of it.
#[tokio::test]
async fn what_scripts_know_ends_with_a_session_that_ended_elsewhere() {
    let scene = Scene::start().await;
    let ada = scene.signet.user("ada").await;
    let mut browser = scene.browser();
    let url = scene.request().url(&scene.signet);
    flow::sign_in_and_consent(&mut browser, &url, &ada).await;
    let request = scene.request().with("prompt", "select_account");
    let page = browser.get(request.url(&scene.signet)).await.page();
    browser.get(url).await.left();
    let knows = |browser: &Browser| browser.jar.get("signet-state").is_some();
    assert!(knows(&browser));
    scene.signet.cli_json(&["user", "lock", "ada", "--json"], "").await;
    let silent = scene.request().with("prompt", "none").url(&scene.signet);
    let choice = page.url.clone();
    for place in ["/", "/account/activity", "/account/applications", choice.as_str(), silent.as_str()] {
        let mut browser = browser.clone();
        assert!(knows(&browser));
        browser.get(place).await;
        assert!(!knows(&browser), "{place}");
        assert!(browser.jar.get("signet").is_some(), "{place}: another tab may have signed in");
    }
    let mut fresh = scene.browser();
    let page = fresh.get("/").await.page();
    let set: Vec<_> = page.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text")).collect();
    assert!(!set.iter().any(|cookie| cookie.starts_with("signet-state")), "{set:?}");
}

/// L1: an application that is switched off is no place to go to, whatever hint it still holds.
#[tokio::test]
async fn nobody_is_sent_to_an_application_that_is_switched_off() {
    let scene = scene().await;
    let tokens = scene.tokens().await;
    let sent =
        [("id_token_hint", flow::member(&tokens, "id_token")), ("post_logout_redirect_uri", "https://app.example/bye")];
    let url = logout(&scene, &sent);
    scene.browser().get(&url).await.left();
    scene.signet.cli_json(&["client", "disable", &scene.client.id, "--json"], "").await;
    eventually(PATIENCE, "a page instead", async || match scene.browser().get(&url).await {
        Landing::Page(page) => page.status.is_success().then_some(()),
        Landing::Left(_) => None,
    })
    .await;
}
