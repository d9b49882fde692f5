//! The change channel: what one node did and every node must know.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use signet_oidc::{id::GrantId, token::revocation::Entry};
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
            _ => None,
        }
    }

    /// Whether signing keys must be read anew.
    pub fn is_keys(&self) -> bool {
        self.kind == KEYS_CHANGED
    }

    /// The identifier of a client to forget.
    pub fn client(&self) -> Option<&str> {
        (self.kind == CLIENT_CHANGED).then_some(self.key.as_str())
    }
}

impl Tx<'_> {
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
