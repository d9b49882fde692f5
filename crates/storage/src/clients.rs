//! Clients.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::Value;
use signet_oidc::{
    Turn,
    client::{ApplicationType, Client, ClientAuth, ClientMetadata, ClientSecret, ClientSource, ResponseType},
    id::{ClientId, ClientKey},
    policy::ClientPolicy,
    secret::{Digest, Secret},
    token::revocation::Entry,
};

use crate::{
    error::StoreError,
    notices::{Announcement, CLIENT_REVOKED},
    schema::{clients, grants, notices},
    seal::{Purpose, Sealer},
    store::Tx,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = clients)]
pub(crate) struct ClientRow {
    id: i64,
    client_id: String,
    name: String,
    source: String,
    fetched_at: Option<DateTime<Utc>>,
    auth_method: String,
    secret_hash: Option<Vec<u8>>,
    secret_sealed: Option<Vec<u8>>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    response_types: Vec<String>,
    scopes: Vec<String>,
    first_party: bool,
    application_type: String,
    default_audience: Option<String>,
    policy: Value,
    metadata: Value,
    generation: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
}

/// Of a client's metadata, what it says in further languages.
pub(crate) fn localized(stored: Option<Value>) -> Result<ClientMetadata, StoreError> {
    let localized = stored.map(serde_json::from_value).transpose();
    let localized = localized.map_err(|_| StoreError::Row("client metadata"))?.unwrap_or_default();
    Ok(ClientMetadata { localized, ..ClientMetadata::default() })
}

/// A client with what only administration asks for.
#[derive(Debug, Clone)]
pub struct ClientRecord {
    /// The client.
    pub client: Client,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which clients are listed, by identifier.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// Those whose identifier follows this one; empty for the first.
    pub after: String,
    /// At most so many.
    pub limit: i64,
    /// Part of the identifier or of the name, in any case.
    pub search: Option<String>,
}

/// How long a token that was issued before a moment can live after it: the greatest lifetime and some skew.
const TOKENS_LIVE: Duration = Duration::minutes(62);
/// How long other nodes may take to hear that a client changed.
const CHANGE_TOLD: Duration = Duration::days(1);

impl ClientRow {
    pub(crate) fn into_record(self, sealer: &Sealer) -> Result<ClientRecord, StoreError> {
        let (created_at, updated_at) = (self.created_at, self.updated_at);
        Ok(ClientRecord { client: self.into_domain(sealer)?, created_at, updated_at })
    }

    fn into_domain(self, sealer: &Sealer) -> Result<Client, StoreError> {
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
            "client_secret_jwt" => {
                let stored = self.secret_sealed.as_deref().ok_or(StoreError::Row("client secret"))?;
                let plain = sealer.open(Purpose::ClientSecret, self.client_id.as_bytes(), stored)?;
                let text = std::str::from_utf8(&plain).map_err(|_| StoreError::Row("client secret"))?;
                ClientAuth::SecretJwt(Secret::new(text))
            }
            "private_key_jwt" => ClientAuth::PrivateKeyJwt,
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
            response_types: self.response_types.iter().filter_map(|name| ResponseType::parse(name)).collect(),
            scopes: self.scopes.into_iter().collect(),
            first_party: self.first_party,
            application_type: match self.application_type.as_str() {
                "native" => ApplicationType::Native,
                _ => ApplicationType::Web,
            },
            default_audience: self.default_audience,
            policy: serde_json::from_value::<ClientPolicy>(self.policy)
                .map_err(|_| StoreError::Row("client policy"))?,
            metadata: serde_json::from_value::<ClientMetadata>(self.metadata)
                .map_err(|_| StoreError::Row("client metadata"))?,
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
    secret_sealed: Option<Vec<u8>>,
    redirect_uris: &'a [String],
    post_logout_redirect_uris: &'a [String],
    grant_types: &'a [String],
    response_types: Vec<String>,
    scopes: Vec<String>,
    first_party: bool,
    application_type: &'static str,
    default_audience: Option<String>,
    policy: Value,
    metadata: Value,
    updated_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
}

impl Tx<'_> {
    /// The client with that identifier. One statement.
    pub fn client(&mut self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let row = self.client_row(id)?;
        row.map(|row| row.into_domain(self.sealer)).transpose()
    }

