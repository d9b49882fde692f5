//! `GET` and `POST /account/applications`: remembered consents, listed and withdrawn.

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::scene::{Scene, header};
use crate::support::html::Form;
use crate::support::prelude::*;

const PATH: &str = "/account/applications";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn count(signet: &Signet, query: &str) -> i64 {
    let row: Count = diesel::sql_query(query).get_result(&mut signet.database()).expect("a count");
    row.n
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

/// Tokens of an application, offline access included; consent is given where it is asked for.
async fn offline(scene: &Scene, browser: &mut Browser, client: &Client) -> Value {
    let request = AuthRequest::new(client).with("scope", "openid profile offline_access");
    let code = flow::code(&scene.signet, browser, &request, &scene.user).await;
    flow::granted(flow::exchange(&scene.signet, client, &code, &request.verifier).await).await
}

async fn named(signet: &Signet, name: &str) -> Client {
    signet.client(ClientSpec { name: name.to_owned(), ..ClientSpec::confidential() }).await
}

/// The form that withdraws what one application was allowed.
fn form_of(page: &Page, client: &Client) -> Form {
    let forms = page.forms().into_iter();
    let mut forms = forms.filter(|form| form.value("client_id") == Some(&client.id));
    forms.next().unwrap_or_else(|| panic!("no form for {}\n{}", client.id, page.body))
}

/// A16: the person sees which applications were allowed what, since when; withdrawing ends everything given under it, and
/// the application has to ask again. What another application, or another person, was given stays.
#[tokio::test]
async fn what_was_allowed_is_listed_and_withdrawn() {
    let scene = Scene::start().await;
    let (first, second) = (named(&scene.signet, "First").await, named(&scene.signet, "Second").await);
    let (mut browser, mut elsewhere) = (scene.browser(), scene.browser());
    let empty = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &empty, &scene.user).await.page();
    assert!(browser.get(PATH).await.page().body.contains("None so far."));

    let tokens = offline(&scene, &mut browser, &first).await;
    let beside = offline(&scene, &mut elsewhere, &first).await;
    let kept = offline(&scene, &mut browser, &second).await;
    let ada = Scene { user: scene.signet.user("ada").await, ..scene };
    let hers = offline(&ada, &mut ada.browser(), &first).await;
    let request = AuthRequest::new(&first);
    let code = flow::code(&ada.signet, &mut browser, &request, &crate::scene::admin()).await;

    assert!(ada.change("UPDATE consents SET created_at = '2026-03-09T10:00:00Z'") > 0);
    let home = browser.get("/").await.page();
    assert!(home.body.contains(&format!("href=\"{PATH}\"")), "{}", home.body);
    let page = browser.get(PATH).await.page();
    for expected in ["First", "Second", "See your profile", "Keep access while you are away", "9 March 2026"] {
        assert!(page.body.contains(expected), "{expected}\n{}", page.body);
    }
    let page = browser.send(form_of(&page, &first)).await.page();
    assert_eq!((page.status, page.url.path()), (StatusCode::OK, PATH));
    assert!(page.body.contains("Access was withdrawn") && page.body.contains("Second"), "{}", page.body);
    assert!(!page.body.contains("First"), "{}", page.body);

    for (what, tokens) in [("of this browser", &tokens), ("of another browser", &beside)] {
        assert!(!ada.accepts(tokens).await, "{what}");
        let answer = flow::refresh(&ada.signet, &first, flow::member(tokens, "refresh_token")).await;
        assert_eq!(flow::refused(answer).await, invalid_grant(), "{what}");
    }
    let answer = flow::exchange(&ada.signet, &first, &code, &request.verifier).await;
    assert_eq!(flow::refused(answer).await, invalid_grant(), "a code that was not redeemed yet");
    for (what, client, tokens) in [("another application", &second, &kept), ("another person", &first, &hers)] {
        assert!(ada.accepts(tokens).await, "{what}");
        flow::granted(flow::refresh(&ada.signet, client, flow::member(tokens, "refresh_token")).await).await;
    }
    let silent = AuthRequest::new(&first).with("prompt", "none");
    let callback = browser.get(silent.url(&ada.signet)).await.left();
    assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("consent_required"));
    // The person can allow it again.
    assert!(ada.accepts(&offline(&ada, &mut browser, &first).await).await);
}

