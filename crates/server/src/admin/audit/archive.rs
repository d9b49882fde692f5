//! Archiving the audit log.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use signet_storage::{
    Origin, Store,
    audit::{
        Entry,
        archive::{self, ArchiveError, PURGE},
    },
};
use utoipa::ToSchema;

use crate::{
    admin::{AdminError, Desk, Refusal},
    audit::{events::EventKind, upkeep},
    entropy,
};

/// Rows in one archive file.
const FILE: usize = 50_000;

/// What was archived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Archived {
    /// Files written.
    pub files: u64,
    /// Rows that went into them.
    pub rows: i64,
}

/// Archives what is older than the retention, or than `before`.
pub async fn archive(desk: &Desk, before: Option<DateTime<Utc>>) -> Result<Archived, AdminError> {
    let now = entropy::now();
    let before = before.unwrap_or_else(|| desk.audit.cutoff(now));
    if before > now {
        return Err(AdminError::invalid("invalid_date", "before", "Give a moment that is over."));
    }
    upkeep::link_all(&desk.store).await?;
    archive_rows(&desk.store, &desk.origin, &desk.audit.archive_dir, before).await
}

/// Archives rows from before `before`, file after file, unless another node is at it. Each file leaves an audit row.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
pub(crate) async fn archive_rows(
    store: &Store,
    origin: &Origin,
    dir: &Path,
    before: DateTime<Utc>,
) -> Result<Archived, AdminError> {
    let mut done = Archived::default();
    let now = entropy::now();
    if !store.transaction(move |tx| tx.elect_archiver(now, false)).await? {
        return Ok(done);
    }
    let result = async {
        loop {
            // Also what an earlier round left over.
            let now = entropy::now();
            while store.transaction(move |tx| tx.purge_audit(now)).await? == PURGE {
                tokio::task::yield_now().await;
            }
            let Some(anchor) = archive::write_next(store, dir, before, FILE, now).await? else { return Ok(()) };
            let (rows, mut turn, origin) = (anchor.row_count, entropy::turn()?, origin.clone());
            let stored = store
                .transaction(move |tx| {
                    if !tx.anchor_audit(&anchor)? {
                        return Ok(false);
                    }
                    let entry = Entry {
                        id: turn.uuid(),
                        at: turn.now(),
                        event: EventKind::AuditArchived.as_str(),
                        result: "success",
                        object: Some(format!("archive:{}", anchor.file)),
                        salt: turn.bytes(),
                        ..Entry::default()
                    };
                    tx.audit(entry, &origin)?;
                    tx.elect_archiver(now, true)
                })
                .await?;
            if !stored {
                return Ok(());
            }
            done.files += 1;
            done.rows += rows;
        }
    };
    let result: Result<(), AdminError> = result.await;
    let retired = store.transaction(|tx| tx.retire_archiver()).await;
    result?;
    retired?;
    Ok(done)
}

impl From<ArchiveError> for AdminError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => Self::Store(error),
            other => Self::Conflict(Refusal { code: "not_archived", message: other.to_string().into(), field: None }),
        }
    }
}
