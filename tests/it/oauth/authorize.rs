//! `GET` and `POST /oauth/authorize`: what is checked before anybody is asked anything. `prompt` has a file of its own.

use reqwest::{Method, StatusCode};

use crate::scene::{Scene, error_page, header, refusal};
use crate::support::prelude::*;

/// The error that reaches the application for a request.
async fn refused(scene: &Scene, request: &AuthRequest) -> String {
    let callback = scene.browser().get(request.url(&scene.signet)).await.left();
    refusal(scene, request, &callback)
}

/// A2, R-34: an unknown client, or a redirect URI that differs in any byte, gets a page and never a redirect.
#[tokio::test]
async fn unknown_client_or_redirect_uri_gets_a_page_without_redirect() {
    let mut spec = ClientSpec::confidential();
    spec.redirect_uris = vec!["http://localhost:9/cb".to_owned(), "https://app.example/callback?a=1".to_owned()];
    let scene = Scene::with(spec).await;
    let request = scene.request();
    let bad = [
        request.clone().with("client_id", "nobody"),
        request.clone().without("client_id"),
        request.clone().with("client_id", ""),
        request.clone().without("redirect_uri"),
        request.clone().with("redirect_uri", "https://evil.example/cb"),
        request.clone().with("redirect_uri", "http://localhost:9/cb/"),
        request.clone().with("redirect_uri", "http://localhost:9/CB"),
        request.clone().with("redirect_uri", "HTTP://localhost:9/cb"),
        request.clone().with("redirect_uri", "http://localhost:10/cb"),
        request.clone().with("redirect_uri", "http://localhost:9/cb?"),
        request.clone().with("redirect_uri", "http://localhost:9/cb#f"),
        request.clone().with("redirect_uri", "http://localhost:9/./cb"),
        request.clone().with("redirect_uri", "http://localhost:9/%63b"),
        request.clone().with("redirect_uri", "http://u@localhost:9/cb"),
        request.clone().with("redirect_uri", "https://app.example/callback?a=1&b=2"),
        request.clone().with("redirect_uri", "https://app.example/callback"),
        request.clone().and("redirect_uri", "http://localhost:9/cb"),
        request.clone().and("client_id", &scene.client.id),
    ];
    for request in bad {
        error_page(scene.open(request.url(&scene.signet)).await).await;
    }
    let good = scene.open(request.url(&scene.signet)).await;
    assert_eq!(good.status(), StatusCode::SEE_OTHER);
    assert!(header(&good, "location").starts_with("/signin?"), "{good:?}");
}

/// A2: with one registered redirect URI an OAuth request may leave it out, and an OpenID request may not (OIDC Core
/// §3.1.2.1); a registered query string is kept in the callback.
#[tokio::test]
async fn the_only_redirect_uri_may_be_left_out_and_keeps_its_query() {
    let mut spec = ClientSpec::confidential();
    spec.redirect_uris = vec!["https://app.example/callback?tenant=7".to_owned()];
    let scene = Scene::with(spec).await;
    let openid = scene.request().without("redirect_uri");
    error_page(scene.open(openid.url(&scene.signet)).await).await;
    let request = openid.with("scope", "email");
    let mut browser = scene.browser();
    let callback = flow::sign_in_and_consent(&mut browser, &request.url(&scene.signet), &scene.user).await;
    assert!(callback.as_str().starts_with("https://app.example/callback?tenant=7&"), "{callback}");
    let code = flow::parameter(&callback, "code").expect("a code");

    // RFC 6749 §4.1.3: what was not sent then need not be sent now.
    let fields = [("grant_type", "authorization_code"), ("code", &*code), ("code_verifier", &request.verifier)];
    flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await;
}

