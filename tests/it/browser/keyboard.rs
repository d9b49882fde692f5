//! The flow without a pointer.

use thirtyfour::Key;

use super::visitor::Visitor;
use crate::support::prelude::*;

/// What has the focus: name of a field, or text of a link or button.
const FOCUS: &str = "const at = document.activeElement; return at.name && at.type !== 'submit' ? at.name : \
                     at.textContent.trim()";

/// Presses Tab until this has the focus.
async fn reach(visitor: &Visitor, wanted: &str) {
    for _ in 0..40 {
        if visitor.script(FOCUS).await == wanted {
            return;
        }
        visitor.chrome.action_chain().send_keys(Key::Tab).perform().await.expect("Tab");
    }
    panic!("Tab does not reach {wanted}");
}

/// Sends keys to wherever the focus is.
async fn keys(visitor: &Visitor, keys: &str) {
    visitor.chrome.action_chain().send_keys(keys).perform().await.expect("keys");
}

/// Presses Enter. The driver may complain that the page has gone before the key came up; the next page tells.
async fn enter(visitor: &Visitor) {
    let _ = visitor.chrome.action_chain().send_keys(Key::Enter).perform().await;
}

/// R-68 (WCAG 2.1.1): the whole flow with Tab, Enter and letters.
#[tokio::test]
async fn the_whole_flow_by_keyboard() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = User::named("ada");
    visitor.open("/playground").await;
    visitor.heading("Watch a sign-in, request by request").await;
    visitor.chrome.action_chain().send_keys(Key::Tab).perform().await.expect("Tab");
    assert_eq!(visitor.script(FOCUS).await, "Skip to content");
    enter(&visitor).await;
    reach(&visitor, "Sign in with Signet").await;
    enter(&visitor).await;

    visitor.heading("Sign in").await;
    assert_eq!(visitor.script(FOCUS).await, "username", "the cursor is in the first field");
    reach(&visitor, "Create one").await;
    enter(&visitor).await;

    visitor.heading("Create an account").await;
    for (field, text) in [("username", &user.username), ("email", &user.email), ("password", &user.password)] {
        reach(&visitor, field).await;
        keys(&visitor, text).await;
    }
    enter(&visitor).await;

    visitor.heading("Signet Playground asks for access to your account").await;
    reach(&visitor, "Allow").await;
    enter(&visitor).await;

    visitor.heading("You are signed in").await;
    reach(&visitor, "Sign out").await;
    enter(&visitor).await;
    visitor.heading("Watch a sign-in, request by request").await;

    reach(&visitor, "Sign in with Signet").await;
    enter(&visitor).await;
    visitor.heading("Sign in").await;
    keys(&visitor, &user.email).await;
    reach(&visitor, "password").await;
    keys(&visitor, &user.password).await;
    enter(&visitor).await;
    visitor.heading("Signet Playground asks for access to your account").await;
}
