//! Sweeping, on PostgreSQL and on the embedded database: a node at a time, and `spent` by days.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails the test, also in the helpers")]

#[path = "audit/world.rs"]
#[expect(dead_code, reason = "what the tests of the audit log do besides")]
mod world;

use chrono::{Days, Duration};
use signet_oidc::{
    Turn,
    change::{Change, Spent},
    error::OAuthError,
    id::ClientId,
    secret::Digest,
};
use signet_storage::{Apply as _, Origin, sweep::Sweep};
use world::{World, start};

/// Spends an identifier that ends so many days after the start. Answers whether it was the first time.
async fn spend(world: &World, identifier: u32, days: i64) -> bool {
    let expires = start() + Duration::days(days);
    let what =
        Spent::ClientAssertion { client: ClientId::parse("app").unwrap(), jti: Digest::of(&identifier.to_be_bytes()) };
    let change = Change::Spend { what, expires, on_conflict: OAuthError::invalid_client("a second time") };
    let applied = world.store().transaction(move |tx| {
        let mut turn = Turn::new(start(), [3; 32]);
        tx.apply(vec![change], &mut turn, &Origin::system())
    });
    applied.await.unwrap().is_ok()
}

async fn keep(world: &World, days: u64) -> (usize, usize) {
    let today = (start() + Days::new(days)).date_naive();
    world.store().transaction(move |tx| tx.keep_days(today)).await.unwrap()
}

async fn days_are_made_ahead_and_dropped_whole(world: World) {
    // What lies in the default partition keeps its day there.
    assert!(spend(&world, 1, 1).await);
    assert_eq!((keep(&world, 0).await, keep(&world, 0).await), ((2, 0), (0, 0)));
    for (identifier, day) in [(2, 1), (3, 2), (4, 3), (5, 9)] {
        assert!(spend(&world, identifier, day).await && !spend(&world, identifier, day).await, "{day}");
    }
    let rows = async |table: &str| world.number(&format!("SELECT count(*) AS n FROM {table}")).await;
    assert_eq!((rows("spent").await, rows("spent_default").await), (5, 3));
    // What ended yesterday may be asked for still; what ended before that is gone, with its day.
    assert_eq!(keep(&world, 3).await, (3, 0));
    assert!(!spend(&world, 3, 2).await, "it counts for another day");
    assert_eq!(keep(&world, 4).await, (1, 1));
    assert_eq!((rows("spent").await, spend(&world, 4, 3).await), (4, false));
    let now = start() + Duration::days(4);
    assert_eq!(world.store().transaction(move |tx| tx.sweep(Sweep::Spent, now)).await.unwrap(), 2, "row by row");
    assert_eq!(rows("spent").await, 2);
    world.end().await;
}

/// T2: identifiers count once wherever they lie; whole days go at a time, and what has no day of its own row by row.
#[tokio::test]
async fn days_of_spent_identifiers_on_postgresql() {
    days_are_made_ahead_and_dropped_whole(World::server().await).await;
}

/// T2: the same inside the process.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn days_of_spent_identifiers_on_the_embedded_database() {
    days_are_made_ahead_and_dropped_whole(World::embedded().await).await;
}

/// while one node sweeps, another does not; it sweeps when the first is done.
#[tokio::test]
async fn one_node_sweeps_at_a_time() {
    let world = World::server().await;
    world.change("INSERT INTO interactions SELECT id, gen_random_uuid(), 'x', '2000-01-01' FROM realms").await;
    let (begun, go_on) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let (told, wait) = (begun.0, go_on.1);
    let store = world.store().clone();
    let first = async move {
        let done = store.transaction(move |tx| {
            let gone = tx.sweep(Sweep::Interactions, start())?;
            told.send(()).expect("the test");
            wait.recv().expect("the test");
            Ok(gone)
        });
        done.await
    };
    let first = tokio::spawn(first);
    tokio::task::spawn_blocking(move || begun.1.recv().expect("the first node")).await.unwrap();
    let second = async || world.store().transaction(|tx| tx.sweep(Sweep::Interactions, start())).await.unwrap();
    world.change("INSERT INTO interactions SELECT id, gen_random_uuid(), 'x', '2000-01-01' FROM realms").await;
    let today = start().date_naive();
    let days = world.store().transaction(move |tx| tx.keep_days(today)).await.unwrap();
    assert_eq!((second().await, days), (0, (0, 0)), "the first is at it");
    go_on.0.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), 1);
    assert_eq!(second().await, 1);
    world.end().await;
}
