//! Clients that register themselves, and the tokens that let them (RFC 7591, RFC 7592).

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use signet_oidc::{
    Turn,
    client::Client,
    id::{ClientId, ClientKey},
    secret::Digest,
};
use uuid::Uuid;

use crate::{
    clients::{ClientRecord, ClientRow},
    error::StoreError,
    schema::{clients, initial_access_tokens},
    store::Tx,
};

/// RFC 7591 §3: a token that lets clients register themselves.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = initial_access_tokens)]
pub struct InitialAccessToken {
    /// Its key.
    pub id: Uuid,
    /// What it is for, for people.
    pub note: String,
    /// How many clients may yet register with it.
    pub uses_left: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
}

/// A client that registered itself, with the hash of its registration access token.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The client.
    pub record: ClientRecord,
    /// RFC 7592 §1.2: what opens its registration.
    pub token: Digest,
}

/// Where a client stands that registered itself.
const DYNAMIC: &str = "dynamic";
/// The advisory lock of [`Tx::take_turn_to_register`].
const REGISTER: i64 = 0x5349_474e_5245_4749;
/// That a client is used is written down once in this time.
pub const USE_NOTED: Duration = Duration::hours(1);

/// A client that registered itself, and the hash that goes with it.
macro_rules! dynamic {
    ($tx:ident, $id:ident) => {
        clients::table
            .filter(clients::realm_id.eq($tx.realm.0))
            .filter(clients::client_id.eq($id.as_str()))
            .filter(clients::source.eq(DYNAMIC))
            .select((ClientRow::as_select(), clients::registration_token_hash))
    };
}

