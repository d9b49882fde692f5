//! The audit log: questions, verification, archiving.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use signet_identity::UserId;
use signet_storage::{
    Origin, Store,
    audit::{
        Entry,
        archive::{self, ArchiveError, PURGE},
        query::{Filter, Named, Order, Place},
        verify::{self, Report},
    },
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AdminError, Desk, Refusal};
use crate::{
    audit::{events::EventKind, upkeep},
    entropy,
};

/// The size of a page that is not asked for.
const PAGE: i64 = 50;
/// Rows in one archive file.
const FILE: usize = 50_000;

/// What is asked for; what is absent does not matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// The event's code, or its beginning up to a dot: `client` finds `client.created`.
    pub event: Option<String>,
    /// `success` or `refused`.
    pub result: Option<String>,
    /// The account it is about.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub account: Option<Uuid>,
    /// The account that did it.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub actor: Option<Uuid>,
    /// The client it was done with, by its `client_id`.
    pub client: Option<String>,
    /// What it was done to, such as `role:editor`.
    pub object: Option<String>,
    /// The request it was done in.
    pub request_id: Option<String>,
    /// Not before this moment.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub to: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    pub after: Option<String>,
    /// The oldest first, instead of the newest.
    pub ascending: bool,
    /// Rows of a page, 1 to 500; 50 when absent.
    pub limit: Option<i64>,
}

/// Who did something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActorView {
    /// `user`, `client`, `operator`, `system` or `anonymous`.
    pub kind: String,
    /// The account.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user: Option<Uuid>,
    /// Its username.
    pub username: Option<String>,
    /// The client: by itself, or as the bearer of the person's token.
    pub client_id: Option<String>,
    /// The operating system's user.
    pub operator: Option<String>,
}

/// A row of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its key.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub at: DateTime<Utc>,
    /// The event's code.
    pub event: String,
    /// `success` or `refused`.
    pub result: String,
    /// Who did it.
    pub actor: ActorView,
    /// Whose account.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub account: Option<Uuid>,
    /// Its username.
    pub username: Option<String>,
    /// With which client.
    pub client_id: Option<String>,
    /// In which session.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub session: Option<Uuid>,
    /// Under which grant.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub grant: Option<Uuid>,
    /// What it was done to, where that is none of these.
    pub object: Option<String>,
    /// A code that says more.
    pub detail: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// From which address; erased with the person's data.
    pub address: Option<String>,
    /// By which agent; erased with the person's data.
    pub user_agent: Option<String>,
    /// What was typed to name an account or a client; erased with the person's data.
    pub typed: Option<String>,
    /// The place in the chain; absent for a moment after it was written.
    pub chain_index: Option<i64>,
}

/// A page of rows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The rows.
    pub items: Vec<AuditView>,
    /// Give it as `after` for the page after this one; absent on the last.
    pub next: Option<String>,
}

impl From<Named> for AuditView {
    fn from(named: Named) -> Self {
        let Named { entry, client_id, actor_client_id, subject_name, actor_name } = named;
        Self {
            id: entry.id,
            at: entry.at,
            event: entry.event,
            result: entry.result,
            actor: ActorView {
                kind: entry.actor_kind,
                user: entry.actor_user,
                username: actor_name,
                client_id: actor_client_id,
                operator: entry.operator,
            },
            account: entry.subject_user,
            username: subject_name,
            client_id,
            session: entry.session_id,
            grant: entry.grant_id,
            object: entry.object,
            detail: entry.detail,
            request_id: entry.request_id,
            address: entry.address,
            user_agent: entry.user_agent,
            typed: entry.typed,
            chain_index: entry.chain_index,
        }
    }
}

fn cursor(view: &AuditView) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", view.at.timestamp_micros(), view.id.simple()))
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
    let limit = limit.unwrap_or(PAGE);
    if !(1..=500).contains(&limit) {
        return Err(AdminError::invalid("invalid_limit", "limit", "Give a number from 1 to 500."));
    }
    // Text with a control character is in no row, and the database would refuse it.
    let texts = [&filter.event, &filter.result, &filter.client, &filter.object, &filter.request];
    if texts.into_iter().flatten().any(|text| text.chars().any(char::is_control)) {
        return Ok(AuditPage { items: Vec::new(), next: None });
    }
    let rows = store.read(move |tx| tx.audit_rows(filter, order, limit)).await?;
    let full = i64::try_from(rows.len()) == Ok(limit);
    let items: Vec<AuditView> = rows.into_iter().map(AuditView::from).collect();
    let next = items.last().filter(|_| full).map(cursor);
    Ok(AuditPage { items, next })
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