/// A2: the port of a loopback address is free for native clients (RFC 8252 §7.3) and for nobody else.
#[tokio::test]
async fn a_native_clients_loopback_port_is_free() {
    let scene = Scene::start().await;
    let create = |native: &'static str, name: &'static str| {
        let mut arguments = vec!["client", "create", "--json", "--name", name, "--auth-method", "none"];
        arguments.extend(["--redirect-uri", "http://127.0.0.1/cb"]);
        arguments.extend(Some(native).filter(|option| !option.is_empty()));
        arguments
    };
    for (native, status) in [("--native", 303), ("", 400)] {
        let made = scene.signet.cli_json(&create(native, "Desk"), "").await;
        let client = Client {
            id: flow::member(&made, "client_id").to_owned(),
            secret: None,
            redirect_uri: "http://127.0.0.1:50123/cb".to_owned(),
        };
        let answer = scene.open(AuthRequest::new(&client).url(&scene.signet)).await;
        assert_eq!(answer.status().as_u16(), status, "{native}");
        for elsewhere in ["http://127.0.0.1:50123/other", "http://127.0.0.1:+80/cb", "http://127.0.0.1:080/cb"] {
            let elsewhere = AuthRequest::new(&client).with("redirect_uri", elsewhere);
            error_page(scene.open(elsewhere.url(&scene.signet)).await).await;
        }
    }
}

/// A1, A3: whatever is wrong once client and redirect URI are known good reaches the application, with state and iss.
#[tokio::test]
async fn errors_reach_the_application_with_state_and_issuer() {
    let scene = Scene::start().await;
    let good = scene.request();
    let cases = [
        (good.clone().and("state", "again"), "invalid_request"),
        (good.clone().and("scope", "openid"), "invalid_request"),
        (good.clone().and("code_challenge", "x"), "invalid_request"),
        (good.clone().and("nonce", "again"), "invalid_request"),
        (good.clone().without("response_type"), "invalid_request"),
        (good.clone().with("response_type", ""), "invalid_request"),
        (good.clone().with("response_type", "token"), "unsupported_response_type"),
        (good.clone().with("response_type", "code id_token"), "unauthorized_client"),
        (good.clone().with("response_type", "id_token token").with("response_mode", "query"), "unauthorized_client"),
        (good.clone().with("response_mode", "query.jwt"), "invalid_request"),
        (good.clone().with("response_mode", "fragment").with("scope", "\""), "invalid_scope"),
        (good.clone().with("scope", "openid \"quoted\""), "invalid_scope"),
        (good.clone().with("max_age", "soon"), "invalid_request"),
        (good.clone().with("prompt", "sometimes"), "invalid_request"),
        (good.clone().with("request", "a.b.c"), "invalid_request_object"),
        (good.clone().with("request_uri", "https://app.example/r"), "invalid_request_uri"),
        (good.clone().with("registration", "{}"), "registration_not_supported"),
        (good.clone().with("id_token_hint", "a.b.c"), "invalid_request"),
    ];
    for (request, expected) in cases {
        // A repeated `state` cannot be returned untouched; the first one is.
        assert_eq!(refused(&scene, &request).await, expected, "{:?}", request.parameters);
    }
}

/// A1: unknown parameters are ignored, also when they are repeated; an empty value counts as absent.
#[tokio::test]
async fn unknown_parameters_are_ignored_and_empty_ones_absent() {
    let scene = Scene::start().await;
    let request = scene.request().and("utm", "1").and("utm", "2").with("prompt", "").with("max_age", "");
    let mut browser = scene.browser();
    scene.code(&mut browser, &request).await;

    let callback = browser.get(request.with("state", "").url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some());
    assert_eq!(flow::parameter(&callback, "state"), None);
}

/// A1, T3: oxide-auth takes an empty value for a value and drops repeated ones: an empty challenge is a missing one.
#[tokio::test]
async fn trap_empty_strings_count_as_absent_and_duplicates_are_refused() {
    let scene = Scene::start().await;
    let empty = scene.request().with("code_challenge", "").with("code_challenge_method", "");
    assert_eq!(refused(&scene, &empty).await, "invalid_request");
    let twice = scene.request();
    let challenge = twice.get("code_challenge").to_owned();
    assert_eq!(refused(&scene, &twice.and("code_challenge", &challenge)).await, "invalid_request");

    let fields = [("grant_type", "refresh_token"), ("refresh_token", "")];
    let answer = flow::token(&scene.signet, &scene.client, &fields).await;
    assert_eq!(flow::refused(answer).await, (400, "invalid_request".to_owned()));
}

