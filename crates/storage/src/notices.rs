//! The change channel: what one node did and every node must know.

use chrono::{DateTime, Duration, Utc};
use diesel::{
    prelude::*,
    sql_types::{Int2, Int8, Nullable, Text, Timestamptz},
};
use signet_identity::UserId;
use signet_oidc::{
    id::{ClientId, ClientKey, GrantId},
    token::revocation::Entry,
};
use uuid::Uuid;

use crate::{error::StoreError, schema::notices, statement::statement, store::Tx};

/// The version of the rows this build writes and understands.
pub(crate) const VERSION: i16 = 1;
/// All tokens of a grant.
pub(crate) const GRANT_REVOKED: &str = "revoked.grant";
/// One token.
pub(crate) const TOKEN_REVOKED: &str = "revoked.token";
/// The signing keys changed.
pub(crate) const KEYS_CHANGED: &str = "keys";
/// A client changed.
pub(crate) const CLIENT_CHANGED: &str = "client";

/// An API changed.
pub(crate) const RESOURCE_CHANGED: &str = "resource";
/// Roles, or what somebody holds of them, changed.
pub(crate) const ROLES_CHANGED: &str = "roles";
/// Every token of an account that is older than a generation.
pub(crate) const ACCOUNT_REVOKED: &str = "revoked.account";
/// Every token of a client that is older than a generation.
pub(crate) const CLIENT_REVOKED: &str = "revoked.client";

/// No access token lives longer.
const LONGEST_TOKEN: Duration = Duration::minutes(60);
/// The clocks of two nodes differ by less.
const CLOCKS_APART: Duration = Duration::minutes(2);

/// Something every node must know, told by [`Tx::announce`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Signing keys changed.
    Keys,
    /// A client changed or is gone.
    Client(ClientId),
    /// An API changed or is gone.
    Resource(String),
    /// Roles themselves changed: what anybody holds must be worked out anew.
    Roles,
    /// An account was given or lost a role.
    RolesOfUser(UserId),
    /// A client was given or lost a role.
    RolesOfClient(ClientKey),
    /// Tokens ended before their time.
    Revoked(Entry),
}

impl Announcement {
    /// How long it is needed at least.
    fn needed(&self) -> Duration {
        match self {
            Self::Revoked(Entry::Account { .. } | Entry::Client { .. }) => LONGEST_TOKEN + CLOCKS_APART,
            Self::Revoked(Entry::Token(_) | Entry::Grant(_)) => Duration::zero(),
            Self::Keys
            | Self::Client(_)
            | Self::Resource(_)
            | Self::Roles
            | Self::RolesOfUser(_)
            | Self::RolesOfClient(_) => Duration::days(1),
        }
    }

    /// Kind, key and generation as stored.
    fn parts(&self) -> (&'static str, String, i64) {
        match self {
            Self::Keys => (KEYS_CHANGED, String::new(), 0),
            Self::Client(id) => (CLIENT_CHANGED, id.as_str().to_owned(), 0),
            Self::Resource(identifier) => (RESOURCE_CHANGED, identifier.clone(), 0),
            Self::Roles => (ROLES_CHANGED, String::new(), 0),
            Self::RolesOfUser(user) => (ROLES_CHANGED, format!("user:{}", user.0), 0),
            Self::RolesOfClient(client) => (ROLES_CHANGED, format!("client:{}", client.0), 0),
            Self::Revoked(Entry::Grant(grant)) => (GRANT_REVOKED, grant.0.to_string(), 0),
            Self::Revoked(Entry::Token(jti)) => (TOKEN_REVOKED, jti.clone(), 0),
            Self::Revoked(Entry::Account { subject, generation }) => (ACCOUNT_REVOKED, subject.clone(), *generation),
            Self::Revoked(Entry::Client { client_id, generation }) => (CLIENT_REVOKED, client_id.clone(), *generation),
        }
    }
}

/// A row of the channel.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = notices)]
pub struct Notice {
    /// Its place.
    pub seq: i64,
    /// What kind of thing changed.
    pub kind: String,
    /// Which.
    pub key: String,
    /// The generation that is good again, where the kind has one.
    pub generation: i64,
    /// Until when anybody needs it.
    pub expires_at: DateTime<Utc>,
}

