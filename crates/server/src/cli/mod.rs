//! The command line.

pub mod client;
pub mod command;
pub mod user;

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use signet_identity::password::PasswordPolicy;
use zeroize::Zeroizing;

use crate::{
    admin::Desk,
    config::Config,
    control,
    serve::{self, ServeError},
    startup::{self, Migrate, StartError},
};
use command::{Command, Reply};

/// An OpenID Connect provider.
#[derive(Debug, Parser)]
#[command(
    name = "signet",
    version,
    about,
    after_help = "Without a command, `signet` serves. Settings come from the \
environment: SIGNET_ISSUER, SIGNET_BIND, SIGNET_DATA_DIR, DATABASE_URL, REDIS_URL, SIGNET_SECRET_KEY, \
SIGNET_ADMIN_EMAIL, SIGNET_ADMIN_PASSWORD."
)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run the provider (the default).
    Serve,
    /// Bring the database's schema up to date, and stop.
    Migrate,
    #[command(flatten)]
    Command(Command),
}

/// Runs the program; the exit code says how it went: 0 done, 1 failed, 2 wrong usage or configuration.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = std::env::var("SIGNET_LOG")
        .unwrap_or_else(|_| "warn,actix_http=off,signet_server=info,signet_storage=info".to_owned());
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_target(false)
        .init();
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    let action = arguments.action.unwrap_or(Action::Serve);
    let result = actix_web::rt::System::new().block_on(run(config, action));
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// What the command line can fail with; each is one line.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Control(#[from] control::ControlError),
    #[error("the password could not be read from standard input")]
    Input,
    #[error("the work was cut off")]
    CutOff,
}

async fn run(config: Config, action: Action) -> Result<ExitCode, CliError> {
    match action {
        Action::Serve => {
            serve::serve(config).await?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Migrate => {
            let migrating = config.clone();
            let ran = tokio::task::spawn_blocking(move || startup::migrate(&migrating, &progress))
                .await
                .map_err(|_| CliError::CutOff)?;
            let text = match ran {
                // The server that holds the embedded database migrated it when it started.
                Err(error) if error.is_locked() => {
                    control::ask(&config, &Command::Client(client::ClientCommand::List { json: true })).await?;
                    "The schema is up to date; the running Signet saw to that.".to_owned()
                }
                Err(error) => return Err(error.into()),
                Ok(ran) if ran.is_empty() => "The schema is up to date.".to_owned(),
                Ok(ran) => format!("Ran {}.", ran.join(", ")),
            };
            say(&text);
            Ok(ExitCode::SUCCESS)
        }
        Action::Command(mut command) => {
            if command.wants_password() {
                let mut text = Zeroizing::new(String::new());
                io::stdin().read_to_string(&mut text).map_err(|_| CliError::Input)?;
                command.set_password(text.trim_end_matches(['\r', '\n']));
            }
            let json = command.json();
            let reply = carry_out(config, command).await?;
            Ok(print(reply, json))
        }
    }
}

/// To the database where it can be opened, else through the control socket of the server that holds it.
async fn carry_out(config: Config, command: Command) -> Result<Reply, CliError> {
    let opening = config.clone();
    let opened = tokio::task::spawn_blocking(move || startup::open(&opening, Migrate::WhenEmpty, &progress))
        .await
        .map_err(|_| CliError::CutOff)?;
    let opened = match opened {
        Err(error) if error.is_locked() => return Ok(control::ask(&config, &command).await?),
        other => other?,
    };
    let desk = Desk {
        store: opened.store.clone(),
        realm: opened.realm.clone(),
        hasher: startup::hasher(),
        passwords: PasswordPolicy::default(),
        origin: startup::operator(),
    };
    let reply = command::run(&desk, command).await;
    drop(desk);
    serve::close(opened).await;
    Ok(reply)
}

fn progress(line: &str) {
    eprintln!("{line}");
}

fn print(reply: Reply, json: bool) -> ExitCode {
    match reply {
        Reply::Done { text, value } => {
            say(&if json { value.to_string() } else { text });
            ExitCode::SUCCESS
        }
        Reply::Failed { code, message } => {
            if json {
                say(&serde_json::json!({ "error": code, "message": message }).to_string());
            }
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// A line to standard output. A reader that went away, as `head` does, is no error.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
