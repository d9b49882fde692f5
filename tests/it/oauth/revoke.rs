//! `POST /oauth/revoke`.

use reqwest::StatusCode;
use serde_json::Value;

use crate::scene::{Scene, header};
use crate::support::prelude::*;

/// Gives a token back; the answer is 200 and holds nothing.
async fn give_back(scene: &Scene, client: &Client, token: &str) {
    let answer = flow::revoke(&scene.signet, client, token).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(answer.text().await.expect("a body"), "");
}

async fn offline(scene: &Scene) -> Value {
    let request = scene.request().with("scope", "openid profile offline_access");
    scene.grant(&mut scene.browser(), &request).await
}

/// Rows of the log about tokens given back.
async fn rows(signet: &Signet) -> Vec<Value> {
    let output = signet.cli(&["audit", "export", "--event", "token.revoked"]).await;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// U4, R-36: a refresh token ends its grant and every token it gave, offline access included; also an old one does. Other
/// grants of the same person and client stay.
#[tokio::test]
async fn a_refresh_token_ends_its_grant() {
    let scene = Scene::start().await;
    let apart = offline(&scene).await;
    for old in [false, true] {
        let first = offline(&scene).await;
        let second = flow::granted(scene.refresh(&first).await).await;
        assert!(scene.accepts(&first).await && scene.accepts(&second).await);
        let given = if old { &first } else { &second };
        give_back(&scene, &scene.client, flow::member(given, "refresh_token")).await;
        for tokens in [&first, &second] {
            assert!(!scene.accepts(tokens).await, "old: {old}");
            assert_eq!(flow::refused(scene.refresh(tokens).await).await, (400, "invalid_grant".to_owned()));
        }
    }
    assert!(scene.accepts(&apart).await, "another grant of the same person");
    flow::granted(scene.refresh(&apart).await).await;
}

/// U4, R-36: an access token ends alone: the grant goes on.
#[tokio::test]
async fn an_access_token_ends_alone() {
    let scene = Scene::start().await;
    let first = offline(&scene).await;
    let second = flow::granted(scene.refresh(&first).await).await;
    give_back(&scene, &scene.client, flow::member(&first, "access_token")).await;
    assert!(!scene.accepts(&first).await);
    assert!(scene.accepts(&second).await, "another token of the grant");
    let third = flow::granted(scene.refresh(&second).await).await;
    assert!(scene.accepts(&third).await);
}

/// U4, T7: a service's own token, behind which no row stands, ends by its `jti`.
#[tokio::test]
async fn a_services_own_token_ends() {
    let spec = ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    };
    let scene = Scene::with(spec).await;
    let fetch = async || {
        let answer = flow::token(&scene.signet, &scene.client, &[("grant_type", "client_credentials")]).await;
        flow::member(&flow::granted(answer).await, "access_token").to_owned()
    };
    let active = async |token: &str| {
        flow::granted(flow::introspect(&scene.signet, &scene.client, token).await).await["active"] == true
    };
    let (first, second) = (fetch().await, fetch().await);
    assert!(active(&first).await && active(&second).await);
    give_back(&scene, &scene.client, &first).await;
    assert!(!active(&first).await && active(&second).await);
    let rows = rows(&scene.signet).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row["actor"]["kind"].as_str(), row["client_id"].as_str()), (Some("client"), Some(&*scene.client.id)));
}

/// U4: another client's tokens are left alone, and nothing in the answer says whose they are.
#[tokio::test]
async fn another_clients_token_is_left_alone() {
    let scene = Scene::start().await;
    let (other, public) =
        (scene.signet.client(ClientSpec::confidential()).await, scene.signet.client(ClientSpec::public()).await);
    let tokens = offline(&scene).await;
    for client in [&other, &public] {
        for kind in ["access_token", "refresh_token"] {
            give_back(&scene, client, flow::member(&tokens, kind)).await;
        }
    }
    assert!(scene.accepts(&tokens).await);
    flow::granted(scene.refresh(&tokens).await).await;
    assert!(rows(&scene.signet).await.is_empty());
}

/// U4, RFC 7009 §2.2: 200 for what is unknown, over, or of another kind, whatever the hint says; nothing ends.
#[tokio::test]
async fn everything_else_is_200_and_ends_nothing() {
    let (scene, elsewhere) = tokio::join!(Scene::start(), Scene::start());
    let (tokens, foreign) = tokio::join!(scene.tokens(), elsewhere.tokens());
    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    let access = flow::member(&tokens, "access_token");
    let (head, _) = access.rsplit_once('.').expect("a signature");
    let (unsigned, long) = (format!("{head}."), "a.".repeat(20_000));
    for token in [
        flow::member(&tokens, "id_token"),
        &code,
        flow::member(&foreign, "access_token"),
        flow::member(&foreign, "refresh_token"),
        &unsigned,
        &long,
        "x",
        "a.b.c",
        "\u{1f600}",
    ] {
        for hint in ["", "access_token", "refresh_token", "urn:example:unheard"] {
            let fields = [("token", token), ("token_type_hint", hint)];
            let answer = flow::post_as(&scene.signet, &scene.client, "/oauth/revoke", &fields).await;
            assert_eq!(answer.status(), StatusCode::OK, "{hint} {token}");
        }
    }
    assert!(scene.accepts(&tokens).await && elsewhere.accepts(&foreign).await);
    flow::granted(scene.refresh(&tokens).await).await;
    flow::granted(scene.exchange(&code, &request.verifier).await).await;
    assert!(rows(&scene.signet).await.is_empty());
}

