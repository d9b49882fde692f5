//! Applications that are for people with certain roles, and `GET` and `POST /no-access` for the others.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Scene, refusal};
use crate::support::prelude::*;

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

/// A server with an application for `staff`, and ada, who has no role but `user`.
async fn limited() -> Scene {
    let signet = Signet::start(Database::Postgres).await;
    signet.cli_json(&["role", "create", "staff", "--json"], "").await;
    signet.cli_json(&["role", "create", "manager", "--parent", "staff", "--json"], "").await;
    let client = signet.client(ClientSpec::confidential().with_metadata(&json!({ "access_roles": ["staff"] }))).await;
    let user = signet.user("ada").await;
    Scene { signet, client, user }
}

async fn role(scene: &Scene, how: &str, name: &str) {
    scene.signet.cli_json(&["role", how, name, "--user", "ada", "--json"], "").await;
}

/// Signs in on the way to the application.
async fn arrive(scene: &Scene, browser: &mut Browser, request: &AuthRequest) -> Landing {
    match browser.get(request.url(&scene.signet)).await {
        Landing::Page(page) if flow::is_sign_in(&page) => flow::sign_in(browser, &page, &scene.user).await,
        other => other,
    }
}

/// Waits until the application may be used: changes by the command line are heard within a second.
async fn tokens(scene: &Scene, browser: &mut Browser) -> Value {
    let request = scene.request().with("scope", "openid profile offline_access");
    let code = eventually(PATIENCE, "access", async || {
        let callback = match arrive(scene, browser, &request).await {
            Landing::Left(callback) => callback,
            Landing::Page(page) if page.url.path() == "/consent" => {
                browser.submit(&page, &[("decision", "allow")]).await.left()
            }
            Landing::Page(page) => {
                assert_eq!(page.url.path(), "/no-access");
                return None;
            }
        };
        flow::parameter(&callback, "code")
    })
    .await;
    flow::granted(scene.exchange(&code, &request.verifier).await).await
}

/// R-46: somebody without the role is told plainly, gets no code, and goes back with `access_denied`; `prompt=none` says
/// so at once. It is in the log.
#[tokio::test]
async fn who_lacks_the_role_is_told_and_goes_back() {
    let scene = limited().await;
    let mut browser = scene.browser();
    let request = scene.request();
    let page = arrive(&scene, &mut browser, &request).await.page();
    assert_eq!((page.status, page.url.path()), (StatusCode::OK, "/no-access"));
    for expected in ["You may not use", "Test application", "<strong>ada</strong>", "people with certain roles"] {
        assert!(page.body.contains(expected), "{expected}\n{}", page.body);
    }
    assert!(!page.body.contains("staff"), "which roles is nobody's business: {}", page.body);
    let callback = browser.submit(&page, &[("decision", "back")]).await.left();
    assert_eq!(refusal(&scene, &request, &callback), "access_denied");
    let again = browser.submit(&page, &[("decision", "back")]).await.page();
    assert!(again.status == StatusCode::BAD_REQUEST && again.body.contains("interaction_completed"), "{}", again.body);

    let silent = scene.request().with("prompt", "none");
    let callback = browser.get(silent.url(&scene.signet)).await.left();
    assert_eq!(refusal(&scene, &silent, &callback), "access_denied");
    let output = scene.signet.cli(&["audit", "export", "--event", "access.refused"]).await;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    for row in rows {
        assert_eq!((row["username"].as_str(), row["client_id"].as_str()), (Some("ada"), Some(&*scene.client.id)));
        assert_eq!((row["result"].as_str(), row["actor"]["kind"].as_str()), (Some("refused"), Some("user")), "{row}");
    }
    // An administrator has not this role either.
    let admin = Scene { user: crate::scene::admin(), ..scene };
    let page = arrive(&admin, &mut admin.browser(), &admin.request()).await.page();
    assert_eq!(page.url.path(), "/no-access");
}

/// R-46, R-41: a role that inherits the one asked for counts. Who is given it while the page is open goes on from there.
#[tokio::test]
async fn an_inherited_role_counts() {
    let scene = limited().await;
    let mut browser = scene.browser();
    let page = arrive(&scene, &mut browser, &scene.request()).await.page();
    assert_eq!(page.url.path(), "/no-access");
    role(&scene, "assign", "manager").await;
    let consent = eventually(PATIENCE, "the page leads on", async || {
        let page = browser.get(&page.url).await.page();
        (page.url.path() == "/consent").then_some(page)
    })
    .await;
    let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
    tokens(&scene, &mut browser).await;
}

/// R-46: a role taken away ends refreshing, and gives nothing for a code; the refresh token is inactive. Given back, it goes
/// on.
#[tokio::test]
async fn a_role_taken_away_ends_refreshing() {
    let scene = limited().await;
    role(&scene, "assign", "staff").await;
    let mut browser = scene.browser();
    let first = tokens(&scene, &mut browser).await;
    let second = flow::granted(scene.refresh(&first).await).await;
    let request = scene.request().with("scope", "openid profile");
    let code = scene.code(&mut browser, &request).await;

    role(&scene, "remove", "staff").await;
    let active = async || {
        let told = flow::introspect(&scene.signet, &scene.client, flow::member(&second, "refresh_token")).await;
        flow::granted(told).await["active"] == true
    };
    eventually(PATIENCE, "the refresh token is inactive", async || (!active().await).then_some(())).await;
    assert_eq!(flow::refused(scene.refresh(&second).await).await, invalid_grant());
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());
    assert_eq!(arrive(&scene, &mut browser, &request).await.page().url.path(), "/no-access");
    role(&scene, "assign", "staff").await;
    eventually(PATIENCE, "it is active again", async || active().await.then_some(())).await;
    flow::granted(scene.refresh(&second).await).await;
}

