//! Sign-in by a one-time link.

use super::visitor::Visitor;
use crate::support::prelude::*;

/// R-69a, R-68: the code moves from the link into the form and out of the address, nothing happens before the button is
/// pressed, and the page holds against the audit at 320 pixels.
#[tokio::test]
async fn a_link_is_used_by_a_button() {
    let visitor = Visitor::start(Database::Postgres).await;
    visitor.signet.user("ada").await;
    let link = visitor.signet.cli_json(&["user", "sign-in-link", "ada", "--json"], "").await;
    let code = flow::member(&link, "code");
    visitor.visit(&flow::member(&link, "url").parse().expect("a URL")).await;
    visitor.heading("Sign in by link").await;
    eventually(PATIENCE, "the code is in the form", async || (visitor.value("code").await == code).then_some(())).await;
    let address = visitor.url().await;
    assert_eq!(address.as_str(), visitor.signet.url("/signin/link"), "the code is out of the address");
    visitor.inspect("sign-in-link").await;
    visitor.press("Sign in").await;
    visitor.heading("Hello, ada").await;

    // Pasted by hand, and of no use any more.
    visitor.open("/signin/link").await;
    visitor.fill("code", code).await;
    visitor.press("Sign in").await;
    visitor.find("[role=alert]").await;
    visitor.inspect("sign-in-link-error").await;
}
