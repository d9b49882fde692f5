//! Roles and who holds them.

use chrono::{DateTime, Duration, Utc};
use diesel::{
    prelude::*,
    query_builder::Query,
    sql_types::{Array, Int8, Text, Uuid as SqlUuid},
};
use serde_json::json;
use signet_identity::{UserId, user::UserState};
use signet_oidc::id::ClientKey;
use signet_rbac::{
    BuiltInRole, Held, Hierarchy, Holder, Permission, PermissionSet, Role, RoleId,
    change::{NewRole, RoleTaken},
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    notices::Announcement,
    schema::{client_roles, clients, role_parents, roles, user_roles, users},
    statement::statement,
    store::Tx,
};

/// For how long other nodes are told: one that was cut off for longer reads everything anew.
const TOLD: Duration = Duration::days(1);

statement! {
    /// The roles of an active account and all they inherit, with what each allows.
    HeldByUser {
        realm: i64 => Int8,
        user: Uuid => SqlUuid,
    }
    "WITH RECURSIVE held AS (SELECT role_id FROM user_roles JOIN users ON users.id = user_id \
         WHERE user_id = {user} AND users.realm_id = {realm} AND users.state = 'active' \
         UNION SELECT parent_id FROM role_parents JOIN held ON held.role_id = role_parents.role_id) \
     SELECT name, permissions FROM roles JOIN held ON held.role_id = roles.id WHERE realm_id = {realm} ORDER BY name"
}

impl Query for HeldByUser {
    type SqlType = (Text, Array<Text>);
}

statement! {
    /// The roles of a client that is not disabled and all they inherit, with what each allows.
    HeldByClient {
        realm: i64 => Int8,
        client: i64 => Int8,
    }
    "WITH RECURSIVE held AS (SELECT role_id FROM client_roles JOIN clients ON clients.id = client_key \
         WHERE client_key = {client} AND clients.realm_id = {realm} AND clients.disabled_at IS NULL \
         UNION SELECT parent_id FROM role_parents JOIN held ON held.role_id = role_parents.role_id) \
     SELECT name, permissions FROM roles JOIN held ON held.role_id = roles.id WHERE realm_id = {realm} ORDER BY name"
}

impl Query for HeldByClient {
    type SqlType = (Text, Array<Text>);
}

