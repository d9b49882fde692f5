//! APIs that tokens are for: identifier, scopes, how their access tokens are made.
//!
//! Signet's own API is one of them: it is listed, and cannot be changed.

mod check;
mod view;

use chrono::{DateTime, Utc};
use signet_oidc::{change::EventKind, jose::Alg, realm::Realm};
use signet_storage::resources::{Resource, ResourceFilter, ResourceScope};

use super::{Act, AdminError, Condition, Desk, Page, Paging, keys, revision};
use check::check;

pub use view::{NewResource, ResourceChange, ResourceView, ScopeView};

/// Registers an API.
pub async fn create(desk: &Desk, new: NewResource) -> Result<ResourceView, AdminError> {
    keys::provide(desk, &algs(new.access_token_alg.as_deref())).await?;
    desk.act(move |act| create_in(act, new)).await
}

/// The algorithm an API wants its tokens signed with, as far as there is one.
fn algs(name: Option<&str>) -> Vec<Alg> {
    name.and_then(Alg::parse).into_iter().collect()
}

/// One API.
pub async fn show(desk: &Desk, identifier: &str) -> Result<ResourceView, AdminError> {
    if identifier == desk.realm.api_audience() {
        return Ok(ResourceView::built_in(&desk.realm));
    }
    let wanted = parse(identifier)?;
    let found = desk.store.read(move |tx| tx.resource(&wanted)).await?;
    found.map(|resource| ResourceView::of(&resource)).ok_or_else(missing)
}

/// APIs by identifier, Signet's own among them.
pub async fn list(desk: &Desk, paging: Paging) -> Result<Page<ResourceView>, AdminError> {
    let search = paging.search()?;
    let after = paging.after()?;
    let built_in = Some(ResourceView::built_in(&desk.realm))
        .filter(|view| view.matches(search.as_deref()) && view.identifier.as_bytes() > after.as_bytes());
    let filter = ResourceFilter { after, limit: paging.rows()?, search };
    let found = desk.store.read(move |tx| tx.resources(&filter)).await?;
    let mut views: Vec<ResourceView> = found.iter().map(ResourceView::of).collect();
    views.extend(built_in);
    views.sort_by(|a, b| a.identifier.as_bytes().cmp(b.identifier.as_bytes()));
    Ok(Page::of(views, &paging, |view: &ResourceView| view.identifier.clone()))
}

/// Changes what the change names.
pub async fn update(
    desk: &Desk,
    identifier: &str,
    change: ResourceChange,
    condition: Condition,
) -> Result<ResourceView, AdminError> {
    let wanted = changeable(&desk.realm, identifier)?;
    keys::provide(desk, &algs(change.access_token_alg.as_ref().and_then(|given| given.as_deref()))).await?;
    desk.act(move |act| {
        let stored = act.tx.lock_resource(&wanted)?.ok_or_else(missing)?;
        condition.check(&revision(&ResourceView::of(&stored)))?;
        let before = desired(&stored);
        let after = NewResource {
            identifier: before.identifier,
            name: change.name.unwrap_or(before.name),
            scopes: change.scopes.unwrap_or(before.scopes),
            access_token_seconds: change.access_token_seconds.unwrap_or(before.access_token_seconds),
            access_token_alg: change.access_token_alg.unwrap_or(before.access_token_alg),
        };
        Ok(write(act, &stored, after)?.0)
    })
    .await
}

/// Removes an API. Tokens made for it live to their end.
pub async fn delete(desk: &Desk, identifier: &str, condition: Condition) -> Result<ResourceView, AdminError> {
    let wanted = changeable(&desk.realm, identifier)?;
    desk.act(move |act| delete_in(act, &wanted, &condition)).await
}

