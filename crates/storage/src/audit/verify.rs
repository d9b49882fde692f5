//! Follows the chain and says where it is broken.

use chrono::{DateTime, Duration, Utc};
use diesel::{
    OptionalExtension, QueryableByName, RunQueryDsl,
    sql_types::{Int8, Nullable, Timestamptz, Uuid as SqlUuid},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{encode, row::Row};
use crate::{
    error::StoreError,
    store::{Store, Tx},
};

/// Rows read at once.
pub const PAGE: i64 = 200;
/// The most findings that are told; the rest is counted.
const TOLD: usize = 100;
/// How far a row may lie before the one it follows: nodes' clocks differ, and what could not be written waits.
const DISORDER: Duration = Duration::hours(24);
/// How long a row may wait for its link while somebody seals.
const PATIENCE: Duration = Duration::minutes(1);

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A row is not what was linked, or one before it was taken away and the places renumbered.
    Changed,
    /// A personal row is not what was committed to.
    PersonalChanged,
    /// Rows are missing.
    Removed,
    /// A row that Signet did not write or link.
    Inserted,
    /// A row waits for its link for too long.
    Unlinked,
    /// The end of the chain is not where the last row is.
    HeadChanged,
    /// An archive file is not there.
    ArchiveMissing,
    /// An archive file is not what was written.
    ArchiveChanged,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The place in the chain.
    pub chain_index: Option<i64>,
    /// The row.
    pub id: Option<Uuid>,
    /// The row's time.
    pub at: Option<DateTime<Utc>>,
    /// In a sentence.
    pub message: String,
}

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rows that were followed.
    pub rows: u64,
    /// Where the chain was followed from: the place before the first row that was looked at.
    pub from: i64,
    /// The last place.
    pub to: i64,
    /// Archive files that were read.
    pub archives: u64,
    /// What is wrong, at most a hundred of it.
    pub findings: Vec<Finding>,
    /// What is wrong beyond that.
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < TOLD { self.findings.push(finding) } else { self.more += 1 }
    }

    pub(super) fn say(&mut self, kind: Kind, index: Option<i64>, message: impl Into<String>) {
        self.add(Finding { kind, chain_index: index, id: None, at: None, message: message.into() });
    }
}

/// A row whose hash is not that of its predecessor and itself: only the next row tells whether it was changed or
/// inserted.
struct Suspect {
    index: i64,
    id: Uuid,
    at: DateTime<Utc>,
    before: Vec<u8>,
    computed: [u8; 32],
}

/// Takes rows in the order of the chain.
pub(super) struct Verifier {
    index: i64,
    hash: Vec<u8>,
    at: Option<DateTime<Utc>>,
    suspect: Option<Suspect>,
}

impl Verifier {
    /// Starts after a place with that hash.
    pub(super) fn after(index: i64, hash: Vec<u8>) -> Self {
        Self { index, hash, at: None, suspect: None }
    }

    /// The last place that was taken.
    pub(super) fn index(&self) -> i64 {
        self.index
    }

    pub(super) fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// The next row. A break is told once: what follows is judged by the hash that is stored.
    pub(super) fn take(&mut self, row: &Row, report: &mut Report) {
        report.rows += 1;
        let index = row.chain_index.unwrap_or_default();
        let stored = row.chain_hash.clone().unwrap_or_default();
        let gap = index != self.index + 1;
        if gap {
            self.settle(None, report);
            let (from, to) = (self.index + 1, index - 1);
            let message = if from == to {
                format!("the row at place {from} is missing")
            } else {
                format!("the rows at places {from} to {to} are missing")
            };
            report.say(Kind::Removed, Some(from), format!("{message}; the next one there is {} of {}", row.id, row.at));
        } else {
            let explained = self.settle(Some(row), report);
            let computed = encode::link(&self.hash, row);
            let known = matches!(row.encoding, Some(encode::VERSION | encode::UNFIT));
            if !explained && (!known || computed.as_slice() != stored) {
                let before = std::mem::take(&mut self.hash);
                self.suspect = Some(Suspect { index, id: row.id, at: row.at, before, computed });
            }
        }
        Self::look(row, self.at, report);
        (self.index, self.hash, self.at) = (index, stored, Some(row.at));
    }

    /// Tells of a suspect, now that the row after it is known. Answers whether that row follows from what was linked,
    /// which is not what the suspect says of itself.
    fn settle(&mut self, next: Option<&Row>, report: &mut Report) -> bool {
        let Some(suspect) = self.suspect.take() else { return false };
        let follows =
            |hash: &[u8]| next.is_some_and(|row| row.chain_hash.as_deref() == Some(encode::link(hash, row).as_slice()));
        let (skips, only_hash) = (follows(&suspect.before), follows(&suspect.computed));
        let (kind, message) = if skips {
            (Kind::Inserted, "a row that was not linked by Signet stands between two that were")
        } else {
            (Kind::Changed, "the row is not what was linked, or one before it was taken away and the rest renumbered")
        };
        report.add(Finding {
            kind,
            chain_index: Some(suspect.index),
            id: Some(suspect.id),
            at: Some(suspect.at),
            message: message.to_owned(),
        });
        skips || only_hash
    }