impl Tx<'_> {
    /// Stores a new token; its `id` must be new. One statement.
    pub fn put_initial_access_token(&mut self, token: &InitialAccessToken, hash: &Digest) -> Result<(), StoreError> {
        diesel::insert_into(initial_access_tokens::table)
            .values((
                initial_access_tokens::realm_id.eq(self.realm.0),
                initial_access_tokens::id.eq(token.id),
                initial_access_tokens::hash.eq(hash.as_bytes().as_slice()),
                initial_access_tokens::note.eq(&token.note),
                initial_access_tokens::uses_left.eq(token.uses_left),
                initial_access_tokens::created_at.eq(token.created_at),
                initial_access_tokens::expires_at.eq(token.expires_at),
                initial_access_tokens::created_by.eq(&token.created_by),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Tokens by identifier, that is by age, behind the one given. One statement.
    pub fn initial_access_tokens(
        &mut self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<InitialAccessToken>, StoreError> {
        Ok(initial_access_tokens::table
            .filter(initial_access_tokens::realm_id.eq(self.realm.0))
            .filter(initial_access_tokens::id.gt(after.unwrap_or_default()))
            .order(initial_access_tokens::id)
            .limit(limit)
            .select(InitialAccessToken::as_select())
            .load(self.conn)?)
    }

    /// Takes a token away. One statement.
    pub fn delete_initial_access_token(&mut self, id: Uuid) -> Result<Option<InitialAccessToken>, StoreError> {
        let mine = initial_access_tokens::table
            .filter(initial_access_tokens::realm_id.eq(self.realm.0))
            .filter(initial_access_tokens::id.eq(id));
        let gone = diesel::delete(mine).returning(InitialAccessToken::as_returning()).get_result(self.conn);
        Ok(gone.optional()?)
    }

    /// Whether a client might register with this token now. Spends nothing. One statement.
    pub fn knows_initial_access_token(&mut self, token: &Digest, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let good = initial_access_tokens::table
            .filter(initial_access_tokens::realm_id.eq(self.realm.0))
            .filter(initial_access_tokens::hash.eq(token.as_bytes().as_slice()))
            .filter(initial_access_tokens::uses_left.gt(0))
            .filter(initial_access_tokens::expires_at.gt(now));
        Ok(diesel::select(diesel::dsl::exists(good)).get_result(self.conn)?)
    }

    /// Loads a token, which spends one of its uses. None where it is unknown, used up or over. One statement.
    pub fn spend_initial_access_token(
        &mut self,
        token: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Option<InitialAccessToken>, StoreError> {
        let good = initial_access_tokens::table
            .filter(initial_access_tokens::realm_id.eq(self.realm.0))
            .filter(initial_access_tokens::hash.eq(token.as_bytes().as_slice()))
            .filter(initial_access_tokens::uses_left.gt(0))
            .filter(initial_access_tokens::expires_at.gt(now));
        let spent = diesel::update(good)
            .set(initial_access_tokens::uses_left.eq(initial_access_tokens::uses_left - 1))
            .returning(InitialAccessToken::as_returning())
            .get_result(self.conn);
        Ok(spent.optional()?)
    }

    /// Waits until no other client is being registered, until the end of the transaction: their number is what it is
    /// said to be. One statement.
    pub fn take_turn_to_register(&mut self) -> Result<(), StoreError> {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<diesel::sql_types::Int8, _>(REGISTER)
            .execute(self.conn)?;
        Ok(())
    }

    /// How many clients there are that registered themselves. One statement.
    pub fn count_registered_clients(&mut self) -> Result<i64, StoreError> {
        Ok(clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::source.eq(DYNAMIC))
            .count()
            .get_result(self.conn)?)
    }

    /// [`Tx::create_client`] of a client that registers itself, with the hash of its registration access token. Three
    /// statements.
    pub fn register_client(
        &mut self,
        client: &Client,
        token: &Digest,
        turn: &mut Turn,
    ) -> Result<Option<ClientRecord>, StoreError> {
        let Some(record) = self.create_client(client, turn)? else { return Ok(None) };
        let mine =
            clients::table.filter(clients::realm_id.eq(self.realm.0)).filter(clients::id.eq(record.client.key.0));
        diesel::update(mine)
            .set((
                clients::registration_token_hash.eq(token.as_bytes().as_slice()),
                clients::last_used_at.eq(turn.now()),
            ))
            .execute(self.conn)?;
        Ok(Some(record))
    }

    /// The client with that identifier, if it registered itself. One statement.
    pub fn registered_client(&mut self, id: &ClientId) -> Result<Option<Registered>, StoreError> {
        let found = dynamic!(self, id).first(self.conn).optional()?;
        self.registered(found)
    }

    /// The same, locked until the transaction ends. One statement.
    pub fn lock_registered_client(&mut self, id: &ClientId) -> Result<Option<Registered>, StoreError> {
        let found = dynamic!(self, id).for_no_key_update().first(self.conn).optional()?;
        self.registered(found)
    }

    fn registered(&self, found: Option<(ClientRow, Option<Vec<u8>>)>) -> Result<Option<Registered>, StoreError> {
        let Some((row, Some(hash))) = found else { return Ok(None) };
        let token = Digest::from_slice(&hash).ok_or(StoreError::Row("registration access token"))?;
        Ok(Some(Registered { record: row.into_record(self.sealer)?, token }))
    }

    /// Clients that registered themselves and that nobody has used since a moment, locked; those that another
    /// transaction is at are left out. One statement.
    pub fn unused_clients(&mut self, since: DateTime<Utc>, limit: i64) -> Result<Vec<Client>, StoreError> {
        let rows: Vec<ClientRow> = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::source.eq(DYNAMIC))
            .filter(clients::last_used_at.lt(since))
            .order(clients::last_used_at)
            .limit(limit)
            .select(ClientRow::as_select())
            .for_update()
            .skip_locked()
            .load(self.conn)?;
        rows.into_iter().map(|row| Ok(row.into_record(self.sealer)?.client)).collect()
    }

    /// The client that registered itself the longest ago, before a moment, and was never used since; locked. Those that
    /// another transaction is at are left out. One statement.
    pub(crate) fn never_used_client(&mut self, before: DateTime<Utc>) -> Result<Option<Client>, StoreError> {
        let row: Option<ClientRow> = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::source.eq(DYNAMIC))
            .filter(clients::last_used_at.eq(clients::created_at.nullable()))
            .filter(clients::last_used_at.lt(before))
            .order(clients::last_used_at)
            .select(ClientRow::as_select())
            .for_update()
            .skip_locked()
            .first(self.conn)
            .optional()?;
        row.map(|row| Ok(row.into_record(self.sealer)?.client)).transpose()
    }

    /// Notes that a client is in use, where that was not noted in the last hour. One statement.
    pub fn note_client_use(&mut self, client: ClientKey, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mine = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::id.eq(client.0))
            .filter(clients::last_used_at.is_null().or(clients::last_used_at.lt(now - USE_NOTED)));
        diesel::update(mine).set(clients::last_used_at.eq(now)).execute(self.conn)?;
        Ok(())
    }
}
