//! A node that hears nothing of the others.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use reqwest::StatusCode;
use serde_json::Value;

use super::{Nodes, is_active, status_of};
use crate::support::prelude::*;

/// a node that has heard nothing for five seconds looks into the database before it accepts a token, and accepts
/// none while it cannot look.
#[tokio::test]
async fn a_silent_node_asks_the_database() {
    let nodes = Nodes::start(&[]).await;
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let (tokens, ..) = nodes.sign_in(&client).await;
    assert_eq!(status_of(&nodes.b, &tokens).await, StatusCode::OK);
    let grant = grant(&tokens);

    // Whoever reads the notices waits for this transaction, which revokes the token.
    let mut writer = nodes.a.database();
    writer
        .batch_execute(&format!(
            "BEGIN; LOCK TABLE notices IN ACCESS EXCLUSIVE MODE; \
             INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT id, 1, 'revoked.grant', '{grant}', now(), now() + interval '15 minutes' FROM realms"
        ))
        .expect("a lock");
    eventually(PATIENCE, "the token is not accepted unchecked", async || {
        let asked = tokio::time::timeout(Duration::from_secs(1), status_of(&nodes.b, &tokens)).await;
        match asked {
            Ok(StatusCode::OK) => None,
            Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(_) => Some(()),
            Ok(other) => panic!("userinfo answers {other}"),
        }
    })
    .await;

    writer.batch_execute("COMMIT").expect("a commit");
    eventually(PATIENCE, "the token is refused", async || match status_of(&nodes.b, &tokens).await {
        StatusCode::UNAUTHORIZED => Some(()),
        StatusCode::SERVICE_UNAVAILABLE => None,
        other => panic!("userinfo answers {other}"),
    })
    .await;
}

/// notices commit in another order than they were written in, on nodes whose clocks differ; none is missed.
#[tokio::test]
async fn a_notice_that_commits_late_is_heard() {
    let nodes = Nodes::start(&[]).await;
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let (late, ..) = nodes.sign_in(&client).await;
    let (other, code, verifier) = nodes.sign_in(&client).await;
    let mut writer = nodes.a.database();
    let grant = grant(&late);
    writer
        .batch_execute(&format!(
            "BEGIN; INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT id, 1, 'revoked.grant', '{grant}', now() - interval '1 hour', now() + interval '15 minutes' \
             FROM realms"
        ))
        .expect("a notice");
    // Written later, heard earlier.
    let replay = flow::exchange(&nodes.a, &client, &code, &verifier).await;
    assert_eq!(flow::refused(replay).await, (400, "invalid_grant".to_owned()));
    nodes.over_at_b("what was written later is heard", &client, &other).await;
    assert!(is_active(&nodes.b, &client, &late).await);

    writer.batch_execute("COMMIT").expect("a commit");
    nodes.over_at_b("what commits late is heard", &client, &late).await;
}

/// The grant of an access token.
fn grant(tokens: &Value) -> String {
    let claims = flow::jwt_payload(flow::member(tokens, "access_token"));
    flow::member(&claims, "grant").to_owned()
}
