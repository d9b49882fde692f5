//! Many at once, and hostile bodies, while others are served.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{OPEN, application, application_with, client_of, count, registered};
use crate::support::prelude::*;

/// two thousand registrations at once end as clients or as a clear refusal; meanwhile discovery, tokens and
/// pages are served, and nothing fails.
#[tokio::test]
async fn a_flood_leaves_others_served() {
    const MANY: usize = 2_000;
    let settings = [OPEN, ("SIGNET_REGISTRATION__MAX_CLIENTS", "600")];
    let signet = Signet::start_with(Database::Postgres, &settings).await;
    let service = client_of(&registered(&signet, &json!({ "grant_types": ["client_credentials"] })).await);
    let flood = async {
        let sent = stream::iter(0..MANY).map(|_| async {
            let request = signet.http().post(signet.url("/oauth/register")).json(&application());
            request.send().await.expect("an answer").status().as_u16()
        });
        sent.buffer_unordered(200).collect::<Vec<u16>>().await
    };
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..100 {
            let begun = Instant::now();
            let answer = flow::token(&signet, &service, &[("grant_type", "client_credentials")]).await;
            assert_eq!(answer.status(), 200);
            let page = signet.http().get(signet.url("/signin")).send().await.expect("an answer");
            assert_eq!(page.status(), 200);
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    };
    let (statuses, slowest) = tokio::join!(flood, others);
    let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(of(201) + of(503), MANY, "nothing but made or refused");
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), i64::try_from(of(201)).expect("few") + 1);
    assert!(of(201) < 600 && of(201) > 20, "{} were made", of(201));
    assert!(slowest < Duration::from_secs(20), "others waited for {slowest:?}");
}

/// what is large and hostile in each place is refused as the client's mistake, and nothing of it is stored or makes the
/// server fail.
#[tokio::test]
async fn hostile_members_are_mistakes() {
    let signet = super::open().await;
    let long = "x".repeat(60_000);
    let many: Vec<String> = (0..900).map(|n| format!("https://reports.example/{n}")).collect();
    let tags: serde_json::Map<_, _> = (0..200).map(|n| (format!("client_name#x-{n}"), json!("x"))).collect();
    let keys: Vec<_> = (0..500).map(|n| json!({ "kty": "EC", "crv": "P-256", "x": n.to_string(), "y": "A" })).collect();
    for members in [
        json!({ "client_name": long }),
        json!({ "redirect_uris": many }),
        json!({ "redirect_uris": [format!("https://reports.example/{long}")] }),
        json!({ "post_logout_redirect_uris": many }),
        json!({ "request_uris": many }),
        json!({ "default_acr_values": many }),
        json!({ "contacts": many }),
        serde_json::Value::Object(tags),
        json!({ "jwks": { "keys": keys } }),
        json!({ "scope": format!("openid {long}\u{1}") }),
        json!({ "grant_types": many }),
        json!({ "response_types": many }),
        json!({ "token_endpoint_auth_method": long }),
        json!({ "logo_uri": format!("https://reports.example/{long}") }),
        json!({ "default_max_age": 1e300 }),
        json!({ "software_id": "\u{0}" }),
        json!({ "software_version": "a\nb" }),
    ] {
        let answer = super::register(&signet, &application_with(&members)).await;
        assert_eq!(answer.status(), 400, "{}", members.to_string().chars().take(80).collect::<String>());
        assert!(answer.text().await.expect("a body").len() < 700);
    }
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 0);
    assert!(!signet.output().contains("an endpoint failed"), "{}", signet.output());
}