/// R-46: taken away while the consent page is open, the role gives nothing; a limit that is lifted lets everyone in.
#[tokio::test]
async fn the_role_is_asked_for_when_the_code_is_given() {
    let scene = limited().await;
    role(&scene, "assign", "staff").await;
    let mut browser = scene.browser();
    let consent = eventually(PATIENCE, "consent", async || {
        let page = arrive(&scene, &mut browser, &scene.request()).await.page();
        (page.url.path() == "/consent").then_some(page)
    })
    .await;
    role(&scene, "remove", "staff").await;
    let silent = scene.request().with("prompt", "none");
    eventually(PATIENCE, "the role is gone", async || {
        let callback = browser.get(silent.url(&scene.signet)).await.left();
        (flow::parameter(&callback, "error").as_deref() == Some("access_denied")).then_some(())
    })
    .await;
    let page = browser.submit(&consent, &[("decision", "allow")]).await.page();
    assert_eq!(page.url.path(), "/no-access");
    let update = ["client", "update", &scene.client.id, "--clear", "access-roles", "--json"];
    scene.signet.cli_json(&update, "").await;
    tokens(&scene, &mut browser).await;
}

/// R-52: going back takes the token of the page that this session saw, for this very interaction.
#[tokio::test]
async fn a_missing_or_foreign_token_is_refused() {
    let scene = limited().await;
    let (mut browser, mut second) = (scene.browser(), scene.browser());
    let page = arrive(&scene, &mut browser, &scene.request()).await.page();
    let form = page.form(&["decision"]).expect("the form").with(&[("decision", "back")]);
    let token = |page: &Page| page.form(&["csrf"]).expect("a form").value("csrf").expect("a token").to_owned();
    let another = token(&arrive(&scene, &mut browser, &scene.request()).await.page());
    let foreign = token(&arrive(&scene, &mut second, &scene.request()).await.page());
    for bad in [
        form.clone().without("csrf"),
        form.clone().with(&[("csrf", &another)]),
        form.clone().with(&[("csrf", &foreign)]),
    ] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::FORBIDDEN);
    }
    for bad in [form.clone().without("decision"), form.clone().with(&[("decision", "allow")])] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::BAD_REQUEST);
    }
    let cross = browser.request(Method::POST, &form.action).header("Sec-Fetch-Site", "cross-site").form(&form.fields);
    assert_eq!(cross.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
    browser.send(form).await.left();
    assert_eq!(browser.get("/no-access").await.page().url.path(), "/", "outside of a request");
}

/// Exit code of a command, and what it said.
async fn refused(signet: &Signet, arguments: &[&str]) -> (Option<i32>, String) {
    let output = signet.cli(arguments).await;
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

/// R-46, R-42: a client is limited to roles that are there; such a role is not deleted.
#[tokio::test]
async fn a_limit_names_roles_that_are_there() {
    let scene = limited().await;
    let (signet, id) = (&scene.signet, &*scene.client.id);
    let unknown = r#"{"access_roles":["nobody-has-this"]}"#;
    for arguments in [
        &["client", "update", id, "--access-role", "nobody-has-this"][..],
        &["client", "update", id, "--metadata", unknown],
        &[
            "client",
            "create",
            "--name",
            "A",
            "--redirect-uri",
            "https://a.example/",
            "--access-role",
            "nobody-has-this",
        ],
    ] {
        let (code, said) = refused(signet, arguments).await;
        assert!(code == Some(1) && said.contains("There is no role \"nobody-has-this\""), "{arguments:?}: {said}");
    }
    signet.cli_json(&["role", "delete", "manager", "--yes", "--json"], "").await;
    let (code, said) = refused(signet, &["role", "delete", "staff", "--yes"]).await;
    assert!(code == Some(1) && said.contains(&format!("the client {id}")), "{said}");
    let shown = signet.cli(&["client", "show", id]).await;
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(shown.contains("who may use it     holders of staff"), "{shown}");
}

/// R-46, R-69a: a file drops a role together with the limit to it, and names no role that is not there.
#[tokio::test]
async fn a_file_limits_a_client_to_roles() {
    let scene = limited().await;
    let signet = &scene.signet;
    let file = |roles: &str, limit: &str| {
        let text = format!(
            "version: 1\nroles:\n  prune: true\n  items: [{roles}]\nclients:\n  items:\n    - client_id: {}\n      \
             client_name: Test application\n      redirect_uris: ['https://app.example/callback']\n{limit}",
            scene.client.id
        );
        std::fs::write(signet.folder().join("state.yaml"), text).expect("a file");
    };
    let apply = ["apply", "state.yaml", "--yes"];
    file("{ name: crew }", "      access_roles: [crew, nobody-has-this]\n");
    let (code, said) = refused(signet, &apply).await;
    assert!(code == Some(1) && said.contains("There is no role \"nobody-has-this\""), "{said}");
    for (roles, limit, there) in [("{ name: crew }", "      access_roles: [crew]\n", true), ("", "", false)] {
        file(roles, limit);
        assert_eq!(refused(signet, &apply).await.0, Some(0));
        let roles = signet.cli_json(&["role", "list", "--json"], "").await.to_string();
        assert_eq!((roles.contains("\"crew\""), roles.contains("\"staff\"")), (there, false), "{roles}");
    }
}
