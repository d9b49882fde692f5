//! What is to reach somebody outside: tried again until it arrives or is given up.
//!
//! A row is made in the transaction of what it tells of. Any node takes it: taking moves its due time ahead, so that no
//! other does, and one whose node died is due again.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, Int8, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use signet_oidc::id::SessionId;
use uuid::Uuid;

use crate::{
    error::StoreError,
    schema::{clients, deliveries, session_clients},
    store::Tx,
};

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryKind {
    /// OIDC Back-Channel Logout §2.5: that a person's session ended. The content holds `sub` and `sid`.
    BackchannelLogout,
}

impl DeliveryKind {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackchannelLogout => BACKCHANNEL_LOGOUT,
        }
    }
}

const BACKCHANNEL_LOGOUT: &str = "backchannel_logout";

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried, or tried again.
    Waiting,
    /// It arrived.
    Delivered,
    /// It is tried no more.
    GivenUp,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::GivenUp];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// A delivery as stored.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Names it to administrators.
    pub id: i64,
    /// What it is.
    pub kind: DeliveryKind,
    /// The identifier of the client it goes to, where it goes to one.
    pub client: Option<String>,
    /// What it says; its form is the kind's.
    pub content: Value,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next; while it is being tried, when it will be taken for lost.
    pub due: DateTime<Utc>,
    /// Why the last try failed.
    pub last_problem: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it arrived or was given up.
    pub ended: Option<DateTime<Utc>>,
}

/// Which deliveries are listed, the newest first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Those made before this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// To this client.
    pub client: Option<String>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It arrived.
    Arrived,
    /// It did not; again then.
    Again {
        /// When.
        due: DateTime<Utc>,
        /// Why it failed; no URL, no secret.
        problem: String,
    },
    /// The target was not asked, because it failed too often a moment ago.
    Held {
        /// Until when.
        due: DateTime<Utc>,
    },
    /// It did not, and is tried no more.
    GaveUp {
        /// Why; no URL, no secret.
        problem: String,
    },
}

/// OIDC Front-Channel Logout §2: a client that is told in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framed {
    /// The identifier of the client.
    pub client: String,
    /// The `sid` it knows the session by.
    pub sid: String,
}

type Row = (
    i64,
    String,
    Option<String>,
    Value,
    String,
    i32,
    DateTime<Utc>,
    Option<String>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
);

fn domain(row: Row) -> Result<Delivery, StoreError> {
    let (id, kind, client, content, state, attempts, due, last_problem, created, ended) = row;
    let kind = match kind.as_str() {
        BACKCHANNEL_LOGOUT => DeliveryKind::BackchannelLogout,
        _ => return Err(StoreError::Row("kind of delivery")),
    };
    let state = DeliveryState::parse(&state).ok_or(StoreError::Row("state of a delivery"))?;
    Ok(Delivery { id, kind, client, content, state, attempts, due, last_problem, created, ended })
}

#[diesel::dsl::auto_type]
fn columns() -> _ {
    (
        deliveries::id,
        deliveries::kind,
        clients::client_id.nullable(),
        deliveries::content,
        deliveries::state,
        deliveries::attempts,
        deliveries::due_at,
        deliveries::last_problem,
        deliveries::created_at,
        deliveries::ended_at,
    )
}

