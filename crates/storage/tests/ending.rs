//! What ends meets what is being given and renewed at the same moment: nothing gets through, and none waits for the other in
//! a circle.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails the test, also in the helpers")]

#[path = "audit/world.rs"]
#[expect(dead_code, reason = "what the tests of the audit log do besides")]
mod world;

use std::sync::mpsc::{Receiver, Sender, channel};

use chrono::Duration;
use diesel::connection::SimpleConnection as _;
use signet_identity::session::{NewSession, SessionState};
use signet_identity::{SessionId as NewSessionId, UserId};
use signet_oidc::{
    Turn,
    change::{Change, NewRefresh},
    id::{ClientKey, GrantId, SessionId},
    secret::Digest,
};
use signet_storage::{Apply as _, Origin, StoreError};
use uuid::Uuid;
use world::{World, start};

const USER: &str = "00000000-0000-0000-0000-000000000001";
const OTHER: &str = "00000000-0000-0000-0000-000000000009";
const SESSION: &str = "00000000-0000-0000-0000-000000000002";
const GRANT: &str = "00000000-0000-0000-0000-000000000003";
const LATER: &str = "00000000-0000-0000-0000-000000000004";

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

/// A row of a grant of the session, with an access token under a pairwise subject.
fn grant(id: &str) -> String {
    format!(
        "INSERT INTO grants (id, realm_id, kind, client_key, user_id, subject, session_id, scopes, resources, redirect_uri,
             redirect_uri_sent, auth_time, acr, amr, offline, access_until, ends_at, created_at)
         SELECT '{id}', sessions.realm_id, 'implicit', clients.id, user_id, 'pairwise', sessions.id, '{{openid}}', '{{}}',
             '', true, auth_time, '1', '{{}}', false, auth_time + interval '1 hour', expires_at, auth_time
         FROM sessions, clients"
    )
}

/// Somebody who is signed in, with an application that is told when that ends.
async fn signed_in() -> World {
    let world = World::server().await;
    let now = start();
    world
        .change(&format!(
            "INSERT INTO clients (realm_id, client_id, name, source, auth_method, redirect_uris, post_logout_redirect_uris,
                 grant_types, response_types, scopes, first_party, application_type, policy, metadata, created_at, updated_at)
             SELECT id, 'app', 'App', 'admin', 'none', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', false, 'web', '{{}}',
                 '{{\"backchannel_logout_uri\": \"https://app.example/out\"}}', '{now}', '{now}' FROM realms;
             INSERT INTO users (id, realm_id, subject, username, username_folded, email, email_folded, state, created_at, updated_at)
             SELECT '{USER}', id, 's', 'ada', 'ada', 'a@p.test', 'a@p.test', 'active', '{now}', '{now}' FROM realms;
             INSERT INTO users (id, realm_id, subject, username, username_folded, email, email_folded, state, created_at, updated_at)
             SELECT '{OTHER}', id, 'o', 'bob', 'bob', 'b@p.test', 'b@p.test', 'active', '{now}', '{now}' FROM realms;
             INSERT INTO sessions (id, realm_id, handle_hash, user_id, state, auth_time, acr, amr, created_at, idle_expires_at, expires_at)
             SELECT '{SESSION}', realm_id, sha256('h'), id, 'full', '{now}', '1', '{{}}', '{now}',
                 '{now}'::timestamptz + interval '1 hour', '{now}'::timestamptz + interval '1 day' FROM users WHERE id = '{USER}';
             {};
             INSERT INTO refresh_tokens (realm_id, hash, grant_id, client_key, issued_at, expires_at)
             SELECT realm_id, sha256('r'), id, client_key, '{now}', ends_at FROM grants",
            grant(GRANT)
        ))
        .await;
    world
}

/// What ends.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// The session, by a sign-out.
    SignOut,
    /// The session, because somebody else signs in in its browser.
    AnotherSignIn,
    /// Everything the account has.
    Everything,
}

/// It ends.
fn end(world: &World, ends: Ends) -> tokio::task::JoinHandle<Result<(), StoreError>> {
    let store = world.store().clone();
    let at = start() + Duration::seconds(5);
    tokio::spawn(async move {
        let done = store.transaction(move |tx| {
            let (mut turn, origin) = (Turn::new(at, [4; 32]), Origin::system());
            if ends == Ends::Everything {
                let change = signet_identity::Change::EndEverything { user: UserId(id(USER)), at };
                assert!(tx.apply(vec![change], &mut turn, &origin)?.is_ok());
            } else {
                if ends == Ends::SignOut {
                    tx.lock_session(SessionId(id(SESSION)))?;
                } else {
                    let again = tx.credential_again(UserId(id(OTHER)), Some(*Digest::of(b"h").as_bytes()), at)?;
                    assert!(again.expect("the account").1.is_some());
                }
                let change = Change::EndSession { session: SessionId(id(SESSION)), at };
                assert!(tx.apply(vec![change], &mut turn, &origin)?.is_ok());
            }
            Ok(())
        });
        done.await
    })
}

