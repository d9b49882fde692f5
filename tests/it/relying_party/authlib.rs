//! Authlib (PyPI): its session for `requests`, its Flask integration, and its check of access tokens.

use serde_json::{Value, json};

use super::keys;
use super::party::Party;
use crate::scene::Scene;
use crate::support::prelude::*;

const SCOPE: &str = "openid profile email offline_access";

fn with_method(method: &str) -> ClientSpec {
    ClientSpec { auth_method: Some(method.to_owned()), ..ClientSpec::confidential() }
}

/// Goes through a scenario that sends the browser to Signet once.
async fn run(scene: &Scene, scenario: &str, settings: &Value) -> Value {
    let mut party = Party::python(scene, scenario, settings);
    party.visits(scene).await;
    party.result().await
}

/// T1, T4, T6: code with PKCE by each method of authentication; the access token is one of RFC 9068
/// to the library, which refreshes an expired one by itself; a used code is refused.
#[tokio::test]
async fn code_with_pkce_userinfo_and_refresh() {
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let scene = Scene::tls(with_method(method)).await;
        let result = run(&scene, "session_code", &json!({ "auth_method": method, "scope": SCOPE })).await;
        assert_eq!(flow::member(&result["claims"], "iss"), scene.signet.issuer(), "{method}");
        assert_eq!(flow::member(&result["claims"], "client_id"), scene.client.id);
        assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email);
        assert_eq!(result["userinfo"], result["again"], "{method}");
        let [refreshed] = &result["refreshed"].as_array().expect("a refresh")[..] else { panic!("{result}") };
        let old = &result["token"];
        assert_eq!(refreshed["refresh_token"], old["refresh_token"], "{method}: the library names the old one");
        assert_ne!(refreshed["token"]["refresh_token"], old["refresh_token"], "{method}");
        assert_ne!(refreshed["token"]["access_token"], old["access_token"], "{method}");
        assert_eq!(flow::member(&result["used"], "error"), "invalid_grant", "{method}");
    }
}

/// T8: a Flask application signs a person in; the library checks state, nonce, `at_hash` and the ID token.
#[tokio::test]
async fn a_flask_application_signs_a_person_in() {
    for method in ["client_secret_basic", "none"] {
        let scene = Scene::tls(with_method(method)).await;
        let result = run(&scene, "flask_code", &json!({ "auth_method": method, "scope": SCOPE })).await;
        assert_eq!(result["status"], 200, "{method}: {result}");
        assert_eq!(flow::member(&result["claims"], "aud"), scene.client.id);
        assert_eq!(result["claims"]["sub"], result["userinfo"]["sub"]);
        assert_eq!(flow::member(&result["userinfo"], "preferred_username"), scene.user.username);
    }
}

/// A3: what Signet refuses at the authorization endpoint reaches the application's own error page.
#[tokio::test]
async fn a_flask_application_is_told_of_a_refusal() {
    let scene = Scene::tls(ClientSpec::confidential()).await;
    let settings = json!({ "auth_method": "client_secret_basic", "scope": SCOPE });
    let mut party = Party::python(&scene, "flask_code", &settings);
    let url = party.opens().await;
    let mut browser = scene.browser();
    let sign_in = browser.get(&url).await.page();
    let consent = flow::sign_in(&mut browser, &sign_in, &scene.user).await.page();
    party.returns(browser.submit(&consent, &[("decision", "deny")]).await);
    let result = party.result().await;
    assert_eq!((&result["status"], &result["error"]), (&json!(400), &json!("access_denied")), "{result}");
}

/// T7: a service's token for an API passes the library's check of access tokens; refusals are read.
#[tokio::test]
async fn client_credentials() {
    let spec = ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: vec!["reports:read".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    };
    let scene = Scene::tls(spec).await;
    let settings = json!({
        "auth_method": "client_secret_basic", "scope": "reports:read", "audience": scene.client.id,
    });
    let result = Party::python(&scene, "client_credentials", &settings).result().await;
    assert_eq!(flow::member(&result["claims"], "sub"), scene.client.id);
    assert_eq!(flow::member(&result["token"], "scope"), "reports:read");
    assert_eq!(flow::member(&result["wrong_scope"], "error"), "invalid_scope");
    assert_eq!(flow::member(&result["wrong_secret"], "error"), "invalid_client");
}

/// U3, U4, R-36: the library looks at its tokens and gives the refresh token back; an API that asks about each token it is
/// sent by the library's validator takes one for its scope, and no other, and none that is over.
#[tokio::test]
async fn introspection_and_revocation() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let scene = Scene::tls(with_method(method)).await;
        let result = run(&scene, "inspection", &json!({ "auth_method": method, "scope": SCOPE })).await;
        for kind in ["access", "refresh"] {
            let (before, after) = (&result["before"][kind], &result["after"][kind]);
            assert_eq!((&before["active"], &before["client_id"]), (&json!(true), &json!(scene.client.id)), "{result}");
            assert!(before["exp"].as_i64() > result["now"].as_i64(), "{method}: {kind}: {before}");
            assert_eq!(after, &json!({ "active": false }), "{method}: {kind}");
        }
        assert_eq!(result["taken"], json!([true, "insufficient_scope", "invalid_token"]), "{method}");
        assert_eq!(result["revoked"], json!([200, 200]), "{method}");
        assert_eq!(flow::member(&result["refreshed"], "error"), "invalid_grant", "{method}");
    }
}

/// T1, T2: a service shows who it is by assertions that the library addresses to the token endpoint, good for an hour.
#[tokio::test]
async fn assertions() {
    for alg in ["HS256", "RS256", "ES256"] {
        let mut settings = json!({ "auth_method": "client_secret_jwt", "scope": "reports:read" });
        let mut metadata = json!({});
        if alg != "HS256" {
            let (private, public) = keys::pair(alg);
            metadata["jwks"] = public;
            settings["auth_method"] = json!("private_key_jwt");
            settings["private_key"] = private;
        }
        let spec = ClientSpec {
            grant_types: vec!["client_credentials".to_owned()],
            scopes: vec!["reports:read".to_owned()],
            redirect_uris: Vec::new(),
            metadata,
            ..with_method(flow::member(&settings, "auth_method"))
        };
        let scene = Scene::tls(spec).await;
        let result = Party::python(&scene, "assertion", &settings).result().await;
        for token in result["tokens"].as_array().expect("two tokens") {
            assert_eq!(flow::member(token, "scope"), "reports:read", "{alg}");
        }
    }
}
