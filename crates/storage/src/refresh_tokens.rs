//! Refresh tokens.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Bytea, Int8, Nullable, Timestamptz, Uuid as SqlUuid},
};
use signet_oidc::{
    change::NewRefresh,
    id::{ClientKey, GrantId, SessionId},
    introspect,
    secret::Digest,
    token::refresh_token::{Loaded, TokenState},
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    grants::{GrantRow, Standing, account, session_over},
    people::PersonRow,
    schema::{grants, refresh_tokens, sessions, users},
    statement::statement,
    store::Tx,
};

/// When a refresh token was issued, when it ends, and when it was spent.
type Token = (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>);

/// A refresh token with what it renews, the username of whose it is, and when its successor was spent.
type Found = (GrantRow, Standing, String, PersonRow, Token, Option<DateTime<Utc>>);

statement! {
    /// Spends a refresh token, stores its successor, notes when the last access token ends (an earlier one may live longer),
    /// and winds up the idle time of the session: a refresh is use.
    RotateRefresh {
        realm: i64 => Int8,
        spent: Vec<u8> => Bytea,
        successor: Vec<u8> => Bytea,
        grant: Uuid => SqlUuid,
        client: i64 => Int8,
        at: DateTime<Utc> => Timestamptz,
        expires: DateTime<Utc> => Timestamptz,
        access_until: DateTime<Utc> => Timestamptz,
        session: Option<Uuid> => Nullable<SqlUuid>,
        idle_until: DateTime<Utc> => Timestamptz,
    }
    "WITH old AS (UPDATE refresh_tokens SET spent_at = {at}, successor = {successor} \
                  WHERE realm_id = {realm} AND hash = {spent}), \
     granted AS (UPDATE grants SET access_until = GREATEST(access_until, {access_until}), ends_at = GREATEST(ends_at, {expires}) \
                 WHERE id = {grant}), \
     seen AS (UPDATE sessions SET idle_expires_at = {idle_until} \
              WHERE id = {session} AND ended_at IS NULL AND idle_expires_at < {idle_until}) \
     INSERT INTO refresh_tokens (realm_id, hash, grant_id, client_key, issued_at, expires_at) \
     VALUES ({realm}, {successor}, {grant}, {client}, {at}, {expires})"
}

statement! {
    /// A refresh token that does not rotate was used: it and its session are wound up.
    UseRefresh {
        realm: i64 => Int8,
        hash: Vec<u8> => Bytea,
        grant: Uuid => SqlUuid,
        expires: DateTime<Utc> => Timestamptz,
        access_until: DateTime<Utc> => Timestamptz,
        session: Option<Uuid> => Nullable<SqlUuid>,
        idle_until: DateTime<Utc> => Timestamptz,
    }
    "WITH granted AS (UPDATE grants SET access_until = GREATEST(access_until, {access_until}), ends_at = GREATEST(ends_at, {expires}) \
                      WHERE id = {grant}), \
     seen AS (UPDATE sessions SET idle_expires_at = {idle_until} \
              WHERE id = {session} AND ended_at IS NULL AND idle_expires_at < {idle_until}) \
     UPDATE refresh_tokens SET expires_at = GREATEST(expires_at, {expires}) WHERE realm_id = {realm} AND hash = {hash}"
}

