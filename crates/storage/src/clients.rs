//! Clients.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use signet_oidc::{
    client::{ApplicationType, Client, ClientAuth, ClientSecret, ClientSource},
    id::{ClientId, ClientKey},
    policy::ClientPolicy,
    secret::Digest,
};

use crate::{error::StoreError, schema::clients, store::Tx};

#[derive(Queryable, Selectable)]
#[diesel(table_name = clients)]
struct ClientRow {
    id: i64,
    client_id: String,
    name: String,
    source: String,
    fetched_at: Option<DateTime<Utc>>,
    auth_method: String,
    secret_hash: Option<Vec<u8>>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    response_types: Vec<String>,
    scopes: Vec<String>,
    first_party: bool,
    application_type: String,
    default_audience: Option<String>,
    policy: Value,
    generation: i64,
    disabled_at: Option<DateTime<Utc>>,
}

impl ClientRow {
    fn into_domain(self) -> Result<Client, StoreError> {
        let secret = || {
            self.secret_hash
                .as_deref()
                .and_then(Digest::from_slice)
                .map(ClientSecret::Hashed)
                .ok_or(StoreError::Row("client secret"))
        };
        let auth = match self.auth_method.as_str() {
            "none" => ClientAuth::None,
            "client_secret_basic" => ClientAuth::SecretBasic(secret()?),
            "client_secret_post" => ClientAuth::SecretPost(secret()?),
            _ => return Err(StoreError::Row("client authentication method")),
        };
        let source = match (self.source.as_str(), self.fetched_at) {
            ("admin", _) => ClientSource::Admin,
            ("dynamic", _) => ClientSource::Dynamic,
            ("document", Some(fetched_at)) => ClientSource::Document { fetched_at },
            _ => return Err(StoreError::Row("client source")),
        };
        Ok(Client {
            key: ClientKey(self.id),
            id: ClientId::parse(&self.client_id).ok_or(StoreError::Row("client identifier"))?,
            name: self.name,
            source,
            auth,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            grant_types: self.grant_types,
            response_types: self.response_types,
            scopes: self.scopes.into_iter().collect(),
            first_party: self.first_party,
            application_type: match self.application_type.as_str() {
                "native" => ApplicationType::Native,
                _ => ApplicationType::Web,
            },
            default_audience: self.default_audience,
            policy: serde_json::from_value::<ClientPolicy>(self.policy)
                .map_err(|_| StoreError::Row("client policy"))?,
            generation: self.generation,
            disabled: self.disabled_at.is_some(),
        })
    }
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = clients, treat_none_as_null = true)]
struct NewClientRow<'a> {
    realm_id: i64,
    client_id: &'a str,
    name: &'a str,
    source: &'static str,
    auth_method: &'static str,
    secret_hash: Option<Vec<u8>>,
    redirect_uris: &'a [String],
    post_logout_redirect_uris: &'a [String],
    grant_types: &'a [String],
    response_types: &'a [String],
    scopes: Vec<String>,
    first_party: bool,
    application_type: &'static str,
    default_audience: Option<String>,
    policy: Value,
    updated_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
}

impl Tx<'_> {
    /// The client with that identifier. One statement.
    pub fn client(&mut self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::client_id.eq(id.as_str()))
            .select(ClientRow::as_select())
            .first(self.conn)
            .optional()?
            .map(ClientRow::into_domain)
            .transpose()
    }

    /// All clients by identifier, at most `limit`, after `after`.
    pub fn clients(&mut self, after: &str, limit: i64) -> Result<Vec<Client>, StoreError> {
        clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::client_id.gt(after))
            .order(clients::client_id)
            .limit(limit)
            .select(ClientRow::as_select())
            .load(self.conn)?
            .into_iter()
            .map(ClientRow::into_domain)
            .collect()
    }

    /// Stores a client; its `key` is ignored. An existing one of the same identifier is changed when `replace` is set.
    /// Answers whether a row was written.
    pub fn put_client(&mut self, client: &Client, at: DateTime<Utc>, replace: bool) -> Result<bool, StoreError> {
        let secret = match &client.auth {
            ClientAuth::None => None,
            ClientAuth::SecretBasic(ClientSecret::Hashed(hash))
            | ClientAuth::SecretPost(ClientSecret::Hashed(hash)) => Some(hash),
        };
        let row = NewClientRow {
            realm_id: self.realm.0,
            client_id: client.id.as_str(),
            name: &client.name,
            source: match client.source {
                ClientSource::Admin => "admin",
                ClientSource::Dynamic => "dynamic",
                ClientSource::Document { .. } => "document",
            },
            auth_method: client.auth.method(),
            secret_hash: secret.map(|hash| hash.as_bytes().to_vec()),
            redirect_uris: &client.redirect_uris,
            post_logout_redirect_uris: &client.post_logout_redirect_uris,
            grant_types: &client.grant_types,
            response_types: &client.response_types,
            scopes: client.scopes.iter().map(str::to_owned).collect(),
            first_party: client.first_party,
            application_type: match client.application_type {
                ApplicationType::Web => "web",
                ApplicationType::Native => "native",
            },
            default_audience: client.default_audience.clone(),
            policy: serde_json::to_value(&client.policy).map_err(|_| StoreError::Row("client policy"))?,
            updated_at: at,
            disabled_at: client.disabled.then_some(at),
        };
        let insert = diesel::insert_into(clients::table)
            .values((&row, clients::created_at.eq(at)))
            .on_conflict((clients::realm_id, clients::client_id));
        let written = if replace {
            insert.do_update().set(&row).execute(self.conn)?
        } else {
            insert.do_nothing().execute(self.conn)?
        };
        Ok(written > 0)
    }
}
