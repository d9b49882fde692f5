//! Archiving: expired rows go into compressed files of JSON Lines, and an anchor stays from which the chain goes on.
//!
//! A file is written aside, flushed and renamed before its anchor is stored, and rows go only after that. A stop at any
//! moment leaves either the rows or the file with its anchor; what was left over goes in the next round.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Duration, Utc};
use diesel::{
    QueryableByName, RunQueryDsl,
    sql_types::{Bytea, Int8, Nullable, Text, Timestamptz},
};
use sha2::{Digest as _, Sha256};

use super::{
    encode,
    row::{Row, to_hex},
    verify::{Kind, Report, Verifier},
};
use crate::{
    error::StoreError,
    store::{Store, Tx},
};

/// Rows that one statement removes.
pub const PURGE: usize = 200;
/// The longest line of a file, in bytes.
const LINE: u64 = 64 * 1024;
/// How long a node archives before another may take over.
const LEASE: Duration = Duration::minutes(5);

/// Where a part of the chain went.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Anchor {
    /// The place of the first row in the file.
    #[diesel(sql_type = Int8)]
    pub first_index: i64,
    /// The place of the last row in the file: the chain goes on after it.
    #[diesel(sql_type = Int8)]
    pub chain_index: i64,
    /// Its hash.
    #[diesel(sql_type = Bytea)]
    pub chain_hash: Vec<u8>,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub archived_at: DateTime<Utc>,
    /// The file's name within the archive directory.
    #[diesel(sql_type = Text)]
    pub file: String,
    /// Rows in the file.
    #[diesel(sql_type = Int8)]
    pub row_count: i64,
    /// SHA-256 of the file.
    #[diesel(sql_type = Bytea)]
    pub digest: Vec<u8>,
    /// When the last of its rows was removed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub purged_at: Option<DateTime<Utc>>,
}

/// Why archiving stopped. Rows stay where they are.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is broken is not archived.
    #[error(
        "the audit log is broken at place {0}: run `signet audit verify`; nothing is archived before that is settled"
    )]
    Broken(i64),
    /// The thread ended.
    #[error("the work was cut off")]
    CutOff,
}

/// A file under way.
struct Draft {
    path: PathBuf,
    out: zstd::Encoder<'static, Hashed>,
}

