//! With Redis, without it, and with Redis that comes and goes.

use reqwest::StatusCode;

use super::{Nodes, OverRedis, document, published, serve, service, signing_key, status_of, within};
use crate::support::prelude::*;

/// By which way B must have heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Table,
    Redis,
}

/// Runs `act`, which A does and B must hear of. Answers whether B heard of it by this way.
async fn by(way: Way, nodes: &Nodes, act: impl AsyncFnOnce()) -> bool {
    let before = OverRedis::to(&nodes.b).await;
    act().await;
    if way == Way::Table {
        assert_eq!(OverRedis::to(&nodes.b).await, before, "nothing came over Redis");
        return true;
    }
    // A message comes in any case, and is news only before the table was read.
    let after = within("  Redis brought a notice", async || {
        let now = OverRedis::to(&nodes.b).await;
        (now.received > before.received).then_some(now)
    })
    .await;
    after.carried > before.carried
}

/// Runs what answers whether B heard by the right way until it did: by chance B reads the table in the very moment
/// before the message comes, but not again and again.
async fn heard(what: impl AsyncFn() -> bool) {
    for _ in 0..4 {
        if what().await {
            return;
        }
    }
    panic!("the table brought it each time, and Redis never");
}

/// A token revoked on A is refused on B.
async fn a_revoked_token(nodes: &Nodes, client: &Client, way: Way) -> bool {
    let (tokens, code, verifier) = nodes.sign_in(client).await;
    assert_eq!(status_of(&nodes.b, &tokens).await, StatusCode::OK, "B accepts what A signed");
    by(way, nodes, async || {
        // A replayed code ends what it had given.
        let replay = flow::exchange(&nodes.a, client, &code, &verifier).await;
        assert_eq!(flow::refused(replay).await, (400, "invalid_grant".to_owned()));
        assert_eq!(status_of(&nodes.a, &tokens).await, StatusCode::UNAUTHORIZED, "A knows at once");
        nodes.refused_at_b("a token revoked on A is refused on B", &tokens).await;
    })
    .await
}

