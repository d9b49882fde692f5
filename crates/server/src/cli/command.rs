//! Commands that work on the database: here, or in the server that holds it.
//!
//! A new group of commands is a type with clap's `Subcommand` (or `Args`) that implements [`Run`], and one line in the
//! list below.

use std::fmt;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signet_storage::StoreError;

use super::{
    apply::ApplyCommand, client::ClientCommand, delivery::DeliveryCommand, doctor::Inspect, exit::Exit,
    keys::KeysCommand, resource::ResourceCommand, role::RoleCommand, user::UserCommand,
};
use crate::admin::{AdminError, Desk};

/// What a group of commands does.
pub(crate) trait Run: Sized {
    /// In the process of whoever typed it, before a database is opened: reads files, standard input, passwords.
    fn prepare(&mut self) -> Result<(), Reply> {
        Ok(())
    }

    /// At the desk: in this process, or in the server that holds the database.
    async fn run(self, desk: &Desk) -> Result<Reply, Reply>;
}

impl<T: Run> Run for Box<T> {
    fn prepare(&mut self) -> Result<(), Reply> {
        T::prepare(self)
    }

    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        T::run(*self, desk).await
    }
}

macro_rules! commands {
    ($($(#[$meta:meta])* $name:ident($group:ty),)*) => {
        /// A command.
        #[derive(Debug, Subcommand, Serialize, Deserialize)]
        pub enum Command {
            $($(#[$meta])* $name($group),)*
        }

        impl Command {
            /// Reads what the command needs from the terminal it was typed at.
            pub(super) fn prepare(&mut self) -> Result<(), Reply> {
                match self {
                    $(Self::$name(group) => group.prepare(),)*
                }
            }
        }

        /// Carries a command out.
        pub async fn run(desk: &Desk, command: Command) -> Reply {
            let result = match command {
                $(Command::$name(group) => group.run(desk).await,)*
            };
            result.unwrap_or_else(|reply| reply)
        }
    };
}

commands! {
    /// Applications that sign people in through Signet.
    #[command(subcommand)]
    Client(ClientCommand),
    /// APIs that tokens are for.
    #[command(subcommand)]
    Resource(ResourceCommand),
    /// Make APIs, roles and clients as a file says.
    Apply(Box<ApplyCommand>),
    /// The audit log.
    #[command(subcommand)]
    Audit(super::audit::AuditCommand),
    /// What is to reach applications: sign-outs.
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Roles: what they allow, and who holds them.
    #[command(subcommand)]
    Role(RoleCommand),
    /// A look at the database, for `signet doctor`.
    #[command(hide = true)]
    Inspect(Inspect),
}

/// How a command ended, or how it goes on.
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
    /// A plan that has changes: printed like [`Reply::Done`], with an exit code of its own.
    Changes {
        /// For people.
        text: String,
        /// For scripts.
        value: Value,
    },
    /// Done: an answer of many values, or none.
    Lines {
        /// For people; nothing is printed when it is empty.
        text: String,
        /// For scripts, one line each.
        value: Vec<Value>,
    },
    /// Done, and something is wrong: printed like [`Reply::Done`], with the exit code of a failure.
    Wrong {
        /// For people.
        text: String,
        /// For scripts.
        value: Value,
    },
    /// A part of the answer. The command line prints it and sends `then`.
    More {
        /// For people; nothing is printed when it is empty.
        text: String,
        /// For scripts, one line each.
        value: Vec<Value>,
        /// What follows.
        then: Box<Command>,
        /// Milliseconds to wait before.
        pause: u64,
    },
    /// Nothing is done yet. The command line shows the text, asks, and sends `then` when the answer is yes.
    Ask {
        /// What would be done.
        text: String,
        /// The question.
        question: String,
        /// The command, confirmed.
        then: Box<Command>,
    },
    /// Not done.
    Failed {
        /// A stable code.
        code: String,
        /// What to change.
        message: String,
        /// The member of the input that is wrong.
        #[serde(default)]
        field: Option<String>,
        /// The exit code.
        #[serde(default)]
        exit: Exit,
    },
}

impl Reply {
    /// Done: what people and what scripts read.
    pub(super) fn done(text: impl Into<String>, value: Value) -> Self {
        Self::Done { text: text.into(), value }
    }

    /// A refusal.
    pub(super) fn failed(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { code: code.to_owned(), message: message.to_string(), field: None, exit: Exit::Failed }
    }
}

impl From<AdminError> for Reply {
    /// The detail of what is nobody's fault goes to the log.
    fn from(error: AdminError) -> Self {
        let exit = match &error {
            AdminError::NotFound(_) => Exit::NotFound,
            AdminError::Busy(_) | AdminError::Store(StoreError::Unavailable(_)) => Exit::Unavailable,
            AdminError::Invalid(_) | AdminError::Forbidden(_) | AdminError::Conflict(_) | AdminError::Outdated(_) => {
                Exit::Failed
            }
            AdminError::Store(_) | AdminError::Entropy(_) => {
                tracing::error!(%error, "a command failed");
                Exit::Failed
            }
        };
        let field = match &error {
            AdminError::Invalid(refusal) => refusal.field.map(str::to_owned),
            _ => None,
        };
        Self::Failed { code: error.code().to_owned(), message: error.to_string(), field, exit }
    }
}

/// A view as scripts read it.
pub(super) fn to_value(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}
