//! `openid-client` (npm), the library of most Node.js applications.

use serde_json::{Value, json};

use super::keys;
use super::party::Party;
use crate::scene::Scene;
use crate::support::prelude::*;

const SCOPE: &str = "openid profile email offline_access";

/// Goes through a scenario; a person signs in, and answers consent with yes, wherever the library sends the browser.
async fn run(scene: &Scene, scenario: &str, settings: &Value, visits: usize) -> Value {
    let mut party = Party::node(scene, scenario, settings);
    for _ in 0..visits {
        party.visits(scene).await;
    }
    party.result().await
}

fn with_method(method: &str) -> ClientSpec {
    ClientSpec { auth_method: Some(method.to_owned()), ..ClientSpec::confidential() }
}

/// R-31, R-32, R-35, T1, T6: code with PKCE by each method of authentication; the library verifies the ID token,
/// reads userinfo and refreshes twice, the second time for less.
#[tokio::test]
async fn code_with_pkce_userinfo_and_refresh() {
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let scene = Scene::tls(with_method(method)).await;
        let settings = json!({ "auth_method": method, "scope": SCOPE });
        let result = run(&scene, "code", &settings, 1).await;
        let claims = &result["claims"];
        assert_eq!(flow::member(claims, "iss"), scene.signet.issuer(), "{method}");
        assert_eq!(flow::member(claims, "aud"), scene.client.id);
        assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email);
        assert_eq!(flow::member(&result["userinfo"], "preferred_username"), scene.user.username);
        let [whole, narrow] = &result["refreshed"].as_array().expect("two refreshes")[..] else {
            panic!("{result}");
        };
        for renewed in [whole, narrow] {
            for kept in ["iss", "sub", "aud", "auth_time"] {
                assert_eq!(renewed["claims"][kept], claims[kept], "{method}: {kept}");
            }
        }
        assert_eq!(flow::member(whole, "scope"), flow::member(&result, "scope"));
        assert_eq!(flow::member(narrow, "scope"), "email openid");
        assert_eq!(flow::member(&narrow["userinfo"], "email"), scene.user.email);
        assert_eq!(narrow["userinfo"]["preferred_username"], Value::Null, "{method}");
    }
}

/// T1: an identifier of whatever characters comes through either method: the library encodes it, and so do we read it.
#[tokio::test]
async fn an_identifier_of_special_characters() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let mut scene = Scene::tls(with_method(method)).await;
        let id = "a:b c%41+d/e?f=g&h~é'(!)*-_.";
        let redirect_uri = &*scene.client.redirect_uri;
        let mut arguments = vec!["client", "create", "--json", "--name", "Characters", "--client-id", id];
        arguments.extend(["--redirect-uri", redirect_uri, "--auth-method", method]);
        let made = scene.signet.cli_json(&arguments, "").await;
        scene.client.id = id.to_owned();
        scene.client.secret = Some(flow::member(&made, "client_secret").to_owned());
        let settings = json!({ "auth_method": method, "scope": SCOPE });
        let result = run(&scene, "code", &settings, 1).await;
        assert_eq!(flow::member(&result["claims"], "aud"), id, "{method}");
    }
}

/// A3, T1, T3, T4, U1: the library reads every refusal as what it is.
#[tokio::test]
async fn refusals_reach_the_application() {
    let spec = ClientSpec {
        grant_types: ["authorization_code", "refresh_token", "client_credentials"].map(str::to_owned).to_vec(),
        ..ClientSpec::confidential()
    };
    let scene = Scene::tls(spec).await;
    let settings = json!({ "auth_method": "client_secret_basic", "scope": SCOPE });
    let mut party = Party::node(&scene, "refusals", &settings);
    let url = party.opens().await;
    party.returns(refuse_consent(&scene, &url).await);
    for _ in 0..3 {
        party.visits(&scene).await;
    }
    let told = party.result().await;
    for (what, error, status) in [
        ("denied", json!("access_denied"), Value::Null),
        ("unknown_prompt", json!("invalid_request"), Value::Null),
        ("wrong_verifier", json!("invalid_grant"), json!(400)),
        ("used_code", json!("invalid_grant"), json!(400)),
        ("dead_token", json!("invalid_token"), json!(401)),
        ("wrong_secret", json!("invalid_client"), json!(401)),
        ("wrong_grant", json!("unsupported_grant_type"), json!(400)),
    ] {
        assert_eq!((&told[what]["error"], &told[what]["status"]), (&error, &status), "{what}: {told}");
    }
}

