//! `signet doctor`, and the look a running server takes at its own database for it.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::to_value;

use super::{
    command::{Command, Reply, Run},
    exit::Exit,
    output::Output,
};
use crate::{
    admin::{AdminError, Desk},
    config::{Config, ConfigErrors},
    doctor::{self, Grade},
};

/// Looks at everything and prints what was found.
pub(super) async fn run(config: Result<Config, ConfigErrors>, output: Output) -> Exit {
    let report = doctor::examine(config).await;
    let exit = if report.grade == Grade::Broken { Exit::Failed } else { Exit::Done };
    output.answer(&report.text(), &[to_value(&report).unwrap_or_default()]).exit(exit)
}

/// What the doctor asks a server that holds the embedded database.
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Inspect {}

impl Run for Inspect {
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        let inspection = desk.store.read(|tx| tx.inspect()).await.map_err(AdminError::from)?;
        Ok(Reply::done(String::new(), to_value(inspection).unwrap_or_default()))
    }
}

impl Command {
    /// The look at the database.
    pub fn inspect() -> Self {
        Self::Inspect(Inspect {})
    }
}
