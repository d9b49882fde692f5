//! What people allowed clients.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, Int8, Text, Timestamptz, Uuid as SqlUuid},
};
use signet_oidc::{
    id::{AccountId, ClientKey},
    scope::Scopes,
};

use crate::{error::StoreError, schema::consents, store::Tx};

impl Tx<'_> {
    /// What the account allowed the client; empty when nothing. One statement.
    pub fn consent(&mut self, account: AccountId, client: ClientKey) -> Result<Scopes, StoreError> {
        let scopes: Option<Vec<String>> = consents::table
            .find((self.realm.0, account.0, client.0))
            .select(consents::scopes)
            .first(self.conn)
            .optional()?;
        Ok(scopes.unwrap_or_default().into_iter().collect())
    }

    /// Forgets what everybody allowed a client: they are asked again. One statement.
    pub fn forget_consents_for(&mut self, client: ClientKey) -> Result<(), StoreError> {
        let theirs =
            consents::table.filter(consents::realm_id.eq(self.realm.0)).filter(consents::client_key.eq(client.0));
        diesel::delete(theirs).execute(self.conn)?;
        Ok(())
    }

    /// Adds to what was allowed before. One statement, so that two tabs agreeing at once lose nothing.
    pub(crate) fn remember_consent(
        &mut self,
        account: AccountId,
        client: ClientKey,
        scopes: &Scopes,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let scopes: Vec<&str> = scopes.iter().collect();
        diesel::sql_query(
            "INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (realm_id, user_id, client_key) DO UPDATE SET \
             scopes = ARRAY(SELECT DISTINCT unnest(consents.scopes || excluded.scopes) ORDER BY 1), updated_at = $5",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(account.0)
        .bind::<Int8, _>(client.0)
        .bind::<Array<Text>, _>(scopes)
        .bind::<Timestamptz, _>(at)
        .execute(self.conn)?;
        Ok(())
    }
}