/// A3: state comes back byte for byte.
#[tokio::test]
async fn state_is_untouched() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let long = "s".repeat(4_096);
    for state in ["a+b c&d=e#f%20\"<>é\u{1F511}", "\\'`{}|^~", &long] {
        // `flow::code` compares the state.
        scene.code(&mut browser, &scene.request().with("state", state)).await;
    }
    let callback = browser.get(scene.request().with("state", &"s".repeat(4_097)).url(&scene.signet)).await.left();
    assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("invalid_request"));
}

/// A3: `iss` names the issuer on success too (RFC 9207 §2).
#[tokio::test]
async fn a_successful_answer_names_the_issuer() {
    let scene = Scene::start().await;
    let url = scene.request().url(&scene.signet);
    let callback = flow::sign_in_and_consent(&mut scene.browser(), &url, &scene.user).await;
    assert_eq!(flow::parameter(&callback, "iss").as_deref(), Some(scene.signet.issuer()));
}

/// A4: a client that is not registered for the code grant is told `unauthorized_client`.
#[tokio::test]
async fn a_client_without_the_grant_type_is_unauthorized() {
    let mut spec = ClientSpec::confidential();
    spec.grant_types = vec!["refresh_token".to_owned()];
    let scene = Scene::with(spec).await;
    assert_eq!(refused(&scene, &scene.request()).await, "unauthorized_client");
}

/// A4: a missing response type is told in the query; a registered one whose answer holds tokens is refused in a query,
/// and the refusal is in the fragment, where the tokens would have been.
#[tokio::test]
async fn where_errors_of_the_response_type_go() {
    let every = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];
    let scene = Scene::with(ClientSpec::confidential().with_response_types(&every)).await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request().with("response_mode", "query")).await;
    let missing = scene.request().without("response_type");
    let callback = browser.get(missing.url(&scene.signet)).await.left();
    assert_eq!(refusal(&scene, &missing, &callback), "invalid_request");
    assert!(callback.query().is_some() && callback.fragment().is_none(), "{callback}");
    for with_tokens in &every[1..] {
        let request = scene.request().with("response_type", with_tokens);
        let in_the_query = request.clone().with("response_mode", "query");
        let callback = browser.get(in_the_query.url(&scene.signet)).await.left();
        assert_eq!(refusal(&scene, &in_the_query, &callback), "invalid_request", "{with_tokens}");
        assert!(callback.query().is_none() && callback.fragment().is_some(), "{callback}");
        let callback = browser.get(request.url(&scene.signet)).await.left();
        assert_eq!(flow::parameter(&callback, "error"), None, "{callback}");
        assert!(callback.query().is_none(), "{callback}");
    }
}

/// A6: the code flow goes without a nonce, and its ID token then has none; a response type whose ID token comes from this
/// endpoint needs one.
#[tokio::test]
async fn a_nonce_is_needed_where_the_id_token_comes_from_here() {
    let every = ["code", "code token", "id_token", "id_token token", "code id_token", "code id_token token"];
    let scene = Scene::with(ClientSpec::confidential().with_response_types(&every)).await;
    let mut browser = scene.browser();
    for asked in every {
        let without = scene.request().with("response_type", asked).without("nonce");
        if asked.contains("id_token") {
            for absent in [without.clone(), without.with("nonce", "")] {
                let callback = browser.get(absent.url(&scene.signet)).await.left();
                assert_eq!(refusal(&scene, &absent, &callback), "invalid_request", "{asked}");
            }
        } else {
            let tokens = scene.grant(&mut browser, &without).await;
            let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
            assert!(id.get("nonce").is_none(), "{asked}: {id}");
        }
    }
}

