//! Codes and refresh tokens count once over both nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::RequestBuilder;

use super::Nodes;
use crate::scene::{admin, at_once};
use crate::support::prelude::*;

/// A request to the token endpoint of one node or the other, in turn.
fn ask(nodes: &Nodes, client: &Client, turn: usize, fields: &[(&str, &str)]) -> RequestBuilder {
    let node = if turn.is_multiple_of(2) { &nodes.a } else { &nodes.b };
    let request = node.http().post(node.url("/oauth/token")).form(fields).timeout(Duration::from_mins(2));
    request.basic_auth(&client.id, client.secret.clone())
}

/// T4, R-65: one code redeemed 200 times over both nodes gives one success; 199 replays end what it gave, on both.
#[tokio::test]
async fn a_code_counts_once_over_both() {
    let nodes = Nodes::start(&[]).await;
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let request = AuthRequest::new(&client).with("scope", "openid offline_access");
    let code = flow::code(&nodes.a, &mut Browser::new(&nodes.a), &request, &admin()).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*client.redirect_uri),
        ("code_verifier", &*request.verifier),
    ];
    let (mut winners, mut replays) = (Vec::new(), 0);
    for answer in at_once((0..200).map(|turn| ask(&nodes, &client, turn, &fields)).collect()).await {
        if answer.status().is_success() {
            winners.push(flow::granted(answer).await);
        } else {
            assert_eq!(flow::refused(answer).await, (400, "invalid_grant".to_owned()));
            replays += 1;
        }
    }
    assert_eq!((winners.len(), replays), (1, 199));
    nodes.over_at_b("what a replayed code gave is over on B", &client, &winners[0]).await;
    let answer = flow::refresh(&nodes.b, &client, flow::member(&winners[0], "refresh_token")).await;
    assert_eq!(flow::refused(answer).await, (400, "invalid_grant".to_owned()));
}

/// T6, R-65: one refresh token used 200 times over both nodes has one successor, which works on either.
#[tokio::test]
async fn a_refresh_token_has_one_successor_over_both() {
    let nodes = Nodes::start(&[]).await;
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let first = flow::tokens(&nodes.a, &client, &admin()).await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", flow::member(&first, "refresh_token"))];
    let mut successors = BTreeSet::new();
    for answer in at_once((0..200).map(|turn| ask(&nodes, &client, turn, &fields)).collect()).await {
        successors.insert(flow::member(&flow::granted(answer).await, "refresh_token").to_owned());
    }
    assert_eq!(successors.len(), 1);
    let successor = successors.first().expect("one");
    flow::granted(flow::refresh(&nodes.b, &client, successor).await).await;
}
