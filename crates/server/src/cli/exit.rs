//! How the program ends, for scripts.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing was left to do.
    Done = 0,
    /// Refused or failed.
    #[default]
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// `--plan` found changes to make.
    Changes = 3,
    /// What the command names is not there.
    NotFound = 4,
    /// It was not confirmed.
    Unconfirmed = 5,
    /// Worth trying again in a moment.
    Unavailable = 6,
}

impl Exit {
    /// Every code, with what `--help` says of it.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done, or nothing was left to do"),
        (Self::Failed, "refused or failed; the message says what to change"),
        (Self::Usage, "wrong usage or configuration"),
        (Self::Changes, "there are changes to make (apply --plan)"),
        (Self::NotFound, "what the command names is not there"),
        (Self::Unconfirmed, "not confirmed: answer the question, or give --yes"),
        (Self::Unavailable, "the database or the running Signet does not answer: try again"),
    ];

    /// The list of codes.
    pub fn help() -> String {
        let lines = Self::ALL.map(|(exit, meaning)| format!("  {}  {meaning}", exit as u8));
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// every code has a number of its own, and `--help` lists them in order.
    #[test]
    fn codes_are_listed() {
        for (number, (exit, _)) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(*exit as u8), number);
            assert!(Exit::help().contains(&format!("\n  {number}  ")));
        }
    }
}
