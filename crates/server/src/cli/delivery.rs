//! `signet delivery …`

use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::{Reply, Run, to_value};
use crate::admin::{
    Desk,
    deliveries::{self, DeliveryQuery, DeliveryView},
};

/// `signet delivery …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum DeliveryCommand {
    /// List what is to reach applications, the newest first.
    List {
        /// Only what is in this state.
        #[arg(long, value_enum, value_name = "STATE")]
        state: Option<State>,
        /// Only what goes to this client.
        #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true)]
        client: Option<String>,
    },
    /// Try a delivery again at once, as if it were new.
    Repeat {
        /// Its number.
        id: i64,
    },
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum State {
    /// To be tried, or tried again.
    Waiting,
    /// It arrived.
    Delivered,
    /// It is tried no more.
    GivenUp,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

impl Run for DeliveryCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        match self {
            Self::List { state, client } => {
                let state = state.map(|state| state.as_str().to_owned());
                let query = DeliveryQuery { limit: Some(200), state, client_id: client, after: None };
                let found = deliveries::list(desk, query).await?.items;
                let text = if found.is_empty() { "Nothing.".to_owned() } else { lines(&found) };
                Ok(Reply::done(text, json!(found)))
            }
            Self::Repeat { id } => {
                let repeated = deliveries::repeat(desk, id).await?;
                Ok(Reply::done("It is tried again at once.", to_value(&repeated)))
            }
        }
    }
}

fn lines(found: &[DeliveryView]) -> String {
    let line = |one: &DeliveryView| {
        let problem = one.last_problem.as_deref().map(|problem| format!("  {problem}")).unwrap_or_default();
        let client = one.client_id.as_deref().unwrap_or("-");
        let (made, tries) = (one.created_at.format("%Y-%m-%d %H:%M:%S"), one.attempts);
        format!("{:>6}  {}  {:<9}  {} tries  {}  {client}{problem}", one.id, made, one.state, tries, one.kind)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}
