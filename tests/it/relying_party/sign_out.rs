//! Applications that are told in the back channel that a person signed out: Express with `openid-client` and `jose`,
//! `FastAPI` with Authlib. They register themselves, each at a port of its own.

use serde_json::{Value, json};
use url::Url;

use super::party::Party;
use crate::scene::{Scene, admin};
use crate::support::prelude::*;

/// By which scheme the application is reached, and where the person signs out.
const CASES: [(&str, &str); 2] = [("http", "application"), ("https", "provider")];

/// A server that lets applications register with a token and be reached on this machine; the scene's own client is not used.
async fn scene() -> Scene {
    let settings = [("SIGNET_REGISTRATION__CLIENTS", "token"), ("SIGNET_OUTBOUND__ALLOW_PRIVATE", "true")];
    let signet = Signet::start_tls(Database::Postgres, &settings).await;
    let client = signet.client(ClientSpec::confidential()).await;
    Scene { signet, client, user: admin() }
}

/// What the application says of itself; it adds its addresses.
async fn settings(scene: &Scene, (scheme, sign_out): (&str, &str)) -> Value {
    let made = scene.signet.cli_json(&["client", "registration-token", "create", "--json"], "").await;
    // The provider trusts the certificate that it has itself.
    let tls = (scheme == "https").then(|| scene.signet.folder().join("tls"));
    json!({
        "client_id": null, "client_secret": null, "scope": "openid profile", "sign_out": sign_out,
        "cert": tls.as_ref().map(|folder| folder.join("tls.crt")), "key": tls.map(|folder| folder.join("tls.key")),
        "initial_access_token": flow::member(&made, "token"),
        "registered": {
            "client_name": "Reports", "grant_types": ["authorization_code"], "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
        },
    })
}

/// Two browsers sign in to the application; one signs out. Gives what the application found, and where the browser ended.
async fn told(scene: &Scene, mut party: Party, sign_out: &str) -> (Value, Url) {
    let mut browsers = [scene.browser(), scene.browser()];
    for browser in &mut browsers {
        let url = party.opens().await;
        party.returns(flow::through(browser, &url, &scene.user).await);
    }
    let [browser, _] = &mut browsers;
    let page = browser.get(party.opens().await).await;
    let url = if sign_out == "provider" {
        browser.submit(&page.page(), &[("decision", "signout")]).await.page().url
    } else {
        page.left()
    };
    party.returns(Landing::Left(url.clone()));
    (party.result().await, url)
}

/// The application was told once, of the one session; it believed that, and nothing else that it was sent.
async fn holds(scene: &Scene, result: &Value, what: &str) {
    let (told, sessions) = (&result["told"], &result["sessions"]);
    assert_eq!((&told["status"], &told["ended"]), (&json!(200), &json!(1)), "{what}: {result}");
    assert_eq!((&sessions[0]["status"], &sessions[1]["status"]), (&json!(200), &json!(200)), "{what}: {result}");
    assert_ne!(sessions[0]["sid"], sessions[1]["sid"], "{what}");
    let claims = &told["claims"];
    for name in ["sid", "sub"] {
        assert_eq!(claims[name], sessions[0][name], "{what}: {name}");
    }
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(scene.signet.issuer()), &result["client_id"]),
        "{what}: {claims}"
    );
    assert_eq!((&told["header"]["typ"], claims.get("nonce")), (&json!("logout+jwt"), None), "{what}");
    assert_eq!(result["after"], json!([401, 200]), "{what}: {result}");
    let refused = json!({ "again": 400, "id_token": 400, "changed": 400, "unsigned": 400 });
    assert_eq!((&result["refused"], &result["still"]), (&refused, &json!(200)), "{what}: {result}");
    let delivered = eventually(PATIENCE, "it is noted", async || {
        let found = scene.signet.cli_json(&["delivery", "list", "--json", "--state", "delivered"], "").await;
        found.as_array().is_some_and(|found| !found.is_empty()).then_some(found)
    })
    .await;
    let [one] = &delivered.as_array().expect("a list")[..] else { panic!("{what}: {delivered}") };
    assert_eq!((&one["client_id"], &one["attempts"]), (&result["client_id"], &json!(1)), "{what}");
}

/// L1, L2, R1, R-06, R-35: an Express application takes the logout token that `jose` validates by the published keys, and
/// ends the session that it names.
#[tokio::test]
async fn an_express_application_is_told() {
    for case @ (scheme, sign_out) in CASES {
        let scene = scene().await;
        let party = Party::node(&scene, "sign_out", &settings(&scene, case).await);
        let (result, left) = told(&scene, party, sign_out).await;
        if sign_out == "application" {
            assert_eq!((left.path(), left.query()), ("/bye", Some("state=bye")), "{left}");
        }
        holds(&scene, &result, scheme).await;
    }
}

/// L1, L2, R1, R-06, R-35: a `FastAPI` application with Authlib takes the logout token that its JOSE library validates by the
/// published keys, and ends the session that it names; after a sign-out of its own it gets its state back.
#[tokio::test]
async fn a_fastapi_application_is_told() {
    for case @ (scheme, sign_out) in CASES {
        let scene = scene().await;
        let party = Party::python(&scene, "sign_out", &settings(&scene, case).await);
        let (result, left) = told(&scene, party, sign_out).await;
        if sign_out == "application" {
            assert_eq!((left.path(), &result["bye"]), ("/bye", &json!(200)), "{left}: {result}");
        }
        holds(&scene, &result, scheme).await;
    }
}
