//! What people allowed clients.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, Int8, Text, Timestamptz, Uuid as SqlUuid},
};
use signet_oidc::{
    consent::Consented,
    id::{AccountId, ClientKey},
};

use crate::{error::StoreError, schema::consents, store::Tx};

impl Tx<'_> {
    /// What the account allowed the client; empty when nothing. One statement.
    pub fn consent(&mut self, account: AccountId, client: ClientKey) -> Result<Consented, StoreError> {
        let found: Option<(Vec<String>, Vec<String>, Vec<String>)> = consents::table
            .find((self.realm.0, account.0, client.0))
            .select((consents::scopes, consents::claims, consents::resources))
            .first(self.conn)
            .optional()?;
        let (scopes, claims, resources) = found.unwrap_or_default();
        Ok(Consented {
            scopes: scopes.into_iter().collect(),
            claims: claims.into_iter().collect(),
            resources: resources.into_iter().collect(),
        })
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
        allowed: &Consented,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let scopes: Vec<&str> = allowed.scopes.iter().collect();
        diesel::sql_query(
            "INSERT INTO consents (realm_id, user_id, client_key, scopes, claims, resources, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $6, $7, $5, $5) ON CONFLICT (realm_id, user_id, client_key) DO UPDATE SET \
             scopes = ARRAY(SELECT DISTINCT unnest(consents.scopes || excluded.scopes) ORDER BY 1), \
             claims = ARRAY(SELECT DISTINCT unnest(consents.claims || excluded.claims) ORDER BY 1), \
             resources = ARRAY(SELECT DISTINCT unnest(consents.resources || excluded.resources) ORDER BY 1), \
             updated_at = $5",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(account.0)
        .bind::<Int8, _>(client.0)
        .bind::<Array<Text>, _>(scopes)
        .bind::<Timestamptz, _>(at)
        .bind::<Array<Text>, _>(allowed.claims.iter().collect::<Vec<_>>())
        .bind::<Array<Text>, _>(allowed.resources.iter().collect::<Vec<_>>())
        .execute(self.conn)?;
        Ok(())
    }
}
