//! `signet client registration-token …`

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    admin::{
        AdminError, Desk, Paging,
        registration_tokens::{self, NewRegistrationToken, RegistrationTokenView},
    },
    cli::command::{Reply, to_value},
    config::value::Span,
};

/// `signet client registration-token …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum RegistrationTokenCommand {
    /// Make a token with which applications register themselves; it is shown once.
    Create {
        /// What it is for.
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        /// How many applications may register with it, 1 to 10000.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        uses: i32,
        /// How long it is good for, 1m to 365d.
        #[arg(long, value_name = "TIME", default_value = "7d")]
        expires_in: Span,
    },
    /// List tokens that may yet be used, and those whose end is near past.
    List,
    /// Take a token away. Applications that registered with it stay.
    Delete {
        /// Its identifier.
        id: String,
    },
}

impl RegistrationTokenCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Reply, AdminError> {
        match self {
            Self::Create { note, uses, expires_in } => {
                let seconds = i64::try_from(expires_in.0.as_secs()).unwrap_or(i64::MAX);
                let new = NewRegistrationToken { note, uses: Some(uses), expires_in: Some(seconds) };
                let made = registration_tokens::create(desk, new).await?;
                let text = format!(
                    "Token {} for {} registrations until {}.\n  token  {}   shown this once",
                    made.about.id,
                    made.about.uses_left,
                    made.about.expires_at.to_rfc3339(),
                    made.token.expose()
                );
                Ok(Reply::done(text, to_value(&made)))
            }
            Self::List => list(desk).await,
            Self::Delete { id } => {
                let gone = registration_tokens::delete(desk, &id).await?;
                Ok(Reply::done(format!("Token {} removed.", gone.id), to_value(&gone)))
            }
        }
    }
}

async fn list(desk: &Desk) -> Result<Reply, AdminError> {
    let mut all: Vec<RegistrationTokenView> = Vec::new();
    let mut after = None;
    loop {
        let paging = Paging { limit: Some(Paging::MAX), after, search: None };
        let page = registration_tokens::list(desk, paging).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let line = |token: &RegistrationTokenView| {
        format!("{}  {} left, until {}  {}", token.id, token.uses_left, token.expires_at.to_rfc3339(), token.note)
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    let text = if lines.is_empty() { "No tokens.".to_owned() } else { lines.join("\n") };
    Ok(Reply::done(text, json!(all)))
}
