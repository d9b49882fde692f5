//! `POST /oauth/token`: who asks, and what is asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use reqwest::header::AUTHORIZATION;

use crate::scene::{Scene, header};
use crate::support::prelude::*;

fn secret(client: &Client) -> &str {
    client.secret.as_deref().expect("a secret")
}

/// Status, error and `WWW-Authenticate` of a refusal.
async fn refusal(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.expect("an answer");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let challenge = header(&answer, "www-authenticate").to_owned();
    let (status, error) = flow::refused(answer).await;
    (status, error, challenge)
}

async fn invalid_client(request: RequestBuilder, what: &str) {
    let (status, error, challenge) = refusal(request).await;
    assert_eq!((status, &*error), (401, "invalid_client"), "{what}");
    assert!(challenge.starts_with("Basic realm="), "{what}: {challenge}");
    assert!(challenge.ends_with(", error=\"invalid_client\""), "{what}: {challenge}");
}

/// T1, R-34: a wrong secret, an unknown client or the wrong method is 401 `invalid_client` with `WWW-Authenticate`.
#[tokio::test]
async fn failed_client_authentication_is_401_with_a_challenge() {
    let scene = Scene::start().await;
    let mut spec = ClientSpec::confidential();
    spec.auth_method = Some("client_secret_post".to_owned());
    let (post, public) = (scene.signet.client(spec).await, scene.signet.client(ClientSpec::public()).await);
    let basic = &scene.client;
    let ask = |fields: &[(&str, &str)]| {
        let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", "x")];
        all.extend(fields);
        scene.token_request(&all)
    };
    invalid_client(ask(&[]), "nobody").await;
    invalid_client(ask(&[]).basic_auth("nobody", Some("x")), "unknown client").await;
    invalid_client(ask(&[]).basic_auth(&basic.id, Some("wrong")), "wrong secret").await;
    invalid_client(ask(&[]).basic_auth(&basic.id, Some("")), "empty secret").await;
    invalid_client(ask(&[("client_id", &basic.id)]), "no secret").await;
    let body = [("client_id", &*basic.id), ("client_secret", secret(basic))];
    invalid_client(ask(&body), "post where basic is registered").await;
    invalid_client(ask(&[]).basic_auth(&post.id, post.secret.as_ref()), "basic where post is registered").await;
    invalid_client(ask(&[]).basic_auth(&public.id, Some("x")), "a secret of a public client").await;
    invalid_client(ask(&[]).header(AUTHORIZATION, "Basic !!!"), "not base64").await;
    invalid_client(ask(&[]).header(AUTHORIZATION, format!("Basic {}", STANDARD.encode("no colon"))), "no colon").await;
    invalid_client(ask(&[]).header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(b"\xff:\xff"))), "bytes").await;
}

/// T1: more than one method is `invalid_request`; Basic beside the same `client_id` in the body is fine.
#[tokio::test]
async fn more_than_one_method_is_an_invalid_request() {
    let scene = Scene::start().await;
    let client = &scene.client;
    let ask = |fields: &[(&str, &str)]| {
        let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", "x")];
        all.extend(fields);
        scene.token_request(&all).basic_auth(&client.id, client.secret.as_ref())
    };
    let both = ask(&[("client_id", &client.id), ("client_secret", secret(client))]);
    assert_eq!(refusal(both).await.1, "invalid_request");
    assert_eq!(refusal(ask(&[("client_secret", secret(client))])).await.1, "invalid_request");
    assert_eq!(refusal(ask(&[("client_id", "another")])).await.1, "invalid_request");
    assert_eq!(refusal(ask(&[("client_id", &client.id)])).await.1, "invalid_grant");
    let twice = ask(&[]).basic_auth("another", Some("x"));
    assert_eq!(refusal(twice).await.1, "invalid_request", "two headers");
}

