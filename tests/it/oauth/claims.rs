//! Claims by name, of a client's own, and subjects by sector.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::prelude::*;

fn claims(value: &Value) -> String {
    value.to_string()
}

/// The claims of userinfo.
async fn userinfo(scene: &Scene, tokens: &Value) -> Value {
    flow::granted(flow::userinfo(&scene.signet, flow::member(tokens, "access_token")).await).await
}

/// A12: what is asked for one place appears there and not in the other; a refresh keeps it.
#[tokio::test]
async fn claims_appear_where_they_were_asked_for() {
    let scene = Scene::start().await;
    let asked = json!({
        "userinfo": {"preferred_username": {"essential": true}},
        "id_token": {"email": null, "auth_time": {"essential": true}, "never_heard_of": null},
    });
    // OIDC Core §5.5 prints it over several lines.
    let printed = format!("{asked:#}").replace("  ", "\t");
    let request = scene.request().with("scope", "openid").with("claims", &printed);
    let tokens = scene.grant(&mut scene.browser(), &request).await;
    let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert!(id["email"].is_string() && id["auth_time"].is_i64(), "{id}");
    assert!(id.get("preferred_username").is_none() && id.get("never_heard_of").is_none(), "{id}");
    let info = userinfo(&scene, &tokens).await;
    assert_eq!(info["preferred_username"], "admin");
    assert!(info.get("email").is_none() && info.get("name").is_none(), "{info}");
    let refreshed = flow::granted(scene.refresh(&tokens).await).await;
    assert_eq!(flow::jwt_payload(flow::member(&refreshed, "id_token"))["email"], id["email"]);
}

/// A12, A16: single claims are shown on the consent page and asked about again when there are more; what the client may
/// not ask for is neither shown nor given.
#[tokio::test]
async fn consent_covers_single_claims() {
    let spec = ClientSpec { scopes: ["openid", "profile"].map(str::to_owned).to_vec(), ..ClientSpec::confidential() };
    let scene = Scene::with(spec).await;
    let mut browser = scene.browser();
    let plain = scene.request().with("scope", "openid");
    scene.code(&mut browser, &plain).await;
    let more = plain.with("claims", &claims(&json!({"userinfo": {"nickname": null, "email": {"essential": true}}})));
    let silent = browser.get(more.clone().with("prompt", "none").url(&scene.signet)).await.left();
    assert_eq!(flow::parameter(&silent, "error").as_deref(), Some("consent_required"));
    let page = browser.get(more.url(&scene.signet)).await.page();
    assert!(page.body.contains("nickname") && !page.body.contains("email"), "{}", page.body);
    let tokens = scene.grant(&mut browser, &more).await;
    assert!(userinfo(&scene, &tokens).await.get("email").is_none());
    let silent = browser.get(more.with("prompt", "none").url(&scene.signet)).await.left();
    assert!(flow::parameter(&silent, "code").is_some(), "{silent}");
}

/// A12: a `claims` parameter that cannot be read is refused.
#[tokio::test]
async fn claims_that_cannot_be_read_are_refused() {
    let scene = Scene::start().await;
    for bad in ["{", "[]", r#"{"id_token":1}"#, r#"{"userinfo":{"email":true}}"#] {
        let callback = scene.browser().get(scene.request().with("claims", bad).url(&scene.signet)).await.left();
        assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("invalid_request"), "{bad}");
    }
}

/// R-48: groups and metadata of the account reach the client that maps them, in ID token and userinfo, by its scopes.
#[tokio::test]
async fn custom_claims_reach_their_client() {
    let members = json!({"claims": {
        "groups": {"from": "groups", "scope": "groups"},
        "employee": {"from": {"metadata": "hr.number"}},
        "roles": {"from": "roles", "scope": "groups"},
    }});
    let spec = ClientSpec { scopes: ["openid", "groups"].map(str::to_owned).to_vec(), ..ClientSpec::confidential() };
    let scene = Scene::with(spec.with_metadata(&members)).await;
    let set = json!({"groups": ["engineers", "admins"], "metadata": {"hr": {"number": 7}}}).to_string();
    scene.signet.cli_json(&["user", "update", "admin", "--profile", &set, "--json"], "").await;
    let tokens = scene.grant(&mut scene.browser(), &scene.request().with("scope", "openid groups")).await;
    let refreshed = flow::granted(scene.refresh(&tokens).await).await;
    let info = userinfo(&scene, &tokens).await;
    for place in [
        &flow::jwt_payload(flow::member(&tokens, "id_token")),
        &flow::jwt_payload(flow::member(&refreshed, "id_token")),
        &info,
    ] {
        assert_eq!((&place["groups"], &place["employee"]), (&json!(["engineers", "admins"]), &json!(7)), "{place}");
        assert_eq!(place["roles"], json!(["admin", "moderator", "user"]));
    }
    let other = scene.signet.client(ClientSpec::confidential()).await;
    let tokens = flow::tokens(&scene.signet, &other, &scene.user).await;
    assert!(userinfo(&scene, &tokens).await.get("employee").is_none());
}

