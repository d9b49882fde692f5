//! The audit log's chain, archive and erasure, on PostgreSQL and on the embedded database.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails fails the test, also in the helpers"
)]

use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};
use signet_oidc::Turn;
use signet_storage::audit::verify::{Kind, Report, verify};
use signet_storage::audit::{Entry, archive, chain, query};
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

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000).unwrap()
}

fn sealer() -> Sealer {
    Sealer::new(vec![Zeroizing::new(vec![9; 32])]).unwrap()
}

/// A migrated database, given up at the end.
enum World {
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
    async fn server() -> Self {
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
    async fn embedded() -> Self {
        tokio::task::spawn_blocking(move || {
            let dir = tempfile::TempDir::new().unwrap();
            let database = signet_storage::embedded::EmbeddedDatabase::start(dir.path(), &|_| {}).unwrap();
            Self::Embedded { store: open(database.url(), Engine::Embedded), database, _dir: dir }
        })
        .await
        .unwrap()
    }

    fn store(&self) -> &Store {
        match self {
            Self::Server { store, .. } => store,
            #[cfg(feature = "embedded")]
            Self::Embedded { store, .. } => store,
        }
    }

    async fn end(self) {
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

    async fn change(&self, sql: &str) {
        let sql = sql.to_owned();
        self.store().upkeep(move |conn| Ok(conn.batch_execute(&sql)?)).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        let sql = sql.to_owned();
        self.store().upkeep(move |conn| Ok(sql_query(sql).get_result::<Number>(conn)?.n)).await.unwrap()
    }

    /// Writes rows, a second apart, from second `from` on.
    async fn write(&self, from: i64, count: i64) {
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

    async fn seal(&self) -> usize {
        let mut linked = 0;
        loop {
            let batch = self.store().transaction(|tx| tx.seal_audit(start())).await.unwrap();
            linked += batch;
            if batch < chain::BATCH {
                return linked;
            }
        }
    }

    async fn verify(&self) -> Report {
        verify(self.store(), start() + Duration::days(1)).await.unwrap()
    }

    /// Archives everything from before a second.
    async fn archive(&self, dir: &Path, before: i64, most: usize) -> u64 {
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

fn person() -> Uuid {
    Uuid::from_u128(77)
}

fn sample(second: i64) -> (Entry, Origin) {
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

/// What is done to the rows, and what is found: its kind and place.
const TAMPERED: [(&str, Kind, Option<i64>); 17] = [
    ("UPDATE audit SET detail = 'x' WHERE chain_index = 7", Kind::Changed, Some(7)),
    ("UPDATE audit SET result = 'refused' WHERE chain_index = 250", Kind::Changed, Some(250)),
    ("UPDATE audit SET chain_hash = sha256('x') WHERE chain_index = 7", Kind::Changed, Some(7)),
    ("UPDATE audit SET encoding = 2 WHERE chain_index = 7", Kind::Changed, Some(7)),
    (
        "UPDATE audit_personal SET address = '192.0.2.8' WHERE audit_id = (SELECT id FROM audit WHERE chain_index = 7)",
        Kind::PersonalChanged,
        Some(7),
    ),
    (
        "UPDATE audit_personal SET salt = 'x' WHERE audit_id = (SELECT id FROM audit WHERE chain_index = 7)",
        Kind::PersonalChanged,
        Some(7),
    ),
    ("DELETE FROM audit WHERE chain_index = 7", Kind::Removed, Some(7)),
    ("DELETE FROM audit WHERE chain_index BETWEEN 100 AND 220", Kind::Removed, Some(100)),
    ("DELETE FROM audit WHERE chain_index = 1", Kind::Removed, Some(1)),
    ("DELETE FROM audit WHERE chain_index > 240", Kind::Removed, Some(241)),
    ("DELETE FROM audit", Kind::Removed, Some(1)),
    // A row taken away and the places after it renumbered.
    (
        "DELETE FROM audit WHERE chain_index = 7; UPDATE audit SET chain_index = -chain_index WHERE chain_index > 7; \
      UPDATE audit SET chain_index = -chain_index - 1 WHERE chain_index < 0; \
      UPDATE audit_heads SET chain_index = chain_index - 1",
        Kind::Changed,
        Some(7),
    ),
    // A row put in between, with places made for it.
    (
        "UPDATE audit SET chain_index = -chain_index WHERE chain_index > 7; \
      UPDATE audit SET chain_index = 1 - chain_index WHERE chain_index < 0; \
      UPDATE audit_heads SET chain_index = chain_index + 1; \
      INSERT INTO audit (id, realm_id, at, event, result, actor_kind, commitment, encoding, chain_index, chain_hash) \
      SELECT overlay(id::text placing 'f' from 36)::uuid, realm_id, at, event, result, actor_kind, commitment, 1, 8, \
      sha256('x') FROM audit WHERE chain_index = 7",
        Kind::Inserted,
        Some(8),
    ),
    // A row put at the end.
    (
        "INSERT INTO audit (id, realm_id, at, event, result, actor_kind, commitment, encoding, chain_index, chain_hash) \
      SELECT overlay(id::text placing 'f' from 36)::uuid, realm_id, at, event, result, actor_kind, commitment, 1, 251, \
      chain_hash FROM audit WHERE chain_index = 250",
        Kind::Inserted,
        Some(251),
    ),
    ("UPDATE audit_heads SET chain_hash = sha256('x')", Kind::HeadChanged, Some(250)),
    ("DELETE FROM audit_heads", Kind::HeadChanged, None),
    ("DELETE FROM audit; DELETE FROM audit_personal; DELETE FROM audit_heads", Kind::HeadChanged, None),
];

const RESTORE: &str = "DELETE FROM audit; INSERT INTO audit SELECT * FROM saved; INSERT INTO audit_personal SELECT * \
    FROM saved_personal; DELETE FROM audit_heads; INSERT INTO audit_heads SELECT * FROM saved_heads";

const NOTHING: &str = "SELECT 1";

/// Rows for the sealer to link: a copy of row 7 with another id, its personal row, what is done once it is linked, and
/// what is found then.
const SLIPPED_IN: [(&str, &str, &str, &[Kind]); 5] = [
    // By its id it is of that moment.
    ("overlay(id::text placing 'f' from 36)::uuid, at", "", NOTHING, &[Kind::Inserted]),
    (
        "overlay(id::text placing 'f' from 36)::uuid, at",
        "salt, '192.0.2.8', user_agent, typed",
        NOTHING,
        &[Kind::Inserted],
    ),
    // The mark that it got is taken off.
    (
        "overlay(id::text placing 'f' from 36)::uuid, at",
        "",
        "UPDATE audit SET encoding = 1 WHERE encoding = 0",
        &[Kind::Changed],
    ),
    // All of it fits but the id, or the time.
    ("gen_random_uuid(), at", "salt, address, user_agent, typed", NOTHING, &[Kind::Inserted]),
    ("gen_random_uuid(), at - interval '2 days'", "", NOTHING, &[Kind::Inserted]),
];

async fn slipped_in_rows_are_found(world: &World) {
    for (values, personal, then, expected) in SLIPPED_IN {
        let row = format!(
            "INSERT INTO audit (id, at, realm_id, event, result, actor_kind, commitment) SELECT {values}, realm_id, event, \
             result, actor_kind, commitment FROM audit WHERE chain_index = 7;"
        );
        world.change(&row).await;
        if !personal.is_empty() {
            let row = format!(
                "INSERT INTO audit_personal (audit_id, salt, address, user_agent, typed) SELECT (SELECT id FROM audit \
                 WHERE chain_index IS NULL), {personal} FROM audit_personal p JOIN audit a ON a.id = p.audit_id \
                 WHERE a.chain_index = 7"
            );
            world.change(&row).await;
        }
        let kinds = |report: &Report| report.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&world.verify().await), [Kind::Unlinked], "{values}");
        assert_eq!(world.seal().await, 1);
        world.change(then).await;
        let report = world.verify().await;
        assert_eq!(kinds(&report), expected, "{values} {personal} {then}: {report:?}");
        assert!(report.findings.iter().all(|finding| finding.chain_index == Some(251)), "{report:?}");
        world.change(RESTORE).await;
    }
}

async fn tampering_is_found(world: World) {
    world.write(0, 250).await;
    assert_eq!(world.verify().await.rows, 0);
    assert_eq!(world.seal().await, 250);
    assert_eq!(world.seal().await, 0);
    let report = world.verify().await;
    assert_eq!((report.rows, report.from, report.to, &*report.findings), (250, 0, 250, &[][..]));
    world
        .change(
            "CREATE TABLE saved AS SELECT * FROM audit; CREATE TABLE saved_personal AS SELECT * FROM audit_personal; \
             CREATE TABLE saved_heads AS SELECT * FROM audit_heads",
        )
        .await;
    for (statement, kind, place) in TAMPERED {
        world.change(statement).await;
        let report = world.verify().await;
        let found: Vec<_> = report.findings.iter().map(|finding| (finding.kind, finding.chain_index)).collect();
        assert_eq!(found, [(kind, place)], "{statement}: {report:?}");
        if matches!(kind, Kind::Changed | Kind::Inserted | Kind::PersonalChanged) {
            assert!(report.findings[0].id.is_some() && report.findings[0].at.is_some(), "{statement}");
        }
        world.change(RESTORE).await;
        assert!(world.verify().await.is_good());
    }
    slipped_in_rows_are_found(&world).await;
    world.end().await;
}

/// a changed, a removed and an inserted row are found and named, wherever they stand.
#[tokio::test]
async fn tampering_is_found_on_postgresql() {
    tampering_is_found(World::server().await).await;
}

/// the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn tampering_is_found_on_the_embedded_database() {
    tampering_is_found(World::embedded().await).await;
}

async fn archives_continue_the_chain(world: World) {
    let folder = tempfile::TempDir::new().unwrap();
    let dir = folder.path().join("audit");
    world.write(0, 300).await;
    world.seal().await;
    assert_eq!(world.archive(&dir, 250, 120).await, 3);
    assert_eq!(world.number("SELECT count(*) AS n FROM audit").await, 50);
    assert_eq!(world.number("SELECT count(*) AS n FROM audit_personal").await, 50);
    assert_eq!(world.number("SELECT count(*) AS n FROM audit_anchors WHERE purged_at IS NULL").await, 0);
    world.write(300, 10).await;
    world.seal().await;
    let report = world.verify().await;
    assert_eq!((report.rows, report.from, report.to, &*report.findings), (60, 250, 310, &[][..]));
    let report = archive::verify(world.store(), &dir).await.unwrap();
    assert_eq!((report.rows, report.archives, &*report.findings), (250, 3, &[][..]));

    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"audit-000000000001-000000000120.jsonl.zst"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&files[0]).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let text = String::from_utf8(zstd::decode_all(std::fs::File::open(&files[0]).unwrap()).unwrap()).unwrap();
    assert_eq!(text.lines().count(), 120);
    assert!(!text.contains("192.0.2.7") && !text.contains("typed") && text.contains("sign_in.succeeded"));

    // A row that comes back into the archived part; a file that changes, and one that goes.
    world
        .change(
            "INSERT INTO audit (id, realm_id, at, event, result, actor_kind, commitment, chain_index) \
             SELECT gen_random_uuid(), realm_id, at, event, result, actor_kind, commitment, 7 FROM audit LIMIT 1",
        )
        .await;
    assert_eq!(world.verify().await.findings[0].kind, Kind::Inserted);
    let lines = text.replacen("success", "refused", 1);
    std::fs::write(&files[0], zstd::encode_all(lines.as_bytes(), 0).unwrap()).unwrap();
    std::fs::remove_file(&files[2]).unwrap();
    let report = archive::verify(world.store(), &dir).await.unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.kind, finding.chain_index)).collect();
    let expected = [(Kind::ArchiveChanged, Some(1)), (Kind::Changed, Some(1)), (Kind::ArchiveMissing, Some(241))];
    assert_eq!(found, expected, "{report:?}");
    world.end().await;
}

