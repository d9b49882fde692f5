//! What a fault of the embedded engine looks like through the store, as requests use it.
#![cfg(feature = "embedded")]
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test, also in the helpers")]
#![expect(clippy::panic, reason = "what does not come back within the limit ends the test")]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, sql_query};
use signet_oidc::id::RealmId;
use signet_storage::embedded::EmbeddedDatabase;
use signet_storage::pool::{Engine, Limits};
use signet_storage::seal::Sealer;
use signet_storage::{Store, StoreError};
use zeroize::Zeroizing;

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Workers that add rows through the store and note what was acknowledged.
#[derive(Default)]
struct Traffic {
    next: AtomicI64,
    acknowledged: Mutex<BTreeSet<i64>>,
    unavailable: AtomicI64,
    other: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Traffic {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    async fn work(self: Arc<Self>, store: Store) {
        while !self.stop.load(Ordering::Relaxed) {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            match add(&store, id).await {
                Ok(()) => {
                    self.acknowledged.lock().unwrap().insert(id);
                }
                Err(StoreError::Unavailable(_)) => {
                    self.unavailable.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => self.other.lock().unwrap().push(error.to_string()),
            }
        }
    }
}

async fn add(store: &Store, id: i64) -> Result<(), StoreError> {
    store
        .upkeep(move |conn| {
            conn.transaction(|conn| {
                sql_query("INSERT INTO kept VALUES ($1)").bind::<BigInt, _>(id).execute(conn)?;
                sql_query("INSERT INTO kept_too VALUES ($1)").bind::<BigInt, _>(id).execute(conn)
            })
            .map(drop)
            .map_err(StoreError::from)
        })
        .await
}

async fn ids(store: &Store, table: &'static str) -> BTreeSet<i64> {
    let rows = store
        .upkeep(move |conn| Ok(sql_query(format!("SELECT id AS n FROM {table}")).load::<Number>(conn)?))
        .await
        .unwrap();
    rows.into_iter().map(|row| row.n).collect()
}

/// Polls until there are more acknowledged rows than `count`; gives how long that took.
async fn goes_on(traffic: &Traffic, count: usize) -> Duration {
    let from = Instant::now();
    while traffic.count() <= count {
        assert!(from.elapsed() < PATIENCE, "the store does not come back");
        tokio::task::yield_now().await;
    }
    from.elapsed()
}

/// Runs traffic while `fault` strikes five times.
async fn strike(fault: impl AsyncFn(&Store, &Path)) {
    let dir = tempfile::TempDir::new().unwrap();
    let database = EmbeddedDatabase::start(dir.path(), &|_| {}).unwrap();
    let sealer = Sealer::new(vec![Zeroizing::new(vec![9; 32])]).unwrap();
    let store = Store::new(database.url(), Engine::Embedded, Limits::default(), RealmId(1), sealer);
    let tables = "CREATE TABLE kept (id bigint PRIMARY KEY); CREATE TABLE kept_too (id bigint PRIMARY KEY)";
    store.upkeep(move |conn| Ok(conn.batch_execute(tables)?)).await.unwrap();

    let traffic = Arc::new(Traffic::default());
    let workers: Vec<_> = (0..4).map(|_| tokio::spawn(Arc::clone(&traffic).work(store.clone()))).collect();
    for round in 0..5 {
        goes_on(&traffic, traffic.count() + 50).await;
        fault(&store, dir.path()).await;
        let took = goes_on(&traffic, traffic.count()).await;
        println!(
            "fault {round}: writing again after {took:?}, {} told to wait",
            traffic.unavailable.load(Ordering::Relaxed)
        );
    }
    traffic.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(*traffic.other.lock().unwrap(), Vec::<String>::new(), "every failure is one that answers 503");
    let found = ids(&store, "kept").await;
    assert_eq!(found, ids(&store, "kept_too").await, "no transaction is half done");
    let acknowledged = traffic.acknowledged.lock().unwrap().clone();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "lost {lost:?}");

    store.drain(PATIENCE).await;
    tokio::task::spawn_blocking(move || database.shutdown()).await.unwrap().unwrap();
}

/// Ends the engine through the store's own connection.
async fn trap(store: &Store) {
    let outcome = store.upkeep(|conn| Ok(sql_query("SELECT repeat('[', 20000)::jsonb").execute(conn)?)).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}: this test needs another trap");
}

/// an engine trap while requests run is nothing but "not available" for at most two seconds, and costs no row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_is_unavailability_for_a_moment() {
    strike(async |store, _| trap(store).await).await;
}

/// the same with garbage that reaches the engine in the moment when the store has no connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_unavailability_for_a_moment() {
    let taken = Arc::new(AtomicI64::new(0));
    strike(async |store, dir| {
        let socket = dir.join("run/pg/.s.PGSQL.5432");
        trap(store).await;
        let hit = tokio::task::spawn_blocking(move || intrude(&socket)).await.unwrap();
        taken.fetch_add(i64::from(hit), Ordering::Relaxed);
    })
    .await;
    let taken = taken.load(Ordering::Relaxed);
    println!("the engine took the garbage {taken} times");
    assert!(taken > 0, "the engine never met the garbage");
}

/// Connects until the engine has taken garbage, or the store was first and keeps the engine to itself. Tells which.
fn intrude(socket: &Path) -> bool {
    let from = Instant::now();
    while from.elapsed() < PATIENCE {
        let Ok(mut hostile) = UnixStream::connect(socket) else {
            std::thread::yield_now();
            continue;
        };
        hostile.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        if hostile.write_all(&[b'?', 0, 0, 0, 0, 0xff, 0xff]).is_err() {
            continue;
        }
        match hostile.read(&mut [0; 64]) {
            // It was in the queue of the engine that ended, or the engine has let go of it.
            Ok(_) => return true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => {}
        }
    }
    panic!("the socket does not come back");
}