impl Tx<'_> {
    /// Loads and locks a refresh token of that client with everything it depends on. Two statements: the first takes
    /// the grant's lock, so that the second sees what the holder before it left.
    pub fn load_refresh(
        &mut self,
        token: &Digest,
        client: ClientKey,
        now: DateTime<Utc>,
    ) -> Result<Option<Loaded>, StoreError> {
        let mine = refresh_tokens::table
            .filter(refresh_tokens::realm_id.eq(self.realm.0))
            .filter(refresh_tokens::hash.eq(token.as_bytes().as_slice()))
            .filter(refresh_tokens::client_key.eq(client.0));
        let locked: Option<Uuid> = grants::table
            .filter(grants::id.nullable().eq(mine.select(refresh_tokens::grant_id).single_value()))
            .select(grants::id)
            .for_no_key_update()
            .first(self.conn)
            .optional()?;
        if locked.is_none() {
            return Ok(None);
        }
        Ok(self.refresh_token(token, now)?.map(|found| found.loaded))
    }

    /// A refresh token, whosever it is, with everything it depends on. Nothing is locked. One statement.
    pub fn refresh_token(
        &mut self,
        token: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Option<introspect::Refresh>, StoreError> {
        let successor = diesel::alias!(refresh_tokens as successor);
        let found: Option<Found> = refresh_tokens::table
            .inner_join(grants::table.left_join(sessions::table).inner_join(users::table))
            .left_join(
                successor.on(successor
                    .field(refresh_tokens::realm_id)
                    .eq(refresh_tokens::realm_id)
                    .and(successor.field(refresh_tokens::hash).nullable().eq(refresh_tokens::successor))),
            )
            .filter(refresh_tokens::realm_id.eq(self.realm.0))
            .filter(refresh_tokens::hash.eq(token.as_bytes().as_slice()))
            .select((
                GrantRow::as_select(),
                (
                    users::id,
                    users::subject,
                    users::state,
                    users::generation,
                    (
                        sessions::expires_at.nullable(),
                        sessions::idle_expires_at.nullable(),
                        sessions::ended_at.nullable(),
                        users::ends_before,
                    ),
                ),
                users::username,
                PersonRow::as_select(),
                (refresh_tokens::issued_at, refresh_tokens::expires_at, refresh_tokens::spent_at),
                successor.field(refresh_tokens::spent_at).nullable(),
            ))
            .first(self.conn)
            .optional()?;
        let Some((row, standing, username, person, (issued, expires, spent), next)) = found else { return Ok(None) };
        let given_under = row.generation();
        let grant = row.into_domain()?;
        let loaded = Loaded {
            account: account(&standing),
            person: person.into_domain(),
            session_over: session_over((&grant, given_under), &standing, now),
            state: match (spent, next) {
                (None, _) => TokenState::Fresh,
                (Some(at), None) => TokenState::Spent { at },
                (Some(_), Some(_)) => TokenState::Superseded,
            },
            expires,
            grant,
        };
        Ok(Some(introspect::Refresh { loaded, issued, username }))
    }

    pub(crate) fn issue_refresh(&mut self, new: &NewRefresh) -> Result<(), StoreError> {
        diesel::insert_into(refresh_tokens::table)
            .values((
                refresh_tokens::realm_id.eq(self.realm.0),
                refresh_tokens::hash.eq(new.digest.as_bytes().as_slice()),
                refresh_tokens::grant_id.eq(new.grant.0),
                refresh_tokens::client_key.eq(new.client.0),
                refresh_tokens::issued_at.eq(new.at),
                refresh_tokens::expires_at.eq(new.expires),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    pub(crate) fn rotate_refresh(
        &mut self,
        spent: &Digest,
        successor: &NewRefresh,
        (access_until, seen): (DateTime<Utc>, Option<(SessionId, DateTime<Utc>)>),
    ) -> Result<(), StoreError> {
        let row = RotateRefresh {
            realm: self.realm.0,
            spent: spent.as_bytes().to_vec(),
            successor: successor.digest.as_bytes().to_vec(),
            grant: successor.grant.0,
            client: successor.client.0,
            at: successor.at,
            expires: successor.expires,
            access_until,
            session: seen.map(|(session, _)| session.0),
            idle_until: seen.map_or(successor.at, |(_, until)| until),
        };
        row.execute(self.conn)?;
        Ok(())
    }

    pub(crate) fn use_refresh(
        &mut self,
        used: &NewRefresh,
        (access_until, seen): (DateTime<Utc>, Option<(SessionId, DateTime<Utc>)>),
    ) -> Result<(), StoreError> {
        let row = UseRefresh {
            realm: self.realm.0,
            hash: used.digest.as_bytes().to_vec(),
            grant: used.grant.0,
            expires: used.expires,
            access_until,
            session: seen.map(|(session, _)| session.0),
            idle_until: seen.map_or(used.at, |(_, until)| until),
        };
        row.execute(self.conn)?;
        Ok(())
    }

    /// An access token that was given before may live longer than the newest: the moment only moves on.
    pub(crate) fn extend_access(&mut self, grant: GrantId, access_until: DateTime<Utc>) -> Result<(), StoreError> {
        let earlier = grants::access_until.is_null().or(grants::access_until.lt(access_until));
        diesel::update(grants::table.filter(grants::realm_id.eq(self.realm.0)).filter(grants::id.eq(grant.0)))
            .filter(earlier)
            .set(grants::access_until.eq(access_until))
            .execute(self.conn)?;
        Ok(())
    }
}
