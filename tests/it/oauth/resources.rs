//! Tokens for registered APIs (RFC 8707, R-47).

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::prelude::*;

const ORDERS: &str = "https://orders.example/";
const INVOICES: &str = "https://invoices.example/";

async fn api(signet: &Signet, identifier: &str, more: &[&str]) {
    let arguments = ["resource", "create", identifier, "--name", "An API", "--json"];
    signet.cli_json(&[&arguments[..], more].concat(), "").await;
}

/// Two APIs, and a client that may ask for both.
async fn scene() -> Scene {
    let signet = Signet::start(Database::Postgres).await;
    api(&signet, ORDERS, &["--scope", "orders", "--access-token-seconds", "60", "--access-token-alg", "RS256"]).await;
    api(&signet, INVOICES, &["--scope", "invoices=See what you owe"]).await;
    let scopes = ["openid", "orders", "invoices"].map(str::to_owned).to_vec();
    let grants = ["authorization_code", "refresh_token", "client_credentials"].map(str::to_owned).to_vec();
    let spec = ClientSpec { scopes, grant_types: grants, ..ClientSpec::confidential() };
    let client = signet.client(spec.with_metadata(&json!({"resources": [ORDERS, INVOICES]}))).await;
    Scene { signet, client, user: crate::scene::admin() }
}

fn access(tokens: &Value) -> (Value, Value) {
    let token = flow::member(tokens, "access_token");
    (flow::jwt_header(token), flow::jwt_payload(token))
}

/// Tokens of a grant for both APIs, the access token for one of them.
async fn for_one_of_both(scene: &Scene, resource: &str) -> Value {
    let request =
        scene.request().with("scope", "openid orders invoices").and("resource", ORDERS).and("resource", INVOICES);
    let code = scene.code(&mut scene.browser(), &request).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &scene.client.redirect_uri),
        ("code_verifier", &request.verifier),
        ("resource", resource),
    ];
    flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await
}

/// audience, scopes, lifetime and algorithm of an access token are those of the API it is for; a later request may
/// ask for fewer APIs, never for others.
#[tokio::test]
async fn a_token_is_for_the_apis_asked_for() {
    let scene = scene().await;
    let tokens = for_one_of_both(&scene, ORDERS).await;
    let (head, claims) = access(&tokens);
    assert_eq!(claims["aud"], json!([ORDERS, scene.signet.issuer()]));
    assert_eq!((&claims["scope"], &tokens["scope"]), (&json!("openid orders"), &json!("openid orders")));
    assert_eq!((&head["alg"], &tokens["expires_in"]), (&json!("RS256"), &json!(60)));
    assert!(scene.accepts(&tokens).await, "RS256 is accepted at userinfo");

    let refresh = async |token: &str, resource: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", resource)];
        flow::token(&scene.signet, &scene.client, &fields).await
    };
    let refused = refresh(flow::member(&tokens, "refresh_token"), "https://other.example/").await;
    assert_eq!(flow::refused(refused).await, (400, "invalid_target".to_owned()));
    let second = flow::granted(refresh(flow::member(&tokens, "refresh_token"), INVOICES).await).await;
    let (head, claims) = access(&second);
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&json!([INVOICES, scene.signet.issuer()]), &json!("invoices openid"))
    );
    assert_eq!((&head["alg"], &second["expires_in"]), (&json!("ES256"), &json!(900)));
    let both = flow::granted(scene.refresh(&second).await).await;
    assert_eq!(access(&both).1["aud"], json!([INVOICES, ORDERS, scene.signet.issuer()]));
}

