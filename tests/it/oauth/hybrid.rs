//! Response types that hold tokens.

use serde_json::Value;

use crate::scene::Scene;
use crate::support::prelude::*;

const ALL: [&str; 6] = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];

async fn scene() -> Scene {
    Scene::with(ClientSpec::confidential().with_response_types(&ALL)).await
}

/// D2, D3, A6, A13, T8: each advertised response type answers in the fragment with what it names; the code works, the access
/// token works, the ID token names both by their hashes and holds the nonce.
#[tokio::test]
async fn each_advertised_response_type_completes() {
    let scene = scene().await;
    let document: Value =
        scene.open(scene.signet.url("/.well-known/openid-configuration")).await.json().await.expect("JSON");
    let advertised: Vec<String> = serde_json::from_value(document["response_types_supported"].clone()).expect("a list");
    assert_eq!(advertised, ALL);
    let mut browser = scene.browser();
    for asked in ALL {
        let request = scene.request().with("response_type", asked);
        let callback = flow::sign_in_and_consent(&mut browser, &request.url(&scene.signet), &scene.user).await;
        let get = |name: &str| flow::parameter(&callback, name);
        let words: Vec<&str> = asked.split(' ').collect();
        assert_eq!(callback.query().is_some(), asked == "code", "{callback}");
        for (word, parameter) in [("code", "code"), ("id_token", "id_token"), ("token", "access_token")] {
            assert_eq!(words.contains(&word), get(parameter).is_some(), "{asked}: {callback}");
        }
        assert_eq!(
            (get("state").as_deref(), get("iss").as_deref()),
            (Some(request.get("state")), Some(scene.signet.issuer()))
        );
        if let Some(token) = get("access_token") {
            assert_eq!((get("token_type").as_deref(), get("expires_in").as_deref()), (Some("Bearer"), Some("900")));
            assert!(scene.accepts(&serde_json::json!({ "access_token": token })).await, "{asked}");
        }
        if let Some(id) = get("id_token").map(|token| flow::jwt_payload(&token)) {
            assert_eq!(id["nonce"], request.get("nonce"));
            assert_eq!(id.get("at_hash").is_some(), get("access_token").is_some(), "{asked}");
            assert_eq!(id.get("c_hash").is_some(), get("code").is_some(), "{asked}");
            // OIDC Core §5.4: no access token, so the claims of the scopes are here.
            assert_eq!(id.get("email").is_some(), asked == "id_token", "{asked}: {id}");
        }
        if let Some(code) = get("code") {
            let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
            assert_eq!(flow::jwt_payload(flow::member(&tokens, "id_token"))["nonce"], request.get("nonce"));
        }
    }
}

/// T4: a replayed code also ends the access token that came beside it from the authorization endpoint.
#[tokio::test]
async fn a_replayed_code_ends_what_came_beside_it() {
    let scene = scene().await;
    let request = scene.request().with("response_type", "code token");
    let callback = flow::sign_in_and_consent(&mut scene.browser(), &request.url(&scene.signet), &scene.user).await;
    let code = flow::parameter(&callback, "code").expect("a code");
    let token = serde_json::json!({ "access_token": flow::parameter(&callback, "access_token").expect("a token") });
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    assert!(scene.accepts(&token).await && scene.accepts(&tokens).await);
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, (400, "invalid_grant".to_owned()));
    assert!(!scene.accepts(&token).await && !scene.accepts(&tokens).await);
}

/// L1, R-06: the access token of an implicit answer ends with the session, like every other.
#[tokio::test]
async fn an_implicit_token_ends_with_the_session() {
    let scene = scene().await;
    let mut browser = scene.browser();
    let request = scene.request().with("response_type", "id_token token");
    let callback = flow::sign_in_and_consent(&mut browser, &request.url(&scene.signet), &scene.user).await;
    let token = serde_json::json!({ "access_token": flow::parameter(&callback, "access_token").expect("a token") });
    assert!(scene.accepts(&token).await);
    let id = flow::parameter(&callback, "id_token").expect("an ID token");
    let _ = browser.get(format!("/oauth/logout?id_token_hint={id}")).await;
    assert!(!scene.accepts(&token).await);
}
