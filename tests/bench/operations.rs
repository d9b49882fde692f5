//! The operations of the budgets, in the order that lets each one use what an earlier one gave.

use std::sync::Mutex;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::measure::{Operation, WORKERS, run};
use crate::scene::{Scene, admin, header};
use crate::support::prelude::*;

const fn operation(name: &'static str, budget: &'static str, requests: usize) -> Operation {
    Operation { name, budget, requests }
}

/// Measures everything.
pub async fn all(signet: Signet) {
    let client = signet.client(ClientSpec::confidential()).await;
    let scene = Scene { signet, client, user: admin() };
    documents(&scene).await;
    let service = service(&scene).await;
    checks(&scene, &service).await;
    people(&scene).await;
    sign_in(&scene).await;
}

async fn expect(request: RequestBuilder, status: StatusCode) -> Response {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), status, "{answer:?}");
    answer
}

async fn documents(scene: &Scene) {
    for (name, path) in [("discovery", "/.well-known/openid-configuration"), ("keys", "/oauth/jwks")] {
        run(&scene.signet, &operation(name, "20 µs", 20_000), async |_, _| {
            let answer = expect(scene.signet.http().get(scene.signet.url(path)), StatusCode::OK).await;
            answer.bytes().await.expect("a body").len()
        })
        .await;
    }
}

/// Measures `client_credentials`; gives one of the tokens.
async fn service(scene: &Scene) -> String {
    let spec = ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: vec!["reports:read".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    };
    let client = scene.signet.client(spec).await;
    let fields = [("grant_type", "client_credentials")];
    let tokens = run(&scene.signet, &operation("client_credentials", "100 µs", 10_000), async |_, _| {
        flow::granted(flow::token(&scene.signet, &client, &fields).await).await
    })
    .await;
    flow::member(tokens.first().expect("a token"), "access_token").to_owned()
}

async fn checks(scene: &Scene, service: &str) {
    let signet = &scene.signet;
    // Good in every respect but for what it may do here.
    run(signet, &operation("token check (userinfo, refused scope)", "80 µs", 10_000), async |_, _| {
        let answer = flow::userinfo(signet, service).await;
        assert!(answer.status().is_client_error(), "{answer:?}");
        answer.bytes().await.expect("a body").len()
    })
    .await;
    let tokens = scene.tokens().await;
    let access = flow::member(&tokens, "access_token");
    run(signet, &operation("userinfo", "token check + claims", 5_000), async |_, _| {
        flow::granted(flow::userinfo(signet, access).await).await
    })
    .await;
    let document: Value = flow::granted(scene.open(signet.url("/.well-known/openid-configuration")).await).await;
    let Some(endpoint) = document.get("introspection_endpoint").and_then(Value::as_str) else {
        println!("introspection: not there yet");
        return;
    };
    run(signet, &operation("introspection", "120 µs", 5_000), async |_, _| {
        let secret = scene.client.secret.as_ref();
        let request = signet.http().post(endpoint).basic_auth(&scene.client.id, secret).form(&[("token", access)]);
        flow::granted(request.send().await.expect("an answer")).await
    })
    .await;
}

/// Authorize with a session, then what its codes are good for. Codes live for a minute, which bounds this.
async fn people(scene: &Scene) {
    let signet = &scene.signet;
    let mut browser = scene.browser();
    let request = scene.request().with("scope", "openid profile offline_access");
    scene.code(&mut browser, &request).await;
    let url = request.url(signet);
    let authorize = operation("authorize, session and remembered consent", "400 µs", 2_000);
    let codes = run(signet, &authorize, async |_, _| {
        let answer = expect(browser.request(Method::GET, &url), StatusCode::SEE_OTHER).await;
        let location = url::Url::parse(header(&answer, "location")).expect("a callback");
        flow::parameter(&location, "code").expect("a code")
    })
    .await;
    let exchange = operation("code exchange", "400 µs + ID token signature", codes.len());
    let tokens = run(signet, &exchange, async |_, number| {
        let code = codes.get(number).expect("a code");
        flow::granted(flow::exchange(signet, &scene.client, code, &request.verifier).await).await
    })
    .await;
    let newest: Vec<_> = tokens.into_iter().take(WORKERS).map(Mutex::new).collect();
    run(signet, &operation("refresh", "350 µs", 3_000), async |worker, _| {
        let held = newest.get(worker).expect("a grant for each worker");
        let token = flow::member(&held.lock().expect("alone"), "refresh_token").to_owned();
        let renewed = flow::granted(flow::refresh(signet, &scene.client, &token).await).await;
        *held.lock().expect("alone") = renewed;
    })
    .await;
}

async fn sign_in(scene: &Scene) {
    let mut forms = Vec::new();
    for _ in 0..100 {
        let mut browser = scene.browser();
        let page = browser.get("/signin").await.page();
        let fields = [("username", &*scene.user.username), ("password", &*scene.user.password)];
        forms.push((browser, page.form(&["username", "password"]).expect("the form").with(&fields)));
    }
    run(&scene.signet, &operation("sign-in", "the hash + 500 µs", forms.len()), async |_, number| {
        let (browser, form) = forms.get(number).expect("a form");
        let origin = scene.signet.issuer();
        let request = browser.request(Method::POST, &form.action).header("origin", origin).form(&form.fields);
        expect(request, StatusCode::SEE_OTHER).await
    })
    .await;
}