/// Waits until somebody in this schema waits for a lock.
async fn somebody_waits(world: &World) {
    const WAITING: &str = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN
        (SELECT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation WHERE relnamespace = current_schema()::regnamespace)";
    while world.number(WAITING).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// What one transaction tells the other.
fn signal() -> (Sender<()>, Receiver<()>) {
    channel()
}

async fn heard(told: Receiver<()>) {
    tokio::task::spawn_blocking(move || told.recv().expect("the other transaction")).await.unwrap();
}

async fn ended_whole(world: World) {
    for (sql, expected) in [
        ("SELECT count(*) AS n FROM sessions WHERE ended_at IS NULL", 0),
        ("SELECT count(*) AS n FROM grants WHERE revoked_at IS NULL", 0),
        ("SELECT count(*) - (SELECT count(*) FROM grants) AS n FROM notices WHERE kind = 'revoked.grant'", 0),
    ] {
        assert_eq!(world.number(sql).await, expected, "{sql}");
    }
    world.end().await;
}

/// The end begins when the other has told that it is under way, waits for it, and both succeed.
async fn they_meet(
    world: &World,
    ends: Ends,
    (begun, go_on): (Receiver<()>, Sender<()>),
    other: tokio::task::JoinHandle<Result<(), StoreError>>,
) {
    heard(begun).await;
    let ending = end(world, ends);
    somebody_waits(world).await;
    go_on.send(()).unwrap();
    other.await.unwrap().expect("the other");
    ending.await.unwrap().expect("an end");
}

/// A refresh takes its grant and then winds up its session.
async fn a_refresh_meets_the_end(ends: Ends) {
    let world = signed_in().await;
    let client = ClientKey(world.number("SELECT id AS n FROM clients").await);
    let (begun, go_on) = (signal(), signal());
    let (told, wait, store) = (begun.0, go_on.1, world.store().clone());
    let refresh = tokio::spawn(async move {
        let token = Digest::of(b"r");
        let (now, soon) = (start() + Duration::seconds(4), start() + Duration::hours(2));
        let done = store.transaction(move |tx| {
            assert!(tx.load_refresh(&token, client, now)?.is_some());
            told.send(()).expect("the test");
            wait.recv().expect("the test");
            let successor =
                NewRefresh { grant: GrantId(id(GRANT)), client, digest: Digest::of(b"s"), at: now, expires: soon };
            let seen = Some((SessionId(id(SESSION)), soon));
            let change = Change::RotateRefresh { spent: token, successor, access_until: soon, seen };
            let applied = tx.apply(vec![change], &mut Turn::new(now, [5; 32]), &Origin::system())?;
            assert!(applied.is_ok());
            Ok(())
        });
        done.await
    });
    they_meet(&world, ends, (begun.1, go_on.0), refresh).await;
    ended_whole(world).await;
}

/// R-06: a refresh and a sign-out at once.
#[tokio::test]
async fn a_refresh_meets_a_sign_out() {
    a_refresh_meets_the_end(Ends::SignOut).await;
}

/// R-06, R-44: a refresh, and a lock or a new password, at once.
#[tokio::test]
async fn a_refresh_meets_the_end_of_everything() {
    a_refresh_meets_the_end(Ends::Everything).await;
}

/// A front-channel answer holds its session, gives a token under a pairwise subject, and puts its client among those to tell.
async fn an_answer_meets_the_end(ends: Ends) {
    let world = signed_in().await;
    let (begun, go_on) = (signal(), signal());
    let (told, wait, store) = (begun.0, go_on.1, world.store().clone());
    let answer = tokio::spawn(async move {
        let done = store.upkeep(move |conn| {
            conn.batch_execute(&format!(
                "BEGIN; SELECT 1 FROM sessions FOR SHARE; {};
                 INSERT INTO session_clients SELECT sessions.id, clients.id, 's', 'sid', auth_time FROM sessions, clients",
                grant(LATER)
            ))?;
            told.send(()).expect("the test");
            wait.recv().expect("the test");
            conn.batch_execute("COMMIT")?;
            Ok(())
        });
        done.await
    });
    they_meet(&world, ends, (begun.1, go_on.0), answer).await;
    assert_eq!(world.number("SELECT count(*) AS n FROM deliveries").await, 1, "the client is told");
    ended_whole(world).await;
}

/// L2, T6: what is given at the moment of a sign-out ends with it, and its client is told.
#[tokio::test]
async fn an_answer_meets_a_sign_out() {
    an_answer_meets_the_end(Ends::SignOut).await;
}

/// L2, R-44: what is given at the moment everything ends, ends with it, and its client is told.
#[tokio::test]
async fn an_answer_meets_the_end_of_everything() {
    an_answer_meets_the_end(Ends::Everything).await;
}

/// A7, L2: the same where somebody else signs in in the browser.
#[tokio::test]
async fn a_refresh_meets_another_sign_in() {
    a_refresh_meets_the_end(Ends::AnotherSignIn).await;
}

/// A7, L2: the same where somebody else signs in in the browser.
#[tokio::test]
async fn an_answer_meets_another_sign_in() {
    an_answer_meets_the_end(Ends::AnotherSignIn).await;
}

/// A sign-in as it is written: the account as it stands, then, after `between`, the session. Answers whether that is alive.
async fn signs_in(world: &World, second: i64, between: impl FnOnce() + Send + 'static) -> bool {
    let now = start() + Duration::seconds(second);
    let done = world.store().transaction(move |tx| {
        let (credential, _) = tx.credential_again(UserId(id(USER)), None, now)?.expect("the account");
        between();
        let session = NewSession {
            id: NewSessionId(Uuid::from_u128(u128::from(second.unsigned_abs()) + 100)),
            handle: *Digest::of(&second.to_be_bytes()).as_bytes(),
            user: credential.user,
            generation: credential.generation,
            state: SessionState::Full,
            auth_time: now,
            acr: "1".to_owned(),
            amr: Vec::new(),
            idle_expires: now + Duration::hours(1),
            expires: now + Duration::hours(1),
        };
        let change = signet_identity::Change::StartSession(Box::new(session));
        assert!(tx.apply(vec![change], &mut Turn::new(now, [6; 32]), &Origin::system())?.is_ok());
        Ok(())
    });
    done.await.unwrap();
    let handle = Digest::of(&second.to_be_bytes());
    world.store().transaction(move |tx| Ok(tx.session(&handle, now, now)?.is_some())).await.unwrap()
}

/// R-44: who proved who they are before everything ended is not signed in after it, and who did so after it is, wherever the
/// clocks of the nodes stand.
#[tokio::test]
async fn generations_and_not_clocks_tell_what_ended() {
    let world = signed_in().await;
    assert!(signs_in(&world, 1, || {}).await);
    // The end is at the fifth second; this node's clock is a minute ahead.
    let (begun, go_on) = (signal(), signal());
    let (told, wait) = (begun.0, go_on.1);
    let meets = signs_in(&world, 65, move || {
        told.send(()).expect("the test");
        wait.recv().expect("the test");
    });
    let ends = async {
        heard(begun.1).await;
        end(&world, Ends::Everything).await.unwrap().expect("an end");
        go_on.0.send(()).unwrap();
    };
    assert!(!tokio::join!(meets, ends).0, "it was proven before");
    assert!(signs_in(&world, 2, || {}).await, "it was proven after, by a clock that is behind");

    // The same for what hangs on no session, and what an older version wrote.
    let client = ClientKey(world.number("SELECT id AS n FROM clients").await);
    for (generation, second, over) in [("0", 65, true), ("1", 2, false), ("NULL", 65, false), ("NULL", 2, true)] {
        let auth_time = start() + Duration::seconds(second);
        let token = Digest::of(format!("{generation} {second}").as_bytes());
        let hash = token.to_text();
        world
            .change(&format!(
                "{};
                 UPDATE grants SET offline = true, revoked_at = NULL, auth_time = '{auth_time}', generation = {generation}
                 WHERE id = '{LATER}';
                 INSERT INTO refresh_tokens (realm_id, hash, grant_id, client_key, issued_at, expires_at)
                 SELECT realm_id, decode(translate('{hash}=', '-_', '+/'), 'base64'), id, client_key, auth_time, ends_at FROM grants WHERE id = '{LATER}'",
                format_args!("DELETE FROM grants WHERE id = '{LATER}'; {} WHERE sessions.id = '{SESSION}'", grant(LATER))
            ))
            .await;
        let now = start() + Duration::seconds(70);
        let loaded = world.store().transaction(move |tx| tx.load_refresh(&token, client, now)).await;
        assert_eq!(loaded.unwrap().expect("the token").session_over, over, "{generation} {second}");
    }
    world.end().await;
}
