//! APIs that tokens are for.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signet_oidc::{jose::Alg, resource::Api};

use crate::{
    clients::contains,
    error::StoreError,
    notices::Announcement,
    schema::{clients, resources},
    store::Tx,
};

/// An API as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its key; ignored where it is written anew.
    pub key: i64,
    /// The `aud` of its tokens.
    pub identifier: String,
    /// What people are shown.
    pub name: String,
    /// What can be allowed on it.
    pub scopes: Vec<ResourceScope>,
    /// How long access tokens for it live, in seconds; as everywhere when absent.
    pub access_token_seconds: Option<i32>,
    /// What access tokens for it are signed with; as everywhere when absent.
    pub access_token_alg: Option<String>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Resource {
    /// The API as decisions see it.
    pub fn to_api(&self) -> Api {
        Api {
            identifier: self.identifier.clone(),
            scopes: self.scopes.iter().map(|scope| scope.name.as_str()).collect(),
            lifetime: self.access_token_seconds.map(|seconds| Duration::seconds(seconds.into())),
            alg: self.access_token_alg.as_deref().and_then(Alg::parse),
        }
    }
}

/// A scope of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceScope {
    /// The token asked for.
    pub name: String,
    /// What people read before they allow it.
    pub description: String,
}

/// Which APIs are listed, by identifier.
#[derive(Debug, Clone, Default)]
pub struct ResourceFilter {
    /// Those whose identifier follows this one; empty for the first.
    pub after: String,
    /// At most so many.
    pub limit: i64,
    /// Part of the identifier or of the name, in any case.
    pub search: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = resources)]
struct ResourceRow {
    id: i64,
    identifier: String,
    name: String,
    scopes: Value,
    access_token_seconds: Option<i32>,
    access_token_alg: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl ResourceRow {
    fn into_domain(self) -> Result<Resource, StoreError> {
        Ok(Resource {
            key: self.id,
            identifier: self.identifier,
            name: self.name,
            scopes: serde_json::from_value(self.scopes).map_err(|_| StoreError::Row("resource scopes"))?,
            access_token_seconds: self.access_token_seconds,
            access_token_alg: self.access_token_alg,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = resources, treat_none_as_null = true)]
struct NewResourceRow<'a> {
    realm_id: i64,
    identifier: &'a str,
    name: &'a str,
    scopes: Value,
    access_token_seconds: Option<i32>,
    access_token_alg: Option<String>,
    updated_at: DateTime<Utc>,
}

/// The advisory lock of [`Tx::take_turn_to_apply`].
const APPLY: i64 = 0x5349_474e_4150_504c;

impl Tx<'_> {
    /// Waits until no other transaction makes things as a file says, until the end of this one. One statement.
    pub fn take_turn_to_apply(&mut self) -> Result<(), StoreError> {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<diesel::sql_types::Int8, _>(APPLY)
            .execute(self.conn)?;
        Ok(())
    }

    /// The API with that identifier. One statement.
    pub fn resource(&mut self, identifier: &str) -> Result<Option<Resource>, StoreError> {
        resources::table
            .filter(resources::realm_id.eq(self.realm.0))
            .filter(resources::identifier.eq(identifier))
            .select(ResourceRow::as_select())
            .first(self.conn)
            .optional()?
            .map(ResourceRow::into_domain)
            .transpose()
    }

    /// The same, locked until the transaction ends. One statement.
    pub fn lock_resource(&mut self, identifier: &str) -> Result<Option<Resource>, StoreError> {
        resources::table
            .filter(resources::realm_id.eq(self.realm.0))
            .filter(resources::identifier.eq(identifier))
            .select(ResourceRow::as_select())
            .for_no_key_update()
            .first(self.conn)
            .optional()?
            .map(ResourceRow::into_domain)
            .transpose()
    }

    /// APIs by identifier. One statement.
    pub fn resources(&mut self, filter: &ResourceFilter) -> Result<Vec<Resource>, StoreError> {
        let mut query = resources::table
            .filter(resources::realm_id.eq(self.realm.0))
            .filter(resources::identifier.gt(&filter.after))
            .order(resources::identifier)
            .limit(filter.limit)
            .select(ResourceRow::as_select())
            .into_boxed();
        if let Some(search) = &filter.search {
            let pattern = contains(search);
            query = query.filter(resources::identifier.ilike(pattern.clone()).or(resources::name.ilike(pattern)));
        }
        query.load(self.conn)?.into_iter().map(ResourceRow::into_domain).collect()
    }

    /// Registers an API. `None` when there is one with its identifier. Tells every node. Two statements.
    pub fn create_resource(&mut self, new: &Resource, at: DateTime<Utc>) -> Result<Option<Resource>, StoreError> {
        let row = self.resource_row(new, at)?;
        self.announce(&Announcement::Resource(new.identifier.clone()), at, at)?;
        diesel::insert_into(resources::table)
            .values((&row, resources::created_at.eq(at)))
            .on_conflict_do_nothing()
            .returning(ResourceRow::as_returning())
            .get_result(self.conn)
            .optional()?
            .map(ResourceRow::into_domain)
            .transpose()
    }

    /// Writes a changed API over the one with its `key`, and tells every node. Two statements.
    pub fn update_resource(&mut self, changed: &Resource, at: DateTime<Utc>) -> Result<Resource, StoreError> {
        let row = self.resource_row(changed, at)?;
        self.announce(&Announcement::Resource(changed.identifier.clone()), at, at)?;
        let mine = resources::table.filter(resources::realm_id.eq(self.realm.0)).filter(resources::id.eq(changed.key));
        diesel::update(mine).set(&row).returning(ResourceRow::as_returning()).get_result(self.conn)?.into_domain()
    }

    /// Removes an API, and tells every node. Two statements.
    pub fn delete_resource(&mut self, gone: &Resource, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.announce(&Announcement::Resource(gone.identifier.clone()), at, at)?;
        let mine = resources::table.filter(resources::realm_id.eq(self.realm.0)).filter(resources::id.eq(gone.key));
        diesel::delete(mine).execute(self.conn)?;
        Ok(())
    }

    /// Those of these APIs that are registered. One statement, none where nothing is named.
    pub fn resources_named(&mut self, identifiers: &[String]) -> Result<Vec<Resource>, StoreError> {
        if identifiers.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<ResourceRow> = resources::table
            .filter(resources::realm_id.eq(self.realm.0))
            .filter(resources::identifier.eq_any(identifiers))
            .order(resources::identifier)
            .select(ResourceRow::as_select())
            .load(self.conn)?;
        rows.into_iter().map(ResourceRow::into_domain).collect()
    }

    /// Identifiers of clients that may ask for an API, the first few of them. One statement.
    pub fn clients_of_resource(&mut self, identifier: &str) -> Result<Vec<String>, StoreError> {
        let listed = clients::metadata.contains(serde_json::json!({ "resources": [identifier] }));
        Ok(clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::default_audience.eq(identifier).or(listed.nullable()))
            .order(clients::client_id)
            .limit(5)
            .select(clients::client_id)
            .load(self.conn)?)
    }

    fn resource_row<'a>(&self, resource: &'a Resource, at: DateTime<Utc>) -> Result<NewResourceRow<'a>, StoreError> {
        Ok(NewResourceRow {
            realm_id: self.realm.0,
            identifier: &resource.identifier,
            name: &resource.name,
            scopes: serde_json::to_value(&resource.scopes).map_err(|_| StoreError::Row("resource scopes"))?,
            access_token_seconds: resource.access_token_seconds,
            access_token_alg: resource.access_token_alg.clone(),
            updated_at: at,
        })
    }
}