/// expired rows are in compressed files before they go, and the chain is followed from where they ended.
#[tokio::test]
async fn archives_continue_the_chain_on_postgresql() {
    archives_continue_the_chain(World::server().await).await;
}

/// the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn archives_continue_the_chain_on_the_embedded_database() {
    archives_continue_the_chain(World::embedded().await).await;
}

/// what is broken is not moved into a file, where nobody would look for it.
#[tokio::test]
async fn what_is_broken_is_not_archived() {
    let world = World::server().await;
    let folder = tempfile::TempDir::new().unwrap();
    world.write(0, 20).await;
    world.seal().await;
    world.change("UPDATE audit SET detail = 'x' WHERE chain_index = 7").await;
    let refused = archive::write_next(world.store(), folder.path(), start() + Duration::days(1), 100, start()).await;
    assert!(matches!(refused, Err(archive::ArchiveError::Broken(7))), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(world.number("SELECT count(*) AS n FROM audit").await, 20);
    world.end().await;
}

/// the personal part of a person's rows goes, and the chain is as good as before.
#[tokio::test]
async fn erased_rows_stay_in_the_chain() {
    let world = World::server().await;
    world.write(0, 20).await;
    world.seal().await;
    world.write(20, 1).await;
    let gone = world.store().transaction(|tx| tx.erase_audit_of(person())).await.unwrap();
    assert_eq!(gone, 20, "a row that is not linked keeps its personal part until it is");
    world.seal().await;
    assert_eq!(world.store().transaction(|tx| tx.erase_audit_of(person())).await.unwrap(), 1);
    assert_eq!(world.number("SELECT count(*) AS n FROM audit_personal").await, 0);
    let report = world.verify().await;
    assert_eq!((report.rows, report.is_good()), (21, true), "{report:?}");
    world.end().await;
}

/// sealers that run at once on several connections, beside writers, make one chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealers_at_once_never_fork() {
    let world = World::server().await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = world.store().clone();
        tasks.spawn(async move {
            for row in 0..60 {
                let (entry, origin) = sample(writer * 1000 + row);
                store.transaction(move |tx| tx.audit(entry, &origin)).await.unwrap();
            }
        });
    }
    for _ in 0..4 {
        let store = world.store().clone();
        tasks.spawn(async move {
            for _ in 0..60 {
                store.transaction(|tx| tx.seal_audit(start())).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    world.seal().await;
    let report = world.verify().await;
    assert_eq!((report.rows, report.to, report.is_good()), (240, 240, true), "{report:?}");
    world.end().await;
}

async fn a_batch_is_like_single_rows(world: World) {
    let rows: Vec<_> = (0..300).map(sample).collect();
    let again = rows.clone();
    world.store().transaction(move |tx| tx.audit_batch(&rows)).await.unwrap();
    // An answer that was lost: the same rows once more.
    world.store().transaction(move |tx| tx.audit_batch(&again[250..])).await.unwrap();
    world.write(300, 1).await;
    world.seal().await;
    let report = world.verify().await;
    assert_eq!((report.rows, report.is_good()), (301, true), "{report:?}");
    let order = query::Order::Newest(None);
    let page = world.store().read(move |tx| tx.audit_rows(query::Filter::default(), order, 2)).await.unwrap();
    let [single, batched] = &page[..] else { unreachable!("a page of two") };
    let told = |named: &query::Named| {
        let row = &named.entry;
        (row.actor_kind.clone(), row.subject_user, row.address.clone(), row.user_agent.clone(), row.result.clone())
    };
    assert_eq!(told(single), told(batched));
    assert_eq!(batched.entry.typed.as_deref(), Some("ada299"));
    assert_eq!(batched.entry.user_agent.as_deref(), Some("curl '\"\\"));
    world.end().await;
}

/// rows written by the batch are like those written one by one, and writing one twice leaves one.
#[tokio::test]
async fn a_batch_is_like_single_rows_on_postgresql() {
    a_batch_is_like_single_rows(World::server().await).await;
}

/// the same on the embedded database; a batch of links takes it less than 50 ms.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn a_batch_is_like_single_rows_on_the_embedded_database() {
    let world = World::embedded().await;
    world.write(1000, 400).await;
    for _ in 0..4 {
        let from = std::time::Instant::now();
        let linked = world.store().transaction(|tx| tx.seal_audit(start())).await.unwrap();
        println!("{linked} rows linked in {:?}", from.elapsed());
    }
    world.end().await;
    a_batch_is_like_single_rows(World::embedded().await).await;
}

/// pages follow each other without a gap or a row twice, in either direction, and filters hold.
#[tokio::test]
async fn pages_and_filters() {
    let world = World::server().await;
    world.write(0, 30).await;
    world
        .change(
            "UPDATE audit SET event = 'client.created', object = 'client:x' WHERE request_id IN ('r3', 'r4'); \
             UPDATE audit SET actor_user = '00000000-0000-4000-8000-000000000001' WHERE request_id IN ('r5', 'r6'); \
             UPDATE audit SET subject_user = '00000000-0000-4000-8000-000000000001' WHERE request_id = 'r7'",
        )
        .await;
    let other = Uuid::from_u128(0x4000_8000_0000_0000_0001);
    world.seal().await;
    for newest in [true, false] {
        let (mut seen, mut place) = (Vec::new(), None);
        loop {
            let order = if newest { query::Order::Newest(place) } else { query::Order::Oldest(place) };
            let page = world.store().read(move |tx| tx.audit_rows(query::Filter::default(), order, 7)).await.unwrap();
            seen.extend(page.iter().map(|named| named.entry.id));
            let Some(last) = page.last() else { break };
            place = Some((last.entry.at, last.entry.id));
        }
        let mut sorted = seen.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!((seen.len(), sorted.len()), (30, 30));
        if newest {
            seen.reverse();
        }
        assert_eq!(seen, sorted);
    }
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (query::Filter { event: text("client"), ..Default::default() }, 2),
        (query::Filter { event: text("client.created"), ..Default::default() }, 2),
        (query::Filter { event: text("cli"), ..Default::default() }, 0),
        (query::Filter { result: text("refused"), ..Default::default() }, 0),
        (query::Filter { object: text("client:x"), ..Default::default() }, 2),
        (query::Filter { request: text("r9"), ..Default::default() }, 1),
        (query::Filter { subject: Some(person()), ..Default::default() }, 29),
        (query::Filter { actor: Some(person()), ..Default::default() }, 28),
        (query::Filter { person: Some(person()), ..Default::default() }, 30),
        (query::Filter { subject: Some(other), ..Default::default() }, 1),
        (query::Filter { actor: Some(other), ..Default::default() }, 2),
        (query::Filter { person: Some(other), ..Default::default() }, 3),
        (query::Filter { person: Some(Uuid::nil()), ..Default::default() }, 0),
        (query::Filter { client: text("nobody"), ..Default::default() }, 0),
        (query::Filter { since: Some(start() + Duration::seconds(20)), ..Default::default() }, 10),
        (query::Filter { until: Some(start() + Duration::seconds(20)), ..Default::default() }, 20),
    ] {
        let told = format!("{filter:?}");
        let order = query::Order::Chain(0);
        let page = world.store().read(move |tx| tx.audit_rows(filter, order, 500)).await.unwrap();
        assert_eq!(page.len(), expected, "{told}");
    }
    world.end().await;
}

/// rows that a version before the chain wrote are taken into it once; later a row without a commitment is not.
#[tokio::test]
async fn rows_of_an_earlier_version_are_taken_into_the_chain() {
    let world = World::server().await;
    world.write(0, 30).await;
    world
        .change(
            "DELETE FROM audit_heads; UPDATE realms SET audit_begun = NULL; UPDATE audit SET commitment = NULL; DELETE FROM audit_personal WHERE audit_id = \
             (SELECT id FROM audit WHERE request_id = 'r3')",
        )
        .await;
    let again = |second: i64| {
        move |conn: &mut PgConnection| {
            complete(conn, &sealer(), &mut Turn::new(start() + Duration::seconds(second), [9; 32])).map(drop)
        }
    };
    world.store().upkeep(again(40)).await.unwrap();
    world.seal().await;
    let report = world.verify().await;
    assert_eq!((report.rows, report.is_good()), (30, true), "{report:?}");

    world.write(50, 1).await;
    world.change("UPDATE audit SET commitment = NULL WHERE chain_index IS NULL").await;
    world.store().upkeep(again(60)).await.unwrap();
    world.seal().await;
    assert_eq!(world.verify().await.findings.first().map(|finding| finding.kind), Some(Kind::Inserted));
    world.end().await;
}