    /// What a row tells by itself.
    fn look(row: &Row, before: Option<DateTime<Utc>>, report: &mut Report) {
        let mut tell = |kind, message: &str| {
            report.add(Finding {
                kind,
                chain_index: row.chain_index,
                id: Some(row.id),
                at: Some(row.at),
                message: message.to_owned(),
            });
        };
        match (&row.commitment, row.committed()) {
            (None, _) => tell(Kind::Inserted, "the row was written without a commitment to its personal part"),
            (Some(_), _) if row.encoding == Some(encode::UNFIT) => {
                return tell(Kind::Inserted, "the row had no personal part that fits when it was linked");
            }
            (Some(stored), Some(now)) if *stored != now => {
                tell(Kind::PersonalChanged, "the personal part is not what was committed to");
            }
            _ => {}
        }
        if !made_at(row.id, row.at) {
            tell(Kind::Inserted, "the row's id does not belong to its time: it was not made by Signet");
        } else if before.is_some_and(|before| row.at + DISORDER < before) {
            tell(Kind::Inserted, "the row's time lies more than a day before the row it follows");
        }
    }

    /// After the last row.
    pub(super) fn finish(&mut self, report: &mut Report) {
        self.settle(None, report);
        report.to = self.index;
    }
}

/// Whether an id is a `UUIDv7` of that moment.
fn made_at(id: Uuid, at: DateTime<Utc>) -> bool {
    let millis = id.as_u128() >> 80;
    id.get_version_num() == 7 && u128::try_from(at.timestamp_millis()) == Ok(millis)
}

#[derive(QueryableByName)]
struct Stray {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Int8>)]
    chain_index: Option<i64>,
}

/// Verifies what the database holds, from the last anchor on, page by page, beside a server that goes on writing.
pub async fn verify(store: &Store, now: DateTime<Utc>) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let (head, anchor) = store.read(|tx| Ok((tx.audit_head()?, tx.last_anchor()?))).await?;
    let start = anchor.map_or_else(|| (0, encode::GENESIS.to_vec()), |anchor| (anchor.chain_index, anchor.chain_hash));
    report.from = start.0;
    let mut verifier = Verifier::after(start.0, start.1);
    let end = head.as_ref().map_or(i64::MAX, |head| head.chain_index);
    while verifier.index() < end {
        let after = verifier.index();
        let (rows, anchor) = store.read(move |tx| Ok((tx.audit_chain(after, PAGE)?, tx.last_anchor()?))).await?;
        if let Some(anchor) = anchor.filter(|anchor| anchor.chain_index > after) {
            // Archived meanwhile: what is gone is in a file.
            verifier.finish(&mut report);
            verifier = Verifier::after(anchor.chain_index, anchor.chain_hash);
            continue;
        }
        if rows.is_empty() {
            break;
        }
        for row in rows.iter().filter(|row| row.chain_index.is_some_and(|index| index <= end)) {
            verifier.take(row, &mut report);
        }
        if rows.last().is_some_and(|row| row.chain_index.is_some_and(|index| index > end)) {
            break;
        }
    }
    verifier.finish(&mut report);
    match head {
        // It is there from the start, also where no row is.
        None => report.say(Kind::HeadChanged, None, "the row that says where the chain ends is missing"),
        Some(head) if head.chain_index > verifier.index() => {
            let (from, to) = (verifier.index() + 1, head.chain_index);
            let message = format!("the chain ends at place {to}, but the rows from place {from} on are missing");
            report.say(Kind::Removed, Some(from), message);
        }
        Some(head) if head.chain_index == verifier.index() && head.chain_hash != verifier.hash() => {
            report.say(Kind::HeadChanged, Some(head.chain_index), "the end of the chain is not the last row's hash");
        }
        Some(_) => {}
    }
    let strays = store.read(move |tx| tx.strays(now - PATIENCE)).await?;
    for Stray { id, at, chain_index } in strays {
        let (kind, message) = match chain_index {
            Some(_) => (Kind::Inserted, "the row claims a place where Signet linked none"),
            None => (Kind::Unlinked, "the row is not linked: no server runs, or linking fails (its log says why)"),
        };
        report.add(Finding { kind, chain_index, id: Some(id), at: Some(at), message: message.to_owned() });
    }
    Ok(report)
}

impl Tx<'_> {
    /// Rows with a place outside of the chain, and rows without one since before `since`, unless a node has linked others
    /// since then: it works off a backlog.
    fn strays(&mut self, since: DateTime<Utc>) -> Result<Vec<Stray>, StoreError> {
        Ok(diesel::sql_query(
            "(SELECT a.id, a.at, a.chain_index FROM audit a WHERE a.realm_id = $1 AND a.chain_index > \
             COALESCE((SELECT h.chain_index FROM audit_heads h WHERE h.realm_id = $1), 9223372036854775807) LIMIT 100) \
             UNION ALL \
             (SELECT a.id, a.at, a.chain_index FROM audit a WHERE a.realm_id = $1 AND a.chain_index <= COALESCE((SELECT \
             max(n.chain_index) FROM audit_anchors n WHERE n.realm_id = $1 AND n.purged_at IS NOT NULL), 0) LIMIT 100) \
             UNION ALL \
             (SELECT a.id, a.at, a.chain_index FROM audit a WHERE a.realm_id = $1 AND a.chain_index IS NULL AND a.at < $2 \
             AND NOT EXISTS (SELECT 1 FROM audit_heads h WHERE h.realm_id = $1 AND h.sealed_at >= $2) LIMIT 100)",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Timestamptz, _>(since)
        .load(self.conn)?)
    }

    /// The newest anchor.
    pub(super) fn last_anchor(&mut self) -> Result<Option<super::archive::Anchor>, StoreError> {
        Ok(diesel::sql_query(
            "SELECT first_index, chain_index, chain_hash, archived_at, file, row_count, digest, purged_at \
             FROM audit_anchors WHERE realm_id = $1 ORDER BY chain_index DESC LIMIT 1",
        )
        .bind::<Int8, _>(self.realm.0)
        .get_result(self.conn)
        .optional()?)
    }
}
