//! Questions to the audit log, a page at a time.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::row::{COLUMNS, Row, TABLES};
use crate::{error::StoreError, store::Tx};

/// The greatest page.
pub const MOST: i64 = 500;

/// A place between rows: that of a row, by time and id.
pub type Place = (DateTime<Utc>, Uuid);

/// From where a page goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first, older than a place.
    Newest(Option<Place>),
    /// The oldest first, younger than a place.
    Oldest(Option<Place>),
    /// In the order of the chain, after a place in it. It misses no row, however late it was committed.
    Chain(i64),
}

/// What is asked for; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The event's code, or its beginning up to a dot: `client` finds `client.created`.
    pub event: Option<String>,
    /// `success` or `refused`.
    pub result: Option<String>,
    /// Whose account.
    pub subject: Option<Uuid>,
    /// Who did it.
    pub actor: Option<Uuid>,
    /// Whose account or who did it: what one account sees of itself.
    pub person: Option<Uuid>,
    /// With or as which client, by its public id.
    pub client: Option<String>,
    /// On what.
    pub object: Option<String>,
    /// Under which request.
    pub request: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// A row, and the names that belong to its keys.
#[derive(Debug, Clone, QueryableByName)]
pub struct Named {
    /// The row.
    #[diesel(embed)]
    pub entry: Row,
    /// The client's public id.
    #[diesel(sql_type = Nullable<Text>)]
    pub client_id: Option<String>,
    /// The client's name.
    #[diesel(sql_type = Nullable<Text>)]
    pub client_name: Option<String>,
    /// The acting client's public id.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor_client_id: Option<String>,
    /// The username of the account.
    #[diesel(sql_type = Nullable<Text>)]
    pub subject_name: Option<String>,
    /// The username of who did it.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor_name: Option<String>,
}

struct Question {
    realm: i64,
    filter: Filter,
    event_prefix: Option<String>,
    order: Order,
    limit: i64,
}

impl QueryId for Question {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl diesel::query_builder::Query for Question {
    type SqlType = diesel::sql_types::Untyped;
}

impl RunQueryDsl<diesel::PgConnection> for Question {}

impl QueryFragment<Pg> for Question {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("SELECT ");
        out.push_sql(COLUMNS);
        out.push_sql(
            ", c.client_id AS client_id, c.name AS client_name, ac.client_id AS actor_client_id, \
             u.username AS subject_name, au.username AS actor_name FROM ",
        );
        out.push_sql(TABLES);
        out.push_sql(
            " LEFT JOIN clients c ON c.id = a.client_key LEFT JOIN clients ac ON ac.id = a.actor_client \
             LEFT JOIN users u ON u.id = a.subject_user LEFT JOIN users au ON au.id = a.actor_user \
             WHERE a.realm_id = ",
        );
        out.push_bind_param::<Int8, _>(&self.realm)?;
        let filter = &self.filter;
        if let (Some(event), Some(prefix)) = (&filter.event, &self.event_prefix) {
            out.push_sql(" AND (a.event = ");
            out.push_bind_param::<Text, _>(event)?;
            out.push_sql(" OR starts_with(a.event, ");
            out.push_bind_param::<Text, _>(prefix)?;
            out.push_sql("))");
        }
        for (sql, value) in [
            (" AND a.result = ", &filter.result),
            (" AND a.object = ", &filter.object),
            (" AND a.request_id = ", &filter.request),
        ] {
            if let Some(value) = value {
                out.push_sql(sql);
                out.push_bind_param::<Text, _>(value)?;
            }
        }
        for (sql, value) in [(" AND a.subject_user = ", &filter.subject), (" AND a.actor_user = ", &filter.actor)] {
            if let Some(value) = value {
                out.push_sql(sql);
                out.push_bind_param::<SqlUuid, _>(value)?;
            }
        }
        if let Some(person) = &filter.person {
            out.push_sql(" AND (a.subject_user = ");
            out.push_bind_param::<SqlUuid, _>(person)?;
            out.push_sql(" OR a.actor_user = ");
            out.push_bind_param::<SqlUuid, _>(person)?;
            out.push_sql(")");
        }
        if let Some(client) = &filter.client {
            out.push_sql(" AND (a.client_key IN (SELECT id FROM clients WHERE realm_id = ");
            out.push_bind_param::<Int8, _>(&self.realm)?;
            out.push_sql(" AND client_id = ");
            out.push_bind_param::<Text, _>(client)?;
            out.push_sql(") OR a.actor_client IN (SELECT id FROM clients WHERE realm_id = ");
            out.push_bind_param::<Int8, _>(&self.realm)?;
            out.push_sql(" AND client_id = ");
            out.push_bind_param::<Text, _>(client)?;
            out.push_sql("))");
        }
        for (sql, value) in [(" AND a.at >= ", &filter.since), (" AND a.at < ", &filter.until)] {
            if let Some(value) = value {
                out.push_sql(sql);
                out.push_bind_param::<Timestamptz, _>(value)?;
            }
        }
        self.page(&mut out)
    }
}

impl Question {
    fn page<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
        let (beyond, order) = match &self.order {
            Order::Newest(place) => ((" AND (a.at, a.id) < (", place), " ORDER BY a.at DESC, a.id DESC LIMIT "),
            Order::Oldest(place) => ((" AND (a.at, a.id) > (", place), " ORDER BY a.at, a.id LIMIT "),
            Order::Chain(place) => {
                out.push_sql(" AND a.chain_index > ");
                out.push_bind_param::<Int8, _>(place)?;
                out.push_sql(" ORDER BY a.chain_index LIMIT ");
                return out.push_bind_param::<Int8, _>(&self.limit);
            }
        };
        if let (sql, Some((at, id))) = beyond {
            out.push_sql(sql);
            out.push_bind_param::<Timestamptz, _>(at)?;
            out.push_sql(", ");
            out.push_bind_param::<SqlUuid, _>(id)?;
            out.push_sql(")");
        }
        out.push_sql(order);
        out.push_bind_param::<Int8, _>(&self.limit)
    }
}

impl Tx<'_> {
    /// A page of rows, at most [`MOST`]. One statement.
    pub fn audit_rows(&mut self, filter: Filter, order: Order, limit: i64) -> Result<Vec<Named>, StoreError> {
        let event_prefix = filter.event.as_ref().map(|event| format!("{}.", event.trim_end_matches(['.', '*'])));
        let limit = limit.clamp(1, MOST);
        Ok(Question { realm: self.realm.0, filter, event_prefix, order, limit }.load(self.conn)?)
    }
}
