//! Interactions too long for a URL, and the identifiers that count once.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Bool, Bytea, Int8, Nullable, Text, Uuid as SqlUuid},
};
use signet_oidc::{change::Spent, id::InteractionId, secret::Digest};

use crate::{
    error::StoreError,
    schema::{interactions, spent},
    store::Tx,
};

#[derive(QueryableByName)]
struct HeldRow {
    #[diesel(sql_type = Nullable<Bytea>)]
    sealed: Option<Vec<u8>>,
    #[diesel(sql_type = Bool)]
    spent: bool,
}

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

    /// A stored interaction, still sealed, and whether the id was spent before. One statement.
    pub fn held_interaction(&mut self, id: InteractionId) -> Result<(Option<Vec<u8>>, bool), StoreError> {
        let row: HeldRow = diesel::sql_query(
            "SELECT (SELECT sealed FROM interactions WHERE realm_id = $1 AND id = $2) AS sealed, \
             EXISTS (SELECT FROM spent WHERE realm_id = $1 AND kind = $3 AND scope = '' AND hash = $4) AS spent",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(INTERACTION)
        .bind::<Bytea, _>(digest(id))
        .get_result(self.conn)?;
        Ok((row.sealed, row.spent))
    }

    /// Spends an interaction's id; false when it was spent before.
    pub(crate) fn spend_interaction(&mut self, id: InteractionId, expires: DateTime<Utc>) -> Result<bool, StoreError> {
        self.remember(INTERACTION, "", &Digest::of(id.0.as_bytes()), expires)
    }

    /// Spends what a client made; false when it was spent before.
    pub(crate) fn spend(&mut self, what: &Spent, expires: DateTime<Utc>) -> Result<bool, StoreError> {
        match what {
            Spent::ClientAssertion { client, jti } => self.remember("client_assertion", client.as_str(), jti, expires),
            Spent::RequestObject { client, jti } => self.remember("request_object", client.as_str(), jti, expires),
        }
    }

    /// One statement. The day of the end is part of the key: one identifier must always come with the same end.
    fn remember(&mut self, kind: &str, scope: &str, hash: &Digest, expires: DateTime<Utc>) -> Result<bool, StoreError> {
        let written = diesel::insert_into(spent::table)
            .values((
                spent::realm_id.eq(self.realm.0),
                spent::kind.eq(kind),
                spent::scope.eq(scope),
                spent::hash.eq(hash.as_bytes().as_slice()),
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
