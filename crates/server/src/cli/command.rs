//! Commands that work on the database: here, or in the server that holds it.

use std::fmt;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signet_identity::{Change, Event, EventKind, password::Password, registration};
use signet_oidc::{
    OAuthError,
    change::{Event as ProtocolEvent, EventKind as ProtocolEventKind, EventResult},
    client::{
        ApplicationType, Client, ClientAuth, ClientSecret, ClientSource, GRANT_CODE, GRANT_REFRESH, GRANT_TYPES,
        check_redirect_uri, is_local_redirect,
    },
    id::{ClientId, ClientKey},
    policy::ClientPolicy,
    scope::{self, Scopes},
    secret::Secret,
};
use signet_storage::{Apply, Origin, Store, StoreError};
use zeroize::Zeroize;

use crate::{entropy, hashing::Hasher, pages::register::new_user};

/// A command.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum Command {
    /// Applications that sign people in through Signet.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
}

/// `signet client …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum ClientCommand {
    /// Register an application; its secret is shown once.
    Create(CreateClient),
    /// List applications.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `signet client create`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct CreateClient {
    /// The name people see on the consent page.
    #[arg(long)]
    name: String,
    /// Where people are sent back to; may be given several times.
    #[arg(long = "redirect-uri", value_name = "URI", required = true)]
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
    /// The client's identifier; made when not given.
    #[arg(long = "client-id", value_name = "ID")]
    client_id: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `signet user …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum UserCommand {
    /// Create an account. Without a password option one is made and shown once.
    Create(CreateUser),
}

/// `signet user create`
#[derive(Args, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct CreateUser {
    /// Its username.
    #[arg(long)]
    username: String,
    /// Its email address.
    #[arg(long)]
    email: String,
    /// Read the password from standard input.
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
    /// The password. Other users of this machine can see it; prefer --password-stdin.
    #[arg(long)]
    password: Option<String>,
    /// The address is known to be the person's.
    #[arg(long)]
    email_verified: bool,
    /// Give it the role `admin`.
    #[arg(long)]
    admin: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Drop for CreateUser {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl Command {
    /// Whether the answer is wanted as JSON.
    pub fn json(&self) -> bool {
        match self {
            Self::Client(ClientCommand::Create(create)) => create.json,
            Self::Client(ClientCommand::List { json }) => *json,
            Self::User(UserCommand::Create(create)) => create.json,
        }
    }

    /// Whether a password is to be read from standard input.
    pub fn wants_password(&self) -> bool {
        matches!(self, Self::User(UserCommand::Create(create)) if create.password_stdin)
    }

    /// Sets the password that was read.
    pub fn set_password(&mut self, text: &str) {
        if let Self::User(UserCommand::Create(create)) = self {
            create.password = Some(text.to_owned());
        }
    }
}

/// What a command works on.
pub struct Backend {
    /// The database.
    pub store: Store,
    /// Password hashing.
    pub hasher: Hasher,
    /// Who gave the command.
    pub operator: Origin,
}

/// How a command ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// Done.
    Done {
        /// For people.
        text: String,
        /// For scripts.
        value: Value,
    },
    /// Not done.
    Failed {
        /// A stable code.
        code: String,
        /// What to change.
        message: String,
    },
}

impl Reply {
    fn failed(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { code: code.to_owned(), message: message.to_string() }
    }
}

/// Carries a command out.
pub async fn run(backend: &Backend, command: Command) -> Reply {
    let result = match command {
        Command::Client(ClientCommand::Create(create)) => create_client(backend, create).await,
        Command::Client(ClientCommand::List { .. }) => list_clients(backend).await,
        Command::User(UserCommand::Create(create)) => create_user(backend, create).await,
    };
    result.unwrap_or_else(|reply| reply)
}

fn store_failed(error: StoreError) -> Reply {
    tracing::error!(%error, "a command failed");
    Reply::failed("storage", error)
}

async fn create_client(backend: &Backend, create: CreateClient) -> Result<Reply, Reply> {
    let mut turn = entropy::turn().map_err(|error| Reply::failed("entropy", error))?;
    let secret = turn.secret();
    let made = turn.uuid().simple().to_string();
    let (client, secret) = build_client(create, made, secret)?;
    let stored = client.clone();
    let origin = backend.operator.clone();
    let written = backend
        .store
        .transaction(move |tx| {
            if !tx.put_client(&stored, turn.now(), false)? {
                return Ok(false);
            }
            let event = ProtocolEvent {
                kind: ProtocolEventKind::ClientCreated,
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
    let id = create.client_id.unwrap_or(made);
    let id = ClientId::parse(&id).ok_or_else(|| {
        Reply::failed("invalid_client_metadata", "--client-id: use 1 to 2048 bytes, no control characters.")
    })?;
    let native =
        create.native || create.redirect_uris.iter().all(|uri| is_local_redirect(uri) && !uri.starts_with("http"));
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
        default_audience: None,
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

async fn list_clients(backend: &Backend) -> Result<Reply, Reply> {
    let clients = backend
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

async fn create_user(backend: &Backend, create: CreateUser) -> Result<Reply, Reply> {
    let mut turn = entropy::turn().map_err(|error| Reply::failed("entropy", error))?;
    let made = create.password.is_none().then(|| turn.secret());
    let typed = made.as_ref().map(Secret::expose).or(create.password.as_deref()).unwrap_or_default();
    let policy = signet_identity::password::PasswordPolicy::default();
    let registration =
        registration::check(&create.username, &create.email, Password::new(typed), policy).map_err(|problems| {
            let lines: Vec<String> = problems.into_iter().map(|p| format!("{}: {}", p.field, p.message)).collect();
            Reply::failed("invalid_account", lines.join("\n"))
        })?;
    let salt = turn.bytes();
    let hash = backend
        .hasher
        .hash(registration.password.clone(), salt)
        .await
        .map_err(|error| Reply::failed("hashing", error))?;
    let mut user = new_user(&registration, hash, &mut turn);
    user.email_verified = create.email_verified;
    user.administrator = create.admin;
    let (id, subject) = (user.id, user.subject.clone());
    let origin = backend.operator.clone();
    let stored = backend
        .store
        .transaction(move |tx| {
            let event = Event { kind: EventKind::Registered, user: Some(id), session: None, typed: None };
            tx.apply(vec![Change::CreateUser(Box::new(user)), Change::Audit(event)], &mut turn, &origin)
        })
        .await
        .map_err(store_failed)?;
    stored.map_err(|taken| Reply::failed("account_exists", taken))?;
    let mut value = json!({
        "id": id, "sub": subject, "username": registration.username.as_str(), "email": registration.email.as_str(),
    });
    let mut text = format!("Account {} created.", registration.username.as_str());
    if let (Some(made), Value::Object(map)) = (&made, &mut value) {
        map.insert("password".to_owned(), json!(made.expose()));
        text.push_str("\n  password  ");
        text.push_str(made.expose());
        text.push_str("   shown this once");
    }
    Ok(Reply::Done { text, value })
}