/// A file that is hashed as it is written.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Draft {
    fn create(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let path = dir.join(format!(".audit-{}.partial", std::process::id()));
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let out = zstd::Encoder::new(Hashed { file, hash: Sha256::new() }, 0)?;
        Ok(Self { path, out })
    }

    fn add(&mut self, rows: &[Row]) -> io::Result<()> {
        for row in rows {
            serde_json::to_writer(&mut self.out, row)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Flushes to the disk, then gives the file its name. Answers the digest.
    fn finish(self, dir: &Path, name: &str) -> io::Result<Vec<u8>> {
        let Hashed { file, hash } = self.out.finish()?;
        file.sync_all()?;
        fs::rename(&self.path, dir.join(name))?;
        File::open(dir)?.sync_all()?;
        Ok(hash.finalize().to_vec())
    }
}

/// Writes the next file: linked rows from before `before`, at most `most`, without their personal part, which must not
/// outlive an erasure. None when nothing has expired. The caller stores the anchor with [`Tx::anchor_audit`].
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
pub async fn write_next(
    store: &Store,
    dir: &Path,
    before: DateTime<Utc>,
    most: usize,
    now: DateTime<Utc>,
) -> Result<Option<Anchor>, ArchiveError> {
    let anchor = store.read(|tx| tx.last_anchor()).await?;
    let (start, hash) =
        anchor.map_or_else(|| (0, encode::GENESIS.to_vec()), |anchor| (anchor.chain_index, anchor.chain_hash));
    let (mut verifier, mut report) = (Verifier::after(start, hash), Report::default());
    let mut draft: Option<Draft> = None;
    let mut written = 0_usize;
    loop {
        let (after, limit) = (verifier.index(), i64::try_from((most - written).min(200)).unwrap_or(200));
        let mut rows = store.read(move |tx| tx.audit_chain(after, limit)).await?;
        let expired = rows.iter().take_while(|row| row.at < before).count();
        let last = expired < rows.len() || rows.len() < 200;
        rows.truncate(expired);
        for row in &rows {
            verifier.take(row, &mut report);
        }
        if rows.is_empty() {
            break;
        }
        written += rows.len();
        draft = Some(blocking(dir, draft, rows).await?);
        if last || written >= most {
            break;
        }
    }
    let Some(draft) = draft else { return Ok(None) };
    verifier.finish(&mut report);
    if let Some(finding) = report.findings.first() {
        let _ = fs::remove_file(&draft.path);
        return Err(ArchiveError::Broken(finding.chain_index.unwrap_or(start)));
    }
    let file = format!("audit-{:012}-{:012}.jsonl.zst", start + 1, verifier.index());
    let (folder, name) = (dir.to_path_buf(), file.clone());
    let digest = tokio::task::spawn_blocking(move || {
        draft.finish(&folder, &name).map_err(|source| ArchiveError::File { path: folder.join(&name), source })
    })
    .await
    .map_err(|_| ArchiveError::CutOff)??;
    Ok(Some(Anchor {
        first_index: start + 1,
        chain_index: verifier.index(),
        chain_hash: verifier.hash().to_vec(),
        archived_at: now,
        file,
        row_count: i64::try_from(written).unwrap_or(i64::MAX),
        digest,
        purged_at: None,
    }))
}

/// Adds rows to the draft, which is made for the first, on a thread that may block.
async fn blocking(dir: &Path, draft: Option<Draft>, rows: Vec<Row>) -> Result<Draft, ArchiveError> {
    let dir = dir.to_path_buf();
    tokio::task::spawn_blocking(move || {
        let failed = |source| ArchiveError::File { path: dir.clone(), source };
        let mut draft = draft.map_or_else(|| Draft::create(&dir), Ok).map_err(failed)?;
        let rows: Vec<_> = rows.into_iter().map(Row::without_personal).collect();
        draft.add(&rows).map_err(failed)?;
        Ok(draft)
    })
    .await
    .map_err(|_| ArchiveError::CutOff)?
}

impl Tx<'_> {
    /// Takes the work of archiving for a few minutes, unless another node has it. Call it again before each file.
    pub fn elect_archiver(&mut self, now: DateTime<Utc>, mine: bool) -> Result<bool, StoreError> {
        let taken = diesel::sql_query(
            "UPDATE audit_heads SET archiving_until = $2 \
             WHERE realm_id = $1 AND ($4 OR archiving_until IS NULL OR archiving_until < $3)",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Timestamptz, _>(now + LEASE)
        .bind::<Timestamptz, _>(now)
        .bind::<diesel::sql_types::Bool, _>(mine)
        .execute(self.conn)?;
        Ok(taken == 1)
    }

    /// Gives the work of archiving back.
    pub fn retire_archiver(&mut self) -> Result<(), StoreError> {
        diesel::sql_query("UPDATE audit_heads SET archiving_until = NULL WHERE realm_id = $1")
            .bind::<Int8, _>(self.realm.0)
            .execute(self.conn)?;
        Ok(())
    }

    /// Stores an anchor. False when another node archived these rows first: the file is of no use then.
    pub fn anchor_audit(&mut self, anchor: &Anchor) -> Result<bool, StoreError> {
        let stored = diesel::sql_query(
            "INSERT INTO audit_anchors (realm_id, first_index, chain_index, chain_hash, archived_at, file, row_count, \
             digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Int8, _>(anchor.first_index)
        .bind::<Int8, _>(anchor.chain_index)
        .bind::<Bytea, _>(&anchor.chain_hash)
        .bind::<Timestamptz, _>(anchor.archived_at)
        .bind::<Text, _>(&anchor.file)
        .bind::<Int8, _>(anchor.row_count)
        .bind::<Bytea, _>(&anchor.digest)
        .execute(self.conn)?;
        Ok(stored == 1)
    }

    /// Removes up to [`PURGE`] rows that are in a file, personal parts with them. Answers how many; fewer than [`PURGE`]
    /// means that none is left, and the anchors say so.
    pub fn purge_audit(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let gone = diesel::sql_query(
            "DELETE FROM audit WHERE id = ANY (ARRAY(SELECT a.id FROM audit a WHERE a.realm_id = $1 \
             AND a.chain_index >= (SELECT min(first_index) FROM audit_anchors WHERE realm_id = $1 AND purged_at IS NULL) \
             AND a.chain_index <= (SELECT max(chain_index) FROM audit_anchors WHERE realm_id = $1 AND purged_at IS NULL) \
             ORDER BY a.chain_index LIMIT 200))",
        )
        .bind::<Int8, _>(self.realm.0)
        .execute(self.conn)?;
        if gone < PURGE {
            diesel::sql_query("UPDATE audit_anchors SET purged_at = $2 WHERE realm_id = $1 AND purged_at IS NULL")
                .bind::<Int8, _>(self.realm.0)
                .bind::<Timestamptz, _>(now)
                .execute(self.conn)?;
        }
        Ok(gone)
    }

    fn anchors(&mut self, after: i64) -> Result<Vec<Anchor>, StoreError> {
        Ok(diesel::sql_query(
            "SELECT first_index, chain_index, chain_hash, archived_at, file, row_count, digest, purged_at \
             FROM audit_anchors WHERE realm_id = $1 AND chain_index > $2 ORDER BY chain_index LIMIT 100",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Int8, _>(after)
        .load(self.conn)?)
    }
}

/// Verifies the archive files against their anchors, from the first row ever linked on.
pub async fn verify(store: &Store, dir: &Path) -> Result<Report, ArchiveError> {
    let mut report = Report::default();
    let mut last = (0, encode::GENESIS.to_vec());
    loop {
        let after = last.0;
        let anchors = store.read(move |tx| tx.anchors(after)).await?;
        if anchors.is_empty() {
            return Ok(report);
        }
        for anchor in anchors {
            let (dir, start) = (dir.to_path_buf(), last);
            last = (anchor.chain_index, anchor.chain_hash.clone());
            report = tokio::task::spawn_blocking(move || {
                check_file(&dir, start, &anchor, &mut report);
                report
            })
            .await
            .map_err(|_| ArchiveError::CutOff)?;
        }
    }
}

fn check_file(dir: &Path, (index, hash): (i64, Vec<u8>), anchor: &Anchor, report: &mut Report) {
    let path = dir.join(&anchor.file);
    let place = Some(anchor.first_index);
    if anchor.first_index != index + 1 {
        report.say(Kind::Removed, place, format!("no anchor leads from place {index} to {}", anchor.file));
    }
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => {
            report.say(Kind::ArchiveMissing, place, format!("{}: {error}", path.display()));
            return;
        }
    };
    let mut verifier = Verifier::after(index, hash);
    let before = report.findings.len();
    let read = digest(&mut file).and_then(|digest| {
        report.archives += 1;
        if digest != anchor.digest {
            let message = format!("{} has the digest {}, not the one of its anchor", anchor.file, to_hex(&digest));
            report.say(Kind::ArchiveChanged, place, message);
        }
        read_lines(File::open(&path)?, |row| verifier.take(row, report))
    });
    verifier.finish(report);
    let count = match read {
        Ok(count) => count,
        Err(error) => {
            report.say(Kind::ArchiveChanged, place, format!("{}: {error}", anchor.file));
            return;
        }
    };
    let ends = verifier.index() == anchor.chain_index && verifier.hash() == anchor.chain_hash;
    if report.findings.len() == before && (!ends || i64::try_from(count) != Ok(anchor.row_count)) {
        let message = format!("{} does not end where its anchor says: {count} rows", anchor.file);
        report.say(Kind::ArchiveChanged, place, message);
    }
}

fn digest(file: &mut File) -> io::Result<Vec<u8>> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().to_vec());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Each line as a row; a line that is too long or is none is an error.
fn read_lines(file: File, mut each: impl FnMut(&Row)) -> io::Result<u64> {
    let mut lines = BufReader::new(zstd::Decoder::new(file)?);
    let mut line = Vec::new();
    let mut count = 0;
    loop {
        line.clear();
        let read = Read::take(&mut lines, LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(count);
        }
        if line.last() != Some(&b'\n') {
            return Err(io::Error::other("a line ends early"));
        }
        each(&serde_json::from_slice(&line)?);
        count += 1;
    }
}
