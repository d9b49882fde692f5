//! What is to reach applications: seen, and tried again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use signet_oidc::change::EventKind;
use signet_storage::deliveries::{Delivery, DeliveryFilter, DeliveryState};
use utoipa::{IntoParams, ToSchema};

use super::{AdminError, Desk, Page};

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// Its number.
    pub id: i64,
    /// What it is: `backchannel_logout`.
    #[schema(example = "backchannel_logout")]
    pub kind: String,
    /// The client it goes to.
    pub client_id: Option<String>,
    /// `waiting`, `delivered` or `given_up`.
    #[schema(example = "waiting")]
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next; absent where it has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<DateTime<Utc>>,
    /// Why the last try failed.
    pub last_problem: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<Utc>,
    /// When it arrived or was given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which deliveries are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryQuery {
    /// At most so many, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// What [`Page::next`] of the page before said.
    pub after: Option<String>,
    /// In this state: `waiting`, `delivered` or `given_up`.
    pub state: Option<String>,
    /// To this client.
    pub client_id: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            kind: delivery.kind.as_str().to_owned(),
            client_id: delivery.client,
            state: delivery.state.as_str().to_owned(),
            attempts: delivery.attempts,
            due_at: delivery.ended.is_none().then_some(delivery.due),
            last_problem: delivery.last_problem,
            created_at: delivery.created,
            ended_at: delivery.ended,
        }
    }
}

/// Deliveries, the newest first.
pub async fn list(desk: &Desk, query: DeliveryQuery) -> Result<Page<DeliveryView>, AdminError> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(AdminError::invalid("invalid_limit", "limit", "Give a number from 1 to 200."));
    }
    let before = query
        .after
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| AdminError::invalid("invalid_after", "after", "Give what `next` of the page before said."))?;
    let state = query.state.as_deref().map(|name| {
        let known = || AdminError::invalid("invalid_state", "state", "Give `waiting`, `delivered` or `given_up`.");
        DeliveryState::parse(name).ok_or_else(known)
    });
    let client = query.client_id.filter(|client| !client.contains('\0'));
    let filter = DeliveryFilter { before, limit: limit + 1, state: state.transpose()?, client };
    let mut rows = desk.store.read(move |tx| tx.deliveries(&filter)).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = rows.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items: rows.into_iter().map(DeliveryView::from).collect(), next })
}

/// One delivery.
pub async fn show(desk: &Desk, id: i64) -> Result<DeliveryView, AdminError> {
    let found = desk.store.read(move |tx| tx.delivery(id)).await?;
    found.map(DeliveryView::from).ok_or_else(missing)
}

/// Tries a delivery again, as if it were new: what arrived is sent once more, what was given up is taken up.
pub async fn repeat(desk: &Desk, id: i64) -> Result<DeliveryView, AdminError> {
    desk.act(move |act| {
        let now = act.turn.now();
        if !act.tx.repeat_delivery(id, now)? {
            return Err(missing());
        }
        act.record(EventKind::DeliveryRepeated, format!("delivery:{id}"), None, None)?;
        act.tx.delivery(id)?.map(DeliveryView::from).ok_or_else(missing)
    })
    .await
}

fn missing() -> AdminError {
    AdminError::not_found("delivery_not_found", "There is no delivery with this number.")
}
