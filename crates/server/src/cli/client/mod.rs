//! `signet client …`

mod args;
mod registration_token;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::{
    args::{CreateClient, UpdateClient},
    registration_token::RegistrationTokenCommand,
};

use super::command::{Command, Reply, Run, to_value};
use crate::admin::{
    AdminError, Condition, Desk, Paging,
    clients::{self, ClientIssued, ClientView, RotateSecret},
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
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Change an application: what is given replaces what was there.
    Update(Box<UpdateClient>),
    /// Remove an application. What it was given ends at once.
    Delete {
        /// Its identifier.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Give an application a new secret, shown once. The old one stops.
    RotateSecret {
        /// Its identifier.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// End everything it was given too.
        #[arg(long)]
        end_tokens: bool,
    },
    /// Switch an application off. What it was given ends at once.
    Disable {
        /// Its identifier.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Switch an application on again.
    Enable {
        /// Its identifier.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Tokens with which applications register themselves.
    #[command(subcommand)]
    RegistrationToken(RegistrationTokenCommand),
}

impl Run for ClientCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        let answer = match self {
            Self::Create(new) => clients::create(desk, (*new).into()).await.map(|made| issued("registered", &made)),
            Self::List { search } => list(desk, search).await,
            Self::Show { client_id } => clients::show(desk, &client_id).await.map(|view| shown(&view)),
            Self::Update(update) => {
                let client_id = update.client_id.clone();
                clients::update(desk, &client_id, (*update).into(), Condition::Any)
                    .await
                    .map(|made| issued("is as told", &made))
            }
            Self::Delete { client_id, yes: false } => ask_delete(desk, client_id).await,
            Self::Delete { client_id, yes: true } => {
                clients::delete(desk, &client_id, Condition::Any).await.map(|gone| told("removed", &gone))
            }
            Self::RotateSecret { client_id, end_tokens } => {
                clients::rotate_secret(desk, &client_id, RotateSecret { end_tokens }, Condition::Any)
                    .await
                    .map(|made| issued("has a new secret", &made))
            }
            Self::Disable { client_id } => {
                clients::disable(desk, &client_id, Condition::Any).await.map(|off| told("switched off", &off))
            }
            Self::Enable { client_id } => {
                clients::enable(desk, &client_id, Condition::Any).await.map(|on| told("switched on", &on))
            }
            Self::RegistrationToken(command) => command.run(desk).await,
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
            Some("access_roles") => Some("--access-role"),
            Some("token_endpoint_auth_method") => Some("--auth-method"),
            Some("default_audience") => Some("--audience"),
            Some("client_id") => Some("--client-id"),
            Some("search") => Some("--search"),
            Some("first_party") => Some("--first-party"),
            Some("note") => Some("--note"),
            Some("uses") => Some("--uses"),
            Some("expires_in") => Some("--expires-in"),
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
    let roles = &client.metadata.access_roles;
    let access = if roles.is_empty() { "everyone".to_owned() } else { format!("holders of {}", roles.join(", ")) };
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
        ("registered by", if client.source == "dynamic" { "itself" } else { "an administrator" }.to_owned()),
        ("who may use it", access),
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
