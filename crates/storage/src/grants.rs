//! Grants, codes and refresh tokens.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, Bool, Bytea, Int2, Int8, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use signet_identity::{UserId, user::UserState};
use signet_oidc::{
    change::NewGrant,
    grant::{Confirmation, Grant, GrantKind, GrantState},
    id::{AccountId, ClientKey, GrantId, SessionId},
    pkce::{Challenge, Method},
    secret::Digest,
    subject::{Account, Holder},
    token::authorization_code,
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    notices::{self, Notice},
    people::PersonRow,
    schema::{grants, sessions, users},
    statement::statement,
    store::Tx,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = grants)]
pub(crate) struct GrantRow {
    id: Uuid,
    kind: String,
    client_key: i64,
    user_id: Option<Uuid>,
    subject: String,
    session_id: Option<Uuid>,
    sid: Option<String>,
    scopes: Vec<String>,
    resources: Vec<String>,
    claims: Option<Value>,
    redirect_uri: String,
    redirect_uri_sent: bool,
    code_challenge: Option<String>,
    code_challenge_method: String,
    nonce: Option<String>,
    auth_time: DateTime<Utc>,
    acr: String,
    amr: Vec<String>,
    offline: bool,
    code_expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    generation: Option<i64>,
}

impl GrantRow {
    /// The generation of the account under which it was given, where that was kept.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.generation
    }

    pub(crate) fn into_domain(self) -> Result<Grant, StoreError> {
        let method = Method::parse(&self.code_challenge_method).ok_or(StoreError::Row("challenge method"))?;
        let claims = self.claims.map(serde_json::from_value).transpose();
        Ok(Grant {
            id: GrantId(self.id),
            kind: GrantKind::parse(&self.kind).ok_or(StoreError::Row("grant kind"))?,
            client: ClientKey(self.client_key),
            account: AccountId(self.user_id.ok_or(StoreError::Row("grant without an account"))?),
            subject: self.subject,
            session: self.session_id.map(SessionId),
            sid: self.sid,
            scopes: self.scopes.into_iter().collect(),
            resources: self.resources,
            claims: claims.map_err(|_| StoreError::Row("grant claims"))?.unwrap_or_default(),
            redirect_uri: self.redirect_uri,
            redirect_uri_sent: self.redirect_uri_sent,
            challenge: self.code_challenge.map(|value| Challenge { method, value }),
            nonce: self.nonce,
            auth_time: self.auth_time,
            acr: self.acr,
            amr: self.amr,
            offline: self.offline,
            confirmation: Confirmation::None,
            state: self.revoked_at.map_or(GrantState::Active, |at| GrantState::Revoked { at }),
        })
    }
}

/// The account and session behind a grant, as they stand now.
pub(crate) type Standing = (Uuid, String, String, i64, SessionEnds);

