//! `signet apply FILE`

use std::{fs, io::Read as _, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::command::{Command, Reply, Run};
use crate::admin::{
    Desk,
    apply::{self, Action, Applied, MAX_BYTES, Plan, Secrets, State},
};

/// `signet apply`
#[derive(Debug, Args, Serialize, Deserialize)]
#[command(
    long_about = "Make APIs, roles and clients as a file says.\n\nThe file is YAML or JSON: `version: 1` and any of the \
sections `resources`, `roles` and `clients`, each with `items` and, where what is not listed is to go, `prune: true`. \
What is to be done is shown first; everything is done in one transaction or nothing is. A client's secret is made when \
the client is, and shown once, or read from `secret_file` or `secret_env`; it never stands in the file."
)]
pub struct ApplyCommand {
    /// The file; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only show what would be done: exit code 0 when nothing, 3 when something.
    #[arg(long)]
    plan: bool,
    /// Do not ask.
    #[arg(long, conflicts_with = "plan")]
    yes: bool,
    #[arg(skip)]
    state: State,
    #[arg(skip)]
    secrets: Secrets,
    /// The plan that was shown and confirmed.
    #[arg(skip)]
    confirmed: Option<String>,
}

impl Run for ApplyCommand {
    fn prepare(&mut self) -> Result<(), Reply> {
        let name = self.file.display().to_string();
        let wrong = |message: String| Reply::failed("invalid_state", format!("{name}: {message}."));
        let text = read(&self.file).map_err(|error| wrong(error.to_string()))?;
        self.state = State::parse(&text).map_err(wrong)?;
        let folder = self.file.parent().map(PathBuf::from).unwrap_or_default();
        for client in self.state.clients.iter_mut().flat_map(|section| &mut section.items) {
            let id = &client.client_id;
            // The way to the secret stays here; the server gets the secret.
            let secret = match (client.secret_file.take(), client.secret_env.take()) {
                (Some(file), _) => {
                    // Not named in an error: somebody may have put the secret itself there.
                    let text = read(&folder.join(file)).map_err(|error| {
                        wrong(format!("client {id:?}: the file that secret_file names cannot be read: {error}"))
                    })?;
                    Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
                }
                (None, Some(variable)) => Zeroizing::new(std::env::var(&variable).map_err(|_| {
                    wrong(format!("client {id:?}: the environment variable that secret_env names is not set"))
                })?),
                (None, None) => continue,
            };
            self.secrets.add(id, &secret).map_err(wrong)?;
        }
        Ok(())
    }

    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        if self.yes {
            let applied = apply::apply(desk, self.state, self.secrets, self.confirmed).await?;
            return Ok(done(&applied));
        }
        let plan = apply::plan(desk, self.state.clone(), self.secrets.clone()).await?;
        let text = render(&plan);
        let value = json!({ "plan": plan, "applied": false });
        if plan.is_empty() {
            return Ok(Reply::Done { text, value });
        }
        if self.plan {
            return Ok(Reply::Changes { text, value });
        }
        let confirmed = Some(plan.fingerprint());
        Ok(Reply::Ask {
            text,
            question: "Apply this?".to_owned(),
            then: Box::new(Command::Apply(Box::new(Self { yes: true, confirmed, ..self }))),
        })
    }
}

/// A file of bounded size, or standard input.
fn read(file: &std::path::Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    if file.as_os_str() == "-" {
        std::io::stdin().take(limit).read_to_string(&mut text)?;
    } else {
        fs::File::open(file)?.take(limit).read_to_string(&mut text)?;
    }
    Ok(text)
}

fn done(applied: &Applied) -> Reply {
    let mut text = render(&applied.plan);
    if !applied.plan.is_empty() {
        text.push_str("\nApplied.");
    }
    let mut secrets = Vec::new();
    for (client_id, secret) in &applied.secrets {
        text.push_str("\n  client_secret of ");
        text.push_str(client_id);
        text.push_str("  ");
        text.push_str(secret.expose());
        text.push_str("   shown this once");
        secrets.push(json!({ "client_id": client_id, "client_secret": secret.expose() }));
    }
    Reply::done(text, json!({ "plan": applied.plan, "applied": true, "secrets": secrets }))
}

/// A line for each change, and the count of what stays.
fn render(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan
        .changes()
        .map(|step| {
            let sign = match step.action {
                Action::Create => '+',
                Action::Update => '~',
                Action::Delete => '-',
                Action::Unchanged => '=',
            };
            let changed =
                if step.changed.is_empty() { String::new() } else { format!(": {}", step.changed.join(", ")) };
            format!("{sign} {} {}{changed}", step.kind, step.name)
        })
        .collect();
    let same = plan.0.len() - lines.len();
    if lines.is_empty() {
        lines.push("Nothing to change.".to_owned());
    }
    lines.push(format!("{same} as the file says already."));
    lines.join("\n")
}
