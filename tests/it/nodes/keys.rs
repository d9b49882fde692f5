//! Signing keys in the course of time, on two nodes.

use diesel::connection::SimpleConnection as _;
use rustix::process::Signal;
use serde_json::Value;

use super::{Nodes, SECRET, count, document, published, service, signing_key, within};
use crate::support::prelude::*;

/// Another secret key.
const NEWER: &str = "YSBuZXdlciBzZWNyZXQga2V5IG9mIHRoZSBzYW1lIG5vZGVz";

async fn keys(signet: &Signet) -> Vec<Value> {
    signet.cli_json(&["keys", "list", "--json"], "").await.as_array().expect("a list").clone()
}

fn states(keys: &[Value], alg: &str) -> Vec<String> {
    let mut states: Vec<_> =
        keys.iter().filter(|key| key["alg"] == alg).map(|key| flow::member(key, "state").to_owned()).collect();
    states.sort();
    states
}

/// R-38, D4: rotation by hand moves the keys of the algorithm that was asked for, of RS256 where none was, or of all; each
/// is recorded.
#[tokio::test]
async fn rotation_by_hand() {
    let signet = Signet::start(Database::Postgres).await;
    assert_eq!(states(&keys(&signet).await, "ES256"), ["active", "next"]);
    signet.cli_json(&["keys", "rotate", "--alg", "ES256", "--json"], "").await;
    assert_eq!(states(&keys(&signet).await, "ES256"), ["active", "next", "retiring"]);
    assert_eq!(states(&keys(&signet).await, "RS256"), ["active", "next"]);
    signet.cli_json(&["keys", "rotate", "--all", "--json"], "").await;
    assert_eq!(states(&keys(&signet).await, "ES256"), ["active", "next", "retiring", "retiring"]);
    assert_eq!(states(&keys(&signet).await, "RS256"), ["active", "next", "retiring"]);
    signet.cli_json(&["keys", "rotate", "--json"], "").await;
    assert_eq!(states(&keys(&signet).await, "ES256"), ["active", "next", "retiring", "retiring"]);
    assert_eq!(states(&keys(&signet).await, "RS256"), ["active", "next", "retiring", "retiring"]);
    assert_eq!(count(&signet, "audit WHERE event = 'key.rotated' AND actor_kind = 'operator'"), 3);
    let both = signet.cli(&["keys", "rotate", "--alg", "ES256", "--all"]).await;
    assert!(!both.status.success(), "{both:?}");
    let unknown = signet.cli(&["keys", "rotate", "--alg", "HS256"]).await;
    assert!(!unknown.status.success(), "{unknown:?}");
}

/// Two nodes whose signing keys are ninety-one days old.
struct Old {
    nodes: Nodes,
    client: Client,
    first: String,
}

impl Old {
    async fn start() -> Self {
        let nodes = Nodes::start(&[]).await;
        let client = service(&nodes.a).await;
        let first = signing_key(&nodes.a, &client).await;
        nodes
            .a
            .database()
            .batch_execute("UPDATE signing_keys SET changed_at = now() - interval '91 days'")
            .expect("ninety-one days");
        Self { nodes, client, first }
    }

    /// Waits until both nodes sign with another key, which was put to work once for each algorithm.
    async fn is_rotated(&self) {
        let Self { nodes, client, first } = self;
        let second = within("the schedule rotates", async || {
            let kid = signing_key(&nodes.a, client).await;
            (kid != *first).then_some(kid)
        })
        .await;
        within("  on both nodes", async || (signing_key(&nodes.b, client).await == second).then_some(())).await;
        let rotated = "audit WHERE event = 'key.rotated' AND actor_kind = 'system'";
        within("  for both algorithms", async || (count(&nodes.a, rotated) == 2).then_some(())).await;
        assert!(published(&nodes.b, "ES256").await.contains(first));
    }
}

/// R-38, D4: the schedule rotates once, however many nodes there are; what has had its time is published no more, and is
/// kept without its private part.
#[tokio::test]
async fn the_schedule_rotates_once() {
    let mut old = Old::start().await;
    // They look at the start.
    old.nodes.b.restart().await;
    old.nodes.a.restart().await;
    old.is_rotated().await;

    let Old { mut nodes, first, .. } = old;
    nodes
        .a
        .database()
        .batch_execute("UPDATE signing_keys SET changed_at = now() - interval '71 minutes' WHERE state = 'retiring'")
        .expect("an hour and eleven minutes");
    nodes.a.restart().await;
    within("a retired key is published no more", async || {
        (!published(&nodes.b, "ES256").await.contains(&first)).then_some(())
    })
    .await;
    assert_eq!(count(&nodes.a, "audit WHERE event = 'key.rotated'"), 2, "nobody rotated again");
    assert_eq!(count(&nodes.a, "audit WHERE event = 'key.retired'"), 2);
    assert_eq!(count(&nodes.a, "signing_keys WHERE state = 'retired' AND octet_length(sealed) < 600"), 2);
}

/// R-38, D4: nodes that run rotate too, without a restart: they look every five minutes, and whenever they read their
/// settings again. Of two that look at the same moment one rotates.
#[tokio::test]
async fn the_schedule_needs_no_restart() {
    let old = Old::start().await;
    for node in [&old.nodes.a, &old.nodes.b] {
        node.signal(Signal::HUP);
    }
    old.is_rotated().await;
}

/// stored keys are sealed anew under the newest secret key, once; the older one is then not needed, and what the
/// keys produce stays.
#[tokio::test]
async fn sealed_anew() {
    let mut signet = Signet::start_with(Database::Postgres, &[("SIGNET_SECRET_KEY", SECRET)]).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let tokens = flow::tokens(&signet, &client, &crate::scene::admin()).await;
    let before = document(&signet, "/oauth/jwks").await;
    signet.terminate().await;

    signet.set("SIGNET_SECRET_KEY", &format!("{NEWER},{SECRET}"));
    let first = signet.cli_json(&["keys", "reseal", "--json"], "").await;
    assert_eq!(first["resealed"], count(&signet, "signing_keys") + count(&signet, "derivation_keys"));
    assert_eq!(signet.cli_json(&["keys", "reseal", "--json"], "").await["resealed"], 0);
    assert_eq!(count(&signet, "audit WHERE event = 'keys.resealed'"), 1, "nothing changed the second time");

    signet.set("SIGNET_SECRET_KEY", NEWER);
    signet.restart().await;
    assert_eq!(document(&signet, "/oauth/jwks").await, before);
    let refreshed = flow::refresh(&signet, &client, flow::member(&tokens, "refresh_token")).await;
    let refreshed = flow::granted(refreshed).await;
    let old = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert_eq!(flow::jwt_payload(flow::member(&refreshed, "id_token"))["sub"], old["sub"]);
}