/// Signs in and says no.
async fn refuse_consent(scene: &Scene, url: &url::Url) -> Landing {
    let mut browser = scene.browser();
    let sign_in = browser.get(url).await.page();
    let consent = flow::sign_in(&mut browser, &sign_in, &scene.user).await.page();
    browser.submit(&consent, &[("decision", "deny")]).await
}

fn with_response_type(response_type: &str, grant_types: &[&str]) -> ClientSpec {
    ClientSpec {
        grant_types: grant_types.iter().copied().map(str::to_owned).collect(),
        response_types: vec![response_type.to_owned()],
        ..ClientSpec::confidential()
    }
}

/// A18: the library takes a posted answer of the code flow.
#[tokio::test]
async fn a_posted_answer() {
    let scene = Scene::tls(ClientSpec::confidential()).await;
    let settings = json!({
        "auth_method": "client_secret_basic", "scope": SCOPE, "parameters": { "response_mode": "form_post" },
    });
    let result = run(&scene, "code", &settings, 1).await;
    assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email);
}

/// A6, A18, T8: `code id_token` in the fragment and posted; the library checks `c_hash` and nonce before it redeems.
#[tokio::test]
async fn hybrid() {
    let scene = Scene::tls(with_response_type("code id_token", &["authorization_code", "implicit"])).await;
    for mode in ["fragment", "form_post"] {
        let settings = json!({
            "auth_method": "client_secret_basic", "scope": SCOPE, "parameters": { "response_mode": mode },
        });
        let result = run(&scene, "hybrid", &settings, 1).await;
        assert_eq!(result["claims"]["sub"], result["userinfo"]["sub"], "{mode}: {result}");
        assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email);
    }
}

/// A6, A13, T8: `id_token` alone, in the fragment and posted; it carries the claims of the scopes.
#[tokio::test]
async fn implicit() {
    let scene = Scene::tls(with_response_type("id_token", &["implicit"])).await;
    for mode in ["fragment", "form_post"] {
        let parameters = json!({ "response_mode": mode });
        let settings = json!({ "auth_method": "none", "scope": "openid profile email", "parameters": parameters });
        let result = run(&scene, "implicit", &settings, 1).await;
        assert_eq!(flow::member(&result["claims"], "aud"), scene.client.id, "{mode}");
        assert_eq!(flow::member(&result["claims"], "email"), scene.user.email, "{mode}");
        assert_eq!(flow::member(&result["claims"], "preferred_username"), scene.user.username, "{mode}");
    }
}

/// R-35, T8, U1: the library verifies ID tokens and signed userinfo by each algorithm that a client may register,
/// refreshed ones too.
#[tokio::test]
async fn signature_algorithms() {
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let metadata = json!({ "id_token_signed_response_alg": alg, "userinfo_signed_response_alg": alg });
        let spec = ClientSpec { metadata: metadata.clone(), ..ClientSpec::confidential() };
        let scene = Scene::tls(spec).await;
        let settings = json!({ "auth_method": "client_secret_basic", "scope": SCOPE, "metadata": metadata });
        let result = run(&scene, "code", &settings, 1).await;
        assert_eq!(flow::member(&result, "id_token_alg"), alg);
        // The library reads nothing but a JWT by this algorithm where one is registered.
        assert_eq!(flow::member(&result["userinfo"], "aud"), scene.client.id, "{alg}");
        assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email, "{alg}");
    }
}

/// U3, U4, R-36: the library looks at its tokens and gives the refresh token back, under a wrong hint too; both are over
/// then.
#[tokio::test]
async fn introspection_and_revocation() {
    let scene = Scene::tls(ClientSpec::confidential()).await;
    let settings = json!({ "auth_method": "client_secret_basic", "scope": SCOPE });
    let result = run(&scene, "inspection", &settings, 1).await;
    for kind in ["access", "refresh"] {
        let (before, after) = (&result["before"][kind], &result["after"][kind]);
        assert_eq!(
            (&before["active"], &before["client_id"]),
            (&json!(true), &json!(scene.client.id)),
            "{kind}: {result}"
        );
        assert_eq!(before["username"], json!(scene.user.username), "{kind}");
        assert_eq!(after, &json!({ "active": false }), "{kind}");
    }
    assert_eq!(result["unheard"], json!({ "active": false }));
    assert_eq!(flow::member(&result["refreshed"], "error"), "invalid_grant");
}

