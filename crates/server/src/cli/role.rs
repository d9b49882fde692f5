//! `signet role …`

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::command::{Command, Reply, Run, to_value};
use crate::admin::{
    AdminError, Condition, Desk,
    roles::{self, HeldRoles, HolderRef, NewRole, RoleChange, RoleDetail, RoleView},
};

/// `signet role …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum RoleCommand {
    /// List roles.
    List,
    /// Show a role, what it allows and how many hold it.
    Show {
        /// Its name.
        name: String,
    },
    /// Make a role.
    Create {
        /// Its name: lower-case letters, digits, dots, dashes or underscores.
        name: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        /// What it allows, such as `invoice:read`; may be given several times.
        #[arg(long = "permission", value_name = "RESOURCE:ACTION")]
        permissions: Vec<String>,
        /// A role whose permissions it has too; may be given several times.
        #[arg(long = "parent", value_name = "ROLE")]
        parents: Vec<String>,
    },
    /// Change a role: what is given replaces what was there.
    Update {
        /// Its name.
        name: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// All that it allows itself; may be given several times.
        #[arg(long = "permission", value_name = "RESOURCE:ACTION")]
        permissions: Vec<String>,
        /// All roles whose permissions it has too; may be given several times.
        #[arg(long = "parent", value_name = "ROLE")]
        parents: Vec<String>,
        /// What is to be empty; may be given several times.
        #[arg(long, value_enum, value_name = "WHAT")]
        clear: Vec<Clear>,
    },
    /// Delete a role. Whoever holds it loses it.
    Delete {
        /// Its name.
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Give a role to an account or a client.
    Assign {
        /// Its name.
        name: String,
        /// To whom.
        #[command(flatten)]
        holder: HolderArgs,
    },
    /// Take a role from an account or a client.
    Remove {
        /// Its name.
        name: String,
        /// From whom.
        #[command(flatten)]
        holder: HolderArgs,
    },
}

/// What of a role can be emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Clear {
    /// Its own permissions.
    Permissions,
    /// The roles it inherits from.
    Parents,
}

/// An account or a client.
#[derive(Debug, Args, Serialize, Deserialize)]
#[group(required = true, multiple = false)]
pub struct HolderArgs {
    /// An account, by its username, email address or id.
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
    /// A client, by its identifier.
    #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true)]
    client: Option<String>,
}

impl From<HolderArgs> for HolderRef {
    fn from(given: HolderArgs) -> Self {
        match (given.user, given.client) {
            (Some(user), _) => Self::User(user),
            (None, client) => Self::Client(client.unwrap_or_default()),
        }
    }
}

impl Run for RoleCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        Ok(answer(self, desk).await?)
    }
}

async fn answer(command: RoleCommand, desk: &Desk) -> Result<Reply, AdminError> {
    Ok(match command {
        RoleCommand::List => {
            let all = roles::list(desk).await?;
            let lines: Vec<String> = all.iter().map(line).collect();
            Reply::done(lines.join("\n"), to_value(&all))
        }
        RoleCommand::Show { name } => {
            let detail = roles::show(desk, &name).await?;
            Reply::done(describe(&detail), to_value(&detail))
        }
        RoleCommand::Create { name, description, permissions, parents } => {
            told("created", &roles::create(desk, NewRole { name, description, permissions, parents }).await?)
        }
        RoleCommand::Update { name, description, permissions, parents, clear } => {
            let list = |given: Vec<String>, what| (!given.is_empty() || clear.contains(&what)).then_some(given);
            let change = RoleChange {
                description,
                permissions: list(permissions, Clear::Permissions),
                parents: list(parents, Clear::Parents),
            };
            told("is as told", &roles::update(desk, &name, change, Condition::Any).await?)
        }
        RoleCommand::Delete { name, yes: false } => {
            let detail = roles::show(desk, &name).await?;
            Reply::Ask {
                text: format!("Role {name} goes; {} accounts and {} clients lose it.", detail.users, detail.clients),
                question: "Delete it?".to_owned(),
                then: Box::new(Command::Role(RoleCommand::Delete { name, yes: true })),
            }
        }
        RoleCommand::Delete { name, yes: true } => {
            roles::delete(desk, &name, Condition::Any).await?;
            Reply::done(format!("Role {name} deleted."), serde_json::json!({ "name": name, "deleted": true }))
        }
        RoleCommand::Assign { name, holder } => {
            let held = roles::assign(desk, &name, &holder.into()).await?;
            handed(if held.changed { "given" } else { "held already" }, &name, &held)
        }
        RoleCommand::Remove { name, holder } => {
            let held = roles::remove(desk, &name, &holder.into()).await?;
            handed(if held.changed { "taken" } else { "not held" }, &name, &held)
        }
    })
}

fn told(what: &str, role: &RoleView) -> Reply {
    Reply::done(format!("Role {} {what}.", role.name), to_value(role))
}

fn handed(what: &str, role: &str, held: &HeldRoles) -> Reply {
    let now = if held.roles.is_empty() { "none".to_owned() } else { held.roles.join(", ") };
    Reply::done(format!("Role {role} {what}. Roles now: {now}."), to_value(held))
}

fn line(role: &RoleView) -> String {
    let mut parts = vec![role.name.clone()];
    if !role.parents.is_empty() {
        parts.push(format!("< {}", role.parents.join(", ")));
    }
    if !role.permissions.is_empty() {
        parts.push(role.permissions.join(" "));
    }
    parts.join("  ")
}

fn describe(detail: &RoleDetail) -> String {
    let role = &detail.role;
    let none = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    [
        format!("{}{}", role.name, if role.built_in { "  (built in)" } else { "" }),
        format!("  description  {}", role.description),
        format!("  permissions  {}", none(&role.permissions)),
        format!("  inherits     {}", none(&role.parents)),
        format!("  allows       {}", none(&role.effective_permissions)),
        format!("  held by      {} accounts, {} clients", detail.users, detail.clients),
    ]
    .join("\n")
}
