//! What people allowed clients.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, Int2, Int8, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use signet_oidc::{
    client::ClientMetadata,
    consent::Consented,
    id::{AccountId, ClientKey},
};

use crate::{
    clients::localized,
    error::StoreError,
    notices::{self, Notice},
    schema::{clients, consents},
    store::Tx,
};

/// What a person allowed an application, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenConsent {
    /// The client's identifier.
    pub client_id: String,
    /// Its name.
    pub client_name: String,
    /// Of its metadata, what it is called in other languages.
    pub metadata: ClientMetadata,
    /// Whether an administrator registered it.
    pub verified: bool,
    /// Whether it is switched off.
    pub disabled: bool,
    /// The audience of its access tokens, where that is not the client itself.
    pub default_audience: Option<String>,
    /// What was allowed, all together.
    pub allowed: Consented,
    /// When it was allowed first.
    pub given_at: DateTime<Utc>,
    /// When anything was last added to it.
    pub changed_at: DateTime<Utc>,
}

/// Identifier, name, names in other languages, source, end and audience of a client.
type ClientColumns = (String, String, Option<Value>, String, Option<DateTime<Utc>>, Option<String>);

/// Scopes, claims and APIs.
type Allowed = (Vec<String>, Vec<String>, Vec<String>);

fn consented((scopes, claims, resources): Allowed) -> Consented {
    Consented {
        scopes: scopes.into_iter().collect(),
        claims: claims.into_iter().collect(),
        resources: resources.into_iter().collect(),
    }
}

impl Tx<'_> {
    /// What the account allowed the client; empty when nothing. It stays until the transaction ends: whoever withdraws it
    /// waits, and then ends what was given here. One statement.
    pub fn consent(&mut self, account: AccountId, client: ClientKey) -> Result<Consented, StoreError> {
        let found: Option<(Vec<String>, Vec<String>, Vec<String>)> = consents::table
            .find((self.realm.0, account.0, client.0))
            .select((consents::scopes, consents::claims, consents::resources))
            .for_key_share()
            .first(self.conn)
            .optional()?;
        Ok(consented(found.unwrap_or_default()))
    }

    /// What an account allowed, by the identifiers of the clients: those after `after`, at most `limit`. One statement.
    pub fn consents_of(
        &mut self,
        account: AccountId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<GivenConsent>, StoreError> {
        let rows: Vec<(ClientColumns, Allowed, DateTime<Utc>, DateTime<Utc>)> = consents::table
            .inner_join(clients::table.on(clients::id.eq(consents::client_key)))
            .filter(consents::realm_id.eq(self.realm.0))
            .filter(consents::user_id.eq(account.0))
            .filter(clients::client_id.gt(after))
            .order(clients::client_id)
            .limit(limit)
            .select((
                (
                    clients::client_id,
                    clients::name,
                    clients::metadata.retrieve_as_object("localized").nullable(),
                    clients::source,
                    clients::disabled_at,
                    clients::default_audience,
                ),
                (consents::scopes, consents::claims, consents::resources),
                consents::created_at,
                consents::updated_at,
            ))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(client, allowed, given_at, changed_at)| {
                let (client_id, client_name, names, source, disabled, default_audience) = client;
                Ok(GivenConsent {
                    client_id,
                    client_name,
                    metadata: localized(names)?,
                    verified: source == "admin",
                    disabled: disabled.is_some(),
                    default_audience,
                    allowed: consented(allowed),
                    given_at,
                    changed_at,
                })
            })
            .collect()
    }

    /// Whether the account allowed the client anything; nobody else adds to it or takes it away until the transaction
    /// ends. One statement.
    pub fn lock_consent(&mut self, account: AccountId, client: ClientKey) -> Result<bool, StoreError> {
        let found: Option<i64> = consents::table
            .find((self.realm.0, account.0, client.0))
            .select(consents::client_key)
            .for_update()
            .first(self.conn)
            .optional()?;
        Ok(found.is_some())
    }

    /// Forgets what an account allowed a client and ends every grant of the two, with those derived from them; tells every
    /// node whose tokens are still alive. Two statements: the second sees what was given while the first waited.
    pub(crate) fn withdraw_consent(
        &mut self,
        account: AccountId,
        client: ClientKey,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::delete(consents::table.find((self.realm.0, account.0, client.0))).execute(self.conn)?;
        let told: Vec<Notice> = diesel::sql_query(
            "WITH RECURSIVE family AS (SELECT id FROM grants WHERE realm_id = $1 AND user_id = $2 AND client_key = $3 \
                 UNION SELECT child.id FROM grants child JOIN family ON child.parent_id = family.id), \
             revoked AS (UPDATE grants SET revoked_at = $4 WHERE id IN (SELECT id FROM family) AND revoked_at IS NULL \
                 RETURNING id, access_until) \
             INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) \
             SELECT $1, $5, $6, id::text, $4, access_until FROM revoked WHERE access_until > $4 \
             RETURNING seq, kind, key, generation, expires_at",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(account.0)
        .bind::<Int8, _>(client.0)
        .bind::<Timestamptz, _>(at)
        .bind::<Int2, _>(notices::VERSION)
        .bind::<Text, _>(notices::GRANT_REVOKED)
        .load(self.conn)?;
        self.notices.extend(told);
        Ok(())
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
