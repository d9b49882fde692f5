//! The audit log's chain, archive and erasure, on PostgreSQL and on the embedded database.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails fails the test, also in the helpers"
)]

#[path = "audit/tampering.rs"]
mod tampering;
#[path = "audit/world.rs"]
mod world;

use chrono::Duration;
use diesel::PgConnection;
use signet_oidc::Turn;
use signet_storage::audit::verify::Kind;
use signet_storage::audit::{archive, query};
use signet_storage::bootstrap::complete;
use uuid::Uuid;
use world::{World, person, sample, sealer, start};

/// a changed, a removed and an inserted row are found and named, wherever they stand.
#[tokio::test]
async fn tampering_is_found_on_postgresql() {
    tampering::is_found(World::server().await).await;
}

/// the same on the embedded database.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn tampering_is_found_on_the_embedded_database() {
    tampering::is_found(World::embedded().await).await;
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
