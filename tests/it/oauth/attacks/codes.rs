//! Codes in the wrong hands, and requests that a person did not make.

use crate::scene::{Scene, header, refusal};
use crate::support::prelude::*;
use reqwest::{Method, StatusCode};

const REFUSED: (u16, &str) = (400, "invalid_grant");

/// An application that may go without PKCE.
async fn lax() -> Scene {
    let scene = Scene::start().await;
    scene.signet.cli_json(&["client", "update", &scene.client.id, "--pkce", "optional", "--json"], "").await;
    scene
}

fn as_refused(answer: &(u16, String)) -> (u16, &str) {
    (answer.0, &answer.1)
}

/// T4, RFC 9700 §4.5: a stolen code that an attacker brings to his own session with the application is refused there:
/// the verifier of that session is another. Afterwards the code is dead for everybody.
#[tokio::test]
async fn attack_code_injection() {
    let scene = Scene::start().await;
    let (victims, attackers) = (scene.request(), scene.request());
    let stolen = scene.code(&mut scene.browser(), &victims).await;
    let injected = flow::refused(scene.exchange(&stolen, &attackers.verifier).await).await;
    assert_eq!(as_refused(&injected), REFUSED);
    let late = flow::refused(scene.exchange(&stolen, &victims.verifier).await).await;
    assert_eq!(as_refused(&late), REFUSED);
    let own = scene.code(&mut scene.browser(), &attackers).await;
    flow::granted(scene.exchange(&own, &attackers.verifier).await).await;
}

/// A6, RFC 9700 §4.5.3.2: where an application may go without PKCE its nonce tells: the ID token carries the nonce of
/// the request that the code came from, whoever brings it.
#[tokio::test]
async fn attack_code_injection_without_pkce() {
    let scene = lax().await;
    let bare = || scene.request().without("code_challenge").without("code_challenge_method");
    let (victims, attackers) = (bare(), bare());
    let stolen = scene.code(&mut scene.browser(), &victims).await;
    let fields =
        [("grant_type", "authorization_code"), ("code", &*stolen), ("redirect_uri", &*scene.client.redirect_uri)];
    let tokens = flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await;
    let claims = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert_eq!(claims["nonce"], victims.get("nonce"));
    assert_ne!(claims["nonce"], attackers.get("nonce"));
}

/// T5, RFC 9700 §4.8: an attacker who takes the challenge out of a request gets an error where PKCE is asked for, and
/// where it is not, a code that no verifier redeems. `plain` does not stand in for S256.
#[tokio::test]
async fn attack_pkce_downgrade() {
    for (scene, required) in
        [(Scene::start().await, true), (Scene::with(ClientSpec::public()).await, true), (lax().await, false)]
    {
        let request = scene.request().without("code_challenge").without("code_challenge_method");
        if required {
            let callback = scene.browser().get(request.url(&scene.signet)).await.left();
            assert_eq!(refusal(&scene, &request, &callback), "invalid_request");
        } else {
            let code = scene.code(&mut scene.browser(), &request).await;
            let answer = flow::refused(scene.exchange(&code, &request.verifier).await).await;
            assert_eq!(as_refused(&answer), REFUSED, "a verifier without a challenge");
        }
        let request = scene.request();
        let plain = request.clone().with("code_challenge", &request.verifier).with("code_challenge_method", "plain");
        let callback = scene.browser().get(plain.url(&scene.signet)).await.left();
        assert_eq!(refusal(&scene, &plain, &callback), "invalid_request", "plain");
    }
}

/// RFC 9700 §4.7: a sign-in that an attacker began is not ended in the browser of somebody else, in either direction:
/// neither by its address nor by its form. State comes back to the letter, for the application's own defence.
#[tokio::test]
async fn attack_cross_site_request() {
    let scene = Scene::start().await;
    let mut attacker = scene.browser();
    let page = attacker.get(scene.request().url(&scene.signet)).await.page();
    let mut victim = scene.browser();
    let own = victim.get(scene.request().url(&scene.signet)).await.page();
    let form = page.form(&["username", "password"]).expect("a form");
    let form = form.with(&[("username", &scene.user.username), ("password", &scene.user.password)]);
    let answer = victim.request(Method::POST, &form.action).form(&form.fields).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{answer:?}");
    assert_eq!(header(&answer, "location"), "");
    let consent = flow::sign_in(&mut victim, &own, &scene.user).await.page();
    let form = consent.form(&["decision"]).expect("a form").with(&[("decision", "allow")]);
    let post = || victim.request(Method::POST, &form.action).form(&form.fields);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let answer = post().header(name, value).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        assert_eq!(header(&answer, "location"), "", "{name}");
    }
    let allowed = post().send().await.expect("an answer");
    assert!(header(&allowed, "location").contains("code="), "{allowed:?}");
}
