//! The change channel: what one node did and every node must know.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use signet_identity::UserId;
use signet_oidc::{
    id::{ClientId, ClientKey, GrantId},
    token::revocation::Entry,
};
use uuid::Uuid;

use crate::{error::StoreError, schema::notices, store::Tx};

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

/// Roles, or what somebody holds of them, changed.
pub(crate) const ROLES_CHANGED: &str = "roles";
/// Every token of an account that is older than a generation.
pub(crate) const ACCOUNT_REVOKED: &str = "revoked.account";
/// Every token of a client that is older than a generation.
pub(crate) const CLIENT_REVOKED: &str = "revoked.client";

/// Something every node must know, told by [`Tx::announce`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Signing keys changed.
    Keys,
    /// A client changed or is gone.
    Client(ClientId),
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
    /// Kind, key and generation as stored.
    fn parts(&self) -> (&'static str, String, i64) {
        match self {
            Self::Keys => (KEYS_CHANGED, String::new(), 0),
            Self::Client(id) => (CLIENT_CHANGED, id.as_str().to_owned(), 0),
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

    /// The identifier of a client to forget.
    pub fn client(&self) -> Option<&str> {
        (self.kind == CLIENT_CHANGED).then_some(self.key.as_str())
    }
}

impl Tx<'_> {
    /// Tells every node, and this one once the transaction commits. One statement. `until` is when the last token that
    /// a revocation could meet has ended; for other kinds a day is enough, since a node that starts reads everything.
    pub fn announce(&mut self, what: &Announcement, at: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), StoreError> {
        let (kind, key, generation) = what.parts();
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

    /// Notices that are still needed: those after `after`, and those made `since`, which may have committed out of
    /// order. Learning one twice changes nothing.
    pub fn notices(&mut self, after: i64, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<Notice>, StoreError> {
        Ok(notices::table
            .filter(notices::realm_id.eq(self.realm.0))
            .filter(notices::version.eq(VERSION))
            .filter(notices::seq.gt(after).or(notices::created_at.gt(since)))
            .filter(notices::expires_at.gt(now))
            .order(notices::seq)
            .select(Notice::as_select())
            .load(self.conn)?)
    }
}
