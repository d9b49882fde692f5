//! `POST /oauth/introspect`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Scene, header};
use crate::support::prelude::*;

async fn told(scene: &Scene, client: &Client, token: &str) -> Value {
    flow::granted(flow::introspect(&scene.signet, client, token).await).await
}

/// The whole of an answer.
async fn text(answer: Response) -> (StatusCode, String) {
    (answer.status(), answer.text().await.expect("a body"))
}

/// A client with the identifier of an API.
async fn server(scene: &Scene, id: &str, further: &[&str]) -> Client {
    let arguments = ["client", "create", "--json", "--name", "A server", "--client-id", id];
    let arguments = [&arguments[..], &["--grant-type", "client_credentials"], further].concat();
    let made = scene.signet.cli_json(&arguments, "").await;
    let secret = flow::member(&made, "client_secret").to_owned();
    Client { id: id.to_owned(), secret: Some(secret), redirect_uri: String::new() }
}

/// A client of the code flow whose access tokens are for an API.
async fn caller(scene: &Scene, name: &str, audience: &str) -> Client {
    let redirect_uri = "https://app.example/callback";
    let arguments = ["client", "create", "--json", "--name", name, "--redirect-uri", redirect_uri];
    let made = scene.signet.cli_json(&[&arguments[..], &["--audience", audience]].concat(), "").await;
    let text = |name: &str| flow::member(&made, name).to_owned();
    Client { id: text("client_id"), secret: Some(text("client_secret")), redirect_uri: redirect_uri.to_owned() }
}

/// U3, R-36: an access token is active for its own client and for the resource server that `aud` names: not for another
/// caller of the same API, and not for another API.
#[tokio::test]
async fn an_access_token_is_for_its_client_and_its_resource_server() {
    let scene = Scene::start().await;
    let api = "https://api.example";
    let (mine, neighbour) = (caller(&scene, "Mine", api).await, caller(&scene, "Neighbour", api).await);
    let issuer = scene.signet.issuer();
    let tokens = flow::tokens(&scene.signet, &mine, &scene.user).await;
    let token = flow::member(&tokens, "access_token");
    let claims = flow::jwt_payload(token);
    assert_eq!(claims["aud"], json!([api, issuer]));

    let own = told(&scene, &mine, token).await;
    let mut expected = json!({ "active": true, "token_type": "Bearer", "username": scene.user.username });
    for name in ["scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "auth_time", "acr"] {
        expected[name] = claims[name].clone();
    }
    assert_eq!(own, expected);

    let at_the_api = told(&scene, &server(&scene, api, &[]).await, token).await;
    expected.as_object_mut().expect("an object").remove("username");
    assert_eq!(at_the_api, expected, "a resource server is not told a name");
    let other = server(&scene, "https://other.example", &["--audience", api]).await;
    for stranger in [&neighbour, &scene.client, &other] {
        assert_eq!(told(&scene, stranger, token).await, json!({ "active": false }), "{}", stranger.id);
    }
}

/// U3: a resource server of ours is told the person's name where the person allowed the profile, and only there.
#[tokio::test]
async fn a_resource_server_of_ours_is_told_the_name() {
    let scene = Scene::start().await;
    let api = "https://api.example";
    let mine = caller(&scene, "Mine", api).await;
    let ours = server(&scene, api, &["--first-party"]).await;
    let mut browser = scene.browser();
    for (scope, name) in [("openid profile", Some("admin")), ("openid email", None)] {
        let request = AuthRequest::new(&mine).with("scope", scope);
        let code = flow::code(&scene.signet, &mut browser, &request, &scene.user).await;
        let tokens = flow::granted(flow::exchange(&scene.signet, &mine, &code, &request.verifier).await).await;
        let told = told(&scene, &ours, flow::member(&tokens, "access_token")).await;
        assert_eq!((told["active"].as_bool(), told["username"].as_str()), (Some(true), name), "{told}");
    }
}

