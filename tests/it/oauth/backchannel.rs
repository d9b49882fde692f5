//! Back-channel logout: what clients are told when a person's session ends, and until it has arrived.

use std::collections::HashMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::oauth::algorithms::verified;
use crate::scene::Scene;
use crate::support::hosted::Hosted;
use crate::support::prelude::*;

/// Signet may send to this machine.
const PRIVATE: &[(&str, &str)] = &[("SIGNET_OUTBOUND__ALLOW_PRIVATE", "true")];
const PATH: &str = "/backchannel";

/// A server, an application that is told, and where it is told.
struct Told {
    scene: Scene,
    hosted: Hosted,
}

impl Told {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    async fn with(further: Value) -> Self {
        let signet = Signet::start_with(Database::Postgres, PRIVATE).await;
        let hosted = Hosted::start();
        hosted.put(PATH, "");
        let client = told(&signet, &hosted, further).await;
        Self { scene: Scene { signet, client, user: crate::scene::admin() }, hosted }
    }

    /// The logout tokens that arrived, once there are so many.
    async fn tokens(&self, count: usize) -> Vec<String> {
        arrived(&self.hosted, count).await
    }

    /// The deliveries, the newest first.
    async fn deliveries(&self, filter: &[&str]) -> Vec<Value> {
        let arguments = [&["delivery", "list", "--json"], filter].concat();
        self.scene.signet.cli_json(&arguments, "").await.as_array().expect("a list").clone()
    }

    async fn sign_out(&self, browser: &mut Browser) {
        let home = browser.get("/").await.page();
        let page = browser.submit(&home, &[("decision", "signout")]).await.page();
        assert_eq!(page.status, StatusCode::OK);
    }
}

/// A client that is told there.
async fn told(signet: &Signet, hosted: &Hosted, further: Value) -> Client {
    let mut metadata = json!({ "backchannel_logout_uri": hosted.url(PATH) });
    metadata.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
    signet.client(ClientSpec::confidential().with_metadata(&metadata)).await
}

async fn arrived(hosted: &Hosted, count: usize) -> Vec<String> {
    eventually(PATIENCE, "logout tokens", async || {
        let forms = hosted.forms(PATH);
        let token = |form: &HashMap<String, String>| form["logout_token"].clone();
        (forms.len() >= count).then(|| forms.iter().map(token).collect())
    })
    .await
}

