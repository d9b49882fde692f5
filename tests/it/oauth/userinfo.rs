//! `GET` and `POST /oauth/userinfo`.

use reqwest::header::AUTHORIZATION;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Scene, header};
use crate::support::prelude::*;

/// Status and `WWW-Authenticate`.
async fn challenge(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), header(&answer, "www-authenticate").to_owned())
}

/// U1: GET with the header and POST with header or body answer alike; the scheme's case does not matter.
#[tokio::test]
async fn the_token_may_be_in_the_header_or_the_post_body() {
    let scene = Scene::start().await;
    let tokens = scene.tokens().await;
    let token = flow::member(&tokens, "access_token");
    let (http, url) = (scene.signet.http(), scene.signet.url("/oauth/userinfo"));
    let requests = [
        http.get(&url).bearer_auth(token),
        http.get(&url).header(AUTHORIZATION, format!("bEARER {token}")),
        http.post(&url).bearer_auth(token),
        http.post(&url).form(&[("access_token", token)]),
    ];
    for request in requests {
        let answer = request.send().await.expect("an answer");
        assert_eq!(header(&answer, "cache-control"), "no-store");
        let claims = flow::granted(answer).await;
        assert_eq!(claims["sub"], flow::jwt_payload(flow::member(&tokens, "id_token"))["sub"]);
    }
}

/// U1: without a token 401 without an error code (RFC 6750 §3.1); a token in the query does not count.
#[tokio::test]
async fn a_missing_token_or_one_in_the_query_is_401_without_error() {
    let scene = Scene::start().await;
    let tokens = scene.tokens().await;
    let token = flow::member(&tokens, "access_token");
    let (http, url) = (scene.signet.http(), scene.signet.url("/oauth/userinfo"));
    let requests = [
        http.get(&url),
        http.post(&url),
        http.get(&url).query(&[("access_token", token)]),
        http.post(&url).query(&[("access_token", token)]),
        http.get(&url).basic_auth("client", Some("secret")),
    ];
    for request in requests {
        let (status, challenge) = challenge(request).await;
        assert_eq!(status, 401);
        assert!(challenge.starts_with("Bearer ") && !challenge.contains("error"), "{challenge}");
    }
}

/// U1: a token that is not valid is 401 `invalid_token`; one sent in two ways 400 `invalid_request`.
#[tokio::test]
async fn a_token_that_is_not_valid_is_refused() {
    let (scene, elsewhere) = tokio::join!(Scene::start(), Scene::start());
    let (tokens, foreign) = tokio::join!(scene.tokens(), elsewhere.tokens());
    let token = flow::member(&tokens, "access_token");
    let (head, signature) = token.rsplit_once('.').expect("a signature");
    let flipped = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("{head}.");
    for bad in [flow::member(&foreign, "access_token"), &flipped, &unsigned, "x", "a.b.c", ""] {
        let request = scene.signet.http().get(scene.signet.url("/oauth/userinfo"));
        let (status, challenge) = challenge(request.header(AUTHORIZATION, format!("Bearer {bad}"))).await;
        assert_eq!(status, 401, "{bad}");
        assert!(challenge.contains("error=\"invalid_token\""), "{bad}: {challenge}");
    }
    let twice = scene.signet.http().post(scene.signet.url("/oauth/userinfo")).bearer_auth(token);
    let (status, challenge) = challenge(twice.form(&[("access_token", token)])).await;
    assert_eq!(status, 400);
    assert!(challenge.contains("error=\"invalid_request\""), "{challenge}");
}

/// no endpoint takes another kind of token: neither ID nor refresh token is an access token (RFC 8725 §3.11).
#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let scene = Scene::start().await;
    let tokens = scene.tokens().await;
    for kind in ["id_token", "refresh_token"] {
        let request = scene.signet.http().get(scene.signet.url("/oauth/userinfo"));
        let (status, challenge) = challenge(request.bearer_auth(flow::member(&tokens, kind))).await;
        assert_eq!(status, 401, "{kind}");
        assert!(challenge.contains("error=\"invalid_token\""), "{kind}: {challenge}");
    }
    assert!(scene.accepts(&tokens).await);
}