/// U4: a wrong hint hides nothing, a public client names itself, and a second time nothing is left to end.
#[tokio::test]
async fn a_public_client_gives_back_its_own() {
    let scene = Scene::with(ClientSpec::public()).await;
    for (kind, hint) in [("access_token", "refresh_token"), ("refresh_token", "access_token")] {
        let tokens = offline(&scene).await;
        let before = rows(&scene.signet).await.len();
        for _ in 0..2 {
            let fields = [("token", flow::member(&tokens, kind)), ("token_type_hint", hint)];
            let answer = flow::post_as(&scene.signet, &scene.client, "/oauth/revoke", &fields).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(!scene.accepts(&tokens).await, "{kind}");
        }
        let rows = rows(&scene.signet).await;
        assert_eq!(rows.len(), before + 1, "{rows:?}");
        let row = rows.iter().find(|row| row["detail"] == kind).expect("a row of this kind");
        assert_eq!((row["username"].as_str(), row["result"].as_str()), (Some("admin"), Some("success")), "{row}");
    }
}

/// U4, T1: who does not authenticate ends nothing: 401. Without a token, or with two, 400.
#[tokio::test]
async fn a_refused_request_ends_nothing() {
    let scene = Scene::start().await;
    let tokens = offline(&scene).await;
    let wrong = Client { secret: Some("wrong".to_owned()), ..scene.client.clone() };
    let nobody = Client { id: "nobody".to_owned(), ..wrong.clone() };
    let silent = Client { secret: None, ..scene.client.clone() };
    for client in [&wrong, &nobody, &silent] {
        for kind in ["access_token", "refresh_token"] {
            let answer = flow::revoke(&scene.signet, client, flow::member(&tokens, kind)).await;
            assert!(header(&answer, "www-authenticate").starts_with("Basic realm="), "{answer:?}");
            assert_eq!(flow::refused(answer).await, (401, "invalid_client".to_owned()));
        }
    }
    let token = flow::member(&tokens, "refresh_token");
    for fields in [&[][..], &[("token", "")], &[("token", token), ("token", token)]] {
        let answer = flow::post_as(&scene.signet, &scene.client, "/oauth/revoke", fields).await;
        assert_eq!(flow::refused(answer).await, (400, "invalid_request".to_owned()));
    }
    assert!(scene.accepts(&tokens).await);
    flow::granted(scene.refresh(&tokens).await).await;
}

/// O3, U4: failures are limited, for an address and a client; what is unknown is no failure.
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
    let ask = async |client: &Client, secret: Option<&str>, address: &str| {
        let request = signet.http().post(signet.url("/oauth/revoke")).form(&[("token", "garbage")]);
        let request = request.basic_auth(&client.id, secret.or(client.secret.as_deref()));
        request.header("x-forwarded-for", address).send().await.expect("an answer").status()
    };
    let (here, there) = ("203.0.113.7", "203.0.113.8");
    for _ in 0..5 {
        assert_eq!(ask(&client, None, here).await, StatusCode::OK);
    }
    for expected in [401, 401, 429] {
        assert_eq!(ask(&client, Some("wrong"), here).await.as_u16(), expected);
    }
    assert_eq!(ask(&client, None, here).await, StatusCode::TOO_MANY_REQUESTS, "guessing on is no use");
    assert_eq!(ask(&client, None, there).await, StatusCode::OK, "another address");
    assert_eq!(ask(&other, None, here).await, StatusCode::OK, "another client");
}

/// a refused introspection or revocation leaves a row, like a refused token request; an answer to a question
/// leaves none.
#[tokio::test]
async fn refusals_leave_a_row() {
    let scene = Scene::start().await;
    flow::granted(flow::introspect(&scene.signet, &scene.client, "garbage").await).await;
    let wrong = Client { secret: Some("wrong".to_owned()), ..scene.client.clone() };
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        assert_eq!(flow::post_as(&scene.signet, &wrong, path, &[("token", "x")]).await.status(), 401);
        assert_eq!(flow::post_as(&scene.signet, &scene.client, path, &[]).await.status(), 400);
    }
    let found = eventually(PATIENCE, "the rows are written", async || {
        let output = scene.signet.cli(&["audit", "export", "--event", "token.refused"]).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (rows.len() >= 4).then_some(rows)
    })
    .await;
    let mut seen: Vec<_> = found
        .iter()
        .map(|row| (row["actor"]["kind"].as_str(), row["detail"].as_str(), row["client_id"].as_str()))
        .collect();
    seen.sort_unstable();
    let client = Some(&*scene.client.id);
    let anonymous = (Some("anonymous"), Some("invalid_client"), client);
    let known = (Some("client"), Some("invalid_request"), client);
    assert_eq!(seen, [anonymous, anonymous, known, known]);
}
