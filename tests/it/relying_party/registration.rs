//! Libraries that register an application, use it, change and remove it: they know the issuer and an initial access token.

use serde_json::{Value, json};

use super::party::Party;
use crate::scene::{Scene, admin};
use crate::support::prelude::*;

const SCOPE: &str = "openid profile email offline_access";

/// A server where a token is needed to register; the scene's own client is not used.
async fn scene() -> Scene {
    let signet = Signet::start_tls(Database::Postgres, &[("SIGNET_REGISTRATION__CLIENTS", "token")]).await;
    let client = signet.client(ClientSpec::confidential()).await;
    Scene { signet, client, user: admin() }
}

/// What the application says of itself, and the token it may do that with, once.
async fn settings(scene: &Scene, method: &str) -> Value {
    let made = scene.signet.cli_json(&["client", "registration-token", "create", "--json"], "").await;
    json!({
        "client_id": null, "client_secret": null, "auth_method": method, "scope": SCOPE,
        "initial_access_token": flow::member(&made, "token"),
        "registered": {
            "client_name": "Reports", "redirect_uris": [scene.client.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": method, "contacts": ["ada@reports.example"],
        },
    })
}

fn managed(result: &Value) {
    let answer = &result["answer"];
    assert_eq!(result["read"]["client_id"], answer["client_id"], "{result}");
    assert_eq!(
        (&answer["client_name"], &result["changed"]["client_name"]),
        (&json!("Reports"), &json!("Another name"))
    );
    assert_eq!(result["changed"]["registration_access_token"], answer["registration_access_token"]);
    assert_eq!(result["removed"], 204);
    assert_eq!(flow::member(&result["userinfo"], "email"), admin().email);
}

/// R1, R-35, R-37: `openid-client` registers an application, which signs a person in at once, and manages it to its end.
#[tokio::test]
async fn openid_client_registers_itself() {
    for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt", "none"] {
        let scene = scene().await;
        let mut party = Party::node(&scene, "registration", &settings(&scene, method).await);
        party.visits(&scene).await;
        let result = party.result().await;
        for refused in ["unknown", "used"] {
            assert_eq!(result[refused]["status"], 401, "{method}: {result}");
            assert_eq!(result[refused]["error"], "invalid_token", "{method}: {result}");
        }
        managed(&result);
        assert_eq!(result["claims"]["aud"], result["answer"]["client_id"], "{method}");
        for ended in ["gone", "dead"] {
            assert_eq!(result[ended]["status"], 401, "{method}: {result}");
        }
    }
}

/// R1, R-35, R-37: Authlib's session registers an application; its checks of registrations accept the answer.
#[tokio::test]
async fn authlib_registers_itself() {
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let scene = scene().await;
        let mut party = Party::python(&scene, "registration", &settings(&scene, method).await);
        party.visits(&scene).await;
        let result = party.result().await;
        assert_eq!((&result["refused"], &result["status"]), (&json!([401, "invalid_token"]), &json!(201)), "{method}");
        managed(&result);
        assert_eq!(result["claims"]["client_id"], result["answer"]["client_id"], "{method}");
        assert_eq!(result["gone"], 401);
    }
}