/// D2, A9: a pairwise client knows the person by a subject of its own sector, the same in every token and for every client
/// of that sector; a hint with it is understood.
#[tokio::test]
async fn pairwise_subjects() {
    let pairwise = json!({"subject_type": "pairwise"});
    let mut scene = Scene::with(ClientSpec::confidential().with_metadata(&pairwise)).await;
    scene.user = scene.signet.user("ada").await;
    let elsewhere = ClientSpec {
        redirect_uris: vec!["https://other.example/callback".to_owned()],
        ..ClientSpec::confidential().with_metadata(&pairwise)
    };
    let same_sector = ClientSpec {
        redirect_uris: vec!["https://app.example/second".to_owned()],
        ..ClientSpec::confidential().with_metadata(&pairwise)
    };
    let signet = &scene.signet;
    let public = signet.client(ClientSpec::confidential()).await;
    let (same, other) = (signet.client(same_sector).await, signet.client(elsewhere).await);
    let subject = async |client: &Client| {
        let tokens = flow::tokens(signet, client, &scene.user).await;
        let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
        let access = flow::jwt_payload(flow::member(&tokens, "access_token"));
        let info = flow::granted(flow::userinfo(signet, flow::member(&tokens, "access_token")).await).await;
        assert_eq!((&id["sub"], &id["sub"]), (&access["sub"], &info["sub"]));
        (flow::member(&id, "sub").to_owned(), tokens)
    };
    let (own, tokens) = subject(&scene.client).await;
    assert_eq!(subject(&same).await.0, own);
    assert_ne!(subject(&other).await.0, own);
    assert_ne!(subject(&public).await.0, own);

    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    let hinted = scene.request().with("prompt", "none").with("id_token_hint", flow::member(&tokens, "id_token"));
    let callback = browser.get(hinted.url(signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
    for (rule, error) in [
        (json!({"value": "somebody else"}), Some("login_required")),
        (json!({"values": ["somebody else", "nobody"]}), Some("login_required")),
        (json!({"values": ["somebody else", own]}), None),
    ] {
        let named = claims(&json!({"id_token": {"sub": rule}}));
        let callback = browser.get(scene.request().with("prompt", "none").with("claims", &named).url(signet)).await;
        assert_eq!(flow::parameter(&callback.left(), "error").as_deref(), error, "{rule}");
    }

    // R-06: locking the account ends the tokens that carry this subject too.
    assert!(scene.accepts(&tokens).await);
    signet.cli_json(&["user", "lock", "ada", "--reason", "test", "--json"], "").await;
    eventually(PATIENCE, "the pairwise token ends", async || (!scene.accepts(&tokens).await).then_some(())).await;
}

/// A11: contexts that nobody reaches are no error, unless one is essential.
#[tokio::test]
async fn contexts() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    let ask = |value: &Value| scene.request().with("prompt", "none").with("claims", &claims(value)).url(&scene.signet);
    let acr = |essential: bool, values: Value| json!({"id_token": {"acr": {"essential": essential, "values": values}}});
    for (asked, expected) in [
        (acr(true, json!(["urn:signet:acr:1fa"])), None),
        (acr(false, json!(["urn:nothing"])), None),
        (acr(true, json!(["urn:nothing"])), Some("unmet_authentication_requirements")),
    ] {
        let callback = browser.get(ask(&asked)).await.left();
        assert_eq!(flow::parameter(&callback, "error").as_deref(), expected, "{asked}");
    }
    // Any of them suffices, and which one there is is told.
    for wanted in ["urn:nothing urn:more", "urn:nothing urn:signet:acr:1fa", "urn:signet:acr:1fa urn:more"] {
        let request = scene.request().with("prompt", "none").with("acr_values", wanted);
        let tokens = scene.grant(&mut browser, &request).await;
        let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
        assert_eq!(id["acr"], "urn:signet:acr:1fa", "{wanted}");
    }
}