/// A14: the whole request is in a signed object, and nothing but `client_id` beside it; by each kind of key that the library
/// signs with, whether or not the registration asks for it.
#[tokio::test]
async fn signed_request_objects() {
    for (alg, required) in [("RS256", false), ("PS256", true), ("ES256", true)] {
        let (private, public) = keys::pair(alg);
        let metadata = json!({
            "jwks": public, "request_object_signing_alg": alg, "require_signed_request_object": required,
        });
        let scene = Scene::tls(ClientSpec { metadata, ..ClientSpec::confidential() }).await;
        let settings = json!({
            "auth_method": "client_secret_basic", "scope": SCOPE, "request_key": private,
            "parameters": { "max_age": "3600", "claims": r#"{"id_token":{"email":{"essential":true}}}"# },
        });
        let result = run(&scene, "request_object", &settings, 1).await;
        assert_eq!(result["sent"], json!(["client_id", "request"]), "{alg}");
        assert_eq!(flow::member(&result["claims"], "email"), scene.user.email, "{alg}");
        assert!(flow::member(&result, "scope").contains("offline_access"), "{alg}: {result}");
    }
}

/// T1, T2: assertions signed with the secret, and with the client's key by each kind of key that the library signs with.
#[tokio::test]
async fn assertions() {
    for alg in ["HS256", "RS256", "PS256", "ES256"] {
        let mut settings = json!({ "auth_method": "client_secret_jwt", "scope": SCOPE });
        let mut metadata = json!({ "token_endpoint_auth_signing_alg": alg });
        if alg != "HS256" {
            let (private, public) = keys::pair(alg);
            metadata["jwks"] = public;
            settings["auth_method"] = json!("private_key_jwt");
            settings["private_key"] = private;
        }
        let spec = ClientSpec { metadata, ..with_method(flow::member(&settings, "auth_method")) };
        let scene = Scene::tls(spec).await;
        let result = run(&scene, "code", &settings, 1).await;
        assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email, "{alg}");
    }
}

/// T8, U1: ID tokens, refreshed ones too, and userinfo that only the client can read.
#[tokio::test]
async fn encrypted_id_tokens_and_userinfo() {
    for (alg, enc) in [("RSA-OAEP-256", "A256GCM"), ("ECDH-ES", "A128GCM"), ("ECDH-ES+A256KW", "A256GCM")] {
        let (private, public) = keys::pair(alg);
        let metadata = json!({
            "jwks": public, "userinfo_signed_response_alg": "RS256",
            "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc,
            "userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc,
        });
        let scene = Scene::tls(ClientSpec { metadata, ..ClientSpec::confidential() }).await;
        let settings = json!({
            "auth_method": "client_secret_basic", "scope": SCOPE, "decryption_key": private, "encryptions": [enc],
            "metadata": { "userinfo_signed_response_alg": "RS256" },
        });
        let result = run(&scene, "encrypted", &settings, 1).await;
        assert_eq!(result["parts"], json!([5, 5]), "{alg}: {result}");
        assert_eq!(result["decrypted"], json!({ "userinfo": true, "id_token": true }), "{alg}");
        assert_eq!(flow::member(&result["userinfo"], "email"), scene.user.email, "{alg}");
        assert_eq!(result["renewed"]["sub"], result["claims"]["sub"], "{alg}");
    }
}

/// R-32, T7: a service gets a token for itself, and nothing to refresh.
#[tokio::test]
async fn client_credentials() {
    let spec = ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: vec!["reports:read".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    };
    let scene = Scene::tls(spec).await;
    for scope in ["", "reports:read"] {
        let settings = json!({ "auth_method": "client_secret_basic", "scope": scope });
        let result = run(&scene, "client_credentials", &settings, 0).await;
        assert_eq!((&result["scope"], &result["refreshable"]), (&json!("reports:read"), &json!(false)), "{result}");
        assert_eq!(flow::member(&result, "token_type"), "bearer");
        let claims = flow::jwt_payload(flow::member(&result, "access_token"));
        assert_eq!(flow::member(&claims, "sub"), scene.client.id);
    }
}
