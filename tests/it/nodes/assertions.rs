//! What counts once counts once over all nodes.

use serde_json::json;

use super::Nodes;
use crate::scene::at_once;
use crate::support::prelude::*;

/// T2, R-65: one assertion sent 200 times over two nodes gives one token, and a replay at the other node none.
#[tokio::test]
async fn an_assertion_counts_once_over_both() {
    let nodes = Nodes::start(&[]).await;
    let key = Signer::new("ES256", "k");
    let spec = ClientSpec {
        redirect_uris: Vec::new(),
        grant_types: vec!["client_credentials".to_owned()],
        auth_method: Some("private_key_jwt".to_owned()),
        metadata: json!({ "jwks": signer::set(&[&key]) }),
        ..ClientSpec::confidential()
    };
    let client = nodes.a.client(spec).await;
    let ask = |node: &Signet, assertion: &str| {
        let fields = [&[("grant_type", "client_credentials")][..], &signer::fields(assertion)].concat();
        node.http().post(node.url("/oauth/token")).form(&fields)
    };
    let assertion = key.assertion(&nodes.a, &client, json!({}));
    let requests = (0..200).map(|turn| ask(if turn % 2 == 0 { &nodes.a } else { &nodes.b }, &assertion));
    let answers = at_once(requests.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 1);
    let others = answers.iter().filter(|answer| answer.status() == 401).count();
    assert_eq!(others, 199, "the others are refused");

    let (first, second) = (&nodes.a, &nodes.b);
    let assertion = key.assertion(first, &client, json!({}));
    assert_eq!(ask(first, &assertion).send().await.expect("an answer").status(), 200);
    assert_eq!(ask(second, &assertion).send().await.expect("an answer").status(), 401);
}
