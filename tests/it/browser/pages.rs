//! The pages outside the flow, and the one for errors.

use serde_json::json;

use super::visitor::Visitor;
use crate::support::hosted::Hosted;
use crate::support::prelude::*;

/// R-68a: the start page, signed out and signed in, and the ways to sign out.
#[tokio::test]
async fn the_start_page_and_the_ways_out() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    visitor.open("/").await;
    visitor.heading("One sign-in for your applications").await;
    visitor.inspect("home-signed-out").await;
    visitor.press("Sign in").await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Hello, ada").await;
    assert!(visitor.body().await.contains(&user.email));
    visitor.inspect("home").await;

    visitor.open("/oauth/logout").await;
    visitor.heading("Sign out?").await;
    visitor.inspect("sign-out").await;
    visitor.press("Stay signed in").await;
    visitor.heading("Hello, ada").await;
    visitor.press("Sign out").await;
    visitor.heading("You are signed out").await;
    visitor.inspect("signed-out").await;
    visitor.open("/").await;
    visitor.heading("One sign-in for your applications").await;
}

/// R-68, R-68a, OIDC Core §4: the person's applications are on the start page, and one press leads into one, signed in.
#[tokio::test]
async fn an_application_is_started() {
    let visitor = Visitor::start(Database::Postgres).await;
    let (user, app) = (visitor.signet.user("ada").await, Hosted::start());
    let mut last = None;
    for (name, path) in [
        ("Invoices", "https://invoices.example/sign-in"),
        (
            "A reader of very long reports in several volumes, for departments and their archives",
            "https://reports.of-all-departments-and-their-archives.intranet.company.example:8443/begin",
        ),
        ("Écrits du matin", "https://ecrits.example/"),
        ("Meadow", &app.url("/begin")),
    ] {
        let spec = ClientSpec {
            name: name.to_owned(),
            redirect_uris: vec![app.url("/callback")],
            first_party: true,
            ..ClientSpec::confidential().with_metadata(&json!({ "initiate_login_uri": path }))
        };
        last = Some(visitor.signet.client(spec).await);
    }
    let request = AuthRequest::new(&last.expect("a client"));
    app.answer("/begin", &format!("302 Found\r\nLocation: {}", request.url(&visitor.signet)), "");
    app.put("/callback", "Welcome");
    visitor.open("/signin").await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Hello, ada").await;
    visitor.inspect_closely("home-started").await;
    visitor.find(&format!(".launches a[href^='{}']", app.url("/begin?iss="))).await.click().await.expect("a press");
    let there = async || {
        let url = visitor.url().await;
        (url.path() == "/callback" && flow::parameter(&url, "code").is_some()).then_some(url)
    };
    let callback = eventually(PATIENCE, "the application", there).await;
    assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(request.get("state")));
    assert_eq!(visitor.body().await, "Welcome");
}

/// what was done with the account is seen from the start page.
#[tokio::test]
async fn what_was_done_is_seen() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    visitor.open("/signin").await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Hello, ada").await;
    visitor.press("Recent activity").await;
    visitor.heading("Recent activity").await;
    assert!(visitor.body().await.contains("Signed in"));
    visitor.inspect_closely("activity").await;
    visitor.press("Back to your account").await;
    visitor.heading("Hello, ada").await;
}

/// A2, R-57, R-68: an application's wrong request and a missing page are said in plain words.
#[tokio::test]
async fn errors_have_a_page() {
    let visitor = Visitor::start(Database::Postgres).await;
    let client = visitor.signet.client(ClientSpec::public()).await;
    let request = AuthRequest::new(&client).with("redirect_uri", "https://elsewhere.example/");
    visitor.visit(&request.url(&visitor.signet)).await;
    visitor.heading("This application’s request is not valid").await;
    visitor.inspect("error").await;
    visitor.open("/nowhere").await;
    visitor.heading("There is nothing here").await;
    visitor.inspect("not-found").await;
    visitor.find("main a.button").await.click().await.expect("the way on");
    visitor.heading("One sign-in for your applications").await;
}

/// A7, R-68: who is signed in chooses between that account and another.
#[tokio::test]
async fn an_account_is_chosen() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    let spec = ClientSpec { first_party: true, ..ClientSpec::confidential() };
    let client = visitor.signet.client(spec).await;
    visitor.open("/signin").await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Hello, ada").await;
    let request = AuthRequest::new(&client).with("prompt", "select_account");
    visitor.visit(&request.url(&visitor.signet)).await;
    visitor.heading("Choose an account").await;
    visitor.inspect_closely("select-account").await;
}

/// an application that is for others says so.
#[tokio::test]
async fn an_application_for_others_says_so() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    let limit = serde_json::json!({ "access_roles": ["moderator"] });
    let client = visitor.signet.client(ClientSpec::confidential().with_metadata(&limit)).await;
    visitor.visit(&AuthRequest::new(&client).url(&visitor.signet)).await;
    visitor.sign_in(&user.username).await;
    visitor.heading("You may not use Test application").await;
    visitor.inspect_closely("no-access").await;
}
