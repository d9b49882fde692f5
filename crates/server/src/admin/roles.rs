//! Roles: made, changed, given and taken.

use serde::{Deserialize, Serialize};
use signet_identity::UserId;
use signet_oidc::{client::ClientSource, id::ClientId};
use signet_rbac::{
    BuiltInRole, Change, Event, EventKind, Hierarchy, Holder, Permission, Role, RoleId, RoleName, RoleRefusal,
    change::NewRole as StoredRole, hierarchy::keep_an_administrator,
};
use signet_storage::accounts::AccountRef;
use utoipa::ToSchema;

use super::{Act, AdminError, Condition, Desk, revision};

/// A role to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// 1 to 64 lower-case letters, digits, `.`, `_`, `-`, starting with a letter.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it adds to what it inherits: `resource:action`, `*` on either side, `resource/instance:action`.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The roles it inherits from.
    #[serde(default)]
    pub parents: Vec<String>,
}

/// What is to be changed about a role; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// What it is for.
    #[schema(nullable = false)]
    #[serde(default)]
    pub description: Option<String>,
    /// All that it adds to what it inherits.
    #[schema(nullable = false)]
    #[serde(default)]
    pub permissions: Option<Vec<String>>,
    /// All roles it inherits from.
    #[schema(nullable = false)]
    #[serde(default)]
    pub parents: Option<Vec<String>>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleView {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether Signet brings it along; such a role cannot be deleted.
    pub built_in: bool,
    /// What it adds to what it inherits.
    pub permissions: Vec<String>,
    /// The roles it inherits from.
    pub parents: Vec<String>,
    /// All that it allows, inherited permissions included.
    pub effective_permissions: Vec<String>,
}

/// A role and how many hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleDetail {
    /// The role.
    #[serde(flatten)]
    pub role: RoleView,
    /// How many accounts were given it.
    pub users: i64,
    /// How many clients were given it.
    pub clients: i64,
}

/// Who is given a role or loses it: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HolderRef {
    /// An account, by its id, username or address.
    User(String),
    /// A client, by its `client_id`.
    Client(String),
}

/// What somebody was given, after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldRoles {
    /// Whether this changed anything.
    pub changed: bool,
    /// The roles given, by name.
    pub roles: Vec<String>,
    /// All that they allow together.
    pub effective_permissions: Vec<String>,
}

/// All roles, by name.
pub async fn list(desk: &Desk) -> Result<Vec<RoleView>, AdminError> {
    desk.act(|act| {
        let all = act.tx.hierarchy()?;
        let mut views: Vec<RoleView> = all.roles().map(|role| view(&all, role)).collect();
        views.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(views)
    })
    .await
}

/// One role.
pub async fn show(desk: &Desk, name: &str) -> Result<RoleDetail, AdminError> {
    let name = name.to_owned();
    desk.act(move |act| {
        let all = act.tx.hierarchy()?;
        let role = find(&all, &name)?;
        let (users, clients) = act.tx.holders_of(role.id)?;
        Ok(RoleDetail { role: view(&all, role), users, clients })
    })
    .await
}

/// Makes a role.
pub async fn create(desk: &Desk, new: NewRole) -> Result<RoleView, AdminError> {
    desk.act(move |act| create_in(act, &new)).await
}

/// Changes a role. What nobody sees a difference in is no change and leaves no trace.
pub async fn update(desk: &Desk, name: &str, change: RoleChange, condition: Condition) -> Result<RoleView, AdminError> {
    let name = name.to_owned();
    desk.act(move |act| update_in(act, &name, &change, &condition)).await
}

/// Deletes a role; whoever held it loses it.
pub async fn delete(desk: &Desk, name: &str, condition: Condition) -> Result<(), AdminError> {
    let name = name.to_owned();
    desk.act(move |act| delete_in(act, &name, &condition)).await
}

/// Gives a role. Who has it already keeps it.
pub async fn assign(desk: &Desk, role: &str, to: &HolderRef) -> Result<HeldRoles, AdminError> {
    let (role, to) = (role.to_owned(), to.clone());
    desk.act(move |act| hand(act, &role, &to, true)).await
}

/// Takes a role. Who has it not is left alone.
pub async fn remove(desk: &Desk, role: &str, from: &HolderRef) -> Result<HeldRoles, AdminError> {
    let (role, from) = (role.to_owned(), from.clone());
    desk.act(move |act| hand(act, &role, &from, false)).await
}