/// When the session ends in any case, ends without use, and was ended; none where there is no session. Then the moment
/// before which every sign-in of the account is over.
pub(crate) type SessionEnds =
    (Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

pub(crate) fn account((id, subject, state, generation, ..): &Standing) -> Account {
    Account {
        id: AccountId(*id),
        subject: subject.clone(),
        active: state == UserState::Active.as_str(),
        generation: *generation,
    }
}

/// Whether the sign-in a grant hangs on is over. A grant of offline access hangs on no session, but what was ended
/// together with everything else of its account stays so, also where it was given at that very moment: it is of another
/// generation than the account is now.
pub(crate) fn session_over(
    (grant, given_under): (&Grant, Option<i64>),
    (.., generation, (expires, idle, ended, before)): &Standing,
    now: DateTime<Utc>,
) -> bool {
    let over = |end: &Option<DateTime<Utc>>| end.is_none_or(|end| end <= now);
    let everything = match given_under {
        Some(given_under) => given_under != *generation,
        None => before.is_some_and(|before| grant.auth_time < before),
    };
    everything || !grant.offline && (ended.is_some() || over(expires) || over(idle))
}

statement! {
    /// A grant with its code, where it has one, and the client's place among those to tell when the session ends.
    InsertGrant {
        id: Uuid => SqlUuid,
        realm: i64 => Int8,
        kind: &'static str => Text,
        client: i64 => Int8,
        user: Uuid => SqlUuid,
        subject: String => Text,
        session: Option<Uuid> => Nullable<SqlUuid>,
        sid: Option<String> => Nullable<Text>,
        scopes: Vec<String> => Array<Text>,
        resources: Vec<String> => Array<Text>,
        claims: Option<Value> => Nullable<Jsonb>,
        redirect_uri: String => Text,
        sent: bool => Bool,
        challenge: Option<String> => Nullable<Text>,
        method: &'static str => Text,
        nonce: Option<String> => Nullable<Text>,
        auth_time: DateTime<Utc> => Timestamptz,
        acr: String => Text,
        amr: Vec<String> => Array<Text>,
        offline: bool => Bool,
        code: Option<Vec<u8>> => Nullable<Bytea>,
        code_expires: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        access_until: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        ends: DateTime<Utc> => Timestamptz,
        at: DateTime<Utc> => Timestamptz,
        generation: i64 => Int8,
    }
    "WITH given AS (INSERT INTO grants (id, realm_id, kind, client_key, user_id, subject, session_id, sid, scopes, \
     resources, claims, redirect_uri, redirect_uri_sent, code_challenge, code_challenge_method, nonce, auth_time, acr, \
     amr, offline, code_hash, code_expires_at, access_until, created_at, ends_at, generation) VALUES ({id}, {realm}, {kind}, {client}, {user}, {subject}, {session}, {sid}, {scopes}, \
     {resources}, {claims}, {redirect_uri}, {sent}, {challenge}, {method}, {nonce}, {auth_time}, {acr}, {amr}, \
     {offline}, {code}, {code_expires}, {access_until}, {at}, {ends}, {generation}) RETURNING session_id, client_key, subject, sid, created_at) \
     INSERT INTO session_clients (session_id, client_key, subject, sid, created_at) \
     SELECT session_id, client_key, subject, sid, created_at FROM given WHERE session_id IS NOT NULL AND sid IS NOT NULL \
     ON CONFLICT (session_id, client_key) DO NOTHING"
}

impl Tx<'_> {
    /// Loads a code, which spends it, and notes `until` when access and refresh tokens made from it live. A foreign client neither spends
    /// nor revokes. Two statements.
    pub fn load_code(
        &mut self,
        code: &Digest,
        client: ClientKey,
        now: DateTime<Utc>,
        until: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<authorization_code::Loaded, StoreError> {
        use authorization_code::Loaded;
        let hash = code.as_bytes().as_slice();
        let spent: Option<GrantRow> = diesel::update(
            grants::table
                .filter(grants::realm_id.eq(self.realm.0))
                .filter(grants::code_hash.eq(hash))
                .filter(grants::client_key.eq(client.0))
                .filter(grants::code_spent_at.is_null()),
        )
        .set((grants::code_spent_at.eq(now), grants::access_until.eq(until.0), grants::ends_at.eq(until.1)))
        .returning(GrantRow::as_returning())
        .get_result(self.conn)
        .optional()?;
        let Some(row) = spent else {
            let before: Option<(Uuid, Option<Uuid>)> = grants::table
                .filter(grants::realm_id.eq(self.realm.0))
                .filter(grants::code_hash.eq(hash))
                .filter(grants::client_key.eq(client.0))
                .select((grants::id, grants::user_id))
                .first(self.conn)
                .optional()?;
            return Ok(match before {
                Some((grant, Some(account))) => Loaded::Replay { grant: GrantId(grant), account: AccountId(account) },
                _ => Loaded::Unknown,
            });
        };
        let expired = row.code_expires_at.is_none_or(|expires| expires <= now);
        let (user, session, given_under) = (row.user_id, row.session_id, row.generation());
        let grant = row.into_domain()?;
        let (standing, person): (Standing, PersonRow) = users::table
            .left_join(sessions::table.on(sessions::id.nullable().eq(session)))
            .filter(users::id.nullable().eq(user))
            .select((
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
                PersonRow::as_select(),
            ))
            .first(self.conn)?;
        Ok(Loaded::First {
            account: account(&standing),
            person: Box::new(person.into_domain()),
            expired,
            session_over: session_over((&grant, given_under), &standing, now),
            grant: Box::new(grant),
        })
    }

    /// Who stands behind a grant, while it is kept. One statement.
    pub fn holder(&mut self, grant: GrantId) -> Result<Option<Holder>, StoreError> {
        let found: Option<(Uuid, String, Option<Uuid>)> = grants::table
            .inner_join(users::table)
            .filter(grants::realm_id.eq(self.realm.0))
            .filter(grants::id.eq(grant.0))
            .select((users::id, users::username, grants::session_id))
            .first(self.conn)
            .optional()?;
        Ok(found.map(|(account, username, session)| Holder {
            account: AccountId(account),
            username,
            session: session.map(SessionId),
        }))
    }

    pub(crate) fn issue_grant(&mut self, new: NewGrant) -> Result<(), StoreError> {
        let NewGrant { grant, generation, code, access_until, refresh_until, at } = new;
        let code_expires = code.map(|(_, expires)| expires);
        let claims = serde_json::to_value(&grant.claims).map_err(|_| StoreError::Row("grant claims"))?;
        let (challenge, method) = match grant.challenge {
            Some(challenge) => (Some(challenge.value), challenge.method),
            None => (None, Method::S256),
        };
        let row = InsertGrant {
            id: grant.id.0,
            realm: self.realm.0,
            kind: grant.kind.as_str(),
            client: grant.client.0,
            user: grant.account.0,
            subject: grant.subject,
            session: grant.session.map(|session| session.0),
            sid: grant.sid,
            scopes: grant.scopes.iter().map(str::to_owned).collect(),
            resources: grant.resources,
            claims: (!grant.claims.is_empty()).then_some(claims),
            redirect_uri: grant.redirect_uri,
            sent: grant.redirect_uri_sent,
            challenge,
            method: method.as_str(),
            nonce: grant.nonce,
            auth_time: grant.auth_time,
            acr: grant.acr,
            amr: grant.amr,
            offline: grant.offline,
            code: code.map(|(digest, _)| digest.as_bytes().to_vec()),
            code_expires,
            access_until,
            ends: code_expires.max(access_until).max(refresh_until).unwrap_or(at),
            at,
            generation,
        };
        row.execute(self.conn)?;
        Ok(())
    }

    /// Ends every grant of an account. Its tokens end with its generation, which names the public subject: those that
    /// carry a pairwise one are told of grant by grant. One statement.
    pub(crate) fn revoke_grants_of(&mut self, user: UserId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let told: Vec<Notice> = diesel::sql_query(
            "WITH revoked AS (UPDATE grants SET revoked_at = $3 WHERE user_id = $2 AND revoked_at IS NULL \
                 RETURNING id, subject, access_until) \
             INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT $1, $4, $5, revoked.id::text, $3, access_until FROM revoked JOIN users ON users.id = $2 \
             WHERE access_until > $3 AND revoked.subject <> users.subject \
             RETURNING seq, kind, key, generation, expires_at",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(user.0)
        .bind::<Timestamptz, _>(at)
        .bind::<Int2, _>(notices::VERSION)
        .bind::<Text, _>(notices::GRANT_REVOKED)
        .load(self.conn)?;
        self.notices.extend(told);
        Ok(())
    }

    /// Ends a grant and those derived from it; tells every node whose tokens are still alive. One statement.
    pub(crate) fn revoke_grant(&mut self, grant: GrantId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let told: Vec<Notice> = diesel::sql_query(
            "WITH RECURSIVE family AS (SELECT id FROM grants WHERE realm_id = $1 AND id = $2 \
                 UNION SELECT child.id FROM grants child JOIN family ON child.parent_id = family.id), \
             revoked AS (UPDATE grants SET revoked_at = $3 WHERE id IN (SELECT id FROM family) AND revoked_at IS NULL \
                 RETURNING id, access_until) \
             INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT $1, $4, $5, id::text, $3, access_until FROM revoked WHERE access_until > $3 \
             RETURNING seq, kind, key, generation, expires_at",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(grant.0)
        .bind::<Timestamptz, _>(at)
        .bind::<Int2, _>(notices::VERSION)
        .bind::<Text, _>(notices::GRANT_REVOKED)
        .load(self.conn)?;
        self.notices.extend(told);
        Ok(())
    }
}