/// T1: both halves of Basic are form-urlencoded before base64, and the scheme may be in any case.
#[tokio::test]
async fn basic_is_form_urlencoded_first() {
    let scene = Scene::start().await;
    let mut arguments = vec!["client", "create", "--json", "--name", "Colon", "--client-id", "a:b c%"];
    arguments.extend(["--redirect-uri", "https://app.example/callback"]);
    let made = scene.signet.cli_json(&arguments, "").await;
    let pair = format!("a%3Ab+c%25:{}", flow::member(&made, "client_secret"));
    for scheme in ["Basic", "bAsIc"] {
        let request = scene.token_request(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
        let request = request.header(AUTHORIZATION, format!("{scheme} {}", STANDARD.encode(&pair)));
        assert_eq!(refusal(request).await.1, "invalid_grant", "{scheme}");
    }
}

/// T1: oxide-auth is given the authenticated client's id only: a wrong secret touches neither code nor refresh token.
#[tokio::test]
async fn trap_the_client_is_authenticated_before_anything_is_spent() {
    let scene = Scene::start().await;
    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    let mut impostor = scene.client.clone();
    impostor.secret = Some("wrong".to_owned());
    let refused = flow::refused(flow::exchange(&scene.signet, &impostor, &code, &request.verifier).await).await;
    assert_eq!(refused, (401, "invalid_client".to_owned()));
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    let token = flow::member(&tokens, "refresh_token");
    for _ in 0..2 {
        let refused = flow::refused(flow::refresh(&scene.signet, &impostor, token).await).await;
        assert_eq!(refused, (401, "invalid_client".to_owned()));
    }
    flow::granted(scene.refresh(&tokens).await).await;
}

/// Who asks, with which fields, and the error.
type Case<'a> = (&'a Client, Vec<(&'a str, &'a str)>, &'a str);

/// A4, T3: RFC 6749 §5.2 codes for what is missing, repeated, unknown, or not registered for the client.
#[tokio::test]
async fn refusals_have_the_codes_of_rfc_6749() {
    let scene = Scene::start().await;
    let mut spec = ClientSpec::confidential();
    spec.grant_types = vec!["authorization_code".to_owned()];
    let without_refresh = scene.signet.client(spec).await;
    let code = [("grant_type", "authorization_code"), ("code", "x")];
    let cases: [Case<'_>; 8] = [
        (&scene.client, vec![], "invalid_request"),
        (&scene.client, vec![("grant_type", "")], "invalid_request"),
        (&scene.client, vec![("grant_type", "authorization_code")], "invalid_request"),
        (&scene.client, [&code[..], &[("code", "y")]].concat(), "invalid_request"),
        (&scene.client, [&code[..], &[("redirect_uri", "x"), ("redirect_uri", "x")]].concat(), "invalid_request"),
        (&scene.client, vec![("grant_type", "urn:example:unheard")], "unsupported_grant_type"),
        (&scene.client, vec![("grant_type", "client_credentials")], "unauthorized_client"),
        (&without_refresh, vec![("grant_type", "refresh_token"), ("refresh_token", "x")], "unauthorized_client"),
    ];
    for (client, fields, expected) in cases {
        let (status, error) = flow::refused(flow::token(&scene.signet, client, &fields).await).await;
        assert_eq!((status, &*error), (400, expected), "{fields:?}");
    }
    // Parameters of the query do not count (RFC 6749 §3.2: the body).
    let url = scene.signet.url("/oauth/token?grant_type=refresh_token&refresh_token=x");
    let request = scene.signet.http().post(url).basic_auth(&scene.client.id, scene.client.secret.as_ref());
    assert_eq!(refusal(request).await.1, "invalid_request");
}

/// T6: without the grant type `refresh_token` the client gets no refresh token, and no offline access.
#[tokio::test]
async fn a_client_without_the_grant_type_gets_no_refresh_token() {
    let mut spec = ClientSpec::confidential();
    spec.grant_types = vec!["authorization_code".to_owned()];
    let scene = Scene::with(spec).await;
    let request = scene.request().with("scope", "openid offline_access");
    let tokens = scene.grant(&mut scene.browser(), &request).await;
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");
    assert_eq!(flow::member(&tokens, "scope"), "openid");
}

/// A client of the grant `client_credentials` with a scope of its own.
fn service() -> ClientSpec {
    ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: ["openid", "email", "offline_access", "reports:read"].map(str::to_owned).to_vec(),
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    }
}

