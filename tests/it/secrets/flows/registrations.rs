//! Clients that register themselves: initial and registration access tokens, secrets, wrong places for each.

use serde_json::{Value, json};

use super::{Driver, made};
use crate::support::prelude::*;

impl Driver<'_> {
    /// Registers, reads, changes and removes clients, right and wrong.
    pub(super) async fn registrations(&mut self) {
        let signet = self.signet;
        let made_token =
            signet.cli_json(&["client", "registration-token", "create", "--uses", "9", "--json"], "").await;
        let token = flow::member(&made_token, "token").to_owned();
        self.hunt.keep("initial access token", &token);
        let (wrong, typed) = (made("registration"), made("typed-secret"));
        for secret in [&wrong, &typed] {
            self.hunt.keep("what a registration is tried with", secret);
        }
        let url = signet.url("/oauth/register");
        let body = |method: &str| json!({ "redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": method });
        let post = |token: &str, body: &Value| signet.http().post(&url).bearer_auth(token).json(body);
        self.refused(post(&wrong, &body("none"))).await;
        for bad in [
            json!({ "redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": typed }),
            json!({ "redirect_uris": "https://app.example/callback", "client_secret": typed }),
            json!({ "grant_types": [typed] }),
        ] {
            // What is refused may repeat a value that is no secret where it stands.
            let answer = post(&token, &bad).send().await.expect("an answer");
            assert_eq!(answer.status(), 400);
        }
        self.refused(signet.http().post(&url).bearer_auth(&token).body(format!("{{\"client_secret\": \"{typed}\"")))
            .await;
        for method in ["client_secret_basic", "client_secret_jwt", "none"] {
            let answer = post(&token, &body(method)).send().await.expect("an answer");
            assert_eq!(answer.status(), 201);
            let own: Value = answer.json().await.expect("JSON");
            let access = flow::member(&own, "registration_access_token").to_owned();
            self.hunt.keep("registration access token", &access);
            if let Some(secret) = own["client_secret"].as_str() {
                self.hunt.keep("secret of a registration", secret);
            }
            let one = signet.url(&format!("/oauth/register/{}", flow::member(&own, "client_id")));
            self.refused(signet.http().get(&one)).await;
            self.refused(signet.http().get(&one).bearer_auth(&wrong)).await;
            let mut change = body("client_secret_post");
            change["client_id"] = own["client_id"].clone();
            change["client_secret"] = json!(typed);
            self.refused(signet.http().put(&one).bearer_auth(&access).json(&change)).await;
            change["client_secret"] = Value::Null;
            let answer = signet.http().put(&one).bearer_auth(&access).json(&change).send().await.expect("an answer");
            let changed: Value = answer.json().await.expect("JSON");
            if let Some(secret) = changed["client_secret"].as_str() {
                self.hunt.keep("secret of a changed registration", secret);
            }
            let gone = signet.http().delete(&one).bearer_auth(&access).send().await.expect("an answer");
            assert_eq!(gone.status(), 204);
            self.refused(signet.http().get(&one).bearer_auth(&access)).await;
        }
    }
}
