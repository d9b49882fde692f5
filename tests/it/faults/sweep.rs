//! Much that has expired goes while people go on.

use std::sync::atomic::Ordering;

use diesel::connection::SimpleConnection as _;

use super::ledger::check_all;
use super::traffic::Traffic;
use crate::nodes::{Nodes, count, status_of};
use crate::support::prelude::*;

/// What has had its time: grants, sessions, identifiers, clients that registered themselves and were not used.
const ROWS: &str = "
    INSERT INTO grants (id, realm_id, kind, client_key, user_id, subject, scopes, resources, redirect_uri,
        redirect_uri_sent, auth_time, acr, amr, offline, ends_at, created_at)
    SELECT gen_random_uuid(), c.realm_id, 'authorization_code', c.id, u.id, u.subject, '{openid}', '{}',
        'https://app.example/callback', true, now(), '1', '{}', false, now() - interval '2 days', now() - interval '9 days'
    FROM (SELECT * FROM clients WHERE name = 'Test application' LIMIT 1) c, (SELECT * FROM users LIMIT 1) u,
        generate_series(1, 100000);
    INSERT INTO sessions (id, realm_id, handle_hash, user_id, state, auth_time, acr, amr, created_at, idle_expires_at, expires_at)
    SELECT gen_random_uuid(), realm_id, sha256(n::text::bytea), id, 'full', now(), '1', '{}', now(), now(), now() - interval '1 hour'
    FROM (SELECT * FROM users LIMIT 1) u, generate_series(1, 100000) n;
    INSERT INTO spent SELECT realms.id, 'interaction', '', sha256(n::text::bytea), current_date - 3
    FROM realms, generate_series(1, 100000) n;
    INSERT INTO clients (realm_id, client_id, name, source, auth_method, redirect_uris, post_logout_redirect_uris, grant_types,
        response_types, scopes, first_party, application_type, policy, created_at, updated_at, last_used_at)
    SELECT realms.id, 'unused-' || n, 'Unused', 'dynamic', 'none', '{}', '{}', '{}', '{}', '{}', false, 'web', '{}',
        now() - interval '90 days', now() - interval '90 days', now() - interval '60 days'
    FROM realms, generate_series(1, 100000) n;
    INSERT INTO grants (id, realm_id, kind, client_key, user_id, subject, scopes, resources, redirect_uri,
        redirect_uri_sent, auth_time, acr, amr, offline, ends_at, created_at)
    SELECT gen_random_uuid(), c.realm_id, 'authorization_code', c.id, u.id, u.subject, '{openid}', '{}',
        'https://app.example/callback', true, now(), '1', '{}', true, now() + interval '9 days', now() - interval '60 days'
    FROM clients c, (SELECT * FROM users LIMIT 1) u WHERE c.source = 'dynamic';
    INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at)
    SELECT c.realm_id, u.id, c.id, '{openid}', now(), now() FROM clients c, (SELECT * FROM users LIMIT 1) u
    WHERE c.source = 'dynamic';";

/// 100,000 grants, 100,000 sessions, 100,000 identifiers, and 100,000 clients with a grant and a consent each, that have had their time go while people
/// register, sign in and refresh at both nodes; nothing goes that is alive, and nobody is refused.
#[tokio::test]
async fn much_that_has_expired_goes_unnoticed() {
    let mut nodes = Nodes::start(&[]).await;
    let client = nodes.a.client(ClientSpec::confidential()).await;
    let (tokens, ..) = nodes.sign_in(&client).await;
    nodes.a.database().batch_execute(ROWS).expect("rows");
    // A round comes with each start.
    nodes.b.restart().await;
    let traffic = [Traffic::start(&nodes.a, &client), Traffic::start(&nodes.b, &client)];
    let left = || {
        let over = "grants WHERE ends_at < now() - interval '1 day'";
        [
            over,
            "sessions WHERE expires_at < now()",
            "spent WHERE expires_on < current_date - 1",
            "clients WHERE source = 'dynamic'",
        ]
        .map(|from| count(&nodes.a, from))
    };
    let all = left();
    eventually(PATIENCE * 10, "all of it is gone", async || (left() == [0; 4]).then_some(())).await;
    assert!(all[0] > 50_000, "the round began before the traffic: {all:?}");
    for one in &traffic {
        one.acknowledged(10).await;
    }
    for one in traffic {
        let target = one.target.clone();
        check_all(&mut one.finish().await, &target).await;
        assert_eq!(target.progress.unavailable.load(Ordering::Relaxed), 0, "answers of 503");
    }
    assert!(status_of(&nodes.b, &tokens).await.is_success(), "what is alive stays");
}
