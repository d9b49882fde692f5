//! Tokens in the wrong place.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::scene::{Scene, admin};
use crate::support::prelude::*;

/// OIDC Core §3.1.3.6: the left half of a token's SHA-256, for the algorithms that end in 256.
fn half_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(token)[..16])
}

/// T8, RFC 9700 §4.6: an access token put in place of another, or a code, does not fit the ID token beside it.
#[tokio::test]
async fn attack_token_injection() {
    let scene = Scene::with(ClientSpec::confidential().with_response_types(&["code", "code id_token token"])).await;
    let mut seen = Vec::new();
    for user in [&scene.user, &admin()] {
        let request = scene.request().with("response_type", "code id_token token");
        let callback = flow::sign_in_and_consent(&mut scene.browser(), &request.url(&scene.signet), user).await;
        let get = |name: &str| flow::parameter(&callback, name).expect(name);
        let claims = flow::jwt_payload(&get("id_token"));
        assert_eq!(claims["at_hash"], half_hash(&get("access_token")));
        assert_eq!(claims["c_hash"], half_hash(&get("code")));
        let tokens = flow::granted(scene.exchange(&get("code"), &request.verifier).await).await;
        let later = flow::jwt_payload(flow::member(&tokens, "id_token"));
        assert_eq!(later["at_hash"], half_hash(flow::member(&tokens, "access_token")));
        seen.push((claims["at_hash"].clone(), claims["c_hash"].clone()));
    }
    assert_ne!(seen[0], seen[1]);
}

/// U1, U3, RFC 9700 §4.9, §4.10: each kind of token opens its own place and no other, and none opens a place of another
/// client: what a hostile resource server was shown is no use elsewhere.
#[tokio::test]
async fn attack_token_substitution() {
    let scene = Scene::start().await;
    let request = scene.request().with("scope", "openid offline_access");
    let tokens = scene.grant(&mut scene.browser(), &request).await;
    let member = |name: &str| flow::member(&tokens, name);
    assert!(scene.accepts(&tokens).await);
    for name in ["id_token", "refresh_token"] {
        assert!(!scene.accepts(&json!({ "access_token": member(name) })).await, "{name} as access token");
        let answer = scene.signet.http().get(scene.signet.url("/api/v1/admin/users")).bearer_auth(member(name));
        assert_eq!(answer.send().await.expect("an answer").status(), 401, "{name} at the API");
    }
    let answer = scene.signet.http().get(scene.signet.url("/api/v1/admin/users")).bearer_auth(member("access_token"));
    assert_eq!(answer.send().await.expect("an answer").status(), 401, "for another audience");
    for name in ["id_token", "access_token"] {
        let answer = flow::refused(flow::refresh(&scene.signet, &scene.client, member(name)).await).await;
        assert_eq!(answer, (400, "invalid_grant".to_owned()), "{name} as refresh token");
        let answer = flow::refused(scene.exchange(member(name), &request.verifier).await).await;
        assert_eq!(answer, (400, "invalid_grant".to_owned()), "{name} as code");
    }
    let hint = scene.request().with("id_token_hint", member("access_token")).with("prompt", "none");
    let callback = scene.browser().get(hint.url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "error").is_some(), "an access token as hint: {callback}");

    let other = scene.signet.client(ClientSpec::confidential()).await;
    for name in ["access_token", "refresh_token"] {
        let told: Value = flow::granted(flow::introspect(&scene.signet, &other, member(name)).await).await;
        assert_eq!(told, json!({ "active": false }), "{name} shown to another client");
        flow::revoke(&scene.signet, &other, member(name)).await;
    }
    let answer = flow::refused(flow::refresh(&scene.signet, &other, member("refresh_token")).await).await;
    assert_eq!(answer, (400, "invalid_grant".to_owned()));
    assert!(scene.accepts(&tokens).await, "another client ends nothing");
}

/// T6, RFC 9700 §4.14: a refresh token that was stolen and used twice ends the whole family, for the thief as for its
/// owner.
#[tokio::test]
async fn attack_stolen_refresh_token() {
    for spec in [ClientSpec::public(), ClientSpec::confidential()] {
        let scene = Scene::with(spec).await;
        let request = scene.request().with("scope", "openid offline_access");
        let stolen = scene.grant(&mut scene.browser(), &request).await;
        let owners = flow::granted(scene.refresh(&stolen).await).await;
        let next = flow::granted(scene.refresh(&owners).await).await;
        let thief = flow::refused(scene.refresh(&stolen).await).await;
        assert_eq!(thief, (400, "invalid_grant".to_owned()));
        assert_eq!(flow::refused(scene.refresh(&next).await).await, (400, "invalid_grant".to_owned()));
        assert!(!scene.accepts(&next).await);
    }
}

/// RFC 9700 §4.15: nobody makes a client that bears the name of a person: to who reads `sub` alone, its tokens would be
/// that person's.
#[tokio::test]
async fn attack_client_that_is_taken_for_a_person() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let subject = flow::jwt_payload(flow::member(&tokens, "id_token"))["sub"].as_str().expect("a subject").to_owned();
    let create = |id: &str| {
        let arguments = ["client", "create", "--json", "--name", "Not Ada", "--grant-type", "client_credentials"];
        let mut command = scene.signet.command(&arguments);
        command.args(["--client-id", id]);
        command.output().expect("the program")
    };
    let output = create(&subject);
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("subject of an account"), "{output:?}");
    assert!(create("not-ada").status.success());
}
