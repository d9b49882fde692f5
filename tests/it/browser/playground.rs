//! `/playground`: the whole flow, as a person sees it.

use serde_json::Value;

use super::audit;
use super::visitor::Visitor;
use crate::support::flow::{jwt_payload, member, userinfo};
use crate::support::prelude::*;

const INTRO: &str = "Watch a sign-in, request by request";
const CONSENT: &str = "Signet Playground asks for access to your account";

/// The token in a part of the result page, as it was sent.
async fn raw(visitor: &Visitor, part: &str) -> String {
    visitor.find(&format!("#{part}")).await;
    let script = format!("return document.querySelector('#{part} ~ details pre').textContent");
    visitor.script(&script).await.as_str().expect("a token").to_owned()
}

/// Names of the checks that the page shows as passed.
async fn passed(visitor: &Visitor) -> Vec<String> {
    let script = "return Array.from(document.querySelectorAll('.checks li'), (line) => \
                  [line.querySelector('svg').getAttribute('aria-label'), line.querySelector('code').textContent])";
    let lines: Vec<[String; 2]> = serde_json::from_value(visitor.script(script).await).expect("checks");
    lines.into_iter().filter(|[mark, _]| mark == "Passed").map(|[_, name]| name).collect()
}

/// Status of `UserInfo` for an access token.
async fn opens(visitor: &Visitor, access_token: &str) -> u16 {
    userinfo(&visitor.signet, access_token).await.status().as_u16()
}

/// A16: from nothing to a verified ID token, on the embedded database.
/// The person then uses the access token, refreshes, signs out, and comes back by email.
#[tokio::test]
async fn a_person_registers_consents_and_is_signed_in() {
    let visitor = Visitor::start(Database::Embedded).await;
    let user = User::named("ada");
    visitor.open("/playground").await;
    visitor.heading(INTRO).await;
    visitor.inspect("playground").await;
    visitor.press("Sign in with Signet").await;
    visitor.heading("Sign in").await;
    visitor.inspect_closely("sign-in").await;
    visitor.press("Create one").await;
    visitor.heading("Create an account").await;
    visitor.inspect("register").await;
    visitor.register(&user).await;
    visitor.heading(CONSENT).await;
    let asked = "return Array.from(document.querySelectorAll('.scopes code'), (scope) => scope.textContent)";
    let asked = visitor.script(asked).await;
    assert_eq!(asked, serde_json::json!(["openid", "profile", "email", "offline_access"]));
    visitor.inspect_closely("consent").await;
    visitor.press("Allow").await;

    visitor.heading("You are signed in").await;
    assert_eq!(visitor.url().await.as_str(), visitor.signet.url("/playground"));
    let checks = passed(&visitor).await;
    for name in ["signature", "iss", "aud", "exp", "nonce", "at_hash"] {
        assert!(checks.iter().any(|check| check == name), "{name} in {checks:?}");
    }
    let (id_token, access_token) = (raw(&visitor, "id-token").await, raw(&visitor, "access-token").await);
    let claims = jwt_payload(&id_token);
    assert_eq!(member(&claims, "iss"), visitor.signet.issuer());
    assert_eq!(claims["aud"], "playground");
    visitor.inspect_closely("playground-result").await;

    visitor.press("Ask for your profile").await;
    let answer = visitor.find("#userinfo ~ pre").await.text().await.expect("the answer");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((member(&answer, "email"), &answer["sub"]), (&*user.email, &claims["sub"]));

    let refresh_token = raw(&visitor, "refresh-token").await;
    visitor.press("Refresh the tokens").await;
    let notice = visitor.find("[role=status]").await.text().await.expect("the notice");
    assert_eq!(notice, "The tokens below are new.");
    assert_ne!(raw(&visitor, "access-token").await, access_token);
    assert_ne!(raw(&visitor, "refresh-token").await, refresh_token);
    let renewed = jwt_payload(&raw(&visitor, "id-token").await);
    for claim in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(renewed[claim], claims[claim], "{claim}");
    }

    visitor.press("Sign out").await;
    visitor.heading(INTRO).await;
    let notice = visitor.find("[role=status]").await.text().await.expect("the notice");
    assert_eq!(notice, "You are signed out, here and at Signet.");
    assert_eq!(opens(&visitor, &access_token).await, 200, "offline access outlives the session");

    visitor.find("#scope-offline").await.click().await.expect("offline access unticked");
    visitor.press("Sign in with Signet").await;
    visitor.sign_in(&user.email).await;
    visitor.heading(CONSENT).await;
    visitor.press("Allow").await;
    visitor.heading("You are signed in").await;
    let again = jwt_payload(&raw(&visitor, "id-token").await);
    assert_eq!(again["sub"], claims["sub"]);
    let access_token = raw(&visitor, "access-token").await;
    assert_eq!(opens(&visitor, &access_token).await, 200);
    visitor.press("Sign out").await;
    visitor.heading(INTRO).await;
    assert_eq!(opens(&visitor, &access_token).await, 401, "without offline access the session's end is the token's");
    audit::quiet(&visitor, "the whole visit").await;
}

/// A16, R-68: who refuses consent comes back to the application, which says so and offers another try.
#[tokio::test]
async fn a_refusal_is_said_plainly() {
    let visitor = Visitor::start(Database::Postgres).await;
    visitor.ask_to_register().await;
    visitor.register(&User::named("grace")).await;
    visitor.heading(CONSENT).await;
    visitor.press("Do not allow").await;
    visitor.heading("You refused access").await;
    assert!(visitor.body().await.contains("access_denied"));
    assert_eq!(visitor.url().await.path(), "/playground/callback");
    visitor.inspect("playground-refused").await;
    visitor.press("Back to the playground").await;
    visitor.heading(INTRO).await;
}
