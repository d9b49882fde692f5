//! The audit log: questions, verification, archiving.

mod activity;
mod archive;
#[cfg(test)]
mod tests;
mod view;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike as _, Utc};
use signet_storage::{
    Store,
    audit::{
        archive as files,
        query::{Filter, Named, Order, Place},
        verify::{self, Report},
    },
};

pub use activity::{Activity, ActivityPage, activity_of};
pub(crate) use archive::archive_rows;
pub use archive::{Archived, archive};
pub use view::{ActorView, AuditPage, AuditQuery, AuditView};

use super::{AdminError, Desk};
use crate::{audit::upkeep, entropy};

/// The size of a page that is not asked for.
const PAGE: i64 = 50;

fn cursor((at, id): Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", at.timestamp_micros(), id.simple()))
}

fn place(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, id) = text.split_once('.')?;
    let at = DateTime::from_timestamp_micros(at.parse().ok()?).filter(storable)?;
    Some((at, id.parse().ok()?))
}

/// Whether the database has a name for that moment.
fn storable(at: &DateTime<Utc>) -> bool {
    (0..=9999).contains(&at.year())
}

/// A page of the log.
pub async fn list(desk: &Desk, query: AuditQuery) -> Result<AuditPage, AdminError> {
    let after = query
        .after
        .as_deref()
        .map(|text| {
            place(text).ok_or_else(|| AdminError::invalid("invalid_cursor", "after", "Give the `next` of a page."))
        })
        .transpose()?;
    if let Some(result) = &query.result
        && !["success", "refused"].contains(&result.as_str())
    {
        return Err(AdminError::invalid("invalid_result", "result", "Give `success` or `refused`."));
    }
    for (name, moment) in [("from", query.from), ("to", query.to)] {
        if moment.is_some_and(|moment| !storable(&moment)) {
            return Err(AdminError::invalid("invalid_moment", name, "Give a moment of the years 0 to 9999."));
        }
    }
    let order = if query.ascending { Order::Oldest(after) } else { Order::Newest(after) };
    let filter = Filter {
        event: query.event,
        result: query.result,
        subject: query.account,
        actor: query.actor,
        client: query.client,
        object: query.object,
        request: query.request_id,
        since: query.from,
        until: query.to,
        person: None,
    };
    page(&desk.store, filter, order, query.limit).await
}

async fn page(store: &Store, filter: Filter, order: Order, limit: Option<i64>) -> Result<AuditPage, AdminError> {
    let (rows, next) = rows(store, filter, order, limit).await?;
    Ok(AuditPage { items: rows.into_iter().map(AuditView::from).collect(), next })
}

/// Rows, and where the page after them begins.
async fn rows(
    store: &Store,
    filter: Filter,
    order: Order,
    limit: Option<i64>,
) -> Result<(Vec<Named>, Option<String>), AdminError> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=500).contains(&limit) {
        return Err(AdminError::invalid("invalid_limit", "limit", "Give a number from 1 to 500."));
    }
    // Text with a control character is in no row, and the database would refuse it.
    let texts = [&filter.event, &filter.result, &filter.client, &filter.object, &filter.request];
    if texts.into_iter().flatten().any(|text| text.chars().any(char::is_control)) {
        return Ok((Vec::new(), None));
    }
    let rows = store.read(move |tx| tx.audit_rows(filter, order, limit)).await?;
    let full = i64::try_from(rows.len()) == Ok(limit);
    let next = rows.last().filter(|_| full).map(|last| cursor((last.entry.at, last.entry.id)));
    Ok((rows, next))
}

/// Rows linked after a place in the chain: what follows the log misses none, however late it was committed.
pub async fn linked_after(desk: &Desk, index: i64, event: Option<String>) -> Result<Vec<AuditView>, AdminError> {
    let filter = Filter { event, ..Filter::default() };
    Ok(page(&desk.store, filter, Order::Chain(index), Some(200)).await?.items)
}

/// The last place in the chain.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
pub async fn last_place(desk: &Desk) -> Result<i64, AdminError> {
    let head = desk.store.read(|tx| tx.audit_head()).await?;
    Ok(head.map_or(0, |head| head.chain_index))
}

/// Links what waits, then follows the chain; with `archives` the files too.
pub async fn verify(desk: &Desk, archives: bool) -> Result<Report, AdminError> {
    let linked = upkeep::link_all(&desk.store).await;
    if let Err(error) = linked {
        // Verification says why.
        tracing::warn!(%error, "audit rows could not be linked");
    }
    let mut report = verify::verify(&desk.store, entropy::now()).await?;
    if archives {
        let found = files::verify(&desk.store, &desk.audit.archive_dir).await?;
        report.archives = found.archives;
        report.rows += found.rows;
        report.from = 0;
        report.more += found.more;
        report.findings.extend(found.findings);
    }
    Ok(report)
}
