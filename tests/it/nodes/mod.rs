//! Two nodes of one installation: what one does, the other knows.

mod assertions;
mod keys;
mod once;
mod silence;
mod spread;

use std::time::{Duration, Instant};

use diesel::{QueryableByName, RunQueryDsl as _, sql_types::Int8};
use reqwest::StatusCode;
use serde_json::Value;

use crate::scene::admin;
use crate::support::prelude::*;

/// A secret key that both nodes read; made for these tests.
pub const SECRET: &str = "bm9kZXMgb2Ygb25lIGluc3RhbGxhdGlvbiBzaGFyZSBpdCE=";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Int8)]
    count: i64,
}

/// Two nodes on one schema. The second is dropped first.
pub struct Nodes {
    pub b: Signet,
    pub a: Signet,
}

impl Nodes {
    /// Both with these further settings.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let mut settings = vec![("SIGNET_SECRET_KEY", SECRET)];
        settings.extend_from_slice(environment);
        let a = Signet::start_with(Database::Postgres, &settings).await;
        let b = a.beside(&[]).await;
        Self { b, a }
    }

    /// Tokens that A issues to the administrator, with the code and verifier they came from.
    pub async fn sign_in(&self, client: &Client) -> (Value, String, String) {
        let request = AuthRequest::new(client);
        let code = flow::code(&self.a, &mut Browser::new(&self.a), &request, &admin()).await;
        let tokens = flow::granted(flow::exchange(&self.a, client, &code, &request.verifier).await).await;
        (tokens, code, request.verifier)
    }

    /// Waits until B says that an access token is over, and checks that userinfo refuses it.
    pub async fn over_at_b(&self, what: &str, client: &Client, tokens: &Value) {
        within(what, async || (!is_active(&self.b, client, tokens).await).then_some(())).await;
        assert_eq!(status_of(&self.b, tokens).await, StatusCode::UNAUTHORIZED, "userinfo of B");
    }

    /// Waits until userinfo of B refuses an access token.
    pub async fn refused_at_b(&self, what: &str, tokens: &Value) {
        within(what, async || {
            let status = status_of(&self.b, tokens).await;
            (status == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
    }
}

/// Whether a node says to its client that an access token is alive. It knows that from what it heard: in contrast to
/// userinfo, which loads the grant.
pub async fn is_active(node: &Signet, client: &Client, tokens: &Value) -> bool {
    let told = flow::introspect(node, client, flow::member(tokens, "access_token")).await;
    flow::granted(told).await["active"].as_bool().expect("active or not")
}

/// What userinfo of a node says to an access token.
pub async fn status_of(node: &Signet, tokens: &Value) -> StatusCode {
    flow::userinfo(node, flow::member(tokens, "access_token")).await.status()
}

/// What one node did another one knows after so long, on a machine that has nothing else to do.
const QUIET: Duration = Duration::from_secs(1);

/// Polls until there is a value, and prints how long that took; `tests/run` shows it.
pub async fn within<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    let from = Instant::now();
    let found = eventually(PATIENCE, what, probe).await;
    let took = from.elapsed();
    let remark = if took > QUIET { ", OVER 1 s" } else { "" };
    eprintln!("{what}: {} ms{remark}", took.as_millis());
    found
}

/// A number of rows.
pub fn count(signet: &Signet, from: &str) -> i64 {
    let row: Count = diesel::sql_query(format!("SELECT count(*) AS count FROM {from}"))
        .get_result(&mut signet.database())
        .expect("a count");
    row.count
}

/// A JSON document of a node.
pub async fn document(node: &Signet, path: &str) -> Value {
    node.http().get(node.url(path)).send().await.expect("an answer").json().await.expect("JSON")
}

/// The identifiers of the published keys of an algorithm.
pub async fn published(node: &Signet, alg: &str) -> Vec<String> {
    let set = document(node, "/oauth/jwks").await;
    let keys = set["keys"].as_array().expect("keys").iter().filter(|key| key["alg"] == alg);
    keys.map(|key| flow::member(key, "kid").to_owned()).collect()
}

/// A client that gets tokens for itself.
pub async fn service(node: &Signet) -> Client {
    let spec = ClientSpec {
        redirect_uris: Vec::new(),
        grant_types: vec!["client_credentials".to_owned()],
        ..ClientSpec::confidential()
    };
    node.client(spec).await
}

/// The answer to a service that asks a node for a token.
pub async fn serve(node: &Signet, client: &Client) -> reqwest::Response {
    flow::token(node, client, &[("grant_type", "client_credentials")]).await
}

/// The key that a node signs access tokens with.
pub async fn signing_key(node: &Signet, client: &Client) -> String {
    let tokens = flow::granted(serve(node, client).await).await;
    flow::member(&flow::jwt_header(flow::member(&tokens, "access_token")), "kid").to_owned()
}

/// What came to a node over Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverRedis {
    /// Notices.
    pub received: u64,
    /// Those that the node had not heard of before.
    pub carried: u64,
}

impl OverRedis {
    /// As the node counts it.
    pub async fn to(node: &Signet) -> Self {
        let answer = node.http().get(node.url("/metrics")).send().await.expect("an answer");
        let text = answer.text().await.expect("metrics");
        let count = |result: &str| -> u64 {
            let name = format!("signet_change_channel_notices_total{{result=\"{result}\"}} ");
            let number = text.lines().find_map(|line| line.strip_prefix(&name));
            number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number of {result} in {text}"))
        };
        Self { received: count("received"), carried: count("carried") }
    }
}