/// A16, R-47: consent covers the APIs a token is for: another one is asked about, the ones allowed before are not.
#[tokio::test]
async fn consent_covers_the_apis() {
    let scene = scene().await;
    let mut browser = scene.browser();
    let asking = |apis: &[&str]| {
        let request = scene.request().with("scope", "openid orders invoices");
        apis.iter().fold(request, |request, api| request.and("resource", api))
    };
    let silently = async |browser: &mut Browser, apis: &[&str]| {
        let callback = browser.get(asking(apis).with("prompt", "none").url(&scene.signet)).await.left();
        flow::parameter(&callback, "error")
    };
    scene.code(&mut browser, &asking(&[ORDERS])).await;
    assert_eq!(silently(&mut browser, &[ORDERS]).await, None);
    for more in [&[INVOICES][..], &[ORDERS, INVOICES]] {
        assert_eq!(silently(&mut browser, more).await.as_deref(), Some("consent_required"), "{more:?}");
    }
    let page = browser.get(asking(&[INVOICES]).url(&scene.signet)).await.page();
    let callback = browser.submit(&page, &[("decision", "allow")]).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
    assert_eq!(silently(&mut browser, &[ORDERS, INVOICES]).await, None);
}

/// an API that the client was not given, or an address that is none, is `invalid_target`.
#[tokio::test]
async fn other_apis_are_refused() {
    let scene = scene().await;
    for bad in ["https://other.example/", "orders", "https://orders.example/#x", &scene.signet.url("/api")] {
        let callback = scene.browser().get(scene.request().with("resource", bad).url(&scene.signet)).await.left();
        assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("invalid_target"), "{bad}");
        let fields = [("grant_type", "client_credentials"), ("resource", bad)];
        let refused = flow::token(&scene.signet, &scene.client, &fields).await;
        assert_eq!(flow::refused(refused).await, (400, "invalid_target".to_owned()), "{bad}");
    }
}

/// R-47, T7: a client's own token is for the API it asks for, and follows that when it changes, at once.
#[tokio::test]
async fn a_clients_own_token_follows_the_api() {
    let scene = scene().await;
    let own = async || {
        let fields = [("grant_type", "client_credentials"), ("resource", ORDERS)];
        flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await
    };
    let tokens = own().await;
    let (head, claims) = access(&tokens);
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!([ORDERS]), &json!("orders")));
    assert_eq!((&head["alg"], &tokens["expires_in"]), (&json!("RS256"), &json!(60)));
    scene.signet.cli_json(&["resource", "update", ORDERS, "--access-token-seconds", "120", "--json"], "").await;
    eventually(PATIENCE, "the new lifetime counts", async || (own().await["expires_in"] == 120).then_some(())).await;
}

/// U4, A16, T4, R-47: what ends a grant ends each of its tokens, also one that lives longer than the newest.
#[tokio::test]
async fn a_longer_token_ends_with_its_grant() {
    let scene = scene().await;
    let longer = for_one_of_both(&scene, INVOICES).await;
    // As if the code had been redeemed a while ago: what is stored is the end of that token to the second.
    assert_eq!(scene.change("UPDATE grants SET access_until = now() + interval '15 minutes'"), 1);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", flow::member(&longer, "refresh_token")),
        ("resource", ORDERS),
    ];
    let shorter = flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await;
    assert_eq!(shorter["expires_in"], 60);
    // A minute later.
    assert_eq!(scene.change("UPDATE grants SET access_until = access_until - interval '61 seconds'"), 1);
    assert!(scene.accepts(&longer).await);
    flow::revoke(&scene.signet, &scene.client, flow::member(&shorter, "refresh_token")).await;
    assert!(!scene.accepts(&longer).await, "the grant is over");
}

