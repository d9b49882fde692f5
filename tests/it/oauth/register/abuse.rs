//! Many at once, and hostile bodies, while others are served.

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{OPEN, application, application_with, client_of, count, registered};
use crate::support::prelude::*;

/// ten thousand registrations end as clients, as many as may be, or as a clear refusal; meanwhile tokens and
/// pages are served, and nothing fails.
#[tokio::test]
async fn a_flood_leaves_others_served() {
    const MANY: usize = 10_000;
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
        for _ in 0..100 {
            let answer = flow::token(&signet, &service, &[("grant_type", "client_credentials")]).await;
            assert_eq!(answer.status(), 200);
            let page = signet.http().get(signet.url("/signin")).send().await.expect("an answer");
            assert_eq!(page.status(), 200);
        }
    };
    let (statuses, ()) = tokio::join!(flood, others);
    let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(of(201) + of(503), MANY, "nothing but made or refused");
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), i64::try_from(of(201)).expect("few") + 1);
    assert!(of(201) < 600 && of(201) > 20, "{} were made", of(201));
}

/// R-58, O1: metadata that points at this provider is read like any other: nothing waits for itself, and what is there is
/// neither a sector nor the application's keys.
#[tokio::test]
async fn metadata_may_point_at_the_provider_itself() {
    let environment = [OPEN, ("SIGNET_OUTBOUND__ALLOW_PRIVATE", "true")];
    let signet = Signet::start_tls(Database::Postgres, &environment).await;
    for path in ["/oauth/jwks", "/.well-known/openid-configuration", "/oauth/register", "/oauth/authorize"] {
        let members = json!({ "subject_type": "pairwise", "sector_identifier_uri": signet.url(path) });
        let answer = super::register(&signet, &application_with(&members)).await;
        assert_eq!(super::refused(answer).await, (400, "invalid_client_metadata".to_owned()), "{path}");
    }
    let key = Signer::new("ES256", "k");
    for path in ["/oauth/jwks", "/oauth/token"] {
        let members = json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": signet.url(path),
            "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
        });
        let client = client_of(&registered(&signet, &application_with(&members)).await);
        let assertion = key.assertion(&signet, &client, json!({}));
        let fields = [&[("grant_type", "client_credentials")][..], &signer::fields(&assertion)].concat();
        let answer = signet.http().post(signet.url("/oauth/token")).form(&fields).send().await.expect("an answer");
        assert_eq!(flow::refused(answer).await, (401, "invalid_client".to_owned()), "{path}");
    }
}

/// T2, R-37: an application that registered itself takes another key without a word and without a restart here.
#[tokio::test]
async fn a_registered_application_changes_its_key() {
    let mut signet = Signet::prepare(Database::Postgres, &[OPEN]);
    let target = Target::start(&signet);
    target.open_to(&mut signet);
    signet.restart().await;
    let (old, new) = (Signer::new("ES256", "old"), Signer::new("ES256", "new"));
    let members = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": target.url("/jwks"),
        "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
    });
    let client = client_of(&registered(&signet, &application_with(&members)).await);
    let ask = async |key: &Signer| {
        let assertion = key.assertion(&signet, &client, json!({}));
        let fields = [&[("grant_type", "client_credentials")][..], &signer::fields(&assertion)].concat();
        let answer = signet.http().post(signet.url("/oauth/token")).form(&fields).send().await.expect("an answer");
        answer.status().as_u16()
    };
    target.serve("/jwks", &signer::set(&[&old]));
    assert_eq!((ask(&old).await, target.asked("/jwks")), (200, 1));
    target.serve("/jwks", &signer::set(&[&new]));
    assert_eq!((ask(&new).await, ask(&old).await, target.asked("/jwks")), (200, 401, 2));
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