/// [`create`] as a part of a larger act.
pub fn create_in(act: &mut Act<'_, '_>, new: &NewRole) -> Result<RoleView, AdminError> {
    let name: RoleName =
        new.name.parse().map_err(|error| AdminError::invalid("invalid_role_name", "name", sentence(error)))?;
    let permissions = parse(&new.permissions)?;
    let all = act.tx.hold_roles()?;
    let parents = all.resolve(&new.parents).map_err(refuse)?;
    all.check(None, &new.description, &permissions, &parents).map_err(refuse)?;
    reach(act.desk, &all, &permissions, &parents)?;
    let stored = StoredRole { name, description: new.description.clone(), permissions, parents };
    let event = event(EventKind::RoleCreated, &new.name);
    act.apply(vec![Change::Create(stored), Change::Audit(event)])?
        .map_err(|taken| AdminError::conflict("role_exists", sentence(taken)))?;
    let all = act.tx.hierarchy()?;
    Ok(view(&all, find(&all, &new.name)?))
}

/// [`update`] as a part of a larger act.
pub fn update_in(
    act: &mut Act<'_, '_>,
    name: &str,
    change: &RoleChange,
    condition: &Condition,
) -> Result<RoleView, AdminError> {
    let all = act.tx.hold_roles()?;
    let role = find(&all, name)?.clone();
    condition.check(&revision(&view(&all, &role)))?;
    let description = change.description.clone().unwrap_or_else(|| role.description.clone());
    let mut permissions = match &change.permissions {
        Some(texts) => parse(texts)?,
        None => role.permissions.clone(),
    };
    permissions.sort();
    let parents = match &change.parents {
        Some(names) => all.resolve(names).map_err(refuse)?,
        None => role.parents.clone(),
    };
    let mut stored = role.permissions.clone();
    stored.sort();
    if description == role.description && permissions == stored && parents == role.parents {
        return Ok(view(&all, &role));
    }
    all.check(Some(role.id), &description, &permissions, &parents).map_err(refuse)?;
    // Neither what the role may do now nor what it will.
    reach(act.desk, &all, &role.permissions, &role.parents)?;
    reach(act.desk, &all, &permissions, &parents)?;
    let after = all.with_parents(role.id, parents.clone());
    keep(act, &all, &after.administrative(), None)?;
    let update = Change::Update { role: role.id, description, permissions, parents };
    done(act.apply(vec![update, Change::Audit(event(EventKind::RoleUpdated, name))])?);
    let all = act.tx.hierarchy()?;
    Ok(view(&all, find(&all, name)?))
}

/// [`delete`] as a part of a larger act.
pub fn delete_in(act: &mut Act<'_, '_>, name: &str, condition: &Condition) -> Result<(), AdminError> {
    let all = act.tx.hold_roles()?;
    let role = find(&all, name)?;
    condition.check(&revision(&view(&all, role)))?;
    all.check_delete(role.id).map_err(refuse)?;
    // Whoever made a role of this name anew would decide who may use that client.
    if let Some(client) = act.tx.client_limited_to(name)? {
        let message = format!("Only holders of this role may use the client {client}. Change that first.");
        return Err(AdminError::conflict("role_limits_client", message));
    }
    reach(act.desk, &all, &role.permissions, &role.parents)?;
    keep(act, &all, &all.without(role.id).administrative(), None)?;
    done(act.apply(vec![Change::Delete(role.id), Change::Audit(event(EventKind::RoleDeleted, name))])?);
    Ok(())
}

/// [`assign`] (`give`) and [`remove`] as a part of a larger act.
pub fn hand(act: &mut Act<'_, '_>, name: &str, whom: &HolderRef, give: bool) -> Result<HeldRoles, AdminError> {
    let all = act.tx.hold_roles()?;
    let role = find(&all, name)?.id;
    let holder = holder(act, whom, give)?;
    let before = act.tx.roles_of(holder)?;
    let changed = before.contains(&role) != give;
    if changed {
        // Taking from somebody who may do more than oneself reaches above oneself too.
        if !act.desk.reaches(&all.permissions(before.iter().copied().chain([role]))) {
            return Err(above());
        }
        if !give && let Holder::User(user) = holder {
            keep(act, &all, &all.administrative(), Some((user, Some(role))))?;
        }
        let (change, kind) = if give {
            (Change::Assign { role, to: holder }, EventKind::RoleAssigned)
        } else {
            (Change::Remove { role, from: holder }, EventKind::RoleRemoved)
        };
        let event = Event { kind, role: name.to_owned(), holder: Some(holder) };
        done(act.apply(vec![change, Change::Audit(event)])?);
    }
    let held = act.tx.roles_of(holder)?;
    Ok(HeldRoles { changed, roles: names(&all, &held), effective_permissions: all.permissions(held).to_texts() })
}