    fn client_row(&mut self, id: &ClientId) -> Result<Option<ClientRow>, StoreError> {
        let found = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::client_id.eq(id.as_str()))
            .select(ClientRow::as_select())
            .first(self.conn);
        Ok(found.optional()?)
    }

    /// Clients by identifier. One statement.
    pub fn clients(&mut self, filter: &ClientFilter) -> Result<Vec<ClientRecord>, StoreError> {
        let mut query = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::client_id.gt(&filter.after))
            .order(clients::client_id)
            .limit(filter.limit)
            .select(ClientRow::as_select())
            .into_boxed();
        if let Some(search) = &filter.search {
            let pattern = contains(search);
            query = query.filter(clients::client_id.ilike(pattern.clone()).or(clients::name.ilike(pattern)));
        }
        let rows: Vec<ClientRow> = query.load(self.conn)?;
        rows.into_iter().map(|row| row.into_record(self.sealer)).collect()
    }

    /// The client with that identifier, as administration sees it. One statement.
    pub fn client_record(&mut self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        let row = self.client_row(id)?;
        row.map(|row| row.into_record(self.sealer)).transpose()
    }

    /// The same, locked until the transaction ends: what is decided on it holds when it is written. One statement.
    pub fn lock_client(&mut self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::client_id.eq(id.as_str()))
            .select(ClientRow::as_select())
            .for_no_key_update()
            .first(self.conn)
            .optional()?
            .map(|row| row.into_record(self.sealer))
            .transpose()
    }

    /// Registers a client; its `key` and `generation` are ignored: tokens of an earlier client of that name stay
    /// refused. `None` when there is one. Two statements.
    pub fn create_client(&mut self, client: &Client, turn: &mut Turn) -> Result<Option<ClientRecord>, StoreError> {
        let at = turn.now();
        let ended: Option<i64> = notices::table
            .filter(notices::realm_id.eq(self.realm.0))
            .filter(notices::kind.eq(CLIENT_REVOKED))
            .filter(notices::key.eq(client.id.as_str()))
            .select(diesel::dsl::max(notices::generation))
            .first(self.conn)?;
        let row = self.row_of(client, turn)?;
        diesel::insert_into(clients::table)
            .values((&row, clients::created_at.eq(at), clients::generation.eq(ended.unwrap_or_default())))
            .on_conflict_do_nothing()
            .returning(ClientRow::as_returning())
            .get_result(self.conn)
            .optional()?
            .map(|row| row.into_record(self.sealer))
            .transpose()
    }

    /// Writes a changed client over the one with its `key`, and tells every node. Two statements.
    pub fn update_client(&mut self, client: &Client, turn: &mut Turn) -> Result<ClientRecord, StoreError> {
        let at = turn.now();
        let row = self.row_of(client, turn)?;
        let mine = clients::table.filter(clients::realm_id.eq(self.realm.0)).filter(clients::id.eq(client.key.0));
        let written =
            diesel::update(mine).set(&row).returning(ClientRow::as_returning()).get_result::<ClientRow>(self.conn)?;
        let written = written.into_record(self.sealer)?;
        self.announce(&Announcement::Client(client.id.clone()), at, at + CHANGE_TOLD)?;
        Ok(written)
    }

    /// Ends everything a client was given: its grants, and with its generation every token. Answers the new generation.
    /// Three statements, however much hangs on it.
    pub fn end_client_tokens(&mut self, client: &Client, at: DateTime<Utc>) -> Result<i64, StoreError> {
        let mine = clients::table.filter(clients::realm_id.eq(self.realm.0)).filter(clients::id.eq(client.key.0));
        let generation: i64 = diesel::update(mine)
            .set(clients::generation.eq(clients::generation + 1))
            .returning(clients::generation)
            .get_result(self.conn)?;
        diesel::update(
            grants::table
                .filter(grants::realm_id.eq(self.realm.0))
                .filter(grants::client_key.eq(client.key.0))
                .filter(grants::revoked_at.is_null()),
        )
        .set(grants::revoked_at.eq(at))
        .execute(self.conn)?;
        let entry = Entry::Client { client_id: client.id.as_str().to_owned(), generation };
        self.announce(&Announcement::Revoked(entry), at, at + TOKENS_LIVE)?;
        Ok(generation)
    }

    /// Removes a client and everything it was given, and tells every node. Four statements.
    pub fn delete_client(&mut self, client: &Client, at: DateTime<Utc>) -> Result<(), StoreError> {
        let entry = Entry::Client { client_id: client.id.as_str().to_owned(), generation: client.generation + 1 };
        self.announce(&Announcement::Revoked(entry), at, at + TOKENS_LIVE)?;
        self.announce(&Announcement::Client(client.id.clone()), at, at + CHANGE_TOLD)?;
        let mine = clients::table.filter(clients::realm_id.eq(self.realm.0)).filter(clients::id.eq(client.key.0));
        diesel::delete(mine).execute(self.conn)?;
        Ok(())
    }

    fn row_of<'a>(&self, client: &'a Client, turn: &mut Turn) -> Result<NewClientRow<'a>, StoreError> {
        let (mut hash, mut sealed) = (None, None);
        match &client.auth {
            ClientAuth::None | ClientAuth::PrivateKeyJwt => {}
            ClientAuth::SecretBasic(ClientSecret::Hashed(digest))
            | ClientAuth::SecretPost(ClientSecret::Hashed(digest)) => hash = Some(digest.as_bytes().to_vec()),
            ClientAuth::SecretJwt(secret) => {
                let (context, plain) = (client.id.as_str().as_bytes(), secret.expose().as_bytes());
                sealed = Some(self.sealer.seal(Purpose::ClientSecret, context, plain, turn.bytes())?);
            }
        }
        Ok(NewClientRow {
            realm_id: self.realm.0,
            client_id: client.id.as_str(),
            name: &client.name,
            source: match client.source {
                ClientSource::Admin => "admin",
                ClientSource::Dynamic => "dynamic",
                ClientSource::Document { .. } => "document",
            },
            auth_method: client.auth.method(),
            secret_hash: hash,
            secret_sealed: sealed,
            redirect_uris: &client.redirect_uris,
            post_logout_redirect_uris: &client.post_logout_redirect_uris,
            grant_types: &client.grant_types,
            response_types: client.response_types.iter().map(ToString::to_string).collect(),
            scopes: client.scopes.iter().map(str::to_owned).collect(),
            first_party: client.first_party,
            application_type: match client.application_type {
                ApplicationType::Web => "web",
                ApplicationType::Native => "native",
            },
            default_audience: client.default_audience.clone(),
            policy: serde_json::to_value(&client.policy).map_err(|_| StoreError::Row("client policy"))?,
            metadata: serde_json::to_value(&client.metadata).map_err(|_| StoreError::Row("client metadata"))?,
            updated_at: turn.now(),
            disabled_at: client.disabled.then_some(turn.now()),
        })
    }
}

/// A pattern for text that contains `part`, whatever characters that has.
pub(crate) fn contains(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    /// What is searched for is text, not a pattern.
    #[test]
    fn wildcards_are_text() {
        for (part, pattern) in [("a", "%a%"), ("50%", r"%50\%%"), ("a_b", r"%a\_b%"), (r"a\b", r"%a\\b%")] {
            assert_eq!(super::contains(part), pattern);
        }
    }
}
