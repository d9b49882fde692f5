//! What tokens are signed with, by registration.

use josekit::jwk::Jwk;
use josekit::jws::alg::{ecdsa::EcdsaJwsAlgorithm, rsassa::RsassaJwsAlgorithm, rsassa_pss::RsassaPssJwsAlgorithm};
use josekit::jws::{EdDSA, JwsVerifier};
use josekit::jwt;
use serde_json::{Value, json};

use crate::scene::{Scene, header};
use crate::support::prelude::*;

/// What a relying party checks a signature with: the published key that the token names, for the algorithm registered.
fn verifier(key: &Jwk, alg: &str) -> Box<dyn JwsVerifier> {
    match alg {
        "RS256" => Box::new(RsassaJwsAlgorithm::Rs256.verifier_from_jwk(key).expect("a key")),
        "RS384" => Box::new(RsassaJwsAlgorithm::Rs384.verifier_from_jwk(key).expect("a key")),
        "RS512" => Box::new(RsassaJwsAlgorithm::Rs512.verifier_from_jwk(key).expect("a key")),
        "PS256" => Box::new(RsassaPssJwsAlgorithm::Ps256.verifier_from_jwk(key).expect("a key")),
        "PS384" => Box::new(RsassaPssJwsAlgorithm::Ps384.verifier_from_jwk(key).expect("a key")),
        "PS512" => Box::new(RsassaPssJwsAlgorithm::Ps512.verifier_from_jwk(key).expect("a key")),
        "ES256" => Box::new(EcdsaJwsAlgorithm::Es256.verifier_from_jwk(key).expect("a key")),
        "ES384" => Box::new(EcdsaJwsAlgorithm::Es384.verifier_from_jwk(key).expect("a key")),
        "ES512" => Box::new(EcdsaJwsAlgorithm::Es512.verifier_from_jwk(key).expect("a key")),
        "EdDSA" => Box::new(EdDSA.verifier_from_jwk(key).expect("a key")),
        other => panic!("no verifier for {other}"),
    }
}

/// The claims of a JWT whose signature holds under the published keys.
pub async fn verified(signet: &Signet, token: &str, alg: &str) -> Value {
    let set: Value =
        signet.http().get(signet.url("/oauth/jwks")).send().await.expect("keys").json().await.expect("JSON");
    let head = flow::jwt_header(token);
    assert_eq!(head["alg"], alg);
    let keys = set["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == head["kid"]).expect("the key is published");
    assert_eq!(key["alg"], alg);
    let key = Jwk::from_map(key.as_object().expect("a key").clone()).expect("a key");
    let (payload, _) = jwt::decode_with_verifier(token, verifier(&key, alg).as_ref()).expect("a signature");
    Value::Object(payload.claims_set().clone())
}

/// T8, D4, U1: ID token and userinfo answer are signed with the algorithm the client registered, by a published key; every
/// algorithm that discovery lists works.
#[tokio::test]
async fn each_advertised_algorithm_signs() {
    let scene = Scene::start().await;
    let signet = &scene.signet;
    let document: Value = scene.open(signet.url("/.well-known/openid-configuration")).await.json().await.expect("JSON");
    let list = |name: &str| -> Vec<String> { serde_json::from_value(document[name].clone()).expect("a list") };
    let (id_algs, userinfo_algs) =
        (list("id_token_signing_alg_values_supported"), list("userinfo_signing_alg_values_supported"));
    assert_eq!(id_algs.len(), 11);
    for alg in id_algs.iter().filter(|alg| *alg != "none") {
        assert!(userinfo_algs.contains(alg), "{alg}");
        let members = json!({"id_token_signed_response_alg": alg, "userinfo_signed_response_alg": alg});
        let client = signet.client(ClientSpec::confidential().with_metadata(&members)).await;
        let tokens = flow::tokens(signet, &client, &scene.user).await;
        let id = verified(signet, flow::member(&tokens, "id_token"), alg).await;
        assert_eq!((&id["aud"], id["at_hash"].is_string()), (&json!(client.id), true), "{alg}");

        let answer = flow::userinfo(signet, flow::member(&tokens, "access_token")).await;
        assert!(header(&answer, "content-type").starts_with("application/jwt"), "{alg}");
        let claims = verified(signet, &answer.text().await.expect("a JWT"), alg).await;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(signet.issuer()), &json!(client.id)), "{alg}");
        assert_eq!((&claims["sub"], claims["email"].is_string()), (&id["sub"], true), "{alg}");
    }
}

/// T8: `none` is served from the token endpoint to whoever registered it, is refused for front-channel response types, and
/// is no `id_token_hint`.
#[tokio::test]
async fn unsigned_only_where_registered() {
    let scene =
        Scene::with(ClientSpec::confidential().with_metadata(&json!({"id_token_signed_response_alg": "none"}))).await;
    let tokens = scene.tokens().await;
    let token = flow::member(&tokens, "id_token");
    assert_eq!(flow::jwt_header(token)["alg"], "none");
    assert!(token.ends_with('.'));
    let hinted = scene.request().with("id_token_hint", token);
    let callback = scene.browser().get(hinted.url(&scene.signet)).await.left();
    assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("invalid_request"));
    let made = ClientSpec::confidential()
        .with_metadata(&json!({"id_token_signed_response_alg": "none"}))
        .with_response_types(&["code", "id_token"]);
    let arguments = made.arguments();
    let refused = scene.signet.cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(!refused.status.success(), "{refused:?}");
}

/// R-38, D4: a key of an algorithm that had none is made once, published on every node, and rotates like the others.
#[tokio::test]
async fn keys_are_made_when_first_asked_for() {
    let scene = Scene::start().await;
    let count = || async {
        let set: Value = scene.open(scene.signet.url("/oauth/jwks")).await.json().await.expect("JSON");
        set["keys"].as_array().expect("keys").iter().filter(|key| key["alg"] == "PS256").count()
    };
    assert_eq!(count().await, 0);
    for _ in 0..2 {
        let spec = ClientSpec::confidential().with_metadata(&json!({"id_token_signed_response_alg": "PS256"}));
        let client = scene.signet.client(spec).await;
        let tokens = flow::tokens(&scene.signet, &client, &scene.user).await;
        assert_eq!(flow::jwt_header(flow::member(&tokens, "id_token"))["alg"], "PS256");
        assert_eq!(count().await, 2, "one that signs, one that is next");
    }
    scene.signet.cli_json(&["keys", "rotate", "--alg", "PS256", "--json"], "").await;
    eventually(PATIENCE, "a fresh one is published", async || (count().await == 3).then_some(())).await;

    // Where there were none, nothing retires that was never published.
    let rotate = || scene.signet.cli_json(&["keys", "rotate", "--alg", "EdDSA", "--json"], "");
    for expected in [vec!["active", "next"], vec!["active", "next", "retiring"]] {
        let keys = rotate().await;
        let keys = keys.as_array().expect("keys").iter().filter(|key| key["alg"] == "EdDSA");
        let mut states: Vec<_> = keys.map(|key| flow::member(key, "state")).collect();
        states.sort_unstable();
        assert_eq!(states, expected);
    }
}