impl Tx<'_> {
    /// What somebody has by roles, inherited ones included; nothing for an account that is not active and a client that is
    /// disabled. One statement.
    pub fn held_by(&mut self, holder: Holder) -> Result<Held, StoreError> {
        let realm = self.realm.0;
        let rows: Vec<(String, Vec<String>)> = match holder {
            Holder::User(user) => HeldByUser { realm, user: user.0 }.get_results(self.conn)?,
            Holder::Client(client) => HeldByClient { realm, client }.get_results(self.conn)?,
        };
        let permissions = rows.iter().flat_map(|(_, texts)| texts).filter_map(|text| read(text)).collect();
        Ok(Held { roles: rows.into_iter().map(|(name, _)| name).collect(), permissions })
    }

    /// What somebody may do by roles, like [`Tx::held_by`]. One statement.
    pub fn permissions_of(&mut self, holder: Holder) -> Result<PermissionSet, StoreError> {
        Ok(self.held_by(holder)?.permissions)
    }

    /// The identifier of a client that only holders of a role may use, if there is one. One statement.
    pub fn client_limited_to(&mut self, role: &str) -> Result<Option<String>, StoreError> {
        let found = clients::table
            .filter(clients::realm_id.eq(self.realm.0))
            .filter(clients::metadata.contains(json!({ "access_roles": [role] })))
            .order(clients::client_id)
            .select(clients::client_id)
            .first(self.conn);
        Ok(found.optional()?)
    }

    /// All roles. Two statements.
    pub fn hierarchy(&mut self) -> Result<Hierarchy, StoreError> {
        let rows: Vec<(i64, String, String, bool, Vec<String>)> = roles::table
            .filter(roles::realm_id.eq(self.realm.0))
            .order(roles::name)
            .select((roles::id, roles::name, roles::description, roles::built_in, roles::permissions))
            .load(self.conn)?;
        let parents: Vec<(i64, i64)> = role_parents::table
            .inner_join(roles::table)
            .filter(roles::realm_id.eq(self.realm.0))
            .order((role_parents::role_id, role_parents::parent_id))
            .select((role_parents::role_id, role_parents::parent_id))
            .load(self.conn)?;
        let role = |(id, name, description, built_in, permissions): (i64, String, String, bool, Vec<String>)| Role {
            id: RoleId(id),
            name,
            description,
            built_in,
            permissions: permissions.iter().filter_map(|text| read(text)).collect(),
            parents: parents.iter().filter(|(child, _)| *child == id).map(|(_, parent)| RoleId(*parent)).collect(),
        };
        Ok(Hierarchy::new(rows.into_iter().map(role).collect()))
    }

    /// All roles, and nobody else changes them, or who holds them, until the end of the transaction. Whatever could
    /// take the last administrator away, or close a circle of roles, begins with this. Three statements.
    pub fn hold_roles(&mut self) -> Result<Hierarchy, StoreError> {
        let _: Option<i64> = roles::table
            .filter(roles::realm_id.eq(self.realm.0))
            .filter(roles::name.eq(BuiltInRole::Admin.as_str()))
            .select(roles::id)
            .for_no_key_update()
            .first(self.conn)
            .optional()?;
        self.hierarchy()
    }

    /// The roles somebody was given, in the order of their names. One statement.
    pub fn roles_of(&mut self, holder: Holder) -> Result<Vec<RoleId>, StoreError> {
        let ids: Vec<i64> = match holder {
            Holder::User(user) => {
                user_roles::table.filter(user_roles::user_id.eq(user.0)).select(user_roles::role_id).load(self.conn)?
            }
            Holder::Client(client) => client_roles::table
                .filter(client_roles::client_key.eq(client))
                .select(client_roles::role_id)
                .load(self.conn)?,
        };
        Ok(ids.into_iter().map(RoleId).collect())
    }

    /// How many accounts and clients were given a role. Two statements.
    pub fn holders_of(&mut self, role: RoleId) -> Result<(i64, i64), StoreError> {
        let people = user_roles::table.filter(user_roles::role_id.eq(role.0)).count().get_result(self.conn)?;
        let clients = client_roles::table.filter(client_roles::role_id.eq(role.0)).count().get_result(self.conn)?;
        Ok((people, clients))
    }

    /// How many active accounts were given one of `administrative`, when `without` is taken away: all roles of an
    /// account, or one of them. One statement.
    pub fn administrators(
        &mut self,
        administrative: &[RoleId],
        without: Option<(UserId, Option<RoleId>)>,
    ) -> Result<i64, StoreError> {
        let ids: Vec<i64> = administrative.iter().map(|role| role.0).collect();
        let mut query = user_roles::table
            .inner_join(users::table)
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::state.eq(UserState::Active.as_str()))
            .filter(user_roles::role_id.eq_any(ids))
            .select(diesel::dsl::count(user_roles::user_id).aggregate_distinct())
            .into_boxed();
        query = match without {
            None => query,
            Some((user, None)) => query.filter(user_roles::user_id.ne(user.0)),
            Some((user, Some(role))) => {
                query.filter(diesel::dsl::not(user_roles::user_id.eq(user.0).and(user_roles::role_id.eq(role.0))))
            }
        };
        Ok(query.get_result(self.conn)?)
    }

    /// Stores a role. A taken name is an answer.
    pub(crate) fn create_role(
        &mut self,
        new: &NewRole,
        at: DateTime<Utc>,
    ) -> Result<Result<(), RoleTaken>, StoreError> {
        let stored: Option<i64> = diesel::insert_into(roles::table)
            .values((
                roles::realm_id.eq(self.realm.0),
                roles::name.eq(new.name.as_str()),
                roles::description.eq(&new.description),
                roles::built_in.eq(false),
                roles::permissions.eq(texts(&new.permissions)),
                roles::created_at.eq(at),
            ))
            .on_conflict_do_nothing()
            .returning(roles::id)
            .get_result(self.conn)
            .optional()?;
        let Some(id) = stored else { return Ok(Err(RoleTaken)) };
        self.put_parents(id, &new.parents)?;
        Ok(Ok(()))
    }

    /// Replaces what a role says, may and inherits, and tells every node.
    pub(crate) fn update_role(
        &mut self,
        role: RoleId,
        (description, permissions): (&str, &[Permission]),
        parents: &[RoleId],
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(roles::table.filter(roles::realm_id.eq(self.realm.0)).filter(roles::id.eq(role.0)))
            .set((
                roles::description.eq(description),
                roles::permissions.eq(texts(permissions)),
                roles::updated_at.eq(at),
            ))
            .execute(self.conn)?;
        diesel::delete(role_parents::table.filter(role_parents::role_id.eq(role.0))).execute(self.conn)?;
        self.put_parents(role.0, parents)?;
        self.announce(&Announcement::Roles, at, at + TOLD)
    }

    fn put_parents(&mut self, role: i64, parents: &[RoleId]) -> Result<(), StoreError> {
        let rows: Vec<_> = parents
            .iter()
            .map(|parent| (role_parents::role_id.eq(role), role_parents::parent_id.eq(parent.0)))
            .collect();
        diesel::insert_into(role_parents::table).values(&rows).execute(self.conn)?;
        Ok(())
    }

    /// Takes a role away, from its holders too, and tells every node.
    pub(crate) fn delete_role(&mut self, role: RoleId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mine = roles::table.filter(roles::realm_id.eq(self.realm.0)).filter(roles::id.eq(role.0));
        diesel::delete(mine.filter(roles::built_in.eq(false))).execute(self.conn)?;
        self.announce(&Announcement::Roles, at, at + TOLD)
    }

    /// Gives a role, and tells every node.
    pub(crate) fn assign_role(&mut self, role: RoleId, to: Holder, at: DateTime<Utc>) -> Result<(), StoreError> {
        match to {
            Holder::User(user) => diesel::insert_into(user_roles::table)
                .values((user_roles::user_id.eq(user.0), user_roles::role_id.eq(role.0), user_roles::created_at.eq(at)))
                .on_conflict_do_nothing()
                .execute(self.conn)?,
            Holder::Client(client) => diesel::insert_into(client_roles::table)
                .values((
                    client_roles::client_key.eq(client),
                    client_roles::role_id.eq(role.0),
                    client_roles::created_at.eq(at),
                ))
                .on_conflict_do_nothing()
                .execute(self.conn)?,
        };
        self.announce_roles_of(to, at)
    }

    /// Takes a role, and tells every node.
    pub(crate) fn remove_role(&mut self, role: RoleId, from: Holder, at: DateTime<Utc>) -> Result<(), StoreError> {
        match from {
            Holder::User(user) => {
                let held = user_roles::table.filter(user_roles::user_id.eq(user.0));
                diesel::delete(held.filter(user_roles::role_id.eq(role.0))).execute(self.conn)?
            }
            Holder::Client(client) => {
                let held = client_roles::table.filter(client_roles::client_key.eq(client));
                diesel::delete(held.filter(client_roles::role_id.eq(role.0))).execute(self.conn)?
            }
        };
        self.announce_roles_of(from, at)
    }

    fn announce_roles_of(&mut self, holder: Holder, at: DateTime<Utc>) -> Result<(), StoreError> {
        let what = match holder {
            Holder::User(user) => Announcement::RolesOfUser(user),
            Holder::Client(client) => Announcement::RolesOfClient(ClientKey(client)),
        };
        self.announce(&what, at, at + TOLD)
    }
}

fn texts(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().map(ToString::to_string).collect()
}

/// A permission that a later version wrote gives nothing here: less is safe.
fn read(text: &str) -> Option<Permission> {
    let permission = text.parse().ok();
    if permission.is_none() {
        tracing::warn!(permission = text, "a stored permission is not understood by this version; it gives nothing");
    }
    permission
}
