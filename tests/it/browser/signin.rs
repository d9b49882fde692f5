//! Sign-in under mistakes, reloads, second tabs and the back button.

use super::visitor::Visitor;
use crate::support::cli::PASSWORD;
use crate::support::prelude::*;

const CONSENT: &str = "Signet Playground asks for access to your account";

/// A17, R-68: a wrong password is announced, keeps the name, and puts the cursor where to go on; then it is right.
#[tokio::test]
async fn a_wrong_password_keeps_the_name_and_is_announced() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    visitor.open("/playground").await;
    visitor.press("Sign in with Signet").await;
    visitor.heading("Sign in").await;
    visitor.fill("username", &user.username).await;
    visitor.fill("password", "not the one").await;
    visitor.press("Sign in").await;

    let alert = visitor.find("[role=alert]").await;
    assert!(!alert.text().await.expect("its text").is_empty());
    assert_eq!(visitor.value("username").await, user.username);
    assert_eq!(visitor.value("password").await, "");
    assert!(visitor.chrome.title().await.expect("the title").starts_with("Error: "));
    let focus = "const at = document.activeElement; \
                 return [at.name, document.getElementById(at.getAttribute('aria-describedby')).getAttribute('role')]";
    assert_eq!(visitor.script(focus).await, serde_json::json!(["password", "alert"]));
    visitor.inspect("sign-in-error").await;

    visitor.fill("password", PASSWORD).await;
    visitor.press("Sign in").await;
    visitor.heading(CONSENT).await;
}

/// every wrong field of the registration is named, keeps what was typed, and the first has the cursor.
#[tokio::test]
async fn a_registration_names_what_is_wrong() {
    let visitor = Visitor::start(Database::Postgres).await;
    visitor.ask_to_register().await;
    visitor.fill("username", "ada").await;
    visitor.fill("email", "nowhere").await;
    visitor.fill("password", "short").await;
    visitor.press("Create account").await;
    visitor.find("[role=alert]").await;
    assert_eq!(visitor.value("username").await, "ada");
    assert_eq!(visitor.value("email").await, "nowhere");
    let wrong = "return Array.from(document.querySelectorAll('[aria-invalid=true]'), (field) => field.name)";
    assert_eq!(visitor.script(wrong).await, serde_json::json!(["email", "password"]));
    assert_eq!(visitor.script("return document.activeElement.name").await, "email");
    visitor.inspect("register-error").await;

    visitor.register(&User::named("ada")).await;
    visitor.heading(CONSENT).await;
}

/// A17: a reload keeps the sign-in, and two tabs each reach their own end.
#[tokio::test]
async fn a_reload_and_a_second_tab_survive() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    visitor.open("/playground").await;
    visitor.press("Sign in with Signet").await;
    visitor.heading("Sign in").await;
    visitor.chrome.refresh().await.expect("a reload");
    visitor.heading("Sign in").await;

    let first = visitor.chrome.window().await.expect("the first tab");
    let second = visitor.chrome.new_tab().await.expect("a second tab");
    let address = visitor.url().await;
    visitor.chrome.switch_to_window(second).await.expect("the second tab");
    visitor.visit(&address).await;
    visitor.sign_in(&user.username).await;
    visitor.heading(CONSENT).await;
    visitor.chrome.refresh().await.expect("a reload");
    visitor.heading(CONSENT).await;

    visitor.chrome.switch_to_window(first).await.expect("the first tab");
    visitor.sign_in(&user.username).await;
    visitor.heading(CONSENT).await;
    visitor.press("Allow").await;
    visitor.heading("You are signed in").await;
}

/// A17: going back after the end shows that the sign-in is completed, with a way on.
#[tokio::test]
async fn going_back_after_the_end_shows_that_it_is_completed() {
    let visitor = Visitor::start(Database::Postgres).await;
    visitor.ask_to_register().await;
    let registration = visitor.url().await;
    visitor.register(&User::named("ada")).await;
    visitor.heading(CONSENT).await;
    let consent = visitor.url().await;
    visitor.press("Allow").await;
    visitor.heading("You are signed in").await;

    visitor.chrome.back().await.expect("a step back");
    visitor.heading("This sign-in is already completed").await;
    assert_eq!(visitor.url().await, consent);
    visitor.inspect("completed").await;
    visitor.visit(&registration).await;
    visitor.heading("This sign-in is already completed").await;
    let way_on = visitor.find("main a").await;
    way_on.click().await.expect("the way on");
    visitor.heading("Hello, ada").await;
}