/// an API that is taken from a client is served to it no more: by no refresh, and by no code in flight.
#[tokio::test]
async fn an_api_that_was_taken_is_served_no_more() {
    let scene = scene().await;
    let mut browser = scene.browser();
    let both =
        || scene.request().with("scope", "openid orders invoices").and("resource", ORDERS).and("resource", INVOICES);
    let tokens = scene.grant(&mut browser, &both()).await;
    let request = both();
    let in_flight = scene.code(&mut browser, &request).await;
    let take = async |left: Value, taken: &str| {
        let metadata = json!({ "resources": left }).to_string();
        let update = ["client", "update", &scene.client.id, "--metadata", &metadata, "--json"];
        scene.signet.cli_json(&update, "").await;
        let own = [("grant_type", "client_credentials"), ("resource", taken)];
        eventually(PATIENCE, "the change arrives", async || {
            let answer = flow::token(&scene.signet, &scene.client, &own).await;
            (answer.status() == reqwest::StatusCode::BAD_REQUEST).then_some(())
        })
        .await;
    };
    take(json!([INVOICES]), ORDERS).await;
    let refresh = async |token: &str, resource: Option<&str>| {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        fields.extend(resource.map(|resource| ("resource", resource)));
        flow::token(&scene.signet, &scene.client, &fields).await
    };
    let only = json!([INVOICES, scene.signet.issuer()]);
    let token = flow::member(&tokens, "refresh_token");
    assert_eq!(flow::refused(refresh(token, Some(ORDERS)).await).await, (400, "invalid_target".to_owned()));
    let next = flow::granted(refresh(token, None).await).await;
    assert_eq!(access(&next).1["aud"], only);
    let exchanged = flow::granted(scene.exchange(&in_flight, &request.verifier).await).await;
    assert_eq!(access(&exchanged).1["aud"], only);

    take(Value::Null, INVOICES).await;
    let token = flow::member(&next, "refresh_token");
    assert_eq!(flow::refused(refresh(token, Some(INVOICES)).await).await, (400, "invalid_target".to_owned()));
    assert_eq!(flow::refused(refresh(token, None).await).await, (400, "invalid_grant".to_owned()));
}

/// an API that clients may ask for is not removed: its tokens would be made without its rules.
#[tokio::test]
async fn an_api_in_use_stays() {
    let scene = scene().await;
    let delete = ["resource", "delete", ORDERS, "--yes"];
    let refused = scene.signet.cli(&delete).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&scene.client.id), "{refused:?}");
    let metadata = json!({ "resources": [INVOICES] }).to_string();
    let update = ["client", "update", &scene.client.id, "--metadata", &metadata, "--audience", ORDERS];
    assert!(scene.signet.cli(&update).await.status.success());
    assert_eq!(scene.signet.cli(&delete).await.status.code(), Some(1), "as its own audience");
    let update = ["client", "update", &scene.client.id, "--clear", "audience"];
    assert!(scene.signet.cli(&update).await.status.success());
    assert!(scene.signet.cli(&delete).await.status.success());
}

/// T7: a service that asks an API for what that does not know is refused, rather than given a token for less.
#[tokio::test]
async fn a_scope_of_another_api_is_refused() {
    let scene = scene().await;
    for (scope, error) in
        [("orders", None), ("invoices", Some("invalid_scope")), ("orders invoices", Some("invalid_scope"))]
    {
        let fields = [("grant_type", "client_credentials"), ("resource", ORDERS), ("scope", scope)];
        let answer = flow::token(&scene.signet, &scene.client, &fields).await;
        match error {
            None => assert_eq!(flow::granted(answer).await["scope"], scope),
            Some(error) => assert_eq!(flow::refused(answer).await, (400, error.to_owned()), "{scope}"),
        }
    }
}

/// A16, R-47: the page that asks says what the API was registered with, its name and the words of its scopes; so does the
/// list of what was allowed.
#[tokio::test]
async fn people_read_the_words_of_the_api() {
    let scene = scene().await;
    let mut browser = scene.browser();
    let request = scene.request().with("scope", "openid orders invoices").and("resource", INVOICES);
    let page = browser.get(request.url(&scene.signet)).await.page();
    let page = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    for words in ["Use “An API” on your behalf", INVOICES, "See what you owe", "Use “orders” on your behalf"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    browser.submit(&page, &[("decision", "allow")]).await.left();
    let page = browser.get("/account/applications").await.page();
    assert!(page.body.contains("See what you owe") && page.body.contains("An API"), "{}", page.body);
}
