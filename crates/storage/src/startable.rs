//! Applications that a person can start from here.

use diesel::{
    dsl::{exists, not},
    prelude::*,
    sql_types::Text,
};
use serde_json::Value;
use signet_oidc::{client::ClientMetadata, id::AccountId};

use crate::{
    clients::localized,
    error::StoreError,
    schema::{clients, consents},
    store::Tx,
};

diesel::define_sql_function! {
    /// Small letters, as the database's locale has them.
    fn lower(text: Text) -> Text;
}

/// An application that begins a sign-in where it is sent a browser (OIDC Core §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startable {
    /// The client's identifier.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// Where it is sent a browser.
    pub initiate_login_uri: String,
    /// Its name in further languages; nothing else of the registration.
    pub metadata: ClientMetadata,
}

impl Tx<'_> {
    /// The applications that an account with these roles, inherited ones included, can start: those with an address for it
    /// that are not switched off and that it may use (R-46, the same as `Client::admits`); of those that no administrator
    /// registered, only the ones it allowed something. At most `limit`, the first by name. One statement.
    pub fn startable(
        &mut self,
        account: AccountId,
        roles: &[String],
        limit: i64,
    ) -> Result<Vec<Startable>, StoreError> {
        let allowed = consents::table
            .filter(consents::realm_id.eq(self.realm.0))
            .filter(consents::user_id.eq(account.0))
            .filter(consents::client_key.eq(clients::id));
        let everyone = not(clients::metadata.has_key("access_roles"));
        let rows: Vec<(String, String, Option<String>, Option<Value>)> = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::disabled_at.is_null())
            .filter(clients::metadata.has_key("initiate_login_uri"))
            .filter(everyone.or(clients::metadata.retrieve_as_object("access_roles").has_any_key(roles)))
            .filter(clients::source.eq("admin").or(exists(allowed)))
            .order((lower(clients::name), clients::id))
            .limit(limit)
            .select((
                clients::client_id,
                clients::name,
                clients::metadata.retrieve_as_text("initiate_login_uri").nullable(),
                clients::metadata.retrieve_as_object("localized").nullable(),
            ))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(client_id, name, initiate_login_uri, names)| {
                Ok(Startable {
                    client_id,
                    name,
                    initiate_login_uri: initiate_login_uri.unwrap_or_default(),
                    metadata: localized(names)?,
                })
            })
            .collect()
    }
}