/// U3: a refresh token is active for its own client, until it is used, its session ends or its account is switched off.
#[tokio::test]
async fn a_refresh_token_is_for_its_own_client_while_it_is_good() {
    let scene = Scene::start().await;
    let other = scene.signet.client(ClientSpec::confidential()).await;
    let mut browser = scene.browser();
    let tokens = scene.grant(&mut browser, &scene.request()).await;
    let token = |tokens: &Value| flow::member(tokens, "refresh_token").to_owned();
    let inactive = json!({ "active": false });

    let own = told(&scene, &scene.client, &token(&tokens)).await;
    let access = flow::jwt_payload(flow::member(&tokens, "access_token"));
    for name in ["scope", "client_id", "sub", "iss", "auth_time", "acr"] {
        assert_eq!(own[name], access[name], "{name}");
    }
    assert_eq!((own["active"].as_bool(), &own["aud"]), (Some(true), &json!([scene.signet.issuer()])));
    let lifetime = own["exp"].as_i64().zip(own["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(30 * 86_400));
    // Nobody can take it for an access token.
    assert!(own.get("token_type").is_none() && own.get("jti").is_none(), "{own}");
    assert_eq!(told(&scene, &other, &token(&tokens)).await, inactive, "another client");

    let second = flow::granted(scene.refresh(&tokens).await).await;
    assert_eq!(told(&scene, &scene.client, &token(&tokens)).await, inactive, "it was used");
    assert_eq!(told(&scene, &scene.client, &token(&second)).await["active"], true);
    flow::granted(scene.refresh(&second).await).await;
    let third = flow::granted(scene.refresh(&second).await).await;
    assert_eq!(told(&scene, &scene.client, &token(&third)).await["active"], true, "asking uses nothing up");

    let active = "UPDATE users SET state = 'active' WHERE username = 'admin'";
    assert_eq!(scene.change(&active.replace("'active'", "'deactivated'")), 1);
    assert_eq!(told(&scene, &scene.client, &token(&third)).await, inactive, "the account is switched off");
    assert_eq!(scene.change(active), 1);
    assert_eq!(told(&scene, &scene.client, &token(&third)).await["active"], true);
    let home = browser.get("/").await.page();
    browser.submit(&home, &[("decision", "signout")]).await.page();
    for tokens in [&second, &third] {
        assert_eq!(told(&scene, &scene.client, &token(tokens)).await, inactive, "the session is over");
    }
}

/// U3, RFC 7662 §2.2: ID tokens, codes, other issuers' tokens, changed tokens and garbage are `{"active":false}` to the
/// letter, whatever the hint says; so is an access token that was revoked.
#[tokio::test]
async fn everything_else_is_inactive() {
    let (scene, elsewhere) = tokio::join!(Scene::start(), Scene::start());
    let (tokens, foreign) = tokio::join!(scene.tokens(), elsewhere.tokens());
    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    let access = flow::member(&tokens, "access_token");
    let (head, _) = access.rsplit_once('.').expect("a signature");
    let (unsigned, long) = (format!("{head}."), "a.".repeat(20_000));
    let bad = [
        flow::member(&tokens, "id_token"),
        &code,
        flow::member(&foreign, "access_token"),
        flow::member(&foreign, "refresh_token"),
        &unsigned,
        &long,
        "x",
        "a.b.c",
        "..",
        "\u{1f600}",
    ];
    let ask = async |token: &str, hint: &str| {
        let fields = [("token", token), ("token_type_hint", hint)];
        text(flow::post_as(&scene.signet, &scene.client, "/oauth/introspect", &fields).await).await
    };
    let inactive = (StatusCode::OK, r#"{"active":false}"#.to_owned());
    for hint in ["", "access_token", "refresh_token", "id_token"] {
        for token in bad {
            assert_eq!(ask(token, hint).await, inactive, "{hint} {token}");
        }
        for kind in ["access_token", "refresh_token"] {
            let (status, body) = ask(flow::member(&tokens, kind), hint).await;
            assert!(status == StatusCode::OK && body.starts_with(r#"{"active":true,"#), "{kind} {hint}: {body}");
        }
    }
    // Asking did not spend the code; a second use revokes what it gave.
    let given = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    assert_eq!(told(&scene, &scene.client, flow::member(&given, "access_token")).await["active"], true);
    flow::refused(scene.exchange(&code, &request.verifier).await).await;
    for kind in ["access_token", "refresh_token"] {
        assert_eq!(ask(flow::member(&given, kind), "").await, inactive, "{kind}");
    }
}

/// U3: without an authenticated confidential client 401 `invalid_client` with `WWW-Authenticate`, also with a good token.
#[tokio::test]
async fn a_client_that_does_not_authenticate_is_refused() {
    let scene = Scene::start().await;
    let public = scene.signet.client(ClientSpec::public()).await;
    let tokens = flow::tokens(&scene.signet, &public, &scene.user).await;
    let token = flow::member(&tokens, "access_token");
    let off = scene.signet.client(ClientSpec::confidential()).await;
    scene.signet.cli_json(&["client", "disable", &off.id, "--json"], "").await;
    let wrong = Client { secret: Some("wrong".to_owned()), ..scene.client.clone() };
    let nobody = Client { id: "nobody".to_owned(), ..wrong.clone() };
    for client in [&public, &off, &wrong, &nobody] {
        let answer = flow::introspect(&scene.signet, client, token).await;
        assert!(header(&answer, "www-authenticate").starts_with("Basic realm="), "{}: {answer:?}", client.id);
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(flow::refused(answer).await, (401, "invalid_client".to_owned()), "{}", client.id);
    }
    // The token itself is no way to ask about it.
    let request = scene.signet.http().post(scene.signet.url("/oauth/introspect"));
    let answer = request.bearer_auth(token).form(&[("token", token)]).send().await.expect("an answer");
    assert_eq!(flow::refused(answer).await, (401, "invalid_client".to_owned()));
    for fields in [&[][..], &[("token", "")], &[("token", "a"), ("token", "a")]] {
        let answer = flow::post_as(&scene.signet, &scene.client, "/oauth/introspect", fields).await;
        assert_eq!(flow::refused(answer).await, (400, "invalid_request".to_owned()), "{fields:?}");
    }
}

/// T7, U3: a service's own token is active, with nothing about a person.
#[tokio::test]
async fn a_services_own_token_is_active() {
    let spec = ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: vec!["reports:read".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    };
    let scene = Scene::with(spec).await;
    let issued = flow::token(&scene.signet, &scene.client, &[("grant_type", "client_credentials")]).await;
    let tokens = flow::granted(issued).await;
    let answer = flow::introspect(&scene.signet, &scene.client, flow::member(&tokens, "access_token")).await;
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let told = flow::granted(answer).await;
    assert_eq!((told["active"].as_bool(), told["sub"].as_str()), (Some(true), Some(&*scene.client.id)));
    assert_eq!(told["scope"], "reports:read");
    for absent in ["username", "auth_time", "acr"] {
        assert!(told.get(absent).is_none(), "{told}");
    }
}

/// O3, R-51: failures are limited, per address and client; what is inactive is no failure, nor what is active.
#[tokio::test]
async fn failures_are_limited_and_answers_are_not() {
    let environment = [("SIGNET_RATE_LIMITS__ENABLED", "true"), ("SIGNET_RATE_LIMITS__TOKEN_FAILURES", "2/1h")];
    let signet = Signet::start_with(Database::Postgres, &environment).await;
    let (client, other) =
        (signet.client(ClientSpec::confidential()).await, signet.client(ClientSpec::confidential()).await);
    for _ in 0..5 {
        flow::granted(flow::introspect(&signet, &client, "garbage").await).await;
    }
    let wrong = Client { secret: Some("wrong".to_owned()), ..client.clone() };
    for _ in 0..2 {
        assert_eq!(flow::introspect(&signet, &wrong, "garbage").await.status(), StatusCode::UNAUTHORIZED);
    }
    let limited = flow::introspect(&signet, &client, "garbage").await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!header(&limited, "retry-after").is_empty(), "{limited:?}");
    // The same secret would be tried at each of them.
    for path in ["/oauth/token", "/oauth/revoke"] {
        let answer = flow::post_as(&signet, &client, path, &[("token", "x")]).await;
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    flow::granted(flow::introspect(&signet, &other, "garbage").await).await;
    // Anybody can write a token that names a client: that ends nothing but its own tries.
    let claims = URL_SAFE_NO_PAD.encode(json!({ "client_id": other.id }).to_string());
    let forged = format!("e30.{claims}.x");
    for expected in [StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(flow::userinfo(&signet, &forged).await.status(), expected);
    }
    flow::granted(flow::introspect(&signet, &other, "garbage").await).await;
}
