//! Interactions too long for a URL, and the identifiers that count once.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use signet_oidc::{id::InteractionId, secret::Digest};

use crate::{
    error::StoreError,
    schema::{interactions, spent},
    store::Tx,
};

impl Tx<'_> {
    /// Stores a sealed interaction.
    pub fn hold_interaction(
        &mut self,
        id: InteractionId,
        sealed: &[u8],
        expires: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::insert_into(interactions::table)
            .values((
                interactions::realm_id.eq(self.realm.0),
                interactions::id.eq(id.0),
                interactions::sealed.eq(sealed),
                interactions::expires_at.eq(expires),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// A stored interaction, still sealed.
    pub fn held_interaction(&mut self, id: InteractionId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(interactions::table.find((self.realm.0, id.0)).select(interactions::sealed).first(self.conn).optional()?)
    }

    /// Whether the interaction was completed before.
    pub fn is_interaction_spent(&mut self, id: InteractionId) -> Result<bool, StoreError> {
        let found: Option<String> = spent::table
            .filter(spent::realm_id.eq(self.realm.0))
            .filter(spent::kind.eq(INTERACTION))
            .filter(spent::scope.eq(""))
            .filter(spent::hash.eq(digest(id)))
            .select(spent::kind)
            .first(self.conn)
            .optional()?;
        Ok(found.is_some())
    }

    /// Spends an interaction's id; false when it was spent before.
    pub(crate) fn spend_interaction(&mut self, id: InteractionId, expires: DateTime<Utc>) -> Result<bool, StoreError> {
        let written = diesel::insert_into(spent::table)
            .values((
                spent::realm_id.eq(self.realm.0),
                spent::kind.eq(INTERACTION),
                spent::scope.eq(""),
                spent::hash.eq(digest(id)),
                spent::expires_on.eq(expires.date_naive()),
            ))
            .on_conflict_do_nothing()
            .execute(self.conn)?;
        Ok(written > 0)
    }
}

const INTERACTION: &str = "interaction";

fn digest(id: InteractionId) -> Vec<u8> {
    Digest::of(id.0.as_bytes()).as_bytes().to_vec()
}
