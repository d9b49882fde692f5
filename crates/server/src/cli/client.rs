//! `signet client …`

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use signet_oidc::{
    client::ApplicationType,
    policy::{PkceRule, RefreshRotation, RequestObjects},
};

use super::command::{Command, Reply, Run, to_value};
use crate::admin::{
    AdminError, Desk, Paging,
    clients::{self, ClientChange, ClientIssued, ClientView, NewClient, RotateSecret},
};

/// `signet client …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum ClientCommand {
    /// Register an application; its secret is shown once.
    Create(Box<CreateClient>),
    /// List applications.
    List {
        /// Only those with this text in their identifier or name.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show an application.
    Show {
        /// Its identifier.
        client_id: String,
    },
    /// Change an application: what is given replaces what was there.
    Update(Box<UpdateClient>),
    /// Remove an application. What it was given ends at once.
    Delete {
        /// Its identifier.
        client_id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Give an application a new secret, shown once. The old one stops.
    RotateSecret {
        /// Its identifier.
        client_id: String,
        /// End everything it was given too.
        #[arg(long)]
        end_tokens: bool,
    },
    /// Switch an application off. What it was given ends at once.
    Disable {
        /// Its identifier.
        client_id: String,
    },
    /// Switch an application on again.
    Enable {
        /// Its identifier.
        client_id: String,
    },
}

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
    /// Whether it may send `plain` challenges.
    #[arg(long)]
    pkce_plain: bool,
    /// Whether parameters beside a request object count.
    #[arg(long, value_enum, default_value_t)]
    request_objects: Objects,
    /// Further members of its registration, as a JSON object: `{"subject_type":"pairwise"}`.
    #[arg(long, value_name = "JSON", value_parser = members)]
    metadata: Option<Map<String, Value>>,
    /// The client's identifier; made when not given.
    #[arg(long = "client-id", value_name = "ID")]
    client_id: Option<String>,
}

/// `signet client update`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct UpdateClient {
    /// Its identifier.
    client_id: String,
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
    /// Whether it may send `plain` challenges.
    #[arg(long, value_name = "BOOL")]
    pkce_plain: Option<bool>,
    /// Whether parameters beside a request object count.
    #[arg(long, value_enum)]
    request_objects: Option<Objects>,
    /// Further members of its registration, as a JSON object; `null` puts back a default.
    #[arg(long, value_name = "JSON", value_parser = members)]
    metadata: Option<Map<String, Value>>,
    /// What is to be empty; may be given several times.
    #[arg(long, value_enum, value_name = "WHAT")]
    clear: Vec<Clear>,
    /// Only if the client is still as `client show` told it with this revision.
    #[arg(long, value_name = "REVISION")]
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
            response_types: some(create.response_types),
            pkce_plain: create.pkce_plain,
            request_objects: Some(create.request_objects.into()),
            members: create.metadata.unwrap_or_default(),
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
            response_types: some(update.response_types),
            pkce_plain: update.pkce_plain,
            request_objects: update.request_objects.map(Into::into),
            members: update.metadata.unwrap_or_default(),
        }
    }
}

fn some<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}

impl Run for ClientCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        let answer = match self {
            Self::Create(new) => clients::create(desk, (*new).into()).await.map(|made| issued("registered", &made)),
            Self::List { search } => list(desk, search).await,
            Self::Show { client_id } => clients::show(desk, &client_id).await.map(|view| shown(&view)),
            Self::Update(update) => {
                let client_id = update.client_id.clone();
                clients::update(desk, &client_id, (*update).into()).await.map(|made| issued("is as told", &made))
            }
            Self::Delete { client_id, yes: false } => ask_delete(desk, client_id).await,
            Self::Delete { client_id, yes: true } => {
                clients::delete(desk, &client_id).await.map(|gone| told("removed", &gone))
            }
            Self::RotateSecret { client_id, end_tokens } => {
                clients::rotate_secret(desk, &client_id, RotateSecret { end_tokens })
                    .await
                    .map(|made| issued("has a new secret", &made))
            }
            Self::Disable { client_id } => {
                clients::disable(desk, &client_id).await.map(|off| told("switched off", &off))
            }
            Self::Enable { client_id } => clients::enable(desk, &client_id).await.map(|on| told("switched on", &on)),
        };
        answer.map_err(refused)
    }
}