/// [`create`] within a greater act.
pub(crate) fn create_in(act: &mut Act<'_, '_>, new: NewResource) -> Result<ResourceView, AdminError> {
    let new = check(act, new)?;
    let exists = || {
        AdminError::conflict("resource_exists", "There is an API with this identifier. Choose another, or update it.")
    };
    if new.identifier == act.desk.realm.api_audience() {
        return Err(exists());
    }
    let at = act.turn.now();
    let written = act.tx.create_resource(&into_row(new, 0, at), at)?.ok_or_else(exists)?;
    act.record(EventKind::ResourceCreated, object(&written.identifier), None, None)?;
    Ok(ResourceView::of(&written))
}

/// Writes an API over one that is locked; answers what changed. What is the same already is not written.
pub(crate) fn write(
    act: &mut Act<'_, '_>,
    stored: &Resource,
    after: NewResource,
) -> Result<(ResourceView, Vec<&'static str>), AdminError> {
    let after = check(act, after)?;
    let changed = differences(&desired(stored), &after);
    if changed.is_empty() {
        return Ok((ResourceView::of(stored), changed));
    }
    let at = act.turn.now();
    let written = act.tx.update_resource(&into_row(after, stored.key, stored.created_at), at)?;
    act.record(EventKind::ResourceUpdated, object(&written.identifier), None, Some(changed.join(",")))?;
    Ok((ResourceView::of(&written), changed))
}

/// [`delete`] within a greater act.
pub(crate) fn delete_in(
    act: &mut Act<'_, '_>,
    identifier: &str,
    condition: &Condition,
) -> Result<ResourceView, AdminError> {
    let stored = act.tx.lock_resource(identifier)?.ok_or_else(missing)?;
    condition.check(&revision(&ResourceView::of(&stored)))?;
    // Its lifetime, algorithm and scopes go with it: no token for it is made without them.
    let clients = act.tx.clients_of_resource(identifier)?;
    if !clients.is_empty() {
        let message = format!("Clients may still ask for this API: {}. Take it from them first.", clients.join(", "));
        return Err(AdminError::conflict("resource_in_use", message));
    }
    act.tx.delete_resource(&stored, act.turn.now())?;
    act.record(EventKind::ResourceDeleted, object(&stored.identifier), None, None)?;
    Ok(ResourceView::of(&stored))
}

/// What would make an API that is stored.
pub(crate) fn desired(stored: &Resource) -> NewResource {
    let view = ResourceView::of(stored);
    NewResource {
        identifier: view.identifier,
        name: view.name,
        scopes: view.scopes,
        access_token_seconds: view.access_token_seconds,
        access_token_alg: view.access_token_alg,
    }
}

/// The members in which two differ.
pub(crate) fn differences(before: &NewResource, after: &NewResource) -> Vec<&'static str> {
    let members = [
        ("name", before.name == after.name),
        ("scopes", before.scopes == after.scopes),
        ("access_token_seconds", before.access_token_seconds == after.access_token_seconds),
        ("access_token_alg", before.access_token_alg == after.access_token_alg),
    ];
    members.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

fn into_row(new: NewResource, key: i64, created_at: DateTime<Utc>) -> Resource {
    let scope = |scope: ScopeView| ResourceScope { name: scope.name, description: scope.description };
    Resource {
        key,
        identifier: new.identifier,
        name: new.name,
        scopes: new.scopes.into_iter().map(scope).collect(),
        access_token_seconds: new.access_token_seconds,
        access_token_alg: new.access_token_alg,
        created_at,
        updated_at: created_at,
    }
}

/// How the audit log names an API.
fn object(identifier: &str) -> String {
    format!("resource:{identifier}")
}

fn parse(identifier: &str) -> Result<String, AdminError> {
    let good = !identifier.is_empty() && identifier.len() <= 2_048 && !identifier.chars().any(char::is_control);
    good.then(|| identifier.to_owned()).ok_or_else(missing)
}

fn changeable(realm: &Realm, identifier: &str) -> Result<String, AdminError> {
    if identifier == realm.api_audience() {
        return Err(AdminError::conflict("built_in", "Signet's own API cannot be changed."));
    }
    parse(identifier)
}

fn missing() -> AdminError {
    AdminError::not_found("resource_not_found", "There is no API with this identifier.")
}
