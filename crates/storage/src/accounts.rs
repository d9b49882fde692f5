//! Accounts as administration sees them.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use signet_identity::{
    UserId,
    password::PasswordHash,
    profile::Profile,
    user::{Identifier, UserState},
};
use signet_oidc::token::revocation::Entry;
use uuid::Uuid;

use crate::{
    error::StoreError,
    notices::Announcement,
    profiles::ProfileRow,
    schema::{sessions, sign_in_links, users},
    store::Tx,
};

/// No access token lives longer than this: configuration is capped at it.
const LONGEST_TOKEN: Duration = Duration::hours(1);

/// How an account is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountRef {
    /// By its key.
    Id(UserId),
    /// By its username or address.
    Named(Identifier),
}

impl AccountRef {
    /// Reads a key, a username or an address. What has the form of a key is never a username.
    pub fn parse(text: &str) -> Option<Self> {
        match Uuid::try_parse(text) {
            Ok(id) => Some(Self::Id(UserId(id))),
            Err(_) => Identifier::parse(text).map(Self::Named),
        }
    }
}

/// An account without its secrets.
#[derive(Debug, Clone, Queryable)]
pub struct AccountRow {
    /// Its key.
    pub id: Uuid,
    /// The subject applications see.
    pub subject: String,
    /// Its username.
    pub username: String,
    /// Its address.
    pub email: String,
    /// Since when the address is known to be the person's.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// The person's name.
    pub name: Option<String>,
    state: String,
    /// Why it is locked.
    pub state_reason: Option<String>,
    /// Since when it is in this state, where that changed.
    pub state_changed_at: Option<DateTime<Utc>>,
    /// Whether it has a password.
    pub has_password: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last signed in.
    pub last_sign_in_at: Option<DateTime<Utc>>,
}

impl AccountRow {
    /// Where it stands.
    pub fn state(&self) -> Result<UserState, StoreError> {
        UserState::parse(&self.state).ok_or(StoreError::Row("account state"))
    }
}

/// Which accounts are listed.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// The beginning of a username or an address, folded.
    pub prefix: Option<String>,
    /// In this state only.
    pub state: Option<UserState>,
    /// After this username, folded.
    pub after: String,
    /// At most so many.
    pub limit: i64,
}

/// The columns of an [`AccountRow`].
type Columns = (
    users::id,
    users::subject,
    users::username,
    users::email,
    users::email_verified_at,
    users::name,
    users::state,
    users::state_reason,
    users::state_changed_at,
    diesel::dsl::IsNotNull<users::password_hash>,
    users::created_at,
    users::last_sign_in_at,
);

fn columns() -> Columns {
    (
        users::id,
        users::subject,
        users::username,
        users::email,
        users::email_verified_at,
        users::name,
        users::state,
        users::state_reason,
        users::state_changed_at,
        users::password_hash.is_not_null(),
        users::created_at,
        users::last_sign_in_at,
    )
}