impl Tx<'_> {
    /// Makes a delivery for each client that is told in the back channel, for each of `sessions`, which ended. One statement.
    pub(crate) fn tell_of_sessions(&mut self, sessions: &[Uuid], at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::sql_query(
            "INSERT INTO deliveries (realm_id, kind, client_key, content, state, due_at, created_at) \
             SELECT $1, 'backchannel_logout', clients.id, jsonb_build_object('sub', told.subject, 'sid', told.sid), \
             'waiting', $3, $3 FROM session_clients told JOIN clients ON clients.id = told.client_key \
             WHERE told.session_id = ANY ($2) AND clients.disabled_at IS NULL \
             AND jsonb_exists(clients.metadata, 'backchannel_logout_uri')",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Array<SqlUuid>, _>(sessions)
        .bind::<Timestamptz, _>(at)
        .execute(self.conn)?;
        Ok(())
    }

    /// The clients of a session that are told of its end in frames. One statement.
    pub fn framed(&mut self, session: SessionId) -> Result<Vec<Framed>, StoreError> {
        let rows: Vec<(String, String)> = session_clients::table
            .inner_join(clients::table.on(clients::id.eq(session_clients::client_key)))
            .filter(session_clients::session_id.eq(session.0))
            .filter(clients::disabled_at.is_null())
            .filter(clients::metadata.has_key("frontchannel_logout_uri"))
            .order(clients::id)
            .limit(100)
            .select((clients::client_id, session_clients::sid))
            .load(self.conn)?;
        Ok(rows.into_iter().map(|(client, sid)| Framed { client, sid }).collect())
    }

    /// Takes deliveries that are due, the longest due first, until `lease`: then, without a word of what came of them,
    /// they are due again. Two statements.
    pub fn take_deliveries(
        &mut self,
        now: DateTime<Utc>,
        lease: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let due: Vec<i64> = deliveries::table
            .filter(deliveries::realm_id.eq(self.realm.0))
            .filter(deliveries::state.eq(DeliveryState::Waiting.as_str()))
            // Another version may make others.
            .filter(deliveries::kind.eq(BACKCHANNEL_LOGOUT))
            .filter(deliveries::due_at.le(now))
            .order(deliveries::due_at)
            .limit(limit)
            .select(deliveries::id)
            .for_update()
            .skip_locked()
            .load(self.conn)?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        diesel::update(deliveries::table.filter(deliveries::id.eq_any(&due)))
            .set((deliveries::due_at.eq(lease), deliveries::attempts.eq(deliveries::attempts + 1)))
            .execute(self.conn)?;
        let rows: Vec<Row> = deliveries::table
            .left_join(clients::table)
            .filter(deliveries::id.eq_any(&due))
            .order(deliveries::id)
            .select(columns())
            .load(self.conn)?;
        rows.into_iter().map(domain).collect()
    }

    /// Notes what came of a try. What somebody else ended meanwhile stays as it is. One statement.
    pub fn note_attempt(&mut self, id: i64, attempt: &Attempt, now: DateTime<Utc>) -> Result<(), StoreError> {
        let waiting = deliveries::table
            .filter(deliveries::realm_id.eq(self.realm.0))
            .filter(deliveries::id.eq(id))
            .filter(deliveries::state.eq(DeliveryState::Waiting.as_str()));
        let ended = |state: DeliveryState| (deliveries::state.eq(state.as_str()), deliveries::ended_at.eq(now));
        match attempt {
            Attempt::Arrived => {
                let none = deliveries::last_problem.eq(None::<String>);
                diesel::update(waiting).set((ended(DeliveryState::Delivered), none)).execute(self.conn)?
            }
            Attempt::Again { due, problem } => diesel::update(waiting)
                .set((deliveries::due_at.eq(*due), deliveries::last_problem.eq(problem)))
                .execute(self.conn)?,
            Attempt::Held { due } => diesel::update(waiting)
                .set((deliveries::due_at.eq(*due), deliveries::attempts.eq(deliveries::attempts - 1)))
                .execute(self.conn)?,
            Attempt::GaveUp { problem } => diesel::update(waiting)
                .set((ended(DeliveryState::GivenUp), deliveries::last_problem.eq(problem)))
                .execute(self.conn)?,
        };
        Ok(())
    }

    /// Deliveries, the newest first. One statement.
    pub fn deliveries(&mut self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let mut query = deliveries::table
            .left_join(clients::table)
            .filter(deliveries::realm_id.eq(self.realm.0))
            .order(deliveries::id.desc())
            .limit(filter.limit)
            .select(columns())
            .into_boxed();
        if let Some(before) = filter.before {
            query = query.filter(deliveries::id.lt(before));
        }
        if let Some(state) = filter.state {
            query = query.filter(deliveries::state.eq(state.as_str()));
        }
        if let Some(client) = &filter.client {
            query = query.filter(clients::client_id.eq(client));
        }
        let rows: Vec<Row> = query.load(self.conn)?;
        rows.into_iter().map(domain).collect()
    }

    /// One delivery. One statement.
    pub fn delivery(&mut self, id: i64) -> Result<Option<Delivery>, StoreError> {
        let row: Option<Row> = deliveries::table
            .left_join(clients::table)
            .filter(deliveries::realm_id.eq(self.realm.0))
            .filter(deliveries::id.eq(id))
            .select(columns())
            .first(self.conn)
            .optional()?;
        row.map(domain).transpose()
    }

    /// Tries a delivery again at once, as if it were new. Answers whether there is one of that number. One statement.
    pub fn repeat_delivery(&mut self, id: i64, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let one = deliveries::table.filter(deliveries::realm_id.eq(self.realm.0)).filter(deliveries::id.eq(id));
        let changed = diesel::update(one)
            .set((
                deliveries::state.eq(DeliveryState::Waiting.as_str()),
                deliveries::attempts.eq(0),
                deliveries::due_at.eq(now),
                deliveries::ended_at.eq(None::<DateTime<Utc>>),
            ))
            .execute(self.conn)?;
        Ok(changed > 0)
    }

    /// How many deliveries wait. One statement.
    pub fn waiting_deliveries(&mut self) -> Result<i64, StoreError> {
        Ok(deliveries::table
            .filter(deliveries::realm_id.eq(self.realm.0))
            .filter(deliveries::state.eq(DeliveryState::Waiting.as_str()))
            .count()
            .get_result(self.conn)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L2: what is stored is read again.
    #[test]
    fn states() {
        assert_eq!(DeliveryState::ALL.map(|one| DeliveryState::parse(one.as_str())), DeliveryState::ALL.map(Some));
        assert_eq!(DeliveryState::parse("lost"), None);
        assert_eq!(DeliveryKind::BackchannelLogout.as_str(), "backchannel_logout");
    }
}
