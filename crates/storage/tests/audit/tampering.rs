//! What somebody with the database at hand does to the rows, and what is found.

use signet_storage::audit::verify::{Kind, Report};

use crate::world::World;

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

pub(crate) async fn is_found(world: World) {
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
