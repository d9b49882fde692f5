//! What is typed after `signet client create` and `signet client update`.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use signet_oidc::{
    client::ApplicationType,
    policy::{PkceRule, RefreshRotation, RefreshTokens, RequestObjects},
};

use crate::admin::clients::{ClientChange, NewClient};

/// `signet client create`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct CreateClient {
    /// The name people see on the consent page.
    #[arg(long)]
    name: String,
    /// Where people are sent back to; may be given several times.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// `authorization_code` and `refresh_token` when not given.
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// Response types it may use, such as `code id_token`; they follow from its grant types when not given.
    #[arg(long = "response-type", value_name = "TYPE")]
    response_types: Vec<String>,
    /// Scopes it may ask for; `openid profile email address phone offline_access` when not given.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt`, or `none` for a public client.
    #[arg(long = "auth-method", value_name = "METHOD", default_value = "client_secret_basic")]
    auth_method: String,
    /// Ours: people are not asked for consent.
    #[arg(long)]
    first_party: bool,
    /// Runs on a person's device: the port of a loopback redirect URI is free.
    #[arg(long)]
    native: bool,
    /// The audience (`aud`) of its access tokens: the API they are for; the client itself when not given.
    #[arg(long, value_name = "URI")]
    audience: Option<String>,
    /// Whether it must use PKCE; a public client must all the same.
    #[arg(long, value_enum, default_value_t)]
    pkce: Pkce,
    /// Whether each use of a refresh token gives a new one; with a public client it does all the same.
    #[arg(long, value_enum, default_value_t)]
    refresh_rotation: Rotation,
    /// Whether a code gives a refresh token without `offline_access` too.
    #[arg(long, value_enum, default_value_t)]
    refresh_tokens: Tokens,
    /// Whether it may send `plain` challenges.
    #[arg(long)]
    pkce_plain: bool,
    /// Whether parameters beside a request object count.
    #[arg(long, value_enum, default_value_t)]
    request_objects: Objects,
    /// A role whose holders may use it, with all who inherit it; may be given several times. Everyone when not given.
    #[arg(long = "access-role", value_name = "ROLE")]
    access_roles: Vec<String>,
    /// Further members of its registration, as a JSON object: `{"subject_type":"pairwise"}`.
    #[arg(long, value_name = "JSON", value_parser = members)]
    metadata: Option<Map<String, Value>>,
    /// The client's identifier; made when not given.
    #[arg(long = "client-id", value_name = "ID", allow_hyphen_values = true)]
    client_id: Option<String>,
}

/// `signet client update`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct UpdateClient {
    /// Its identifier.
    #[arg(allow_hyphen_values = true)]
    pub(super) client_id: String,
    /// The name people see on the consent page.
    #[arg(long)]
    name: Option<String>,
    /// Where people are sent back to, all of them; may be given several times.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where people may be sent after signing out, all of them.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// Grant types it may use, all of them.
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// Response types it may use, all of them.
    #[arg(long = "response-type", value_name = "TYPE")]
    response_types: Vec<String>,
    /// Scopes it may ask for, all of them.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt` or `none`. A secret is made where
    /// the new method needs one and the old one had none, or one that cannot be used.
    #[arg(long = "auth-method", value_name = "METHOD")]
    auth_method: Option<String>,
    /// Whether it is ours: people are not asked for consent.
    #[arg(long, value_name = "BOOL")]
    first_party: Option<bool>,
    /// Whether it runs on a person's device.
    #[arg(long, value_name = "BOOL")]
    native: Option<bool>,
    /// The audience (`aud`) of its access tokens.
    #[arg(long, value_name = "URI")]
    audience: Option<String>,
    /// Whether it must use PKCE.
    #[arg(long, value_enum)]
    pkce: Option<Pkce>,
    /// Whether each use of a refresh token gives a new one.
    #[arg(long, value_enum)]
    refresh_rotation: Option<Rotation>,
    /// Whether a code gives a refresh token without `offline_access` too.
    #[arg(long, value_enum)]
    refresh_tokens: Option<Tokens>,
    /// Whether it may send `plain` challenges.
    #[arg(long, value_name = "BOOL")]
    pkce_plain: Option<bool>,
    /// Whether parameters beside a request object count.
    #[arg(long, value_enum)]
    request_objects: Option<Objects>,
    /// The roles whose holders may use it, all of them.
    #[arg(long = "access-role", value_name = "ROLE")]
    access_roles: Vec<String>,
    /// Further members of its registration, as a JSON object; `null` puts back a default.
    #[arg(long, value_name = "JSON", value_parser = members)]
    metadata: Option<Map<String, Value>>,
    /// What is to be empty; may be given several times.
    #[arg(long, value_enum, value_name = "WHAT")]
    clear: Vec<Clear>,
    /// Only if the client is still as `client show` told it with this revision.
    #[arg(long, value_name = "REVISION", allow_hyphen_values = true)]
    revision: Option<String>,
}

