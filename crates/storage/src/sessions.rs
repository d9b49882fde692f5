//! Browser sessions.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Int2, Int8, Text, Timestamptz, Uuid as SqlUuid},
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
    schema::{sessions, users},
    store::Tx,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: Uuid,
    auth_time: DateTime<Utc>,
    acr: String,
    amr: Vec<String>,
    idle_expires_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct OwnerRow {
    id: Uuid,
    subject: String,
    username: String,
    state: String,
    generation: i64,
}

#[derive(Insertable)]
#[diesel(table_name = sessions)]
struct NewSessionRow<'a> {
    id: Uuid,
    realm_id: i64,
    handle_hash: &'a [u8],
    user_id: Uuid,
    state: &'static str,
    auth_time: DateTime<Utc>,
    acr: &'a str,
    amr: &'a [String],
    user_agent: Option<String>,
    address: Option<String>,
    created_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Tx<'_> {
    /// The session with that handle, if it is full and alive, with its owner. One statement; one more when its idle
    /// time has run down enough to be wound up again to `idle_until`.
    pub fn session(
        &mut self,
        handle: &Digest,
        now: DateTime<Utc>,
        idle_until: DateTime<Utc>,
    ) -> Result<Option<Session>, StoreError> {
        let row: Option<(SessionRow, OwnerRow)> = sessions::table
            .inner_join(users::table)
            .filter(sessions::realm_id.eq(self.realm.0))
            .filter(sessions::handle_hash.eq(handle.as_bytes().as_slice()))
            .filter(sessions::state.eq("full"))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::expires_at.gt(now))
            .filter(sessions::idle_expires_at.gt(now))
            .select((SessionRow::as_select(), OwnerRow::as_select()))
            .first(self.conn)
            .optional()?;
        let Some((session, owner)) = row else { return Ok(None) };
        if idle_until - session.idle_expires_at > chrono::Duration::minutes(30) {
            diesel::update(sessions::table.filter(sessions::id.eq(session.id)))
                .set(sessions::idle_expires_at.eq(idle_until))
                .execute(self.conn)?;
        }
        Ok(Some(Session {
            id: SessionId(session.id),
            account: Account {
                id: AccountId(owner.id),
                subject: owner.subject,
                active: owner.state == UserState::Active.as_str(),
                generation: owner.generation,
            },
            username: owner.username,
            auth_time: session.auth_time,
            amr: session.amr,
            acr: session.acr,
        }))
    }

    pub(crate) fn start_session(&mut self, session: &NewSession, origin: &Origin) -> Result<(), StoreError> {
        let row = NewSessionRow {
            id: session.id.0,
            realm_id: self.realm.0,
            handle_hash: &session.handle,
            user_id: session.user.0,
            state: session.state.as_str(),
            auth_time: session.auth_time,
            acr: &session.acr,
            amr: &session.amr,
            user_agent: origin.user_agent.as_ref().map(|agent| agent.chars().take(256).collect()),
            address: origin.address.clone(),
            created_at: session.auth_time,
            idle_expires_at: session.idle_expires,
            expires_at: session.expires,
        };
        diesel::insert_into(sessions::table).values(&row).execute(self.conn)?;
        Ok(())
    }

    /// The cookie is new at every sign-in and step up; what hangs on the session stays.
    pub(crate) fn renew_session(&mut self, session: &NewSession) -> Result<(), StoreError> {
        let target = sessions::table.filter(sessions::realm_id.eq(self.realm.0)).filter(sessions::id.eq(session.id.0));
        diesel::update(target)
            .set((
                sessions::handle_hash.eq(session.handle.as_slice()),
                sessions::state.eq(session.state.as_str()),
                sessions::auth_time.eq(session.auth_time),
                sessions::acr.eq(&session.acr),
                sessions::amr.eq(&session.amr),
                sessions::idle_expires_at.eq(session.idle_expires),
                sessions::expires_at.eq(session.expires),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a session and its grants without offline access; tells every node whose tokens are still alive. One
    /// statement, whatever hangs on it.
    pub(crate) fn end_session(&mut self, session: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        let told: Vec<Notice> = diesel::sql_query(
            "WITH ended AS (UPDATE sessions SET ended_at = $3 WHERE realm_id = $1 AND id = $2 AND ended_at IS NULL), \
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
