//! Clients that register themselves go when nobody uses them, and are not more than the settings say.

use diesel::RunQueryDsl as _;
use serde_json::{Value, json};

use super::{OPEN, application, client_of, count, manage_own, open, register, registered, tokens};
use crate::scene::header;
use crate::support::prelude::*;

fn change(signet: &Signet, statement: &str) -> usize {
    diesel::sql_query(statement).execute(&mut signet.database()).expect("a statement")
}

/// no more clients register themselves than the settings say, also when many come at once; a place that is given up is
/// free again; administrators' clients do not count.
#[tokio::test]
async fn their_number_is_bounded() {
    let signet = Signet::start_with(Database::Postgres, &[OPEN, ("SIGNET_REGISTRATION__MAX_CLIENTS", "3")]).await;
    for _ in 0..3 {
        signet.client(ClientSpec::confidential()).await;
    }
    let requests = (0..10).map(|_| signet.http().post(signet.url("/oauth/register")).json(&application()));
    let answers = crate::scene::at_once(requests.collect()).await;
    let mut made = Vec::new();
    for answer in answers {
        match answer.status().as_u16() {
            201 => made.push(answer.json::<Value>().await.expect("JSON")),
            status => {
                assert_eq!((status, header(&answer, "retry-after")), (503, "2"));
                let told: Value = answer.json().await.expect("JSON");
                assert_eq!(told["error"], "temporarily_unavailable");
                assert!(flow::member(&told, "error_description").contains("administrators"), "{told}");
            }
        }
    }
    assert_eq!((made.len(), count(&signet, "clients WHERE source = 'dynamic'")), (3, 3));
    assert_eq!(manage_own(&signet, "DELETE", &made[0], None).await.status(), 204);
    registered(&signet, &application()).await;
    assert_eq!(register(&signet, &application()).await.status(), 503);

    // Whoever was never used makes room after an hour, the oldest first; whoever was used does not.
    let aged = "UPDATE clients SET created_at = created_at - interval '2 hours', \
                last_used_at = last_used_at - interval '2 hours' WHERE source = 'dynamic'";
    assert_eq!(change(&signet, aged), 3);
    let used = flow::member(&made[1], "client_id");
    let used = format!("UPDATE clients SET last_used_at = created_at + interval '1 second' WHERE client_id = '{used}'");
    assert_eq!(change(&signet, &used), 1);
    for _ in 0..2 {
        registered(&signet, &application()).await;
    }
    assert_eq!(register(&signet, &application()).await.status(), 503);
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 3);
    let statuses = [manage_own(&signet, "GET", &made[1], None), manage_own(&signet, "GET", &made[2], None)];
    let [kept, gone] = statuses;
    assert_eq!((kept.await.status().as_u16(), gone.await.status().as_u16()), (200, 401));
    assert_eq!(count(&signet, "audit WHERE event = 'client_registration.expired' AND actor_kind = 'system'"), 2);
}

/// who is not used for as long as the settings say goes, with everything it was given, and that is recorded; who is
/// used stays, as do clients that administrators made.
#[tokio::test]
async fn the_unused_go() {
    let mut signet = open().await;
    let admins = signet.client(ClientSpec::confidential()).await;
    let mut all = Vec::new();
    for _ in 0..45 {
        all.push(registered(&signet, &application()).await);
    }
    let used = client_of(&all[0]);
    change(&signet, "UPDATE clients SET last_used_at = now() - interval '40 days'");
    // It was noted as used when it registered, on this node; another start forgets that.
    signet.set("SIGNET_REGISTRATION__UNUSED_AFTER", "3650d");
    signet.restart().await;
    assert_eq!(manage_own(&signet, "GET", &all[2], None).await.status(), 200, "a look, which is no use");
    let granted = tokens(&signet, &used, "openid").await;
    let noted = format!("clients WHERE client_id = '{}' AND last_used_at > now() - interval '1 hour'", used.id);
    eventually(PATIENCE, "the use is noted", async || (count(&signet, &noted) == 1).then_some(())).await;
    signet.set("SIGNET_REGISTRATION__UNUSED_AFTER", "30d");
    signet.restart().await;
    eventually(PATIENCE, "the unused are gone", async || {
        (count(&signet, "clients WHERE source = 'dynamic'") == 1).then_some(())
    })
    .await;
    assert_eq!(count(&signet, "audit WHERE event = 'client_registration.expired' AND actor_kind = 'system'"), 44);
    assert_eq!(manage_own(&signet, "GET", &all[1], None).await.status(), 401);
    assert_eq!(manage_own(&signet, "GET", &all[0], None).await.status(), 200);
    assert_eq!(count(&signet, &format!("clients WHERE client_id = '{}'", admins.id)), 1);
    let userinfo = flow::userinfo(&signet, flow::member(&granted, "access_token")).await;
    assert_eq!(userinfo.status(), 200);
}

/// that a client is used is written once an hour, and in no request: each takes as many statements as with a client of
/// an administrator.
#[tokio::test]
async fn noting_the_use_costs_no_request() {
    let signet = open().await;
    let body = json!({ "grant_types": ["client_credentials"] });
    let client = client_of(&registered(&signet, &body).await);
    change(&signet, "UPDATE clients SET last_used_at = now() - interval '2 hours' WHERE source = 'dynamic'");
    let ask = async || {
        let answer = flow::token(&signet, &client, &[("grant_type", "client_credentials")]).await;
        assert_eq!(answer.status(), 200);
        flow::statements(answer.headers())
    };
    assert_eq!((ask().await, ask().await, ask().await), (1, 0, 0), "the client is read once");
    let noted = "clients WHERE source = 'dynamic' AND last_used_at > now() - interval '1 minute'";
    eventually(PATIENCE, "the use is noted", async || (count(&signet, noted) == 1).then_some(())).await;
    change(&signet, "UPDATE clients SET last_used_at = now() - interval '2 hours' WHERE source = 'dynamic'");
    assert_eq!(ask().await, 0);
    assert_eq!(count(&signet, noted), 0, "not again within the hour");
}

/// initial access tokens go a day after their end.
#[tokio::test]
async fn initial_access_tokens_are_swept() {
    let mut signet = Signet::start(Database::Postgres).await;
    for _ in 0..3 {
        signet.cli_json(&["client", "registration-token", "create", "--json"], "").await;
    }
    let one = "UPDATE initial_access_tokens SET expires_at = now() - interval '2 days' \
               WHERE id = (SELECT id FROM initial_access_tokens ORDER BY id LIMIT 1)";
    assert_eq!(change(&signet, one), 1);
    signet.restart().await;
    eventually(PATIENCE, "it is gone", async || (count(&signet, "initial_access_tokens") == 2).then_some(())).await;
}