impl Notice {
    /// The entry of the revocation set it stands for, if any.
    pub fn revocation(&self) -> Option<Entry> {
        match self.kind.as_str() {
            GRANT_REVOKED => self.key.parse::<Uuid>().ok().map(|id| Entry::Grant(GrantId(id))),
            TOKEN_REVOKED => Some(Entry::Token(self.key.clone())),
            ACCOUNT_REVOKED => Some(Entry::Account { subject: self.key.clone(), generation: self.generation }),
            CLIENT_REVOKED => Some(Entry::Client { client_id: self.key.clone(), generation: self.generation }),
            _ => None,
        }
    }

    /// Whether signing keys must be read anew.
    pub fn is_keys(&self) -> bool {
        self.kind == KEYS_CHANGED
    }

    /// Whose permissions must be worked out anew: everybody's where the key is empty, else `user:<uuid>` or
    /// `client:<key>`.
    pub fn roles(&self) -> Option<&str> {
        (self.kind == ROLES_CHANGED).then_some(self.key.as_str())
    }

    /// The identifier of an API to forget.
    pub fn resource(&self) -> Option<&str> {
        (self.kind == RESOURCE_CHANGED).then_some(self.key.as_str())
    }

    /// The identifier of a client to forget.
    pub fn client(&self) -> Option<&str> {
        (self.kind == CLIENT_CHANGED).then_some(self.key.as_str())
    }
}

impl Tx<'_> {
    /// Tells every node, and this one once the transaction commits. One statement. `until` is when nobody needs it any
    /// more; it is put off to when the last token that a generation ends has itself ended, and to a day for what a node
    /// must hear that was cut off for a while.
    pub fn announce(&mut self, what: &Announcement, at: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), StoreError> {
        let (kind, key, generation) = what.parts();
        let until = until.max(at + what.needed());
        let told: Notice = diesel::insert_into(notices::table)
            .values((
                notices::realm_id.eq(self.realm.0),
                notices::version.eq(VERSION),
                notices::kind.eq(kind),
                notices::key.eq(key),
                notices::generation.eq(generation),
                notices::created_at.eq(at),
                notices::expires_at.eq(until),
            ))
            .returning(Notice::as_returning())
            .get_result(self.conn)?;
        self.notices.push(told);
        Ok(())
    }

    /// Ends one access token on every node. One statement.
    pub(crate) fn revoke_token(
        &mut self,
        jti: String,
        at: DateTime<Utc>,
        expires: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        // A node whose clock is behind takes the token for a little longer.
        self.announce(&Announcement::Revoked(Entry::Token(jti)), at, expires + CLOCKS_APART)
    }

    /// Notices that are still needed and were written by the transaction `from` or a later one, and the horizon to ask
    /// from the next time: the oldest transaction that is still under way. One statement.
    pub(crate) fn notices_from(&mut self, from: i64, now: DateTime<Utc>) -> Result<(i64, Vec<Notice>), StoreError> {
        let rows: Vec<FedRow> = ReadNotices { realm: self.realm.0, version: VERSION, from, now }.load(self.conn)?;
        // There is one row even without a notice.
        let horizon = rows.first().map_or(from, |row| row.horizon);
        Ok((horizon, rows.into_iter().filter_map(FedRow::into_notice).collect()))
    }
}

statement! {
    /// Horizon and notices of one snapshot.
    ReadNotices {
        realm: i64 => Int8,
        version: i16 => Int2,
        from: i64 => Int8,
        now: DateTime<Utc> => Timestamptz,
    }
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, n.seq, n.kind, n.key, n.generation, \
     n.expires_at FROM (SELECT 1) AS one LEFT JOIN notices n ON n.realm_id = {realm} AND n.version = {version} \
     AND n.xact >= {from} AND n.expires_at > {now} ORDER BY n.seq"
}

impl diesel::query_builder::Query for ReadNotices {
    type SqlType = diesel::sql_types::Untyped;
}

#[derive(QueryableByName)]
struct FedRow {
    #[diesel(sql_type = Int8)]
    horizon: i64,
    #[diesel(sql_type = Nullable<Int8>)]
    seq: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    kind: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    key: Option<String>,
    #[diesel(sql_type = Nullable<Int8>)]
    generation: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<DateTime<Utc>>,
}

impl FedRow {
    fn into_notice(self) -> Option<Notice> {
        Some(Notice {
            seq: self.seq?,
            kind: self.kind?,
            key: self.key?,
            generation: self.generation?,
            expires_at: self.expires_at?,
        })
    }
}
