//! APIs that tokens are for: identifier, scopes, how their access tokens are made.
//!
//! Signet's own API is one of them: it is listed, and cannot be changed.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use signet_oidc::{
    change::EventKind,
    jose::{Alg, KeyState},
    realm::Realm,
    scope::{STANDARD, Scopes},
};
use signet_storage::resources::{Resource, ResourceFilter, ResourceScope};
use url::Url;
use utoipa::ToSchema;

use super::{Act, AdminError, Desk, Page, Paging};

/// The greatest number of scopes.
const MAX_SCOPES: usize = 200;

/// An API to be registered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewResource {
    /// The `aud` of its tokens: an absolute URI without a fragment.
    pub identifier: String,
    /// What people are shown: 1 to 200 characters.
    pub name: String,
    /// What can be allowed on it.
    pub scopes: Vec<ScopeView>,
    /// How long access tokens for it live: 60 to 3600 seconds; as everywhere when not given.
    pub access_token_seconds: Option<i32>,
    /// What access tokens for it are signed with, such as `ES256`; as everywhere when not given.
    pub access_token_alg: Option<String>,
}

/// What is changed of an API; members that are not given stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceChange {
    /// What people are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What can be allowed on it, all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<ScopeView>>,
    /// How long access tokens for it live, in seconds; `null` for as everywhere.
    #[schema(value_type = Option<i32>)]
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub access_token_seconds: Option<Option<i32>>,
    /// What they are signed with; `null` for as everywhere.
    #[schema(value_type = Option<String>)]
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub access_token_alg: Option<Option<String>>,
}

/// A member that is given, perhaps as `null`.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A scope of an API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeView {
    /// The token asked for.
    pub name: String,
    /// What people read before they allow it: at most 300 characters.
    #[serde(default)]
    pub description: String,
}

/// An API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResourceView {
    /// The `aud` of its tokens.
    pub identifier: String,
    /// What people are shown.
    pub name: String,
    /// What can be allowed on it.
    pub scopes: Vec<ScopeView>,
    /// How long access tokens for it live, in seconds.
    pub access_token_seconds: Option<i32>,
    /// What they are signed with.
    pub access_token_alg: Option<String>,
    /// Signet's own: it cannot be changed.
    pub built_in: bool,
    /// When it was registered; absent for a built-in one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last changed; absent for a built-in one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<DateTime<Utc>>,
}

impl ResourceView {
    fn of(resource: &Resource) -> Self {
        let scope =
            |scope: &ResourceScope| ScopeView { name: scope.name.clone(), description: scope.description.clone() };
        Self {
            identifier: resource.identifier.clone(),
            name: resource.name.clone(),
            scopes: resource.scopes.iter().map(scope).collect(),
            access_token_seconds: resource.access_token_seconds,
            access_token_alg: resource.access_token_alg.clone(),
            built_in: false,
            created_at: Some(resource.created_at),
            updated_at: Some(resource.updated_at),
        }
    }

    fn built_in(realm: &Realm) -> Self {
        Self {
            identifier: realm.api_audience(),
            name: "Signet".to_owned(),
            scopes: Vec::new(),
            access_token_seconds: None,
            access_token_alg: None,
            built_in: true,
            created_at: None,
            updated_at: None,
        }
    }

    /// Whether it is one that a search finds.
    fn matches(&self, search: Option<&str>) -> bool {
        let Some(search) = search.map(str::to_lowercase) else { return true };
        self.identifier.to_lowercase().contains(&search) || self.name.to_lowercase().contains(&search)
    }
}

/// Registers an API.
pub async fn create(desk: &Desk, new: NewResource) -> Result<ResourceView, AdminError> {
    desk.act(move |act| create_in(act, new)).await
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
    let filter = ResourceFilter { after, limit: paging.rows(), search };
    let found = desk.store.read(move |tx| tx.resources(&filter)).await?;
    let mut views: Vec<ResourceView> = found.iter().map(ResourceView::of).collect();
    views.extend(built_in);
    views.sort_by(|a, b| a.identifier.as_bytes().cmp(b.identifier.as_bytes()));
    Ok(Page::of(views, &paging, |view: &ResourceView| view.identifier.clone()))
}