/// T7, R-32: a client's own token: no refresh token, no ID token, nothing about a person, and not for userinfo.
#[tokio::test]
async fn client_credentials_give_a_token_for_the_client_itself() {
    let scene = Scene::with(service()).await;
    let fields = [("grant_type", "client_credentials")];
    let tokens = flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await;
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none(), "{tokens}");
    assert_eq!(flow::member(&tokens, "scope"), "reports:read");
    let claims = flow::jwt_payload(flow::member(&tokens, "access_token"));
    assert_eq!(
        (flow::member(&claims, "sub"), flow::member(&claims, "client_id")),
        (&*scene.client.id, &*scene.client.id)
    );
    assert!(!scene.accepts(&tokens).await);
}

/// T7: oxide-auth says something else; a refused scope of `client_credentials` is `invalid_scope`.
#[tokio::test]
async fn trap_a_refused_scope_of_client_credentials_is_invalid_scope() {
    let scene = Scene::with(service()).await;
    for scope in ["openid", "reports:read openid", "offline_access", "reports:write", "a\"b"] {
        let fields = [("grant_type", "client_credentials"), ("scope", scope)];
        let refused = flow::refused(flow::token(&scene.signet, &scene.client, &fields).await).await;
        assert_eq!(refused, (400, "invalid_scope".to_owned()), "{scope}");
    }
    let arguments = ["client", "create", "--name", "X", "--grant-type", "client_credentials", "--auth-method", "none"];
    assert_eq!(scene.signet.cli(&arguments).await.status.code(), Some(1), "a public client");
}

/// O3: whoever makes an application send bad codes shuts nobody out: its refusals are limited, its good requests pass; and
/// there is no more to it for a public client, whom anybody can name.
#[tokio::test]
async fn refusals_of_a_client_do_not_stop_its_good_requests() {
    let environment = [("SIGNET_RATE_LIMITS__ENABLED", "true"), ("SIGNET_RATE_LIMITS__TOKEN_FAILURES", "2/1h")];
    let signet = Signet::start_with(Database::Postgres, &environment).await;
    for spec in [ClientSpec::confidential(), ClientSpec::public()] {
        let client = signet.client(spec).await;
        let user = crate::scene::admin();
        let request = AuthRequest::new(&client);
        let code = flow::code(&signet, &mut Browser::new(&signet), &request, &user).await;
        for expected in [400, 400, 429, 429] {
            let answer = flow::exchange(&signet, &client, &flow::random(), &request.verifier).await;
            assert_eq!(answer.status().as_u16(), expected);
            assert_eq!(header(&answer, "retry-after").is_empty(), expected == 400, "{answer:?}");
        }
        flow::granted(flow::exchange(&signet, &client, &code, &request.verifier).await).await;
    }
}

/// T6: by policy a refresh token is given with `offline_access` alone.
#[tokio::test]
async fn refresh_tokens_by_policy() {
    let scene = Scene::start().await;
    let id = scene.client.id.clone();
    let given = async |scope: &str| {
        let request = scene.request().with("scope", scope);
        scene.grant(&mut scene.browser(), &request).await["refresh_token"].is_string()
    };
    assert!(given("openid").await && given("openid offline_access").await);
    let shown = scene.signet.cli_json(&["client", "update", &id, "--refresh-tokens", "offline", "--json"], "").await;
    assert_eq!(shown["refresh_tokens"], "offline", "{shown}");
    eventually(PATIENCE, "the policy holds", async || (!given("openid").await).then_some(())).await;
    assert!(given("openid offline_access").await);
}
