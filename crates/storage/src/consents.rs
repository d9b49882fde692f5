//! What people allowed clients.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
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

    pub(crate) fn remember_consent(
        &mut self,
        account: AccountId,
        client: ClientKey,
        scopes: &Scopes,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let all: Vec<String> = self.consent(account, client)?.union(scopes).iter().map(str::to_owned).collect();
        diesel::insert_into(consents::table)
            .values((
                consents::realm_id.eq(self.realm.0),
                consents::user_id.eq(account.0),
                consents::client_key.eq(client.0),
                consents::scopes.eq(&all),
                consents::created_at.eq(at),
                consents::updated_at.eq(at),
            ))
            .on_conflict((consents::realm_id, consents::user_id, consents::client_key))
            .do_update()
            .set((consents::scopes.eq(&all), consents::updated_at.eq(at)))
            .execute(self.conn)?;
        Ok(())
    }
}
