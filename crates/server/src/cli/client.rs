//! `signet client …`

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signet_oidc::{
    OAuthError,
    change::{Event, EventKind, EventResult},
    client::{
        ApplicationType, Client, ClientAuth, ClientSecret, ClientSource, GRANT_CLIENT, GRANT_CODE, GRANT_REFRESH,
        GRANT_TYPES, check_redirect_uri, is_local_redirect,
    },
    id::{ClientId, ClientKey},
    policy::ClientPolicy,
    scope::{self, Scopes},
    secret::Secret,
};
use signet_storage::Apply;

use super::command::{Reply, Run, store_failed};
use crate::{admin::Desk, entropy, startup::PLAYGROUND_CLIENT};

/// `signet client …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum ClientCommand {
    /// Register an application; its secret is shown once.
    Create(CreateClient),
    /// List applications.
    List,
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
    /// Scopes it may ask for; `openid profile email address phone offline_access` when not given.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// `client_secret_basic`, `client_secret_post`, or `none` for a public client.
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
    /// The client's identifier; made when not given.
    #[arg(long = "client-id", value_name = "ID")]
    client_id: Option<String>,
}

impl Run for ClientCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        match self {
            Self::Create(new) => create(desk, new).await,
            Self::List => list(desk).await,
        }
    }
}

async fn create(desk: &Desk, create: CreateClient) -> Result<Reply, Reply> {
    let mut turn = entropy::turn().map_err(|error| Reply::failed("entropy", error))?;
    let secret = turn.secret();
    let made = turn.uuid().simple().to_string();
    let (client, secret) = build_client(create, made, secret)?;
    let stored = client.clone();
    let origin = desk.origin.clone();
    let written = desk
        .store
        .transaction(move |tx| {
            if !tx.put_client(&stored, turn.now(), false)? {
                return Ok(false);
            }
            let event = Event {
                kind: EventKind::ClientCreated,
                result: EventResult::Success,
                account: None,
                client: tx.client(&stored.id)?.map(|client| client.key),
                session: None,
                grant: None,
                detail: None,
            };
            let _ = tx.apply(vec![signet_oidc::Change::Audit(event)], &mut turn, &origin)?;
            Ok(true)
        })
        .await
        .map_err(store_failed)?;
    if !written {
        return Err(Reply::failed(
            "client_exists",
            "There is a client with this identifier. Choose another with --client-id.",
        ));
    }
    let mut value = describe(&client);
    let mut text = format!("Client {} registered.\n  client_id      {}", client.name, client.id);
    if let (Some(secret), Value::Object(map)) = (&secret, &mut value) {
        map.insert("client_secret".to_owned(), json!(secret.expose()));
        text.push_str("\n  client_secret  ");
        text.push_str(secret.expose());
        text.push_str("   shown this once");
    }
    Ok(Reply::Done { text, value })
}