/// Whether PKCE is required.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Pkce {
    /// Yes.
    #[default]
    Required,
    /// Only what is sent is checked.
    Optional,
}

/// Whether refresh tokens rotate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Rotation {
    /// Each use gives a successor.
    #[default]
    On,
    /// The token stays.
    Off,
}

/// When a code gives a refresh token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Tokens {
    /// Always, where the client has the grant type.
    #[default]
    Always,
    /// Only with `offline_access`.
    Offline,
}

/// How a request object and the parameters beside it go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Objects {
    /// What is inside wins, what is only outside counts too.
    #[default]
    Merge,
    /// What is outside is ignored.
    Exclusive,
}

impl From<Objects> for RequestObjects {
    fn from(objects: Objects) -> Self {
        match objects {
            Objects::Merge => Self::Merge,
            Objects::Exclusive => Self::Exclusive,
        }
    }
}

/// Reads a JSON object from the command line.
fn members(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("a JSON object is needed: {error}"))
}

/// What can be made empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Clear {
    /// Where people are sent back to.
    RedirectUris,
    /// Where people may be sent after signing out.
    PostLogoutRedirectUris,
    /// Scopes.
    Scopes,
    /// The audience: then it is the client itself.
    Audience,
    /// The roles whose holders may use it: then everyone may.
    AccessRoles,
}

impl From<Pkce> for PkceRule {
    fn from(pkce: Pkce) -> Self {
        match pkce {
            Pkce::Required => Self::Required,
            Pkce::Optional => Self::Optional,
        }
    }
}

impl From<Rotation> for RefreshRotation {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::On => Self::On,
            Rotation::Off => Self::Off,
        }
    }
}

impl From<Tokens> for RefreshTokens {
    fn from(tokens: Tokens) -> Self {
        match tokens {
            Tokens::Always => Self::Always,
            Tokens::Offline => Self::Offline,
        }
    }
}

impl From<CreateClient> for NewClient {
    fn from(create: CreateClient) -> Self {
        Self {
            client_id: create.client_id,
            client_name: create.name,
            redirect_uris: create.redirect_uris,
            post_logout_redirect_uris: create.post_logout_redirect_uris,
            grant_types: some(create.grant_types),
            scope: some(create.scopes).map(|scopes| scopes.join(" ")),
            token_endpoint_auth_method: Some(create.auth_method),
            application_type: create.native.then_some(ApplicationType::Native),
            first_party: create.first_party,
            default_audience: create.audience,
            pkce: Some(create.pkce.into()),
            refresh_rotation: Some(create.refresh_rotation.into()),
            refresh_tokens: Some(create.refresh_tokens.into()),
            response_types: some(create.response_types),
            pkce_plain: create.pkce_plain,
            request_objects: Some(create.request_objects.into()),
            members: with_access(create.metadata, some(create.access_roles)),
        }
    }
}

impl From<UpdateClient> for ClientChange {
    fn from(update: UpdateClient) -> Self {
        let cleared = |what| update.clear.contains(&what);
        let list = |given: Vec<String>, what| some(given).or_else(|| cleared(what).then(Vec::new));
        Self {
            revision: update.revision,
            client_name: update.name,
            redirect_uris: list(update.redirect_uris, Clear::RedirectUris),
            post_logout_redirect_uris: list(update.post_logout_redirect_uris, Clear::PostLogoutRedirectUris),
            grant_types: some(update.grant_types),
            scope: list(update.scopes, Clear::Scopes).map(|scopes| scopes.join(" ")),
            token_endpoint_auth_method: update.auth_method,
            application_type: update.native.map(
                |native| {
                    if native { ApplicationType::Native } else { ApplicationType::Web }
                },
            ),
            first_party: update.first_party,
            default_audience: update.audience.map(Some).or_else(|| cleared(Clear::Audience).then_some(None)),
            pkce: update.pkce.map(Into::into),
            refresh_rotation: update.refresh_rotation.map(Into::into),
            refresh_tokens: update.refresh_tokens.map(Into::into),
            response_types: some(update.response_types),
            pkce_plain: update.pkce_plain,
            request_objects: update.request_objects.map(Into::into),
            members: with_access(update.metadata, list(update.access_roles, Clear::AccessRoles)),
        }
    }
}

/// Further members, with the roles that were named by themselves.
fn with_access(metadata: Option<Map<String, Value>>, roles: Option<Vec<String>>) -> Map<String, Value> {
    let mut members = metadata.unwrap_or_default();
    if let Some(roles) = roles {
        members.insert("access_roles".to_owned(), json!(roles));
    }
    members
}

fn some<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}
