//! Accounts.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    query_builder::Query,
    sql_types::{Bytea, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use signet_identity::{
    UserId,
    password::PasswordHash,
    registration::Taken,
    user::{Identifier, NewUser, UserState},
};
use signet_oidc::{
    id::{AccountId, SessionId},
    subject::{Account, Person},
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    people::PersonRow,
    schema::{roles, sessions, user_roles, users},
    statement::statement,
    store::Tx,
};

/// What a sign-in needs of an account.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its key.
    pub user: UserId,
    /// The stored hash, if it has a password.
    pub hash: Option<PasswordHash>,
    /// Where it stands.
    pub state: UserState,
    /// How often everything it had was ended.
    pub generation: i64,
}

/// An account as it stands within the transaction, and the session of the browser's cookie with its owner.
pub type Again = (Credential, Option<(SessionId, UserId)>);

/// Hash, state, generation, session and its owner.
type AgainRow = (Option<String>, String, i64, Option<Uuid>, Option<Uuid>);

statement! {
    /// An account, and a living session. Of another account's session the grants are locked, then itself.
    ReadAgain {
        realm: i64 => Int8,
        user: Uuid => SqlUuid,
        handle: Vec<u8> => Bytea,
        now: DateTime<Utc> => Timestamptz,
    }
    "WITH found AS (SELECT id, user_id FROM sessions WHERE realm_id = {realm} AND handle_hash = {handle} \
                    AND ended_at IS NULL AND expires_at > {now}), \
     held AS MATERIALIZED (SELECT grants.id FROM grants JOIN found ON grants.session_id = found.id \
                    WHERE found.user_id <> {user} AND NOT offline AND revoked_at IS NULL ORDER BY grants.id \
                    FOR NO KEY UPDATE OF grants), \
     locked AS MATERIALIZED (SELECT sessions.id FROM sessions JOIN found ON found.id = sessions.id \
                    WHERE found.user_id <> {user} AND (SELECT count(*) FROM held) >= 0 FOR NO KEY UPDATE OF sessions) \
     SELECT password_hash, users.state, generation, found.id, found.user_id FROM users LEFT JOIN found ON true \
     WHERE realm_id = {realm} AND users.id = {user} AND (SELECT count(*) FROM locked) >= 0"
}

impl Query for ReadAgain {
    type SqlType = (Nullable<Text>, Text, Int8, Nullable<SqlUuid>, Nullable<SqlUuid>);
}

#[derive(Insertable)]
#[diesel(table_name = users)]
struct NewUserRow<'a> {
    id: Uuid,
    realm_id: i64,
    subject: &'a str,
    username: &'a str,
    username_folded: String,
    email: &'a str,
    email_folded: String,
    email_verified_at: Option<DateTime<Utc>>,
    password_hash: &'a str,
    password_changed_at: DateTime<Utc>,
    state: &'static str,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn state(name: &str) -> Result<UserState, StoreError> {
    UserState::parse(name).ok_or(StoreError::Row("account state"))
}

