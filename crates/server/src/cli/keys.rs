//! `signet keys …`

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::{Reply, Run};
use crate::admin::{
    Desk,
    keys::{self, KeyView, RotateKeys},
};

/// `signet keys …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum KeysCommand {
    /// List the signing keys and where they stand.
    List,
    /// Sign with the keys that were published ahead, and publish fresh ones.
    Rotate(Rotate),
    /// Seal the stored keys under the newest key of `SIGNET_SECRET_KEY`.
    Reseal,
}

/// `signet keys rotate`
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Rotate {
    /// The algorithm whose keys are rotated [default: RS256].
    #[arg(long, value_name = "ALG", conflicts_with = "all")]
    alg: Option<String>,
    /// Rotate those of every algorithm.
    #[arg(long)]
    all: bool,
}

impl Run for KeysCommand {
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        match self {
            Self::List => Ok(table("", &keys::list(desk).await?)),
            Self::Rotate(Rotate { alg, all }) => {
                let keys = keys::rotate(desk, RotateKeys { alg, all }).await?;
                Ok(table("Rotated: the active keys sign from now on, within a second on every node.\n", &keys))
            }
            Self::Reseal => {
                let done = keys::reseal(desk).await?;
                let text = match done.resealed {
                    0 => "Every stored key is sealed under the newest secret key.".to_owned(),
                    count => format!(
                        "Sealed {count} stored keys under the newest secret key. Keep the older one configured for \
                         another hour: sign-ins under way are sealed under it."
                    ),
                };
                Ok(Reply::done(text, json!(done)))
            }
        }
    }
}

fn table(title: &str, keys: &[KeyView]) -> Reply {
    let line = |key: &KeyView| {
        let since = key.changed_at.format("%Y-%m-%d %H:%M");
        format!("{}  {}  {:<8}  since {since}", key.kid, key.alg, key.state)
    };
    let text = format!("{title}{}", keys.iter().map(line).collect::<Vec<_>>().join("\n"));
    Reply::done(text, json!(keys))
}