/// A token given back on A is refused on B, and there it is inactive; with a refresh token goes all that it gave.
async fn a_token_given_back(nodes: &Nodes, client: &Client, (way, kind): (Way, &str)) -> bool {
    let (tokens, ..) = nodes.sign_in(client).await;
    assert!(nodes.active_at_b(client, &tokens).await, "B knows what A signed");
    assert_eq!(status_of(&nodes.b, &tokens).await, StatusCode::OK);
    let heard = by(way, nodes, async || {
        let answer = flow::revoke(&nodes.a, client, flow::member(&tokens, kind)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(status_of(&nodes.a, &tokens).await, StatusCode::UNAUTHORIZED, "A knows at once");
        nodes.refused_at_b(&format!("a token ended by its {kind} on A is refused on B"), &tokens).await;
        nodes.inactive_at_b("  and inactive", client, &tokens).await;
    })
    .await;
    let refreshed = flow::refresh(&nodes.b, client, flow::member(&tokens, "refresh_token")).await;
    assert_eq!(refreshed.status().is_success(), kind == "access_token", "{kind}");
    heard
}

/// Consent withdrawn on A ends on B what was given under it.
async fn a_withdrawn_consent(nodes: &Nodes, way: Way) -> bool {
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let (tokens, ..) = nodes.sign_in(&client).await;
    assert!(nodes.active_at_b(&client, &tokens).await, "B knows what A signed");
    let heard = by(way, nodes, async || {
        nodes.a.cli_json(&["user", "withdraw-consent", "admin", &client.id, "--json"], "").await;
        nodes.inactive_at_b("what was given under a consent withdrawn on A is inactive on B", &client, &tokens).await;
    })
    .await;
    let refreshed = flow::refresh(&nodes.b, &client, flow::member(&tokens, "refresh_token")).await;
    assert_eq!(flow::refused(refreshed).await, (400, "invalid_grant".to_owned()));
    heard
}

/// A key rotated on A signs on B; it was published before, and both publish the same.
async fn a_rotated_key(nodes: &Nodes, way: Way) -> bool {
    let client = service(&nodes.a).await;
    let (old, before) = (signing_key(&nodes.b, &client).await, published(&nodes.b, "ES256").await);
    by(way, nodes, async || {
        nodes.a.cli_json(&["keys", "rotate", "--alg", "ES256", "--json"], "").await;
        let new = within("a key rotated on A signs on B", async || {
            let kid = signing_key(&nodes.b, &client).await;
            (kid != old).then_some(kid)
        })
        .await;
        assert!(before.contains(&new), "{new} was published ahead: {before:?}");
        assert!(published(&nodes.b, "ES256").await.contains(&old), "{old} stays published");
        within("  A and B publish the same keys", async || {
            let (a, b) = (document(&nodes.a, "/oauth/jwks").await, document(&nodes.b, "/oauth/jwks").await);
            (a == b).then_some(())
        })
        .await;
    })
    .await
}

/// A client disabled on A is refused on B, and so is what it was given.
async fn a_disabled_client(nodes: &Nodes, way: Way) -> bool {
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let (tokens, ..) = nodes.sign_in(&client).await;
    let service = service(&nodes.a).await;
    assert_eq!(serve(&nodes.b, &service).await.status(), StatusCode::OK);
    assert_eq!(status_of(&nodes.b, &tokens).await, StatusCode::OK);
    by(way, nodes, async || {
        for id in [&service.id, &client.id] {
            nodes.a.cli_json(&["client", "disable", id, "--json"], "").await;
        }
        within("a client disabled on A is refused on B", async || {
            let answer = serve(&nodes.b, &service).await;
            (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
        nodes.refused_at_b("  and so is what it was given", &tokens).await;
    })
    .await
}

/// A role taken on A denies on B.
async fn a_taken_role(nodes: &Nodes, way: Way) -> bool {
    let api = format!("{}/api", nodes.a.issuer());
    let arguments = ["client", "create", "--json", "--name", "Clerk", "--grant-type", "client_credentials"];
    let arguments = [&arguments[..], &["--scope", "client:read", "--audience", &api]].concat();
    let made = nodes.a.cli_json(&arguments, "").await;
    let (id, secret) = (flow::member(&made, "client_id"), flow::member(&made, "client_secret"));
    let role = format!("clerk-{id}");
    nodes.a.cli_json(&["role", "create", &role, "--permission", "client:read", "--json"], "").await;
    nodes.a.cli_json(&["role", "assign", &role, "--client", id, "--json"], "").await;
    let client = Client { id: id.to_owned(), secret: Some(secret.to_owned()), redirect_uri: String::new() };
    let tokens = flow::granted(serve(&nodes.a, &client).await).await;
    let list = async || {
        let request = nodes.b.http().get(nodes.b.url("/api/v1/admin/clients"));
        request.bearer_auth(flow::member(&tokens, "access_token")).send().await.expect("an answer").status()
    };
    assert_eq!(list().await, StatusCode::OK, "B allows what the role allows, and keeps that in mind");
    by(way, nodes, async || {
        nodes.a.cli_json(&["role", "remove", &role, "--client", id, "--json"], "").await;
        within("a role taken on A denies on B", async || (list().await == StatusCode::FORBIDDEN).then_some(())).await;
    })
    .await
}

async fn everything(nodes: &Nodes, way: Way) {
    let client = nodes.a.client(ClientSpec::confidential()).await;
    heard(async || a_revoked_token(nodes, &client, way).await).await;
    for kind in ["access_token", "refresh_token"] {
        heard(async || a_token_given_back(nodes, &client, (way, kind)).await).await;
    }
    heard(async || a_withdrawn_consent(nodes, way).await).await;
    heard(async || a_rotated_key(nodes, way).await).await;
    heard(async || a_disabled_client(nodes, way).await).await;
    heard(async || a_taken_role(nodes, way).await).await;
}

/// Waits until Redis is in this state at a node, by its readiness report; the node stays ready.
async fn redis_is(node: &Signet, state: &str) {
    // Not how fast news travels: a new connection is tried less and less often.
    eventually(PATIENCE, &format!("Redis is {state} for a node"), async || {
        let answer = node.http().get(node.url("/readyz")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "a node is ready without Redis");
        let report: serde_json::Value = answer.json().await.expect("a report");
        (report["components"]["redis"]["status"] == state).then_some(())
    })
    .await;
}

/// without Redis nodes hear of each other through the database.
#[tokio::test]
async fn without_redis() {
    let nodes = Nodes::start(&[]).await;
    everything(&nodes, Way::Table).await;
}

/// with Redis it is Redis that brings the news.
#[tokio::test]
async fn over_redis() {
    let redis = PrivateRedis::start().await;
    let nodes = Nodes::start(&[("REDIS_URL", &redis.url())]).await;
    redis_is(&nodes.b, "ok").await;
    everything(&nodes, Way::Redis).await;
}

/// with Redis killed, started empty and flushed in the middle nothing is missed; while it is away the
/// database carries, and a node can start.
#[tokio::test]
async fn with_redis_that_comes_and_goes() {
    let mut redis = PrivateRedis::start().await;
    let mut nodes = Nodes::start(&[("REDIS_URL", &redis.url())]).await;
    let client = nodes.a.client(ClientSpec::confidential()).await;
    redis_is(&nodes.b, "ok").await;
    heard(async || a_revoked_token(&nodes, &client, Way::Redis).await).await;

    // Killed while a token is being revoked: the table has it.
    let (tokens, code, verifier) = nodes.sign_in(&client).await;
    redis.kill();
    let replay = flow::exchange(&nodes.a, &client, &code, &verifier).await;
    assert_eq!(flow::refused(replay).await, (400, "invalid_grant".to_owned()));
    nodes.refused_at_b("a token revoked as Redis dies is refused on B", &tokens).await;
    redis_is(&nodes.b, "degraded").await;
    everything(&nodes, Way::Table).await;
    nodes.b.restart().await;
    heard(async || a_revoked_token(&nodes, &client, Way::Table).await).await;

    redis.restart().await;
    redis_is(&nodes.a, "ok").await;
    redis_is(&nodes.b, "ok").await;
    assert_eq!(redis.command(&["FLUSHALL"]).await, "+OK");
    everything(&nodes, Way::Redis).await;
}
