//! `/oauth/jwks` in the course of time.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serde_json::Value;

use super::algorithms::verified;
use crate::scene::{Scene, header};
use crate::support::prelude::*;

/// Key identifiers by algorithm, and the tag of the answer.
async fn published(scene: &Scene) -> (BTreeMap<String, BTreeSet<String>>, String) {
    let answer = scene.open(scene.signet.url("/oauth/jwks")).await;
    let tag = header(&answer, ETAG.as_str()).to_owned();
    let set: Value = flow::granted(answer).await;
    let mut kids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for key in set["keys"].as_array().expect("keys") {
        let of_alg = kids.entry(flow::member(key, "alg").to_owned()).or_default();
        of_alg.insert(flow::member(key, "kid").to_owned());
    }
    (kids, tag)
}

fn kid(tokens: &Value, token: &str) -> String {
    flow::member(&flow::jwt_header(flow::member(tokens, token)), "kid").to_owned()
}

/// D4: a rotation touches its algorithm alone: a fresh key is published at once, a published one signs, and what the key
/// before signed still holds. Who knows the older set by its tag is given the new one.
#[tokio::test]
async fn a_rotation_is_published_at_once() {
    let scene = Scene::start().await;
    let first = scene.tokens().await;
    let (before, tag) = published(&scene).await;
    assert!(before["RS256"].contains(&kid(&first, "id_token")));
    let known = || scene.signet.http().get(scene.signet.url("/oauth/jwks")).header(IF_NONE_MATCH, &tag).send();
    assert_eq!(known().await.expect("an answer").status(), StatusCode::NOT_MODIFIED);

    scene.signet.cli_json(&["keys", "rotate", "--alg", "RS256", "--json"], "").await;
    let answer = eventually(PATIENCE, "the set changes", async || {
        let answer = known().await.expect("an answer");
        (answer.status() == StatusCode::OK).then_some(answer)
    })
    .await;
    assert_ne!(header(&answer, ETAG.as_str()), tag);
    let (after, _) = published(&scene).await;
    assert_eq!(after["ES256"], before["ES256"], "another algorithm");
    assert!(after["RS256"].is_superset(&before["RS256"]), "{after:?}");
    assert_eq!(after["RS256"].len(), before["RS256"].len() + 1, "a fresh one");

    let second = scene.tokens().await;
    assert_ne!(kid(&second, "id_token"), kid(&first, "id_token"));
    assert!(before["RS256"].contains(&kid(&second, "id_token")), "it was published before it signs");
    for tokens in [&first, &second] {
        verified(&scene.signet, flow::member(tokens, "id_token"), "RS256").await;
        assert!(scene.accepts(tokens).await);
    }
}

/// D4: the key before stays published until the last token it may have signed has ended, also where ID tokens live
/// longer than access tokens, and no longer: nothing that it signed is then an access token.
#[tokio::test]
async fn a_key_is_published_until_its_last_token_has_ended() {
    for (lifetime, kept) in [("1h", 70), ("5h", 310)] {
        let signet = Signet::start_with(Database::Postgres, &[("SIGNET_TOKENS__ID", lifetime)]).await;
        let client = signet.client(ClientSpec::confidential()).await;
        let mut scene = Scene { signet, client, user: crate::scene::admin() };
        let tokens = scene.tokens().await;
        let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
        let lives = id["exp"].as_i64().zip(id["iat"].as_i64()).map(|(exp, iat)| (exp - iat) / 60);
        assert!(lives.is_some_and(|minutes| minutes + 10 == kept), "{id}");
        scene.signet.cli_json(&["keys", "rotate", "--all", "--json"], "").await;
        let aged = |alg: &str, minutes: i64| {
            let since = format!("UPDATE signing_keys SET changed_at = now() - interval '{minutes} minutes'");
            assert_eq!(scene.change(&format!("{since} WHERE state = 'retiring' AND alg = '{alg}'")), 1);
        };
        let (id_kid, access_kid) = (kid(&tokens, "id_token"), kid(&tokens, "access_token"));
        aged("RS256", kept - 1);
        aged("ES256", kept + 1);
        // Both are looked at in one transaction, at a start.
        scene.signet.restart().await;
        eventually(PATIENCE, "the one key goes", async || {
            (!published(&scene).await.0["ES256"].contains(&access_kid)).then_some(())
        })
        .await;
        assert!(published(&scene).await.0["RS256"].contains(&id_kid), "{lifetime}");
        verified(&scene.signet, flow::member(&tokens, "id_token"), "RS256").await;
        assert!(!scene.accepts(&tokens).await, "an access token of a key that is gone");

        let since = format!("UPDATE signing_keys SET changed_at = now() - interval '{} minutes'", kept + 1);
        assert_eq!(scene.change(&format!("{since} WHERE state = 'retiring'")), 1);
        scene.signet.restart().await;
        eventually(PATIENCE, "the other key goes", async || {
            (!published(&scene).await.0["RS256"].contains(&id_kid)).then_some(())
        })
        .await;
    }
}