/// L2: signed with a published key, `typ: logout+jwt`, `iss aud iat exp jti sid sub events` as in the ID token, no nonce, two
/// minutes; once.
#[tokio::test]
async fn a_client_is_told_that_the_session_ended() {
    let told = Told::start().await;
    let mut browser = told.scene.browser();
    let tokens = told.scene.grant(&mut browser, &told.scene.request()).await;
    let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
    told.sign_out(&mut browser).await;
    let arrived = told.tokens(1).await;
    verified(&told.scene.signet, &arrived[0], "RS256").await;
    let (header, claims) = (flow::jwt_header(&arrived[0]), flow::jwt_payload(&arrived[0]));
    assert_eq!(header["typ"], "logout+jwt");
    for name in ["iss", "aud", "sub", "sid"] {
        assert_eq!(claims[name], id[name], "{name}");
    }
    assert_eq!(claims["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    let (iat, exp) = (claims["iat"].as_i64().expect("iat"), claims["exp"].as_i64().expect("exp"));
    assert_eq!(exp - iat, 120);
    assert!(flow::member(&claims, "jti").len() >= 22 && claims.get("nonce").is_none(), "{claims}");
    // It is neither an ID token nor an access token here.
    let hint = told.scene.signet.url(&format!("/oauth/logout?id_token_hint={}", arrived[0]));
    assert!(browser.get(&hint).await.page().body.contains("You are signed out"));
    assert_eq!(flow::userinfo(&told.scene.signet, &arrived[0]).await.status(), StatusCode::UNAUTHORIZED);
    let done = eventually(PATIENCE, "it is noted", async || {
        let found = told.deliveries(&["--state", "delivered"]).await;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!((done.len(), &done[0]["attempts"], &done[0]["client_id"]), (1, &json!(1), &json!(told.scene.client.id)));
    assert_eq!(told.hosted.forms(PATH).len(), 1);
}

/// L2: what had to wait for a turn of ours was not tried, and its target did not fail.
#[tokio::test]
async fn waiting_for_a_turn_is_no_failure() {
    let told = Told::start().await;
    let scene = &told.scene;
    let silent = json!({ "backchannel_logout_uri": told.hosted.url("/held") });
    let silent = scene.signet.client(ClientSpec::confidential().with_metadata(&silent)).await;
    told.hosted.hold("/held");
    // As many as are sent to one host at a time.
    for _ in 0..4 {
        let mut browser = scene.browser();
        flow::code(&scene.signet, &mut browser, &AuthRequest::new(&silent), &scene.user).await;
        told.sign_out(&mut browser).await;
    }
    eventually(PATIENCE, "all turns are taken", async || (told.hosted.hits("/held") == 4).then_some(())).await;
    let mut browser = scene.browser();
    scene.grant(&mut browser, &scene.request()).await;
    told.sign_out(&mut browser).await;
    let done = eventually(PATIENCE, "it arrived", async || {
        told.deliveries(&["--state", "delivered"]).await.into_iter().next()
    })
    .await;
    assert_eq!((&done["attempts"], &done["client_id"]), (&json!(1), &json!(scene.client.id)), "{done}");
}

/// L2: a target that is down is tried again, with a token that is made then, until it has it.
#[tokio::test]
async fn a_target_that_is_down_is_told_when_it_returns() {
    let told = Told::start().await;
    let mut browser = told.scene.browser();
    told.scene.grant(&mut browser, &told.scene.request()).await;
    told.hosted.answer(PATH, "503 Service Unavailable", "");
    told.sign_out(&mut browser).await;
    told.tokens(2).await;
    let waiting = told.deliveries(&["--state", "waiting"]).await;
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0]["attempts"].as_i64() >= Some(2) && waiting[0]["due_at"].is_string(), "{waiting:?}");
    assert_eq!(waiting[0]["last_problem"], "the answer has status 503");
    told.hosted.put(PATH, "");
    eventually(PATIENCE, "it arrives", async || {
        (told.deliveries(&["--state", "delivered"]).await.len() == 1).then_some(())
    })
    .await;
    let mut jtis: Vec<String> =
        told.tokens(3).await.iter().map(|token| flow::member(&flow::jwt_payload(token), "jti").to_owned()).collect();
    let count = jtis.len();
    jtis.sort();
    jtis.dedup();
    assert_eq!(jtis.len(), count, "each token is made anew");
}

/// L2, R-58: what the client refuses is given up, seen by administrators, and sent again when one of them says so.
#[tokio::test]
async fn a_refusal_is_given_up_and_repeated_by_hand() {
    let told = Told::start().await;
    let mut browser = told.scene.browser();
    told.scene.grant(&mut browser, &told.scene.request()).await;
    told.hosted.answer(PATH, "400 Bad Request", "");
    told.sign_out(&mut browser).await;
    let given_up = eventually(PATIENCE, "it is given up", async || {
        told.deliveries(&["--state", "given-up"]).await.into_iter().next()
    })
    .await;
    assert_eq!((&given_up["last_problem"], &given_up["attempts"]), (&json!("the answer has status 400"), &json!(1)));
    let log = told.scene.signet.cli(&["audit", "export", "--event", "delivery.given_up"]).await;
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert!(log.contains(&format!("delivery:{}", given_up["id"])), "{log}");
    told.hosted.put(PATH, "");
    let id = given_up["id"].to_string();
    told.scene.signet.cli_json(&["delivery", "repeat", &id, "--json"], "").await;
    told.tokens(2).await;
    eventually(PATIENCE, "it arrives", async || {
        (told.deliveries(&["--state", "delivered"]).await.len() == 1).then_some(())
    })
    .await;
    let unknown = told.scene.signet.cli(&["delivery", "repeat", "999999"]).await;
    assert!(!unknown.status.success(), "{unknown:?}");
}

/// L2: whatever ends a session tells of it: RP-initiated sign-out, somebody else who signs in there, a new password, a lock;
/// what ends only a grant does not.
#[tokio::test]
async fn whatever_ends_a_session_tells_of_it() {
    let told = Told::start().await;
    let (scene, signet) = (&told.scene, &told.scene.signet);
    let ada = signet.user("ada").await;
    let other = signet.user("otherwise").await;
    let mut count = 0;
    let sub_of = |token: &str| flow::jwt_payload(token)["sub"].clone();
    for how in ["rp", "another", "password", "lock"] {
        let mut browser = scene.browser();
        let request = scene.request();
        let code = flow::code(signet, &mut browser, &request, &ada).await;
        let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
        let sub = flow::jwt_payload(flow::member(&tokens, "id_token"))["sub"].clone();
        match how {
            "rp" => {
                let hint = flow::member(&tokens, "id_token");
                browser.get(signet.url(&format!("/oauth/logout?id_token_hint={hint}"))).await.page();
            }
            "another" => {
                let page = browser.get("/signin").await.page();
                flow::sign_in(&mut browser, &page, &other).await.page();
            }
            "password" => {
                signet.cli_json(&["user", "set-password", "ada", "--password-stdin", "--json"], &ada.password).await;
            }
            _ => {
                signet.cli_json(&["user", "lock", "ada", "--json"], "").await;
            }
        }
        count += 1;
        let arrived = told.tokens(count).await;
        assert_eq!((arrived.len(), sub_of(&arrived[count - 1])), (count, sub), "{how}");
    }
}

/// O1, L2: nothing is sent to an address of this network, nor to where an answer redirects.
#[tokio::test]
async fn private_addresses_and_redirects_are_not_followed() {
    let signet = Signet::start(Database::Postgres).await;
    let hosted = Hosted::start();
    hosted.put(PATH, "");
    let client = told(&signet, &hosted, json!({})).await;
    let closed = Told { scene: Scene { signet, client, user: crate::scene::admin() }, hosted };
    let mut browser = closed.scene.browser();
    closed.scene.grant(&mut browser, &closed.scene.request()).await;
    closed.sign_out(&mut browser).await;
    let waiting = eventually(PATIENCE, "it was tried", async || {
        closed.deliveries(&["--state", "waiting"]).await.into_iter().find(|one| one["last_problem"].is_string())
    })
    .await;
    assert_eq!(closed.hosted.hits(PATH), 0, "{waiting}");

    let told = Told::start().await;
    let mut browser = told.scene.browser();
    told.scene.grant(&mut browser, &told.scene.request()).await;
    told.hosted.answer(PATH, &format!("307 Temporary Redirect\r\nLocation: {}", told.hosted.url("/elsewhere")), "");
    told.sign_out(&mut browser).await;
    let given_up = eventually(PATIENCE, "it is given up", async || {
        told.deliveries(&["--state", "given-up"]).await.into_iter().next()
    })
    .await;
    assert_eq!(given_up["last_problem"], "the answer has status 307");
    assert_eq!(told.hosted.hits("/elsewhere"), 0);
}

/// L2: the logout token is signed as the client's ID tokens are.
#[tokio::test]
async fn the_token_is_signed_as_id_tokens_are() {
    let told = Told::with(json!({ "id_token_signed_response_alg": "ES256" })).await;
    let mut browser = told.scene.browser();
    told.scene.grant(&mut browser, &told.scene.request()).await;
    told.sign_out(&mut browser).await;
    verified(&told.scene.signet, &told.tokens(1).await[0], "ES256").await;
}

/// L2: deliveries are for administrators: their API shows and repeats them, with permission alone.
#[tokio::test]
async fn the_api_shows_and_repeats() {
    let told = Told::start().await;
    let signet = &told.scene.signet;
    let mut browser = told.scene.browser();
    told.scene.grant(&mut browser, &told.scene.request()).await;
    told.sign_out(&mut browser).await;
    told.tokens(1).await;
    let console = crate::api::office::console(signet, &["delivery:read", "delivery:repeat"]).await;
    let call = async |scope: &str, method: Method, path: &str| {
        let request = AuthRequest::new(&console).with("scope", scope);
        let code = flow::code(signet, &mut told.scene.browser(), &request, &told.scene.user).await;
        let tokens = flow::granted(flow::exchange(signet, &console, &code, &request.verifier).await).await;
        let token = flow::member(&tokens, "access_token").to_owned();
        let url = signet.url(&format!("/api/v1/admin/deliveries{path}"));
        signet.http().request(method, url).bearer_auth(token).send().await.expect("an answer")
    };
    let all = "openid delivery:read delivery:repeat";
    let list: Value = flow::granted(call(all, Method::GET, "?limit=1").await).await;
    let id = list["items"][0]["id"].as_i64().expect("a number");
    assert_eq!(flow::granted(call(all, Method::GET, &format!("/{id}")).await).await["id"], id);
    let denied = call("openid delivery:read", Method::POST, &format!("/{id}/repeat")).await;
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    assert_eq!(told.hosted.forms(PATH).len(), 1);
    flow::granted(call(all, Method::POST, &format!("/{id}/repeat")).await).await;
    told.tokens(2).await;
    for (path, status) in [("/0", 404), ("/x", 404), ("?state=lost", 422), ("?after=x", 422), ("?limit=0", 422)] {
        assert_eq!(call(all, Method::GET, path).await.status(), status, "{path}");
    }
}