/// withdrawing takes a post from the page that this session saw, for this application.
#[tokio::test]
async fn a_forged_withdrawal_is_refused() {
    let scene = Scene::start().await;
    let (first, second) = (named(&scene.signet, "First").await, named(&scene.signet, "Second").await);
    let (mut browser, mut other) = (scene.browser(), scene.browser());
    let tokens = offline(&scene, &mut browser, &first).await;
    offline(&scene, &mut browser, &second).await;
    let page = browser.get(PATH).await.page();
    let form = form_of(&page, &first);
    let another = form_of(&page, &second).value("csrf").expect("a token").to_owned();
    offline(&scene, &mut other, &first).await;
    let foreign = form_of(&other.get(PATH).await.page(), &first).value("csrf").expect("a token").to_owned();
    for bad in [
        form.clone().without("csrf"),
        form.clone().with(&[("csrf", "")]),
        form.clone().with(&[("csrf", &another)]),
        form.clone().with(&[("csrf", &foreign)]),
    ] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.send(form.clone().without("client_id")).await.page().status, StatusCode::BAD_REQUEST);
    let cross = browser.request(Method::POST, &browser.resolve(PATH)).header("Sec-Fetch-Site", "cross-site");
    let answer = cross.form(&form.fields).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);

    // Somebody else signs in here: what the first person saw is of no use.
    let ada = scene.signet.user("ada").await;
    let tab = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &tab, &ada).await.page();
    assert_eq!(browser.send(form.clone()).await.page().status, StatusCode::FORBIDDEN);
    // Nobody is signed in.
    browser.jar.remove("signet");
    assert!(flow::is_sign_in(&browser.send(form).await.page()));
    assert!(flow::is_sign_in(&browser.get(PATH).await.page()));
    assert!(scene.accepts(&tokens).await);
    flow::granted(flow::refresh(&scene.signet, &first, flow::member(&tokens, "refresh_token")).await).await;
    assert_eq!(count(&scene.signet, "SELECT count(*) AS n FROM audit WHERE event = 'consent.withdrawn'"), 0);
}

/// A16: what is not remembered is withdrawn without a trace; a second press changes nothing.
#[tokio::test]
async fn withdrawing_twice_writes_once() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    offline(&scene, &mut browser, &scene.client).await;
    let form = form_of(&browser.get(PATH).await.page(), &scene.client);
    for _ in 0..2 {
        assert_eq!(browser.send(form.clone()).await.page().status, StatusCode::OK);
    }
    assert_eq!(count(&scene.signet, "SELECT count(*) AS n FROM audit WHERE event = 'consent.withdrawn'"), 1);
}

/// Transactions of this database that wait for another.
fn waiting(signet: &Signet) -> i64 {
    let query = "SELECT count(DISTINCT pid) AS n FROM pg_locks WHERE NOT granted AND pid IN \
                 (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
    count(signet, query)
}

/// A16: a code that is being given while consent is withdrawn does not outlive it.
#[tokio::test]
async fn a_code_being_given_does_not_outlive_the_withdrawal() {
    let postgres = PrivatePostgres::start().await;
    let scene = Scene::on(Database::At(postgres.url()), ClientSpec::confidential()).await;
    let mut browser = scene.browser();
    offline(&scene, &mut browser, &scene.client).await;
    let form = form_of(&browser.get(PATH).await.page(), &scene.client);

    // Whoever writes a grant of this client waits for this transaction.
    let mut holder = scene.signet.database();
    holder
        .batch_execute(&format!("BEGIN; SELECT 1 FROM clients WHERE client_id = '{}' FOR UPDATE", scene.client.id))
        .expect("a lock");
    let request = scene.request().with("scope", "openid profile");
    let authorize = browser.request(Method::GET, &request.url(&scene.signet));
    let authorize = tokio::spawn(authorize.send());
    eventually(PATIENCE, "the code is being given", async || (waiting(&scene.signet) == 1).then_some(())).await;
    let withdraw = browser.request(Method::POST, &browser.resolve(PATH)).form(&form.fields);
    let withdraw = tokio::spawn(withdraw.send());
    eventually(PATIENCE, "consent is being withdrawn", async || {
        (withdraw.is_finished() || waiting(&scene.signet) == 2).then_some(())
    })
    .await;
    holder.batch_execute("COMMIT").expect("a commit");

    let given = authorize.await.expect("an end").expect("an answer");
    let withdrawn = withdraw.await.expect("an end").expect("an answer");
    assert!(header(&withdrawn, "location").ends_with("done=withdrawn"), "{withdrawn:?}");
    let callback = url::Url::parse(header(&given, "location")).expect("a redirect");
    let code = flow::parameter(&callback, "code").expect("a code");
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());
    assert_eq!(count(&scene.signet, "SELECT count(*) AS n FROM grants WHERE revoked_at IS NULL"), 0);
}

/// A16: a long list comes in parts.
#[tokio::test]
async fn a_long_list_comes_in_parts() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, &scene.user).await.page();
    let clients = "INSERT INTO clients (realm_id, client_id, name, source, auth_method, redirect_uris, \
                   post_logout_redirect_uris, grant_types, response_types, scopes, first_party, application_type, policy, \
                   created_at, updated_at) SELECT (SELECT min(id) FROM realms), 'made ' || lpad(n::text, 3, '0'), \
                   'Application ' || n, 'admin', 'none', '{}', '{}', '{authorization_code}', '{code}', '{openid}', false, \
                   'web', '{}', now(), now() FROM generate_series(1, 150) AS n";
    assert_eq!(scene.change(clients), 150);
    let consents = "INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at) \
                    SELECT u.realm_id, u.id, c.id, '{openid}', now(), now() FROM users u, clients c \
                    WHERE u.username = 'admin' AND c.client_id LIKE 'made %'";
    assert_eq!(scene.change(consents), 150);
    let first = browser.get(PATH).await.page();
    let next = first.text("main p.aside a").expect("the way on");
    assert_eq!((first.forms().len(), &*next), (100, "More applications"));
    let second = browser.get(format!("{PATH}?after=made+100")).await.page();
    assert_eq!(second.forms().len(), 50);
    assert!(first.body.contains("?after=made+100") && !second.body.contains("More applications"));
}
