//! Commands that work on the database: here, or in the server that holds it.

use std::fmt;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signet_storage::StoreError;

use super::{
    client::{self, ClientCommand},
    user::{self, UserCommand},
};
use crate::admin::Desk;

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
    /// A refusal.
    pub(super) fn failed(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { code: code.to_owned(), message: message.to_string() }
    }
}

/// Carries a command out.
pub async fn run(desk: &Desk, command: Command) -> Reply {
    let result = match command {
        Command::Client(ClientCommand::Create(create)) => client::create(desk, create).await,
        Command::Client(ClientCommand::List { .. }) => client::list(desk).await,
        Command::User(UserCommand::Create(create)) => user::create(desk, create).await,
    };
    result.unwrap_or_else(|reply| reply)
}

/// A storage error as an answer; the detail goes to the log.
pub(super) fn store_failed(error: StoreError) -> Reply {
    tracing::error!(%error, "a command failed");
    Reply::failed("storage", error)
}
