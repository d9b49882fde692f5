//! A migrated database, and what the tests do to its audit log.

use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use signet_oidc::Turn;
use signet_storage::audit::verify::{Report, verify};
use signet_storage::audit::{Entry, archive, chain};
use signet_storage::bootstrap::{Direction, complete, connect, migrate};
use signet_storage::pool::{Engine, Limits};
use signet_storage::seal::Sealer;
use signet_storage::{Origin, Store};
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000).unwrap()
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(vec![Zeroizing::new(vec![9; 32])]).unwrap()
}

/// A migrated database, given up at the end.
pub(crate) enum World {
    Server {
        store: Store,
        schema: String,
        url: String,
    },
    #[cfg(feature = "embedded")]
    Embedded {
        store: Store,
        database: signet_storage::embedded::EmbeddedDatabase,
        _dir: tempfile::TempDir,
    },
}

impl World {
    pub(crate) async fn server() -> Self {
        let base = std::env::var("SIGNET_TEST_DATABASE_URL")
            .expect("SIGNET_TEST_DATABASE_URL is not set: run `tests/run [filter]`, which sets it");
        tokio::task::spawn_blocking(move || {
            let mut conn = connect(&base).unwrap();
            let made = sql_query("SELECT 'a' || replace(gen_random_uuid()::text, '-', '') AS line");
            let schema = made.get_result::<Line>(&mut conn).unwrap().line;
            conn.batch_execute(&format!("CREATE SCHEMA {schema}")).unwrap();
            let url = format!("{base}?options=-csearch_path%3D{schema}");
            Self::Server { store: open(&url, Engine::Server), schema, url: base }
        })
        .await
        .unwrap()
    }

    #[cfg(feature = "embedded")]
    pub(crate) async fn embedded() -> Self {
        tokio::task::spawn_blocking(move || {
            let dir = tempfile::TempDir::new().unwrap();
            let database = signet_storage::embedded::EmbeddedDatabase::start(dir.path(), &|_| {}).unwrap();
            Self::Embedded { store: open(database.url(), Engine::Embedded), database, _dir: dir }
        })
        .await
        .unwrap()
    }

    pub(crate) fn store(&self) -> &Store {
        match self {
            Self::Server { store, .. } => store,
            #[cfg(feature = "embedded")]
            Self::Embedded { store, .. } => store,
        }
    }

    pub(crate) async fn end(self) {
        match self {
            Self::Server { store, schema, url } => {
                store.drain(std::time::Duration::from_secs(10)).await;
                tokio::task::spawn_blocking(move || {
                    let statement = format!("SET client_min_messages = warning; DROP SCHEMA {schema} CASCADE");
                    connect(&url).unwrap().batch_execute(&statement).unwrap();
                })
                .await
                .unwrap();
            }
            #[cfg(feature = "embedded")]
            Self::Embedded { store, database, _dir } => {
                store.drain(std::time::Duration::from_secs(10)).await;
                tokio::task::spawn_blocking(move || database.shutdown()).await.unwrap().unwrap();
            }
        }
    }

    pub(crate) async fn change(&self, sql: &str) {
        let sql = sql.to_owned();
        self.store().upkeep(move |conn| Ok(conn.batch_execute(&sql)?)).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = sql.to_owned();
        self.store().upkeep(move |conn| Ok(sql_query(sql).get_result::<Number>(conn)?.n)).await.unwrap()
    }

    /// Writes rows, a second apart, from second `from` on.
    pub(crate) async fn write(&self, from: i64, count: i64) {
        self.store()
            .transaction(move |tx| {
                for second in from..from + count {
                    let (entry, origin) = sample(second);
                    tx.audit(entry, &origin)?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }

    pub(crate) async fn seal(&self) -> usize {
        let mut linked = 0;
        loop {
            let batch = self.store().transaction(|tx| tx.seal_audit(start())).await.unwrap();
            linked += batch;
            if batch < chain::BATCH {
                return linked;
            }
        }
    }

    pub(crate) async fn verify(&self) -> Report {
        verify(self.store(), start() + Duration::days(1)).await.unwrap()
    }

    /// Archives everything from before a second.
    pub(crate) async fn archive(&self, dir: &Path, before: i64, most: usize) -> u64 {
        let (limit, now) = (start() + Duration::seconds(before), start() + Duration::days(100));
        let mut files = 0;
        while let Some(anchor) = archive::write_next(self.store(), dir, limit, most, now).await.unwrap() {
            assert!(self.store().transaction(move |tx| tx.anchor_audit(&anchor)).await.unwrap());
            while self.store().transaction(move |tx| tx.purge_audit(now)).await.unwrap() == archive::PURGE {}
            files += 1;
        }
        files
    }
}

fn open(url: &str, engine: Engine) -> Store {
    let mut conn = connect(url).unwrap();
    migrate(&mut conn, Direction::Up).unwrap();
    let realm = complete(&mut conn, &sealer(), &mut Turn::new(start(), [7; 32])).unwrap();
    // What completing recorded: these tests count their own rows.
    conn.batch_execute("DELETE FROM audit WHERE event IN ('key.created', 'role.created')").unwrap();
    Store::new(url, engine, Limits { connections: 4, ..Limits::default() }, realm, sealer())
}

pub(crate) fn person() -> Uuid {
    Uuid::from_u128(77)
}

pub(crate) fn sample(second: i64) -> (Entry, Origin) {
    let mut seed = [3; 32];
    seed[..8].copy_from_slice(&second.to_be_bytes());
    let mut turn = Turn::new(start() + Duration::seconds(second), seed);
    let entry = Entry {
        id: turn.uuid(),
        at: turn.now(),
        event: "sign_in.succeeded",
        result: "success",
        account: Some(person()),
        typed: Some(format!("ada{second}")),
        salt: turn.bytes(),
        ..Entry::default()
    };
    let origin = Origin {
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("curl\u{0} '\"\\".to_owned()),
        request_id: Some(format!("r{second}")),
        ..Origin::default()
    };
    (entry, origin)
}