fn build_client(create: CreateClient, made: String, secret: Secret) -> Result<(Client, Option<Secret>), Reply> {
    let wrong = |error: OAuthError, value: &str| {
        Reply::failed("invalid_client_metadata", format!("{value:?}: {}.", error.description))
    };
    for uri in create.redirect_uris.iter().chain(&create.post_logout_redirect_uris) {
        check_redirect_uri(uri).map_err(|error| wrong(error, uri))?;
    }
    if create.name.trim().is_empty() || create.name.chars().count() > 200 || create.name.chars().any(char::is_control) {
        return Err(Reply::failed(
            "invalid_client_metadata",
            "--name: use 1 to 200 characters, no control characters.",
        ));
    }
    let grant_types = if create.grant_types.is_empty() {
        vec![GRANT_CODE.to_owned(), GRANT_REFRESH.to_owned()]
    } else {
        create.grant_types
    };
    if let Some(unknown) = grant_types.iter().find(|name| !GRANT_TYPES.contains(&name.as_str())) {
        let known = GRANT_TYPES.join(", ");
        return Err(Reply::failed("invalid_client_metadata", format!("--grant-type {unknown:?}: use one of {known}.")));
    }
    let has = |name: &str| grant_types.iter().any(|given| given == name);
    if has(GRANT_CODE) && create.redirect_uris.is_empty() {
        return Err(Reply::failed(
            "invalid_client_metadata",
            "--redirect-uri is missing: where are people sent back to?",
        ));
    }
    if has(GRANT_CLIENT) && create.auth_method == "none" {
        return Err(Reply::failed(
            "invalid_client_metadata",
            "--grant-type client_credentials needs a client with a secret, not --auth-method none.",
        ));
    }
    let digest = ClientSecret::Hashed(secret.digest());
    let (auth, secret) = match create.auth_method.as_str() {
        "none" => (ClientAuth::None, None),
        "client_secret_basic" => (ClientAuth::SecretBasic(digest), Some(secret)),
        "client_secret_post" => (ClientAuth::SecretPost(digest), Some(secret)),
        other => {
            let known = ClientAuth::METHODS.join(", ");
            return Err(Reply::failed(
                "invalid_client_metadata",
                format!("--auth-method {other:?}: use one of {known}."),
            ));
        }
    };
    let scopes: Scopes = if create.scopes.is_empty() {
        scope::STANDARD.iter().map(|(name, _)| *name).collect()
    } else {
        create
            .scopes
            .join(" ")
            .parse()
            .map_err(|error| Reply::failed("invalid_client_metadata", format!("--scope: {error}.")))?
    };
    if create.client_id.as_deref() == Some(PLAYGROUND_CLIENT) {
        return Err(Reply::failed(
            "invalid_client_metadata",
            "--client-id playground belongs to Signet itself. Choose another.",
        ));
    }
    let id = create.client_id.unwrap_or(made);
    let id = ClientId::parse(&id).ok_or_else(|| {
        Reply::failed("invalid_client_metadata", "--client-id: use 1 to 2048 bytes, no control characters.")
    })?;
    let custom_scheme = |uri: &String| is_local_redirect(uri) && !uri.starts_with("http");
    let native = create.native || (!create.redirect_uris.is_empty() && create.redirect_uris.iter().all(custom_scheme));
    let client = Client {
        key: ClientKey(0),
        id,
        name: create.name.trim().to_owned(),
        source: ClientSource::Admin,
        auth,
        redirect_uris: create.redirect_uris,
        post_logout_redirect_uris: create.post_logout_redirect_uris,
        response_types: if grant_types.iter().any(|name| name == GRANT_CODE) {
            vec!["code".to_owned()]
        } else {
            Vec::new()
        },
        grant_types,
        scopes,
        first_party: create.first_party,
        application_type: if native { ApplicationType::Native } else { ApplicationType::Web },
        default_audience: create.audience,
        policy: ClientPolicy::default(),
        generation: 0,
        disabled: false,
    };
    Ok((client, secret))
}

/// RFC 7591 names, never the secret.
fn describe(client: &Client) -> Value {
    json!({
        "client_id": client.id.as_str(),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "grant_types": client.grant_types,
        "response_types": client.response_types,
        "scope": client.scopes.to_string(),
        "token_endpoint_auth_method": client.auth.method(),
        "application_type": client.application_type,
        "first_party": client.first_party,
    })
}

async fn list(desk: &Desk) -> Result<Reply, Reply> {
    let clients = desk
        .store
        .read(|tx| {
            let mut all = Vec::new();
            loop {
                let after = all.last().map(|client: &Client| client.id.as_str().to_owned()).unwrap_or_default();
                let page = tx.clients(&after, 500)?;
                if page.is_empty() {
                    return Ok(all);
                }
                all.extend(page);
            }
        })
        .await
        .map_err(store_failed)?;
    let lines: Vec<String> = clients.iter().map(|client| format!("{}  {}", client.id, client.name)).collect();
    let text = if lines.is_empty() { "No clients.".to_owned() } else { lines.join("\n") };
    Ok(Reply::Done { text, value: Value::Array(clients.iter().map(describe).collect()) })
}