/// The member that is wrong is named as it is typed.
fn refused(error: AdminError) -> Reply {
    let flag = match &error {
        AdminError::Invalid(refusal) => match refusal.field {
            Some("client_name") => Some("--name"),
            Some("redirect_uris") => Some("--redirect-uri"),
            Some("post_logout_redirect_uris") => Some("--post-logout-redirect-uri"),
            Some("grant_types") => Some("--grant-type"),
            Some("scope") => Some("--scope"),
            Some("response_types") => Some("--response-type"),
            Some("metadata") => Some("--metadata"),
            Some("token_endpoint_auth_method") => Some("--auth-method"),
            Some("default_audience") => Some("--audience"),
            Some("client_id") => Some("--client-id"),
            Some("search") => Some("--search"),
            Some("first_party") => Some("--first-party"),
            _ => None,
        },
        _ => None,
    };
    let mut reply = Reply::from(error);
    if let (Some(flag), Reply::Failed { message, .. }) = (flag, &mut reply) {
        *message = format!("{flag}: {message}");
    }
    reply
}

fn told(what: &str, client: &ClientView) -> Reply {
    Reply::done(format!("Client {} {what}.", client.client_id), to_value(client))
}

/// A client that was made or changed, with the secret that was made for it.
fn issued(what: &str, made: &ClientIssued) -> Reply {
    let mut text = format!("Client {} {what}.\n  client_id      {}", made.client.client_name, made.client.client_id);
    if let Some(secret) = &made.client_secret {
        text.push_str("\n  client_secret  ");
        text.push_str(secret.expose());
        text.push_str("   shown this once");
    }
    Reply::done(text, to_value(made))
}

fn shown(client: &ClientView) -> Reply {
    let none = "(none)".to_owned();
    let list =
        |values: &[String]| if values.is_empty() { none.clone() } else { values.join("\n                     ") };
    let state = if client.disabled { "switched off" } else { "in use" };
    let audience = client.default_audience.as_deref().unwrap_or(&client.client_id);
    let lines = [
        ("client_id", client.client_id.clone()),
        ("name", client.client_name.clone()),
        ("state", state.to_owned()),
        ("redirect URIs", list(&client.redirect_uris)),
        ("after sign-out", list(&client.post_logout_redirect_uris)),
        ("grant types", client.grant_types.join(" ")),
        ("response types", client.response_types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        ("scope", client.scope.clone()),
        ("authenticates by", client.token_endpoint_auth_method.clone()),
        ("first party", client.first_party.to_string()),
        ("audience", audience.to_owned()),
        ("registered", client.created_at.to_rfc3339()),
        ("changed", client.updated_at.to_rfc3339()),
        ("revision", client.revision.clone()),
    ];
    let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<18} {value}")).collect();
    Reply::done(text.join("\n"), to_value(client))
}

async fn ask_delete(desk: &Desk, client_id: String) -> Result<Reply, AdminError> {
    let client = clients::show(desk, &client_id).await?;
    Ok(Reply::Ask {
        text: format!("Client {} ({}) goes, with all that people allowed it.", client.client_id, client.client_name),
        question: "Remove it?".to_owned(),
        then: Box::new(Command::Client(ClientCommand::Delete { client_id, yes: true })),
    })
}

async fn list(desk: &Desk, search: Option<String>) -> Result<Reply, AdminError> {
    let mut all: Vec<ClientView> = Vec::new();
    let mut after = None;
    loop {
        let paging = Paging { limit: Some(Paging::MAX), after, search: search.clone() };
        let page = clients::list(desk, paging).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let line = |client: &ClientView| {
        let off = if client.disabled { "  (switched off)" } else { "" };
        format!("{}  {}{off}", client.client_id, client.client_name)
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    let text = if lines.is_empty() { "No clients.".to_owned() } else { lines.join("\n") };
    Ok(Reply::done(text, json!(all)))
}