/// Changes what the change names.
pub async fn update(desk: &Desk, identifier: &str, change: ResourceChange) -> Result<ResourceView, AdminError> {
    let wanted = changeable(&desk.realm, identifier)?;
    desk.act(move |act| {
        let stored = act.tx.lock_resource(&wanted)?.ok_or_else(missing)?;
        let before = desired(&stored);
        let after = NewResource {
            identifier: before.identifier,
            name: change.name.unwrap_or(before.name),
            scopes: change.scopes.unwrap_or(before.scopes),
            access_token_seconds: change.access_token_seconds.unwrap_or(before.access_token_seconds),
            access_token_alg: change.access_token_alg.unwrap_or(before.access_token_alg),
        };
        write(act, stored, after)
    })
    .await
}

/// Removes an API. Tokens made for it live to their end.
pub async fn delete(desk: &Desk, identifier: &str) -> Result<ResourceView, AdminError> {
    let wanted = changeable(&desk.realm, identifier)?;
    desk.act(move |act| delete_in(act, &wanted)).await
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

/// Writes an API over one that is locked. What is the same already is not written.
pub(crate) fn write(act: &mut Act<'_, '_>, stored: Resource, after: NewResource) -> Result<ResourceView, AdminError> {
    let after = check(act, after)?;
    let changed = differences(&desired(&stored), &after);
    if changed.is_empty() {
        return Ok(ResourceView::of(&stored));
    }
    let at = act.turn.now();
    let written = act.tx.update_resource(&into_row(after, stored.key, stored.created_at), at)?;
    act.record(EventKind::ResourceUpdated, object(&written.identifier), None, Some(changed.join(",")))?;
    Ok(ResourceView::of(&written))
}

/// [`delete`] within a greater act.
pub(crate) fn delete_in(act: &mut Act<'_, '_>, identifier: &str) -> Result<ResourceView, AdminError> {
    let stored = act.tx.lock_resource(identifier)?.ok_or_else(missing)?;
    act.tx.delete_resource(&stored)?;
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

fn wrong(field: &'static str, message: impl Into<Cow<'static, str>>) -> AdminError {
    AdminError::invalid("invalid_resource", field, message)
}

/// Every check, in order. Answers the API as it is stored.
pub(crate) fn check(act: &mut Act<'_, '_>, new: NewResource) -> Result<NewResource, AdminError> {
    let new = check_values(new, &act.desk.realm)?;
    if let Some(alg) = &new.access_token_alg {
        let keys = act.tx.signing_keys()?;
        let signs = |wanted: Alg| keys.iter().any(|key| key.alg == wanted && key.state == KeyState::Active);
        if !Alg::parse(alg).is_some_and(signs) {
            let mut known: Vec<&str> =
                keys.iter().filter(|key| key.state == KeyState::Active).map(|key| key.alg.as_str()).collect();
            known.sort_unstable();
            return Err(wrong("access_token_alg", format!("{alg:?}: use one of {}.", known.join(", "))));
        }
    }
    Ok(new)
}

fn check_values(mut new: NewResource, realm: &Realm) -> Result<NewResource, AdminError> {
    if new.identifier.len() > 2_048
        || !new.identifier.bytes().all(|byte| byte.is_ascii_graphic())
        || new.identifier.contains('#')
        || Url::parse(&new.identifier).is_err()
    {
        return Err(wrong(
            "identifier",
            "Use an absolute URI of at most 2048 bytes of ASCII without a fragment, such as https://api.example/.",
        ));
    }
    if new.identifier == realm.issuer {
        return Err(wrong("identifier", "The issuer is no API: the scope `openid` gives access to userinfo."));
    }
    new.name = new.name.trim().to_owned();
    if new.name.is_empty() || new.name.chars().count() > 200 || new.name.chars().any(char::is_control) {
        return Err(wrong("name", "Use 1 to 200 characters, no control characters."));
    }
    if new.access_token_seconds.is_some_and(|seconds| !(60..=3_600).contains(&seconds)) {
        return Err(wrong("access_token_seconds", "Use 60 to 3600 seconds."));
    }
    if new.scopes.len() > MAX_SCOPES {
        return Err(wrong("scopes", format!("Give at most {MAX_SCOPES} scopes.")));
    }
    new.scopes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut before: Option<&str> = None;
    for scope in &mut new.scopes {
        scope.description = scope.description.trim().to_owned();
    }
    for scope in &new.scopes {
        let token: Option<Scopes> = scope.name.parse().ok();
        if scope.name.len() > 256 || token.is_none_or(|token| token.iter().next() != Some(&*scope.name)) {
            return Err(wrong("scopes", format!("{:?}: a scope is 1 to 256 bytes without spaces.", scope.name)));
        }
        if STANDARD.iter().any(|(name, _)| *name == scope.name) {
            return Err(wrong(
                "scopes",
                format!("{:?} is a scope of OpenID Connect itself. Choose another.", scope.name),
            ));
        }
        if scope.description.chars().count() > 300 || scope.description.chars().any(char::is_control) {
            return Err(wrong(
                "scopes",
                format!("{:?}: describe it in at most 300 characters of one line.", scope.name),
            ));
        }
        if before == Some(&*scope.name) {
            return Err(wrong("scopes", format!("{:?} is given twice.", scope.name)));
        }
        before = Some(&scope.name);
    }
    Ok(new)
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

#[cfg(test)]
mod tests {
    use signet_oidc::{id::RealmId, policy::Policy};

    use super::*;

    fn realm() -> Realm {
        Realm {
            id: RealmId(1),
            issuer: "https://id.example".to_owned(),
            development: false,
            registration_open: false,
            policy: Policy::default(),
        }
    }

    fn good() -> NewResource {
        let scope = |name: &str| ScopeView { name: name.to_owned(), description: String::new() };
        NewResource {
            identifier: "https://api.example".to_owned(),
            name: " Invoices ".to_owned(),
            scopes: vec![scope("invoice:write"), scope("invoice:read")],
            access_token_seconds: Some(60),
            access_token_alg: None,
        }
    }

    /// values are stored trimmed and sorted; each that is wrong is named.
    #[test]
    fn values_are_checked() {
        let stored = check_values(good(), &realm()).unwrap();
        assert_eq!(stored.name, "Invoices");
        assert_eq!(stored.scopes[0].name, "invoice:read");
        let scope = |name: &str, description: &str| {
            vec![ScopeView { name: name.to_owned(), description: description.to_owned() }]
        };
        let twice = [scope("a", ""), scope("a", "")].concat();
        for (bad, field) in [
            (NewResource { identifier: String::new(), ..good() }, "identifier"),
            (NewResource { identifier: "invoices".to_owned(), ..good() }, "identifier"),
            (NewResource { identifier: "https://api.example/#x".to_owned(), ..good() }, "identifier"),
            (NewResource { identifier: "https://id.example".to_owned(), ..good() }, "identifier"),
            (NewResource { name: "  ".to_owned(), ..good() }, "name"),
            (NewResource { access_token_seconds: Some(59), ..good() }, "access_token_seconds"),
            (NewResource { access_token_seconds: Some(3_601), ..good() }, "access_token_seconds"),
            (NewResource { scopes: scope("a b", ""), ..good() }, "scopes"),
            (NewResource { scopes: scope("", ""), ..good() }, "scopes"),
            (NewResource { scopes: scope("openid", ""), ..good() }, "scopes"),
            (NewResource { scopes: scope("a", "\n"), ..good() }, "scopes"),
            (NewResource { scopes: scope("a", "x\ny"), ..good() }, "scopes"),
            (NewResource { scopes: twice, ..good() }, "scopes"),
        ] {
            match check_values(bad.clone(), &realm()) {
                Err(AdminError::Invalid(refusal)) => assert_eq!(refusal.field, Some(field), "{bad:?}"),
                Ok(stored) => assert_eq!(stored.scopes[0].description, "", "trimmed: {bad:?}"),
                Err(other) => panic!("{bad:?}: {other}"),
            }
        }
    }
}
