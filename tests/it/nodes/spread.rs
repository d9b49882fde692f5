//! With Redis, without it, and with Redis that comes and goes.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Nodes, OverRedis, document, is_active, published, serve, service, signing_key, status_of, within};
use crate::api::office::console;
use crate::scene::admin;
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

/// Whether a node says that an access token is alive, and answers to it.
async fn takes(node: &Signet, client: &Client, tokens: &serde_json::Value) -> bool {
    is_active(node, client, tokens).await && status_of(node, tokens).await == StatusCode::OK
}

/// A token revoked on A is refused on B.
async fn a_revoked_token(nodes: &Nodes, client: &Client, way: Way) -> bool {
    let (tokens, code, verifier) = nodes.sign_in(client).await;
    assert!(takes(&nodes.b, client, &tokens).await, "B accepts what A signed");
    by(way, nodes, async || {
        // A replayed code ends what it had given.
        let replay = flow::exchange(&nodes.a, client, &code, &verifier).await;
        assert_eq!(flow::refused(replay).await, (400, "invalid_grant".to_owned()));
        assert!(!is_active(&nodes.a, client, &tokens).await, "A knows at once");
        nodes.over_at_b("a token revoked on A is refused on B", client, &tokens).await;
    })
    .await
}

/// A token given back on A is refused on B, and there it is inactive; with a refresh token goes all that it gave.
async fn a_token_given_back(nodes: &Nodes, client: &Client, (way, kind): (Way, &str)) -> bool {
    let (tokens, ..) = nodes.sign_in(client).await;
    assert!(takes(&nodes.b, client, &tokens).await, "B accepts what A signed");
    let heard = by(way, nodes, async || {
        let answer = flow::revoke(&nodes.a, client, flow::member(&tokens, kind)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!is_active(&nodes.a, client, &tokens).await, "A knows at once");
        nodes.over_at_b(&format!("a token ended by its {kind} on A is refused on B"), client, &tokens).await;
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
    assert!(takes(&nodes.b, &client, &tokens).await, "B accepts what A signed");
    let heard = by(way, nodes, async || {
        nodes.a.cli_json(&["user", "withdraw-consent", "admin", &client.id, "--json"], "").await;
        nodes.over_at_b("what was given under a consent withdrawn on A is refused on B", &client, &tokens).await;
    })
    .await;
    let refreshed = flow::refresh(&nodes.b, &client, flow::member(&tokens, "refresh_token")).await;
    assert_eq!(flow::refused(refreshed).await, (400, "invalid_grant".to_owned()));
    heard
}

/// An administrator who works with the API of A.
struct Administrator<'a> {
    nodes: &'a Nodes,
    token: String,
    way: Way,
}

impl<'a> Administrator<'a> {
    async fn of(nodes: &'a Nodes, way: Way) -> Self {
        let console = console(&nodes.a, &["*:*"]).await;
        let request = AuthRequest::new(&console).with("scope", "openid *:*");
        let code = flow::code(&nodes.a, &mut Browser::new(&nodes.a), &request, &admin()).await;
        let tokens = flow::granted(flow::exchange(&nodes.a, &console, &code, &request.verifier).await).await;
        Self { nodes, token: flow::member(&tokens, "access_token").to_owned(), way }
    }

    /// A change by the API of A, which succeeds.
    async fn does(&self, method: Method, path: &str) {
        let a = &self.nodes.a;
        let request = a.http().request(method, a.url(&format!("/api/v1/admin/{path}"))).bearer_auth(&self.token);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
    }

    /// A key rotated on A signs on B; it was published before, and both publish the same.
    async fn rotates_keys(&self) -> bool {
        let nodes = self.nodes;
        let client = service(&nodes.a).await;
        let (old, before) = (signing_key(&nodes.b, &client).await, published(&nodes.b, "ES256").await);
        by(self.way, nodes, async || {
            let a = &nodes.a;
            let rotate = a.http().post(a.url("/api/v1/admin/keys/rotate")).json(&json!({ "alg": "ES256" }));
            let answer = rotate.bearer_auth(&self.token).send().await.expect("an answer");
            assert!(answer.status().is_success(), "{answer:?}");
            let new = within("a key rotated on A signs on B", async || {
                let kid = signing_key(&nodes.b, &client).await;
                (kid != old).then_some(kid)
            })
            .await;
            within("  and on A", async || (signing_key(&nodes.a, &client).await == new).then_some(())).await;
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

    /// A client disabled on A is refused on A at once and on B, and so is what it was given.
    async fn disables_a_client(&self) -> bool {
        let nodes = self.nodes;
        let client = nodes.a.client(ClientSpec::confidential()).await;
        let (tokens, ..) = nodes.sign_in(&client).await;
        let service = service(&nodes.a).await;
        for node in [&nodes.a, &nodes.b] {
            assert_eq!(serve(node, &service).await.status(), StatusCode::OK);
            assert_eq!(status_of(node, &tokens).await, StatusCode::OK);
        }
        by(self.way, nodes, async || {
            for id in [&service.id, &client.id] {
                self.does(Method::POST, &format!("clients/{id}/disable")).await;
            }
            assert_eq!(serve(&nodes.a, &service).await.status(), StatusCode::UNAUTHORIZED, "A knows at once");
            assert_eq!(status_of(&nodes.a, &tokens).await, StatusCode::UNAUTHORIZED, "A knows at once");
            within("a client disabled on A is refused on B", async || {
                let answer = serve(&nodes.b, &service).await;
                (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
            })
            .await;
            nodes.refused_at_b("  and so is what it was given", &tokens).await;
        })
        .await
    }

    /// A role taken on A denies on A at once and on B.
    async fn takes_a_role(&self) -> bool {
        let nodes = self.nodes;
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
        let list = async |node: &Signet| {
            let request = node.http().get(node.url("/api/v1/admin/clients"));
            request.bearer_auth(flow::member(&tokens, "access_token")).send().await.expect("an answer").status()
        };
        for node in [&nodes.a, &nodes.b] {
            let allowed = async || (list(node).await == StatusCode::OK).then_some(());
            eventually(PATIENCE, "both allow what the role allows, and keep that in mind", allowed).await;
        }
        by(self.way, nodes, async || {
            self.does(Method::DELETE, &format!("clients/{id}/roles/{role}")).await;
            assert_eq!(list(&nodes.a).await, StatusCode::FORBIDDEN, "A knows at once");
            let denied = async || (list(&nodes.b).await == StatusCode::FORBIDDEN).then_some(());
            within("a role taken on A denies on B", denied).await;
        })
        .await
    }
}

/// A role taken on A, to which an application is limited, ends refreshing on B.
async fn a_role_for_an_application(nodes: &Nodes, way: Way) -> bool {
    let role = format!("crew-{}", flow::random().to_lowercase().replace('_', "-"));
    nodes.a.cli_json(&["role", "create", &role, "--json"], "").await;
    nodes.a.cli_json(&["role", "assign", &role, "--user", "admin", "--json"], "").await;
    let limit = serde_json::json!({ "access_roles": [role] });
    let client = nodes.a.client(ClientSpec::confidential().with_metadata(&limit)).await;
    let tokens = within("  the role is there for A", async || {
        let request = AuthRequest::new(&client);
        let mut browser = Browser::new(&nodes.a);
        let page = browser.get(request.url(&nodes.a)).await.page();
        let page = flow::sign_in(&mut browser, &page, &crate::scene::admin()).await.page();
        if page.url.path() != "/consent" {
            return None;
        }
        let callback = browser.submit(&page, &[("decision", "allow")]).await.left();
        let code = flow::parameter(&callback, "code").expect("a code");
        Some(flow::granted(flow::exchange(&nodes.a, &client, &code, &request.verifier).await).await)
    })
    .await;
    let active = async || {
        let told = flow::introspect(&nodes.b, &client, flow::member(&tokens, "refresh_token")).await;
        flow::granted(told).await["active"] == true
    };
    within("  the role is there for B", async || active().await.then_some(())).await;
    let heard = by(way, nodes, async || {
        nodes.a.cli_json(&["role", "remove", &role, "--user", "admin", "--json"], "").await;
        within("a role taken on A ends refreshing on B", async || (!active().await).then_some(())).await;
    })
    .await;
    let refreshed = flow::refresh(&nodes.b, &client, flow::member(&tokens, "refresh_token")).await;
    assert_eq!(flow::refused(refreshed).await, (400, "invalid_grant".to_owned()));
    heard
}

/// What a command beside the nodes does, both hear.
async fn a_command(nodes: &Nodes, way: Way) -> bool {
    let service = service(&nodes.a).await;
    for node in [&nodes.a, &nodes.b] {
        assert_eq!(serve(node, &service).await.status(), StatusCode::OK);
    }
    by(way, nodes, async || {
        nodes.a.cli_json(&["client", "disable", &service.id, "--json"], "").await;
        for node in [&nodes.a, &nodes.b] {
            within("a client disabled by a command is refused", async || {
                (serve(node, &service).await.status() == StatusCode::UNAUTHORIZED).then_some(())
            })
            .await;
        }
    })
    .await
}

async fn everything(nodes: &Nodes, way: Way) {
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let administrator = Administrator::of(nodes, way).await;
    heard(async || a_revoked_token(nodes, &client, way).await).await;
    for kind in ["access_token", "refresh_token"] {
        heard(async || a_token_given_back(nodes, &client, (way, kind)).await).await;
    }
    heard(async || a_withdrawn_consent(nodes, way).await).await;
    heard(async || administrator.rotates_keys().await).await;
    heard(async || administrator.disables_a_client().await).await;
    heard(async || administrator.takes_a_role().await).await;
    heard(async || a_role_for_an_application(nodes, way).await).await;
    heard(async || a_command(nodes, way).await).await;
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
    nodes.over_at_b("a token revoked as Redis dies is refused on B", &client, &tokens).await;
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