impl Tx<'_> {
    /// An account. One statement.
    pub fn account(&mut self, named: &AccountRef) -> Result<Option<AccountRow>, StoreError> {
        let mut query = users::table.filter(users::realm_id.eq(self.realm.0)).select(columns()).into_boxed();
        query = match named {
            AccountRef::Id(id) => query.filter(users::id.eq(id.0)),
            AccountRef::Named(Identifier::Username(folded)) => query.filter(users::username_folded.eq(folded)),
            AccountRef::Named(Identifier::Email(folded)) => query.filter(users::email_folded.eq(folded)),
        };
        Ok(query.first(self.conn).optional()?)
    }

    /// An account and what is known of the person. One statement.
    pub fn account_with_profile(&mut self, named: &AccountRef) -> Result<Option<(AccountRow, Profile)>, StoreError> {
        let mut query = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .select((columns(), ProfileRow::as_select()))
            .into_boxed();
        query = match named {
            AccountRef::Id(id) => query.filter(users::id.eq(id.0)),
            AccountRef::Named(Identifier::Username(folded)) => query.filter(users::username_folded.eq(folded)),
            AccountRef::Named(Identifier::Email(folded)) => query.filter(users::email_folded.eq(folded)),
        };
        let found: Option<(AccountRow, ProfileRow)> = query.first(self.conn).optional()?;
        Ok(found.map(|(account, profile)| (account, profile.into_domain())))
    }

    /// The same; the account stays as it is until the transaction ends. One statement.
    pub fn lock_account_with_profile(&mut self, user: UserId) -> Result<Option<(AccountRow, Profile)>, StoreError> {
        let found: Option<(AccountRow, ProfileRow)> = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user.0))
            .select((columns(), ProfileRow::as_select()))
            .for_no_key_update()
            .first(self.conn)
            .optional()?;
        Ok(found.map(|(account, profile)| (account, profile.into_domain())))
    }

    /// A page of accounts, in the order of their usernames. One statement.
    pub fn accounts(&mut self, filter: &AccountFilter) -> Result<Vec<AccountRow>, StoreError> {
        let mut query = users::table.filter(users::realm_id.eq(self.realm.0)).select(columns()).into_boxed();
        if let Some(prefix) = &filter.prefix {
            let pattern = format!("{}%", literal(prefix));
            query = query.filter(users::username_folded.like(pattern.clone()).or(users::email_folded.like(pattern)));
        }
        if let Some(state) = filter.state {
            query = query.filter(users::state.eq(state.as_str()));
        }
        Ok(query
            .filter(users::username_folded.gt(&filter.after))
            .order(users::username_folded)
            .limit(filter.limit)
            .load(self.conn)?)
    }

    /// How many living sessions an account has. One statement.
    pub fn living_sessions(&mut self, user: UserId, now: DateTime<Utc>) -> Result<i64, StoreError> {
        Ok(sessions::table
            .filter(sessions::user_id.eq(user.0))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::expires_at.gt(now))
            .filter(sessions::idle_expires_at.gt(now))
            .count()
            .get_result(self.conn)?)
    }

    /// Moves an account to another state. What it may do by roles changes with it. Two statements.
    pub(crate) fn set_state(
        &mut self,
        user: UserId,
        state: UserState,
        reason: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(users::table.filter(users::realm_id.eq(self.realm.0)).filter(users::id.eq(user.0)))
            .set((
                users::state.eq(state.as_str()),
                users::state_reason.eq(reason),
                users::state_changed_at.eq(at),
                users::updated_at.eq(at),
            ))
            .execute(self.conn)?;
        self.announce(&Announcement::RolesOfUser(user), at, at + Duration::days(1))
    }

    /// Stores a new password. One statement.
    pub(crate) fn set_password(
        &mut self,
        user: UserId,
        hash: &PasswordHash,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(users::table.filter(users::realm_id.eq(self.realm.0)).filter(users::id.eq(user.0)))
            .set((users::password_hash.eq(hash.as_str()), users::password_changed_at.eq(at), users::updated_at.eq(at)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends every session, grant (those of offline access too), sign-in link and token of an account, here at once and
    /// on other nodes when they hear of it; clients that are told in the back channel are. Seven statements, however many
    /// there are; grants before sessions before the account, as a refresh and a sign-in take them, so that none waits for
    /// the other in a circle. What was given while the sessions were waited for ends after them, and what is being given
    /// at this moment is of an older generation, and over too. `ends_before` is for what has none.
    pub(crate) fn end_everything(&mut self, user: UserId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.revoke_grants_of(user, at)?;
        let mine = sessions::table.filter(sessions::user_id.eq(user.0)).filter(sessions::ended_at.is_null());
        let ended: Vec<(Uuid, DateTime<Utc>)> = diesel::update(mine)
            .set(sessions::ended_at.eq(at))
            .returning((sessions::id, sessions::expires_at))
            .load(self.conn)?;
        let ended: Vec<Uuid> = ended.into_iter().filter(|(_, expires)| *expires > at).map(|(id, _)| id).collect();
        self.tell_of_sessions(&ended, at)?;
        self.revoke_grants_of(user, at)?;
        let links = sign_in_links::table.filter(sign_in_links::user_id.eq(user.0));
        diesel::update(links.filter(sign_in_links::spent_at.is_null()))
            .set(sign_in_links::spent_at.eq(at))
            .execute(self.conn)?;
        let (subject, generation): (String, i64) =
            diesel::update(users::table.filter(users::realm_id.eq(self.realm.0)).filter(users::id.eq(user.0)))
                .set((users::generation.eq(users::generation + 1), users::ends_before.eq(at)))
                .returning((users::subject, users::generation))
                .get_result(self.conn)?;
        let entry = Entry::Account { subject, generation };
        self.announce(&Announcement::Revoked(entry), at, at + LONGEST_TOKEN)
    }
}

/// The text as a pattern that matches itself only.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-44: what is searched for is text, not a pattern.
    #[test]
    fn search_is_literal() {
        assert_eq!(literal(r"a%b_c\d"), r"a\%b\_c\\d");
    }

    /// R-44: a key, a username and an address name an account; what has the form of a key is never a username.
    #[test]
    fn names() {
        let id = Uuid::from_u128(5);
        assert_eq!(AccountRef::parse(&id.to_string()), Some(AccountRef::Id(UserId(id))));
        assert_eq!(AccountRef::parse("Ada"), Some(AccountRef::Named(Identifier::Username("ada".into()))));
        assert!(matches!(AccountRef::parse("Ada@People.test"), Some(AccountRef::Named(Identifier::Email(_)))));
        assert_eq!(AccountRef::parse("a b"), None);
    }
}
