//! Roles and who holds them.

use diesel::{
    prelude::*,
    query_builder::Query,
    sql_types::{Int8, Text, Uuid as SqlUuid},
};
use signet_rbac::{Holder, Permission, PermissionSet};
use uuid::Uuid;

use crate::{error::StoreError, statement::statement, store::Tx};

statement! {
    /// What an active account may do by its roles and all they inherit.
    PermissionsOfUser {
        realm: i64 => Int8,
        user: Uuid => SqlUuid,
    }
    "WITH RECURSIVE held AS (SELECT role_id FROM user_roles JOIN users ON users.id = user_id \
         WHERE user_id = {user} AND users.realm_id = {realm} AND users.state = 'active' \
         UNION SELECT parent_id FROM role_parents JOIN held ON held.role_id = role_parents.role_id) \
     SELECT DISTINCT unnest(permissions) FROM roles JOIN held ON held.role_id = roles.id WHERE realm_id = {realm}"
}

impl Query for PermissionsOfUser {
    type SqlType = Text;
}

statement! {
    /// What a client that is not disabled may do by its roles and all they inherit.
    PermissionsOfClient {
        realm: i64 => Int8,
        client: i64 => Int8,
    }
    "WITH RECURSIVE held AS (SELECT role_id FROM client_roles JOIN clients ON clients.id = client_key \
         WHERE client_key = {client} AND clients.realm_id = {realm} AND clients.disabled_at IS NULL \
         UNION SELECT parent_id FROM role_parents JOIN held ON held.role_id = role_parents.role_id) \
     SELECT DISTINCT unnest(permissions) FROM roles JOIN held ON held.role_id = roles.id WHERE realm_id = {realm}"
}

impl Query for PermissionsOfClient {
    type SqlType = Text;
}

impl Tx<'_> {
    /// What somebody may do by roles, inherited ones included; nothing for an account that is not active and a client
    /// that is disabled. One statement.
    pub fn permissions_of(&mut self, holder: Holder) -> Result<PermissionSet, StoreError> {
        let realm = self.realm.0;
        let texts: Vec<String> = match holder {
            Holder::User(user) => PermissionsOfUser { realm, user: user.0 }.get_results(self.conn)?,
            Holder::Client(client) => PermissionsOfClient { realm, client }.get_results(self.conn)?,
        };
        Ok(texts.iter().filter_map(|text| read(text)).collect())
    }
}

/// A permission that a later version wrote gives nothing here: less is safe.
fn read(text: &str) -> Option<Permission> {
    let permission = text.parse().ok();
    if permission.is_none() {
        tracing::warn!(permission = text, "a stored permission is not understood by this version; it gives nothing");
    }
    permission
}