/// U1: an access token without `openid` is not for userinfo.
#[tokio::test]
async fn an_access_token_without_openid_is_refused() {
    let scene = Scene::start().await;
    let request = scene.request().with("scope", "profile email");
    let tokens = scene.grant(&mut scene.browser(), &request).await;
    assert!(tokens.get("id_token").is_none(), "{tokens}");
    let answer = flow::userinfo(&scene.signet, flow::member(&tokens, "access_token")).await;
    // There is no `openid`, so the token is not for the issuer either: RFC 6750 §3.1.
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&answer, "www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
}

/// O3, U1: failures are limited for an address and the client that the token names; neither a good token nor another
/// client's failure, nor the same client's from another address, is in the way.
#[tokio::test]
async fn failures_are_limited_and_answers_are_not() {
    let environment = [
        ("SIGNET_RATE_LIMITS__ENABLED", "true"),
        ("SIGNET_RATE_LIMITS__TOKEN_FAILURES", "2/1h"),
        ("SIGNET_PROXY__TRUSTED", "127.0.0.0/8,::1/128"),
    ];
    let signet = Signet::start_with(Database::Postgres, &environment).await;
    let (client, other) =
        (signet.client(ClientSpec::confidential()).await, signet.client(ClientSpec::confidential()).await);
    let user = crate::scene::admin();
    let (tokens, foreign) = (flow::tokens(&signet, &client, &user).await, flow::tokens(&signet, &other, &user).await);
    let (good, foreign) = (flow::member(&tokens, "access_token"), flow::member(&foreign, "access_token"));
    let cut = |token: &str| token.rsplit_once('.').expect("a signature").0.to_owned() + ".";
    let ask = async |token: &str, address: &str| {
        let request = signet.http().get(signet.url("/oauth/userinfo")).bearer_auth(token);
        request.header("x-forwarded-for", address).send().await.expect("an answer")
    };
    let here = "203.0.113.7";
    for _ in 0..5 {
        assert_eq!(ask(good, here).await.status(), StatusCode::OK, "success is not counted");
    }
    for expected in [401, 401, 429, 429] {
        let answer = ask(&cut(good), here).await;
        assert_eq!(answer.status().as_u16(), expected);
        assert_eq!(header(&answer, "retry-after").is_empty(), expected == 401, "{answer:?}");
    }
    assert_eq!(ask(good, here).await.status(), StatusCode::OK, "a good token is not in the way of a bad one");
    assert_eq!(ask(&cut(foreign), here).await.status(), StatusCode::UNAUTHORIZED, "another client");
    assert_eq!(ask(&cut(good), "203.0.113.8").await.status(), StatusCode::UNAUTHORIZED, "another address");
}

/// U2: each scope releases its claims that have a value, with the JSON type of OIDC Core §5.1, and no others.
#[tokio::test]
async fn scopes_release_their_claims() {
    let scene = Scene::start().await;
    let profile = "UPDATE users SET name = 'Ada L.', birthdate = '1815-12-10', phone_number = '+44 1', \
                   address = '{\"locality\": \"London\"}' WHERE username = 'admin'";
    assert_eq!(scene.change(profile), 1);
    let mut browser = scene.browser();
    let mut released = async |scope: &str| {
        let tokens = scene.grant(&mut browser, &scene.request().with("scope", scope)).await;
        let answer = flow::userinfo(&scene.signet, flow::member(&tokens, "access_token")).await;
        let claims: Value = flow::granted(answer).await;
        claims
    };
    let only = released("openid").await;
    assert_eq!(only.as_object().expect("an object").len(), 1, "{only}");
    let all = released("openid profile email phone address").await;
    assert_eq!(all["sub"], only["sub"]);
    assert_eq!(all["name"], "Ada L.");
    assert_eq!(all["preferred_username"], "admin");
    assert_eq!(all["birthdate"], "1815-12-10");
    assert_eq!(all["email"], scene.user.email);
    assert_eq!(all["email_verified"], true);
    assert_eq!(all["phone_number_verified"], false);
    assert_eq!(all["address"], json!({ "locality": "London" }));
    assert!(all["updated_at"].is_i64() && all.get("nickname").is_none(), "{all}");
    let email = released("openid email").await;
    assert!(email.get("name").is_none() && email.get("phone_number").is_none(), "{email}");
}
