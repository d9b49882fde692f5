//! `POST /oauth/token` with `refresh_token`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Scene, at_once};
use crate::support::prelude::*;

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

/// Tokens of an offline grant with every scope.
async fn offline(scene: &Scene) -> Value {
    let request = scene.request().with("scope", "openid profile email offline_access");
    scene.grant(&mut scene.browser(), &request).await
}

async fn with_scope(scene: &Scene, tokens: &Value, scope: &str) -> reqwest::Response {
    let token = flow::member(tokens, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
    flow::token(&scene.signet, &scene.client, &fields).await
}

/// T6: the new ID token keeps iss, sub, aud, azp and `auth_time`, has a new iat and no nonce; the access token is new.
#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_grant() {
    let scene = Scene::start().await;
    let first = offline(&scene).await;
    let at = flow::jwt_payload(flow::member(&first, "id_token"))["iat"].as_i64().expect("iat");
    eventually(PATIENCE, "the next second", async || (signer::now() > at).then_some(())).await;
    let second = flow::granted(scene.refresh(&first).await).await;
    assert_ne!(first["access_token"], second["access_token"]);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert!(scene.accepts(&first).await && scene.accepts(&second).await);
    let claims = |tokens: &Value| flow::jwt_payload(flow::member(tokens, "id_token"));
    let (old, new) = (claims(&first), claims(&second));
    for name in ["iss", "sub", "aud", "azp", "auth_time", "acr", "amr", "sid"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert!(new["iat"].as_i64() > old["iat"].as_i64() && new.get("nonce").is_none(), "{new}");
    assert_ne!(old["at_hash"], new["at_hash"]);
}

/// R-07, T6: a lost answer can be repeated and gives the same successor, until the successor is used.
#[tokio::test]
async fn a_lost_answer_can_be_repeated() {
    let scene = Scene::start().await;
    let first = offline(&scene).await;
    let lost = flow::granted(scene.refresh(&first).await).await;
    let again = flow::granted(scene.refresh(&first).await).await;
    assert_eq!(lost["refresh_token"], again["refresh_token"]);
    assert_ne!(lost["access_token"], again["access_token"]);
    flow::granted(scene.refresh(&again).await).await;
}

/// a refresh token used after its successor was used revokes the whole family, access tokens included.
#[tokio::test]
async fn a_replayed_refresh_token_revokes_the_family() {
    let scene = Scene::start().await;
    let (first, apart) = (offline(&scene).await, offline(&scene).await);
    let second = flow::granted(scene.refresh(&first).await).await;
    let third = flow::granted(scene.refresh(&second).await).await;
    assert_eq!(flow::refused(scene.refresh(&first).await).await, invalid_grant());
    for tokens in [&first, &second, &third] {
        assert!(!scene.accepts(tokens).await);
        assert_eq!(flow::refused(scene.refresh(tokens).await).await, invalid_grant());
    }
    assert!(scene.accepts(&apart).await, "another grant of the same person");
    flow::granted(scene.refresh(&apart).await).await;
}

/// after 60 seconds a spent token is a replay, even if its successor was never used.
#[tokio::test]
async fn a_spent_token_is_a_replay_after_a_minute() {
    let scene = Scene::start().await;
    let first = offline(&scene).await;
    flow::granted(scene.refresh(&first).await).await;
    let older = |seconds: u32| {
        let statement = format!("UPDATE refresh_tokens SET spent_at = spent_at - interval '{seconds} seconds'");
        assert_eq!(scene.change(&format!("{statement} WHERE spent_at IS NOT NULL")), 1);
    };
    older(40);
    let second = flow::granted(scene.refresh(&first).await).await;
    older(21);
    assert_eq!(flow::refused(scene.refresh(&first).await).await, invalid_grant());
    assert_eq!(flow::refused(scene.refresh(&second).await).await, invalid_grant());
    assert!(!scene.accepts(&second).await);
}

/// T6: a refresh by another client is `invalid_grant` and costs the owner nothing.
#[tokio::test]
async fn trap_a_refresh_is_bound_to_its_client() {
    let scene = Scene::start().await;
    let (other, public) =
        (scene.signet.client(ClientSpec::confidential()).await, scene.signet.client(ClientSpec::public()).await);
    let tokens = offline(&scene).await;
    let second = flow::granted(scene.refresh(&tokens).await).await;
    for client in [&other, &public] {
        for stolen in [&tokens, &second] {
            let stolen = flow::member(stolen, "refresh_token");
            let answer = flow::refresh(&scene.signet, client, stolen).await;
            assert_eq!(flow::refused(answer).await, invalid_grant());
        }
    }
    assert!(scene.accepts(&second).await);
    flow::granted(scene.refresh(&second).await).await;
}

/// T6: oxide-auth stores the narrower scope; narrowing one answer must not narrow the grant.
#[tokio::test]
async fn trap_narrowing_a_refresh_does_not_narrow_the_grant() {
    let scene = Scene::start().await;
    let first = offline(&scene).await;
    let all = flow::member(&first, "scope").to_owned();
    let narrow = flow::granted(with_scope(&scene, &first, "openid email").await).await;
    assert_eq!(flow::member(&narrow, "scope"), "email openid");
    let claims: Value = flow::granted(flow::userinfo(&scene.signet, flow::member(&narrow, "access_token")).await).await;
    assert!(claims.get("email").is_some() && claims.get("preferred_username").is_none(), "{claims}");

    let whole = flow::granted(scene.refresh(&narrow).await).await;
    assert_eq!(flow::member(&whole, "scope"), all);
    let narrow = flow::granted(with_scope(&scene, &whole, "profile").await).await;
    assert!(narrow.get("id_token").is_none(), "no openid, no ID token: {narrow}");
}

/// T6: widening is `invalid_scope`, and the refused request costs nobody the token.
#[tokio::test]
async fn trap_a_machine_is_not_polled_after_an_error() {
    let scene = Scene::start().await;
    let tokens = offline(&scene).await;
    for scope in ["openid phone", "openid unheard", "openid \"x"] {
        let refused = flow::refused(with_scope(&scene, &tokens, scope).await).await;
        assert_eq!(refused, (400, "invalid_scope".to_owned()), "{scope}");
    }
    flow::granted(scene.refresh(&tokens).await).await;
}

/// T6: oxide-auth sets its own end of a refreshed token; lifetimes and authorization are those of our own grant.
#[tokio::test]
async fn trap_our_own_grant_is_the_truth() {
    let scene = Scene::start().await;
    let mut tokens = offline(&scene).await;
    let first = flow::jwt_payload(flow::member(&tokens, "access_token"));
    for _ in 0..3 {
        tokens = flow::granted(scene.refresh(&tokens).await).await;
        assert_eq!(tokens["expires_in"], 900);
        let access = flow::jwt_payload(flow::member(&tokens, "access_token"));
        let lifetime = access["exp"].as_i64().zip(access["iat"].as_i64()).map(|(exp, iat)| exp - iat);
        assert_eq!(lifetime, Some(900));
        for name in ["sub", "aud", "client_id", "scope", "grant", "auth_time", "sid"] {
            assert_eq!(access[name], first[name], "{name}");
        }
    }
}

/// T6: a refresh token ends 30 days after it was issued.
#[tokio::test]
async fn an_expired_refresh_token_is_refused() {
    let scene = Scene::start().await;
    for (days, good) in [(29, true), (30, false)] {
        let tokens = offline(&scene).await;
        scene.change(&format!("UPDATE refresh_tokens SET expires_at = expires_at - interval '{days} days'"));
        assert_eq!(scene.refresh(&tokens).await.status().is_success(), good, "{days} days");
    }
}

/// T6, R-06: a deactivated account refreshes nothing.
#[tokio::test]
async fn a_deactivated_account_refreshes_nothing() {
    let scene = Scene::start().await;
    let tokens = offline(&scene).await;
    assert_eq!(scene.change("UPDATE users SET state = 'deactivated' WHERE username = 'admin'"), 1);
    assert_eq!(flow::refused(scene.refresh(&tokens).await).await, invalid_grant());
    assert_eq!(scene.change("UPDATE users SET state = 'active' WHERE username = 'admin'"), 1);
    flow::granted(scene.refresh(&tokens).await).await;
}

/// 100 concurrent refreshes of one token all give one and the same successor, which then works.
#[tokio::test]
async fn a_hundred_concurrent_refreshes_give_one_successor() {
    for (database, spec) in
        [(Database::Postgres, ClientSpec::confidential()), (Database::Embedded, ClientSpec::public())]
    {
        let scene = Scene::on(database, spec).await;
        let tokens = offline(&scene).await;
        let token = flow::member(&tokens, "refresh_token");
        let one = |token: &str| {
            let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
            if scene.client.secret.is_none() {
                fields.push(("client_id", &scene.client.id));
            }
            let request = scene.token_request(&fields).timeout(Duration::from_mins(1));
            match &scene.client.secret {
                Some(secret) => request.basic_auth(&scene.client.id, Some(secret)),
                None => request,
            }
        };
        // Connections are made on demand: with all of them up, the requests really meet.
        at_once((0..32).map(|_| one("unknown")).collect()).await;
        let (mut successors, mut access) = (BTreeSet::new(), BTreeSet::new());
        let mut last = json!(null);
        for answer in at_once((0..100).map(|_| one(token)).collect()).await {
            last = flow::granted(answer).await;
            successors.insert(flow::member(&last, "refresh_token").to_owned());
            access.insert(flow::member(&last, "access_token").to_owned());
        }
        assert_eq!((successors.len(), access.len()), (1, 100));
        assert!(scene.accepts(&last).await);
        flow::granted(scene.refresh(&last).await).await;
    }
}

/// T6: a refresh is use, also of a token that does not rotate: token, grant and session are wound up.
#[tokio::test]
async fn a_token_that_does_not_rotate_is_wound_up() {
    let scene = Scene::start().await;
    let update = ["client", "update", &scene.client.id, "--refresh-rotation", "off", "--json"];
    scene.signet.cli_json(&update, "").await;
    let tokens = scene.grant(&mut scene.browser(), &scene.request()).await;
    assert_eq!(scene.change("UPDATE sessions SET idle_expires_at = now() + interval '1 minute'"), 1);
    assert_eq!(scene.change("UPDATE refresh_tokens SET expires_at = now() + interval '1 minute'"), 1);
    let next = flow::granted(scene.refresh(&tokens).await).await;
    assert_eq!(next["refresh_token"], tokens["refresh_token"]);
    let wound_up = [
        "UPDATE sessions SET state = state WHERE idle_expires_at > now() + interval '11 hours'",
        "UPDATE refresh_tokens SET hash = hash WHERE expires_at > now() + interval '29 days'",
        "UPDATE grants SET acr = acr WHERE ends_at > now() + interval '29 days'",
    ];
    for statement in wound_up {
        assert_eq!(scene.change(statement), 1, "{statement}");
    }
}