impl Tx<'_> {
    /// The account a person named. One statement.
    pub fn credential(&mut self, identifier: &Identifier) -> Result<Option<Credential>, StoreError> {
        let columns = (users::id, users::password_hash, users::state, users::generation);
        let mine = users::realm_id.eq(self.realm.0);
        let row: Option<(Uuid, Option<String>, String, i64)> = match identifier {
            Identifier::Username(folded) => users::table
                .filter(mine)
                .filter(users::username_folded.eq(folded))
                .select(columns)
                .first(self.conn)
                .optional()?,
            Identifier::Email(folded) => users::table
                .filter(mine)
                .filter(users::email_folded.eq(folded))
                .select(columns)
                .first(self.conn)
                .optional()?,
        };
        row.map(|(id, hash, name, generation)| {
            let hash = hash.map(PasswordHash::from_stored);
            Ok(Credential { user: UserId(id), hash, state: state(&name)?, generation })
        })
        .transpose()
    }

    /// The account as it stands now, and the session of the browser's cookie if it is alive. A session of somebody else,
    /// which is about to end, is waited for as [`Tx::lock_session`] does. One statement.
    pub fn credential_again(
        &mut self,
        user: UserId,
        handle: Option<[u8; 32]>,
        now: DateTime<Utc>,
    ) -> Result<Option<Again>, StoreError> {
        let handle = handle.map(|bytes| bytes.to_vec()).unwrap_or_default();
        let query = ReadAgain { realm: self.realm.0, user: user.0, handle, now };
        let row: Option<AgainRow> = query.get_result(self.conn).optional()?;
        row.map(|(hash, name, generation, session, owner)| {
            let hash = hash.map(PasswordHash::from_stored);
            let credential = Credential { user, hash, state: state(&name)?, generation };
            Ok((credential, session.zip(owner).map(|(session, owner)| (SessionId(session), UserId(owner)))))
        })
        .transpose()
    }

    /// The account as it stands now, and what claims of the person are made of. One statement.
    pub fn credential_with_person(
        &mut self,
        user: UserId,
    ) -> Result<Option<(Credential, Account, Person)>, StoreError> {
        type Row = (Option<String>, String, String, i64, PersonRow);
        let row: Option<Row> = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user.0))
            .select((users::password_hash, users::state, users::subject, users::generation, PersonRow::as_select()))
            .first(self.conn)
            .optional()?;
        row.map(|(hash, name, subject, generation, person)| {
            let state = state(&name)?;
            let id = AccountId(user.0);
            let account = Account { id, subject, active: state == UserState::Active, generation };
            let credential = Credential { user, hash: hash.map(PasswordHash::from_stored), state, generation };
            Ok((credential, account, person.into_domain()))
        })
        .transpose()
    }

    /// Notes a sign-in without a session. One statement.
    pub(crate) fn note_sign_in(&mut self, user: UserId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mine = users::table.filter(users::realm_id.eq(self.realm.0)).filter(users::id.eq(user.0));
        diesel::update(mine).set(users::last_sign_in_at.eq(at)).execute(self.conn)?;
        Ok(())
    }

    /// The account a subject names. One statement.
    pub fn user_of_subject(&mut self, subject: &str) -> Result<Option<UserId>, StoreError> {
        let found: Option<Uuid> = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::subject.eq(subject))
            .select(users::id)
            .first(self.conn)
            .optional()?;
        Ok(found.map(UserId))
    }

    /// Username, address, and the number of living sessions of an account.
    pub fn account_summary(
        &mut self,
        user: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<(String, String, i64)>, StoreError> {
        let names: Option<(String, String)> = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user))
            .select((users::username, users::email))
            .first(self.conn)
            .optional()?;
        let Some((username, email)) = names else { return Ok(None) };
        let alive: i64 = sessions::table
            .filter(sessions::user_id.eq(user))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::expires_at.gt(now))
            .filter(sessions::idle_expires_at.gt(now))
            .count()
            .get_result(self.conn)?;
        Ok(Some((username, email, alive)))
    }

    /// Whether any account exists.
    pub fn has_users(&mut self) -> Result<bool, StoreError> {
        let first: Option<Uuid> =
            users::table.filter(users::realm_id.eq(self.realm.0)).select(users::id).first(self.conn).optional()?;
        Ok(first.is_some())
    }

    /// Stores an account with the role `user`, and `admin` where asked. A taken name is an answer, not an error.
    pub(crate) fn create_user(&mut self, user: &NewUser) -> Result<Result<(), Taken>, StoreError> {
        let row = NewUserRow {
            id: user.id.0,
            realm_id: self.realm.0,
            subject: &user.subject,
            username: user.username.as_str(),
            username_folded: user.username.folded(),
            email: user.email.as_str(),
            email_folded: user.email.folded(),
            email_verified_at: user.email_verified.then_some(user.at),
            password_hash: user.password.as_str(),
            password_changed_at: user.at,
            state: UserState::Active.as_str(),
            created_at: user.at,
            updated_at: user.at,
        };
        if diesel::insert_into(users::table).values(&row).on_conflict_do_nothing().execute(self.conn)? == 0 {
            let by_name: Option<Uuid> = users::table
                .filter(users::realm_id.eq(self.realm.0))
                .filter(users::username_folded.eq(user.username.folded()))
                .select(users::id)
                .first(self.conn)
                .optional()?;
            return Ok(Err(if by_name.is_some() { Taken::Username } else { Taken::Email }));
        }
        let names: &[&str] = if user.administrator { &["user", "admin"] } else { &["user"] };
        let given: Vec<i64> = roles::table
            .filter(roles::realm_id.eq(self.realm.0))
            .filter(roles::name.eq_any(names))
            .select(roles::id)
            .load(self.conn)?;
        let rows: Vec<_> = given
            .into_iter()
            .map(|role| {
                (user_roles::user_id.eq(user.id.0), user_roles::role_id.eq(role), user_roles::created_at.eq(user.at))
            })
            .collect();
        diesel::insert_into(user_roles::table).values(&rows).execute(self.conn)?;
        Ok(Ok(()))
    }

    /// Stores a hash at the present cost in place of `from`, the cheaper one, if that is still the stored one. One
    /// statement.
    pub(crate) fn raise_hash(
        &mut self,
        user: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<(), StoreError> {
        let target = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user.0))
            .filter(users::password_hash.eq(from.as_str()));
        diesel::update(target).set(users::password_hash.eq(to.as_str())).execute(self.conn)?;
        Ok(())
    }
}