/// refuses what leaves no active account with one of `administrative`.
pub(super) fn keep(
    act: &mut Act<'_, '_>,
    before: &Hierarchy,
    administrative: &[RoleId],
    without: Option<(UserId, Option<RoleId>)>,
) -> Result<(), AdminError> {
    let now = act.tx.administrators(&before.administrative(), None)?;
    let left = act.tx.administrators(administrative, without)?;
    keep_an_administrator(now, left).map_err(refuse)
}

/// The names of roles, in order.
pub(super) fn names(all: &Hierarchy, roles: &[RoleId]) -> Vec<String> {
    let mut names: Vec<String> = roles.iter().filter_map(|id| all.get(*id)).map(|role| role.name.clone()).collect();
    names.sort();
    names
}

/// The answer to who reaches above what the actor may do.
pub(super) fn above() -> AdminError {
    AdminError::forbidden(
        "above_yourself",
        "This needs permissions that you do not have yourself. Ask somebody who may do at least as much.",
    )
}

fn holder(act: &mut Act<'_, '_>, whom: &HolderRef, give: bool) -> Result<Holder, AdminError> {
    match whom {
        HolderRef::User(text) => {
            let account = match AccountRef::parse(text) {
                Some(named) => act.tx.account(&named)?,
                None => None,
            };
            account.map(|account| Holder::User(UserId(account.id))).ok_or_else(super::users::unknown)
        }
        HolderRef::Client(text) => {
            let client = match ClientId::parse(text) {
                Some(id) => act.tx.client(&id)?,
                None => None,
            };
            let client = client.ok_or_else(|| {
                AdminError::not_found("client_unknown", "There is no client with this client_id. List them first.")
            })?;
            if give && client.source != ClientSource::Admin {
                return Err(AdminError::conflict(
                    "self_registered",
                    "This client registered itself and stays a third party. Make a client of your own for that.",
                ));
            }
            Ok(Holder::Client(client.key.0))
        }
    }
}

fn reach(desk: &Desk, all: &Hierarchy, permissions: &[Permission], parents: &[RoleId]) -> Result<(), AdminError> {
    let mut set = all.permissions(parents.iter().copied());
    set.extend(permissions.iter().cloned());
    if desk.reaches(&set) { Ok(()) } else { Err(above()) }
}

fn parse(texts: &[String]) -> Result<Vec<Permission>, AdminError> {
    let mut permissions = Vec::with_capacity(texts.len().min(256));
    for text in texts {
        let permission: Permission = text.parse().map_err(|error| {
            let shown: String = text.chars().take(80).collect();
            AdminError::invalid("invalid_permission", "permissions", format!("{shown:?}: {error}."))
        })?;
        if !permissions.contains(&permission) {
            permissions.push(permission);
        }
        if permissions.len() > signet_rbac::role::MAX_PERMISSIONS {
            return Err(refuse(RoleRefusal::TooManyPermissions));
        }
    }
    Ok(permissions)
}

fn find<'a>(all: &'a Hierarchy, name: &str) -> Result<&'a Role, AdminError> {
    all.named(name)
        .ok_or_else(|| AdminError::not_found("role_unknown", "There is no role with this name. List the roles first."))
}

fn view(all: &Hierarchy, role: &Role) -> RoleView {
    let mut permissions: Vec<String> = role.permissions.iter().map(ToString::to_string).collect();
    permissions.sort();
    RoleView {
        name: role.name.clone(),
        description: role.description.clone(),
        built_in: role.built_in,
        permissions,
        parents: names(all, &role.parents),
        effective_permissions: all.permissions([role.id]).to_texts(),
    }
}

fn event(kind: EventKind, role: &str) -> Event {
    Event { kind, role: role.to_owned(), holder: None }
}

/// These changes meet no key.
fn done<V>(_: Result<(), V>) {}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn refuse(refusal: RoleRefusal) -> AdminError {
    let (code, text) = (refusal.code(), sentence(&refusal));
    match refusal {
        RoleRefusal::UnknownParent(_) | RoleRefusal::Cycle(_) | RoleRefusal::TooManyParents => {
            AdminError::invalid(code, "parents", text)
        }
        RoleRefusal::TooManyPermissions => AdminError::invalid(code, "permissions", text),
        RoleRefusal::Description => AdminError::invalid(code, "description", text),
        RoleRefusal::BuiltIn(_)
        | RoleRefusal::AdminStays
        | RoleRefusal::Inherited(_)
        | RoleRefusal::LastAdministrator => AdminError::conflict(code, text),
    }
}

/// With a capital and a full stop.
fn sentence(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first: String = characters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

/// The role of administrators.
pub(super) const ADMIN: &str = BuiltInRole::Admin.as_str();