/// What an account sees of itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub at: DateTime<Utc>,
    /// The event's code.
    pub event: String,
    /// `success` or `refused`.
    pub result: String,
    /// `self`, `client`, `administrator` or `anonymous`: who did it, without saying which administrator.
    pub by: String,
    /// With which client.
    pub client_id: Option<String>,
    /// What the person did it to.
    pub object: Option<String>,
    /// From which address, unless an administrator did it.
    pub address: Option<String>,
    /// By which agent, unless an administrator did it.
    pub user_agent: Option<String>,
}

/// A page of [`Activity`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActivityPage {
    /// The rows, the newest first.
    pub items: Vec<Activity>,
    /// Give it as `after` for the page after this one; absent on the last.
    pub next: Option<String>,
}

/// What an account sees of itself: what was done to it or by it. Nothing of the person who administers it is told.
pub async fn activity_of(store: &Store, user: UserId, after: Option<&str>) -> Result<ActivityPage, AdminError> {
    let after = after
        .map(|text| {
            place(text).ok_or_else(|| AdminError::invalid("invalid_cursor", "after", "Give the `next` of a page."))
        })
        .transpose()?;
    let filter = Filter { person: Some(user.0), ..Filter::default() };
    let AuditPage { items, next } = page(store, filter, Order::Newest(after), None).await?;
    Ok(ActivityPage { items: items.into_iter().map(|view| seen_by(user, view)).collect(), next })
}

fn seen_by(user: UserId, view: AuditView) -> Activity {
    let own = view.actor.user == Some(user.0);
    let by = match view.actor.kind.as_str() {
        "user" if own => "self",
        "user" | "operator" | "system" => "administrator",
        "client" => "client",
        _ => "anonymous",
    };
    let foreign = by == "administrator";
    Activity {
        at: view.at,
        event: view.event,
        result: view.result,
        by: by.to_owned(),
        client_id: view.client_id.filter(|_| !foreign),
        object: view.object.filter(|_| own),
        address: view.address.filter(|_| !foreign),
        user_agent: view.user_agent.filter(|_| !foreign),
    }
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
        let files = archive::verify(&desk.store, &desk.audit.archive_dir).await?;
        report.archives = files.archives;
        report.rows += files.rows;
        report.from = 0;
        report.more += files.more;
        report.findings.extend(files.findings);
    }
    Ok(report)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn view(kind: &str, user: Option<Uuid>) -> AuditView {
        AuditView {
            id: Uuid::from_u128(1),
            at: DateTime::UNIX_EPOCH,
            event: "account.locked".to_owned(),
            result: "success".to_owned(),
            actor: ActorView {
                kind: kind.to_owned(),
                user,
                username: Some("root".to_owned()),
                client_id: Some("console".to_owned()),
                operator: Some("uid:0".to_owned()),
            },
            account: Some(Uuid::from_u128(7)),
            username: None,
            client_id: Some("console".to_owned()),
            session: None,
            grant: None,
            object: Some("role:x".to_owned()),
            detail: None,
            request_id: None,
            address: Some("192.0.2.1".to_owned()),
            user_agent: Some("curl".to_owned()),
            typed: None,
            chain_index: None,
        }
    }

    /// an account sees its own rows; of who administers it, only that it was an administrator.
    #[test]
    fn an_account_sees_no_other_person() {
        let me = UserId(Uuid::from_u128(7));
        for (kind, user, by, shown) in [
            ("user", Some(me.0), "self", true),
            ("user", Some(Uuid::from_u128(9)), "administrator", false),
            ("operator", None, "administrator", false),
            ("system", None, "administrator", false),
            ("client", None, "client", true),
            ("anonymous", None, "anonymous", true),
        ] {
            let seen = seen_by(me, view(kind, user));
            assert_eq!((&*seen.by, seen.address.is_some()), (by, shown), "{kind}");
            assert_eq!(seen.object.is_some(), by == "self", "{kind}");
            let text = serde_json::to_string(&seen).unwrap();
            assert!(!text.contains("root") && !text.contains("uid:0"), "{text}");
            assert_eq!(text.contains("console"), shown, "{text}");
        }
    }

    /// a cursor reads back as the place it stands for; anything else is none.
    #[test]
    fn cursors() {
        let view = view("user", None);
        assert_eq!(place(&cursor(&view)), Some((view.at, view.id)));
        let id = view.id.simple();
        // The last two lie in the years -10706 and 14645.
        let numbers = ["99999999999999999999", "-400000000000000000", "400000000000000000"];
        let far = numbers.map(|at| URL_SAFE_NO_PAD.encode(format!("{at}.{id}")));
        let dots = URL_SAFE_NO_PAD.encode("1.2.3");
        for bad in ["", "x", "!!", &dots].into_iter().chain(far.iter().map(String::as_str)) {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
