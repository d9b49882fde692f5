//! What administration takes and answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use signet_oidc::realm::Realm;
use signet_storage::resources::{Resource, ResourceScope};
use utoipa::ToSchema;

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
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What can be allowed on it, all of it.
    #[schema(nullable = false)]
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
#[expect(clippy::option_option, reason = "absent and null are two things")]
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
    pub(super) fn of(resource: &Resource) -> Self {
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

    pub(super) fn built_in(realm: &Realm) -> Self {
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
    pub(super) fn matches(&self, search: Option<&str>) -> bool {
        let Some(search) = search.map(str::to_lowercase) else { return true };
        self.identifier.to_lowercase().contains(&search) || self.name.to_lowercase().contains(&search)
    }
}
