//! `signet config …`: works without a database and without a running server.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{command::Reply, exit::Exit, output::Output};
use crate::config::{Config, Entry, Flags, example};

/// `signet config …`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Say what is wrong with the settings, all of it at once.
    Check,
    /// Print every setting, its value and where that was written. Secrets are hidden.
    Show,
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Print a commented configuration file.
    Example,
}

impl ConfigCommand {
    pub(super) fn run(self, flags: &Flags, output: Output) -> Exit {
        let config = match self {
            Self::Schema => return output.finish(Reply::done(example::schema().trim_end(), example::schema_value())),
            Self::Example => {
                let text = example::example();
                return output.finish(Reply::done(text.trim_end(), Value::from(text.as_str())));
            }
            Self::Check => Config::load_with_files(flags),
            Self::Show => Config::load(flags),
        };
        match (self, config) {
            (_, Err(errors)) => {
                output.fail("configuration", &errors.to_string(), None);
                Exit::Usage
            }
            (Self::Show, Ok(config)) => output.finish(show(&config)),
            (_, Ok(config)) => {
                let text = format!("The settings are in order. The issuer is {}.", config.issuer);
                output.finish(Reply::done(text, json!({ "valid": true, "issuer": config.issuer })))
            }
        }
    }
}

fn show(config: &Config) -> Reply {
    let entries = config.entries();
    let written = |entry: &Entry| match &entry.value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let width =
        |length: fn(&str) -> usize, texts: Vec<String>| texts.iter().map(|text| length(text)).max().unwrap_or(0);
    let count = |text: &str| text.chars().count();
    let keys = width(count, entries.iter().map(|entry| entry.key.clone()).collect());
    let values = width(count, entries.iter().map(written).collect()).min(48);
    let line = |entry: &Entry| format!("{:keys$}  {:values$}  {}", entry.key, written(entry), entry.source);
    let lines: Vec<String> = entries.iter().map(line).collect();
    Reply::done(lines.join("\n"), json!(entries))
}
