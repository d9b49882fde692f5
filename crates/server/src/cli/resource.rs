//! `signet resource …`

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::{Command, Reply, Run, to_value};
use crate::admin::{
    AdminError, Condition, Desk, Paging,
    resources::{self, NewResource, ResourceChange, ResourceView, ScopeView},
};

/// `signet resource …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum ResourceCommand {
    /// Register an API.
    Create(CreateResource),
    /// List APIs, Signet's own among them.
    List {
        /// Only those with this text in their identifier or name.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show an API.
    Show {
        /// Its identifier.
        identifier: String,
    },
    /// Change an API: what is given replaces what was there.
    Update(UpdateResource),
    /// Remove an API that no client may ask for any more. Tokens made for it live to their end.
    Delete {
        /// Its identifier.
        identifier: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// `signet resource create`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct CreateResource {
    /// The `aud` of its tokens: an absolute URI.
    identifier: String,
    /// What people are shown.
    #[arg(long)]
    name: String,
    /// What can be allowed on it: `NAME` or `NAME=WORDS FOR PEOPLE`; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long access tokens for it live: 60 to 3600.
    #[arg(long, value_name = "SECONDS")]
    access_token_seconds: Option<i32>,
    /// What access tokens for it are signed with.
    #[arg(long, value_name = "ALG")]
    access_token_alg: Option<String>,
}

/// `signet resource update`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct UpdateResource {
    /// Its identifier.
    identifier: String,
    /// What people are shown.
    #[arg(long)]
    name: Option<String>,
    /// What can be allowed on it, all of it.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long access tokens for it live: 60 to 3600.
    #[arg(long, value_name = "SECONDS")]
    access_token_seconds: Option<i32>,
    /// What access tokens for it are signed with.
    #[arg(long, value_name = "ALG")]
    access_token_alg: Option<String>,
    /// What is to be as everywhere, or empty; may be given several times.
    #[arg(long, value_enum, value_name = "WHAT")]
    clear: Vec<ClearResource>,
}

/// What can be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum ClearResource {
    /// Its scopes.
    Scopes,
    /// Its own lifetime of access tokens.
    AccessTokenSeconds,
    /// Its own algorithm.
    AccessTokenAlg,
}

fn scopes(texts: Vec<String>) -> Vec<ScopeView> {
    let scope = |text: String| match text.split_once('=') {
        Some((name, description)) => ScopeView { name: name.to_owned(), description: description.to_owned() },
        None => ScopeView { name: text, description: String::new() },
    };
    texts.into_iter().map(scope).collect()
}

impl From<CreateResource> for NewResource {
    fn from(create: CreateResource) -> Self {
        Self {
            identifier: create.identifier,
            name: create.name,
            scopes: scopes(create.scopes),
            access_token_seconds: create.access_token_seconds,
            access_token_alg: create.access_token_alg,
        }
    }
}

impl From<UpdateResource> for ResourceChange {
    fn from(update: UpdateResource) -> Self {
        let cleared = |what| update.clear.contains(&what);
        let given = !update.scopes.is_empty() || cleared(ClearResource::Scopes);
        Self {
            name: update.name,
            scopes: given.then(|| scopes(update.scopes)),
            access_token_seconds: update
                .access_token_seconds
                .map(Some)
                .or_else(|| cleared(ClearResource::AccessTokenSeconds).then_some(None)),
            access_token_alg: update
                .access_token_alg
                .map(Some)
                .or_else(|| cleared(ClearResource::AccessTokenAlg).then_some(None)),
        }
    }
}

impl Run for ResourceCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        let told =
            |what: &str, view: &ResourceView| Reply::done(format!("API {} {what}.", view.identifier), to_value(view));
        let answer = match self {
            Self::Create(new) => resources::create(desk, new.into()).await.map(|view| told("registered", &view)),
            Self::List { search } => list(desk, search).await,
            Self::Show { identifier } => resources::show(desk, &identifier).await.map(|view| shown(&view)),
            Self::Update(update) => {
                let identifier = update.identifier.clone();
                resources::update(desk, &identifier, update.into(), Condition::Any)
                    .await
                    .map(|view| told("is as told", &view))
            }
            Self::Delete { identifier, yes: true } => {
                resources::delete(desk, &identifier, Condition::Any).await.map(|view| told("removed", &view))
            }
            Self::Delete { identifier, yes: false } => {
                resources::show(desk, &identifier).await.map(|view| Reply::Ask {
                    text: format!("API {} ({}) goes.", view.identifier, view.name),
                    question: "Remove it?".to_owned(),
                    then: Box::new(Command::Resource(Self::Delete { identifier, yes: true })),
                })
            }
        };
        answer.map_err(refused)
    }
}

/// The member that is wrong is named as it is typed.
fn refused(error: AdminError) -> Reply {
    let flag = match &error {
        AdminError::Invalid(refusal) => match refusal.field {
            Some("identifier") => Some("IDENTIFIER"),
            Some("name") => Some("--name"),
            Some("scopes") => Some("--scope"),
            Some("access_token_seconds") => Some("--access-token-seconds"),
            Some("access_token_alg") => Some("--access-token-alg"),
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

fn shown(view: &ResourceView) -> Reply {
    let seconds = view.access_token_seconds.map_or_else(|| "as everywhere".to_owned(), |n| format!("{n} s"));
    let alg = view.access_token_alg.as_deref().unwrap_or("as everywhere");
    let mut lines = vec![
        format!("identifier          {}", view.identifier),
        format!("name                {}", view.name),
        format!("built in            {}", view.built_in),
        format!("access tokens live  {seconds}"),
        format!("signed with         {alg}"),
    ];
    lines.extend(view.scopes.iter().map(|scope| format!("scope               {}  {}", scope.name, scope.description)));
    Reply::done(lines.join("\n"), to_value(view))
}

async fn list(desk: &Desk, search: Option<String>) -> Result<Reply, AdminError> {
    let mut all: Vec<ResourceView> = Vec::new();
    let mut after = None;
    loop {
        let paging = Paging { limit: Some(Paging::MAX), after, search: search.clone() };
        let page = resources::list(desk, paging).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let line = |view: &ResourceView| {
        let built_in = if view.built_in { "  (built in)" } else { "" };
        format!("{}  {}{built_in}", view.identifier, view.name)
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    let text = if lines.is_empty() { "No APIs.".to_owned() } else { lines.join("\n") };
    Ok(Reply::done(text, json!(all)))
}
