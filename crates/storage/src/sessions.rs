//! Browser sessions.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    query_builder::Query,
    sql_types::{Array, Bytea, Int2, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use signet_identity::{session::NewSession, user::UserState};
use signet_oidc::{
    id::{AccountId, SessionId},
    secret::Digest,
    subject::{Account, Session},
};
use uuid::Uuid;

use crate::{
    audit::Origin,
    error::StoreError,
    notices::{self, Notice},
    schema::sessions,
    statement::statement,
    store::Tx,
};

statement! {
    /// The living session with that handle and its owner. Its idle time is wound up once it has run down to before
    /// `wind`.
    FindSession {
        realm: i64 => Int8,
        handle: Vec<u8> => Bytea,
        now: DateTime<Utc> => Timestamptz,
        wind: DateTime<Utc> => Timestamptz,
        idle: DateTime<Utc> => Timestamptz,
    }
    "WITH found AS (SELECT sessions.id, auth_time, acr, amr, idle_expires_at, users.id AS owner, subject, username, \
     users.state, users.generation FROM sessions JOIN users ON users.id = user_id \
     WHERE sessions.realm_id = {realm} AND handle_hash = {handle} AND sessions.state = 'full' AND ended_at IS NULL \
     AND expires_at > {now} AND idle_expires_at > {now} AND (sessions.generation = users.generation \
     OR sessions.generation IS NULL AND (ends_before IS NULL OR auth_time >= ends_before))), \
     wound AS (UPDATE sessions SET idle_expires_at = {idle} \
     WHERE id = (SELECT id FROM found WHERE idle_expires_at < {wind})) \
     SELECT id, auth_time, acr, amr, owner, subject, username, state, generation FROM found"
}

impl Query for FindSession {
    type SqlType = (SqlUuid, Timestamptz, Text, Array<Text>, SqlUuid, Text, Text, Text, Int8);
}

/// What [`FindSession`] answers.
type Found = (Uuid, DateTime<Utc>, String, Vec<String>, Uuid, String, String, String, i64);

statement! {
    /// A session, and its owner's newest sign-in.
    StartSession {
        id: Uuid => SqlUuid,
        realm: i64 => Int8,
        handle: Vec<u8> => Bytea,
        user: Uuid => SqlUuid,
        generation: i64 => Int8,
        state: &'static str => Text,
        auth_time: DateTime<Utc> => Timestamptz,
        acr: String => Text,
        amr: Vec<String> => Array<Text>,
        agent: Option<String> => Nullable<Text>,
        address: Option<String> => Nullable<Text>,
        idle: DateTime<Utc> => Timestamptz,
        expires: DateTime<Utc> => Timestamptz,
    }
    "WITH noted AS (UPDATE users SET last_sign_in_at = {auth_time} WHERE realm_id = {realm} AND id = {user}) \
     INSERT INTO sessions (id, realm_id, handle_hash, user_id, generation, state, auth_time, acr, amr, user_agent, address, \
     created_at, idle_expires_at, expires_at) VALUES ({id}, {realm}, {handle}, {user}, {generation}, {state}, {auth_time}, \
     {acr}, {amr}, {agent}, {address}, {auth_time}, {idle}, {expires})"
}

statement! {
    /// A session's new cookie and times, and its owner's newest sign-in.
    RenewSession {
        id: Uuid => SqlUuid,
        realm: i64 => Int8,
        handle: Vec<u8> => Bytea,
        user: Uuid => SqlUuid,
        generation: i64 => Int8,
        state: &'static str => Text,
        auth_time: DateTime<Utc> => Timestamptz,
        acr: String => Text,
        amr: Vec<String> => Array<Text>,
        idle: DateTime<Utc> => Timestamptz,
        expires: DateTime<Utc> => Timestamptz,
    }
    "WITH noted AS (UPDATE users SET last_sign_in_at = {auth_time} WHERE realm_id = {realm} AND id = {user}) \
     UPDATE sessions SET handle_hash = {handle}, generation = {generation}, state = {state}, auth_time = {auth_time}, acr = {acr}, amr = {amr}, \
     idle_expires_at = {idle}, expires_at = {expires} WHERE realm_id = {realm} AND id = {id}"
}

impl Tx<'_> {
    /// The session with that handle, if it is full and alive, with its owner; its idle time is wound up to
    /// `idle_until` every half hour. One statement.
    pub fn session(
        &mut self,
        handle: &Digest,
        now: DateTime<Utc>,
        idle_until: DateTime<Utc>,
    ) -> Result<Option<Session>, StoreError> {
        let query = FindSession {
            realm: self.realm.0,
            handle: handle.as_bytes().to_vec(),
            now,
            wind: idle_until - chrono::Duration::minutes(30),
            idle: idle_until,
        };
        let found: Option<Found> = query.get_result(self.conn).optional()?;
        Ok(found.map(|(id, auth_time, acr, amr, owner, subject, username, state, generation)| Session {
            id: SessionId(id),
            account: Account { id: AccountId(owner), subject, active: state == UserState::Active.as_str(), generation },
            username,
            auth_time,
            amr,
            acr,
        }))
    }

    /// Keeps a session from ending until this transaction does; false where it has ended. What is given here without a code is
    /// then there for whoever ends the session to see. One statement.
    pub fn hold_session(&mut self, session: SessionId) -> Result<bool, StoreError> {
        let held = sessions::table
            .filter(sessions::realm_id.eq(self.realm.0))
            .filter(sessions::id.eq(session.0))
            .filter(sessions::ended_at.is_null())
            .select(sessions::id)
            .for_share()
            .first::<Uuid>(self.conn)
            .optional()?;
        Ok(held.is_some())
    }

    /// A new session, and the owner's newest sign-in. One statement.
    pub(crate) fn start_session(&mut self, session: &NewSession, origin: &Origin) -> Result<(), StoreError> {
        let row = StartSession {
            id: session.id.0,
            realm: self.realm.0,
            handle: session.handle.to_vec(),
            user: session.user.0,
            generation: session.generation,
            state: session.state.as_str(),
            auth_time: session.auth_time,
            acr: session.acr.clone(),
            amr: session.amr.clone(),
            agent: origin.user_agent.as_ref().map(|agent| agent.chars().take(256).collect()),
            address: origin.address.clone(),
            idle: session.idle_expires,
            expires: session.expires,
        };
        row.execute(self.conn)?;
        Ok(())
    }

    /// The cookie is new at every sign-in and step up; what hangs on the session stays. One statement.
    pub(crate) fn renew_session(&mut self, session: &NewSession) -> Result<(), StoreError> {
        let row = RenewSession {
            id: session.id.0,
            realm: self.realm.0,
            handle: session.handle.to_vec(),
            user: session.user.0,
            generation: session.generation,
            state: session.state.as_str(),
            auth_time: session.auth_time,
            acr: session.acr.clone(),
            amr: session.amr.clone(),
            idle: session.idle_expires,
            expires: session.expires,
        };
        row.execute(self.conn)?;
        Ok(())
    }

    /// Waits for what is being given under a session, before it is ended: a statement sees only what was there when it
    /// began. Its grants are locked first, as a refresh takes them, so that neither waits for the other in a circle. One
    /// statement.
    pub fn lock_session(&mut self, session: SessionId) -> Result<(), StoreError> {
        diesel::sql_query(
            "WITH held AS MATERIALIZED (SELECT id FROM grants WHERE realm_id = $1 AND session_id = $2 AND NOT offline \
                       AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE) \
             SELECT 1 FROM sessions WHERE realm_id = $1 AND id = $2 AND (SELECT count(*) FROM held) >= 0 \
             FOR NO KEY UPDATE OF sessions",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(session.0)
        .execute(self.conn)?;
        Ok(())
    }

    /// Ends a session and its grants without offline access; tells every node whose tokens are still alive, and makes a
    /// delivery for each client that is told in the back channel. One statement, whatever hangs on it.
    pub(crate) fn end_session(&mut self, session: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        let told: Vec<Notice> = diesel::sql_query(
            "WITH ended AS (UPDATE sessions SET ended_at = $3 WHERE realm_id = $1 AND id = $2 AND ended_at IS NULL \
                       RETURNING id), \
             told AS (INSERT INTO deliveries (realm_id, kind, client_key, content, state, due_at, created_at) \
                      SELECT $1, 'backchannel_logout', clients.id, \
                      jsonb_build_object('sub', session_clients.subject, 'sid', session_clients.sid), 'waiting', $3, $3 \
                      FROM ended JOIN session_clients ON session_id = ended.id \
                      JOIN clients ON clients.id = session_clients.client_key \
                      WHERE clients.disabled_at IS NULL AND jsonb_exists(clients.metadata, 'backchannel_logout_uri')), \
             revoked AS (UPDATE grants SET revoked_at = $3 WHERE realm_id = $1 AND session_id = $2 AND NOT offline \
                         AND revoked_at IS NULL RETURNING id, access_until) \
             INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT $1, $4, $5, id::text, $3, access_until FROM revoked WHERE access_until > $3 \
             RETURNING seq, kind, key, generation, expires_at",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(session)
        .bind::<Timestamptz, _>(at)
        .bind::<Int2, _>(notices::VERSION)
        .bind::<Text, _>(notices::GRANT_REVOKED)
        .load(self.conn)?;
        self.notices.extend(told);
        Ok(())
    }
}
