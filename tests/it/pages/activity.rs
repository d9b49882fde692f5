//! `GET /account/activity`: what a person sees of the audit log.

use std::collections::HashSet;

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};
use reqwest::StatusCode;

use crate::scene::Scene;
use crate::support::prelude::*;

const PATH: &str = "/account/activity";
const FAILED: &str = "A sign-in failed";
const SUCCEEDED: &str = "Signed in</p>";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// A browser in which somebody is signed in.
async fn signed_in(signet: &Signet, user: &User) -> Browser {
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, user).await.page();
    browser
}

/// a person sees the own sign-ins, those that failed too, and from where; nobody else sees them, and nobody who
/// administers the account is named.
#[tokio::test]
async fn each_sees_what_is_their_own() {
    let scene = Scene::start().await;
    let (ada, bob) = (scene.signet.user("ada").await, scene.signet.user("bob").await);
    let mut stranger = scene.browser();
    let page = stranger.get("/signin").await.page();
    let wrong = stranger.submit(&page, &[("username", "ada"), ("password", "not hers")]).await.page();
    assert!(flow::is_sign_in(&wrong), "{}", wrong.body);
    scene.signet.cli_json(&["role", "assign", "moderator", "--user", "ada", "--json"], "").await;
    let request = AuthRequest::new(&scene.client);
    flow::code(&scene.signet, &mut scene.browser(), &request, &bob).await;

    let mut hers = signed_in(&scene.signet, &ada).await;
    let home = hers.get("/").await.page();
    assert!(home.body.contains(&format!("href=\"{PATH}\"")), "{}", home.body);
    let mut his = signed_in(&scene.signet, &bob).await;
    let page = eventually(PATIENCE, "the failed sign-in", async || {
        let page = hers.get(PATH).await.page();
        page.body.contains(FAILED).then_some(page)
    })
    .await;
    for expected in [
        SUCCEEDED,
        "By you",
        "By somebody who was not signed in",
        "By an administrator",
        "was given a role",
        "127.0.0.1",
    ] {
        assert!(page.body.contains(expected), "{expected}\n{}", page.body);
    }
    assert!(!page.body.contains("operator") && !page.body.contains("uid:"), "{}", page.body);
    assert!(!page.body.contains("Test application"), "{}", page.body);

    let page = his.get(PATH).await.page();
    assert!(page.body.contains(SUCCEEDED) && page.body.contains("Test application"), "{}", page.body);
    for foreign in [FAILED, "By somebody who was not signed in", "was given a role"] {
        assert!(!page.body.contains(foreign), "{foreign}\n{}", page.body);
    }

    let mut nobody = scene.browser();
    assert!(flow::is_sign_in(&nobody.get(PATH).await.page()));
}

/// an application is told by its name, as text, at no further statement however long the list is.
#[tokio::test]
async fn applications_are_told_by_name() {
    let spec = ClientSpec { name: "<b>Ledger & Sons</b>".to_owned(), ..ClientSpec::confidential() };
    let scene = Scene::with(spec).await;
    let ada = scene.signet.user("ada").await;
    let mut browser = signed_in(&scene.signet, &ada).await;
    let before = browser.get(PATH).await.page();
    for request in [scene.request(), scene.request(), scene.request()] {
        let code = flow::code(&scene.signet, &mut browser, &request, &ada).await;
        flow::granted(scene.exchange(&code, &request.verifier).await).await;
    }
    let page = browser.get(PATH).await.page();
    let named = "application <span class=\"name\">&#60;b&#62;Ledger &#38; Sons&#60;/b&#62;</span>";
    assert!(page.body.matches(named).count() >= 6, "{}", page.body);
    assert!(!page.body.contains("<b>") && !page.body.contains(&scene.client.id), "{}", page.body);
    let taken = [&before, &page].map(|page| flow::statements(&page.headers));
    assert_eq!(taken[0], taken[1], "{}", page.body);
}

/// a long list comes in parts, each row once; what is no end of a page is refused.
#[tokio::test]
async fn a_long_list_comes_in_parts() {
    let scene = Scene::start().await;
    let ada = scene.signet.user("ada").await;
    let mut browser = signed_in(&scene.signet, &ada).await;
    let request = AuthRequest::new(&scene.client);
    for _ in 0..30 {
        let code = flow::code(&scene.signet, &mut browser, &request, &ada).await;
        flow::granted(scene.exchange(&code, &request.verifier).await).await;
    }
    let (mut path, mut lines, mut pages) = (PATH.to_owned(), 0, 0);
    let mut seen = HashSet::new();
    loop {
        let page = browser.get(&path).await.page();
        lines += page.body.matches("<time ").count();
        pages += 1;
        let next = page.body.split_once("href=\"/account/activity?after=").and_then(|(_, rest)| rest.split_once('"'));
        let Some((after, _)) = next else { break };
        assert!(seen.insert(after.to_owned()) && pages < 10, "{after}");
        path = format!("{PATH}?after={after}");
    }
    let rows: Count = diesel::sql_query(
        "SELECT count(*) AS n FROM audit, users WHERE username = 'ada' AND (subject_user = users.id OR actor_user = users.id)",
    )
    .get_result(&mut scene.signet.database())
    .expect("a count");
    assert_eq!((i64::try_from(lines), pages), (Ok(rows.n), 2));
    assert!(rows.n > 60, "{}", rows.n);
    for bad in ["x", "%00", "MS4x"] {
        let page = browser.get(format!("{PATH}?after={bad}")).await.page();
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}
