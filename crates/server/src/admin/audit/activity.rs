//! What people see of the audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use signet_identity::UserId;
use signet_storage::{
    Store,
    audit::query::{Filter, Named, Order},
};
use utoipa::ToSchema;

use super::{AuditView, place, rows};
use crate::admin::AdminError;

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
    /// Its name.
    pub client_name: Option<String>,
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
    let (rows, next) = rows(store, filter, Order::Newest(after), None).await?;
    let seen = |mut row: Named| {
        let client_name = row.client_name.take();
        seen_by(user, row.into(), client_name)
    };
    Ok(ActivityPage { items: rows.into_iter().map(seen).collect(), next })
}

pub(super) fn seen_by(user: UserId, view: AuditView, client_name: Option<String>) -> Activity {
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
        client_name: client_name.filter(|_| !foreign),
        object: view.object.filter(|_| own),
        address: view.address.filter(|_| !foreign),
        user_agent: view.user_agent.filter(|_| !foreign),
    }
}