/// R-33, T5: PKCE with S256 is required; without it, with `plain`, or malformed it is refused before anybody signs in.
#[tokio::test]
async fn pkce_missing_plain_or_malformed_is_refused() {
    for spec in [ClientSpec::confidential(), ClientSpec::public()] {
        let scene = Scene::with(spec).await;
        let good = scene.request();
        let challenge = good.get("code_challenge").to_owned();
        let bad = [
            good.clone().without("code_challenge").without("code_challenge_method"),
            good.clone().without("code_challenge"),
            good.clone().without("code_challenge_method"),
            good.clone().with("code_challenge_method", "plain"),
            good.clone().with("code_challenge_method", "s256"),
            good.clone().with("code_challenge", &challenge[1..]),
            good.clone().with("code_challenge", &format!("{challenge}A")),
            good.clone().with("code_challenge", &format!("{}=", &challenge[1..])),
        ];
        for request in bad {
            assert_eq!(refused(&scene, &request).await, "invalid_request", "{:?}", request.parameters);
        }
    }
}

/// A13: unknown scopes are dropped, and what was given is in the token answer.
#[tokio::test]
async fn unknown_scopes_are_dropped() {
    let scene = Scene::start().await;
    let request = scene.request().with("scope", "openid unheard email");
    let tokens = scene.grant(&mut scene.browser(), &request).await;
    assert_eq!(flow::member(&tokens, "scope"), "email openid");
}

/// A13: oxide-auth's scope prints in random order; ours is sorted, in every answer.
#[tokio::test]
async fn trap_scopes_print_sorted() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    for asked in ["profile openid phone email address", "phone address email profile openid openid"] {
        let tokens = scene.grant(&mut browser, &scene.request().with("scope", asked)).await;
        let sorted = "address email openid phone profile";
        assert_eq!(flow::member(&tokens, "scope"), sorted);
        let access = flow::jwt_payload(flow::member(&tokens, "access_token"));
        assert_eq!(flow::member(&access, "scope"), sorted);
    }
}

/// A1: POST means the same as GET; it is turned into a GET of ours, so that the browser sends its cookies.
#[tokio::test]
async fn post_means_the_same_as_get() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request();
    scene.code(&mut browser, &request).await;
    let url = browser.resolve("/oauth/authorize");
    let posted = browser.request(Method::POST, &url).form(&request.parameters).send().await.expect("an answer");
    assert_eq!(posted.status(), StatusCode::SEE_OTHER);
    let callback = browser.get(header(&posted, "location")).await.left();
    assert!(flow::parameter(&callback, "code").is_some(), "{callback}");
}

/// A3, A18: `ErrorUrl` of oxide-auth writes only queries; ours puts every answer where the response mode says.
#[tokio::test]
async fn trap_answers_travel_in_the_response_mode_asked_for() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("response_mode", "query");
    let callback = flow::sign_in_and_consent(&mut browser, &request.url(&scene.signet), &scene.user).await;
    assert!(flow::parameter(&callback, "code").is_some() && callback.fragment().is_none(), "{callback}");
    let request = scene.request().with("response_mode", "fragment");
    let callback = browser.get(&request.url(&scene.signet)).await.left();
    assert!(flow::parameter(&callback, "code").is_some() && callback.query().is_none(), "{callback}");

    // A form that posts itself, with a button where there are no scripts; nothing is in the address. Errors too.
    let request = scene.request().with("response_mode", "form_post");
    for (request, expected) in [(request.clone(), "code"), (request.with("scope", "\""), "error")] {
        let page = browser.get(&request.url(&scene.signet)).await.page();
        assert_eq!((page.status, page.url.path()), (StatusCode::OK, "/oauth/authorize"));
        let form = page.form(&["state", "iss", expected]).expect("a form");
        assert_eq!(form.action.as_str(), scene.client.redirect_uri);
        assert!(form.fields.contains(&("state".to_owned(), request.get("state").to_owned())), "{form:?}");
        let policy = page.headers["content-security-policy"].to_str().expect("ASCII");
        let nonce = policy.split_once("'nonce-").and_then(|(_, rest)| rest.split_once('\'')).expect("a nonce").0;
        assert!(nonce.len() >= 22 && page.body.contains(&format!("<script nonce=\"{nonce}\">")), "{policy}");
        assert!(!policy.contains("form-action") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store");
    }
}
