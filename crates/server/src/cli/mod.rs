//! The command line.

pub mod apply;
pub mod audit;
pub mod client;
pub mod command;
mod config;
mod delivery;
mod docs;
pub mod doctor;
pub mod exit;
pub mod keys;
pub(crate) mod output;
pub mod resource;
pub mod role;
mod routes;
mod tls;
pub mod user;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{CommandFactory as _, Parser, Subcommand};
use signet_identity::password::PasswordPolicy;
use signet_storage::StoreError;

use crate::{
    admin::Desk,
    channel::Publisher,
    config::{Config, Flags},
    control,
    outbound::Outbound,
    serve::{self, ServeError},
    startup::{self, Migrate, Opened, StartError},
    telemetry::logs::{self, LogConfig, LogHandle},
};
use command::{Command, Reply};
use exit::Exit;
use output::{Output, Written};

/// An OpenID Connect provider.
#[derive(Debug, Parser)]
#[command(name = "signet", version, after_help = help())]
struct Arguments {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    settings: Flags,
    #[command(subcommand)]
    action: Option<Action>,
}

fn help() -> String {
    format!(
        "Without a command, `signet` serves. Settings come from config/signet.toml, .env, the environment \
(SIGNET_TOKENS__ACCESS=10m, DATABASE_URL, REDIS_URL) and these flags; the later wins. `signet config example` lists \
them all.\n\n{}",
        Exit::help()
    )
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run the provider (the default).
    Serve,
    /// Bring the database's schema up to date, and stop.
    Migrate,
    /// Print the completion script of a shell.
    Completions(docs::Completions),
    /// Print the manual page of the program or of a command.
    Man(docs::Man),
    /// List the routes: who may call each, and what it changes.
    Routes,
    /// Look at everything Signet stands on; say what is wrong and what to change.
    Doctor,
    /// Certificates for serving https.
    #[command(subcommand)]
    Tls(tls::TlsCommand),
    /// The settings: check them, show where each comes from, print their schema or a commented example.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Have the running server read its settings again.
    Reload,
    #[command(flatten)]
    Command(Command),
}

/// Runs the program; [`Exit`] says what its exit code means.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let output = Output { json: arguments.json };
    let action = arguments.action.unwrap_or(Action::Serve);
    // What needs no configuration.
    let action = match action {
        Action::Completions(completions) => return printed(output, completions.print(Arguments::command())).into(),
        Action::Man(man) => return printed(output, man.print(Arguments::command())).into(),
        Action::Routes => {
            return match routes::print(output) {
                Ok(written) => written.exit(Exit::Done).into(),
                Err(error) => printed(output, Err(error)).into(),
            };
        }
        Action::Tls(command) => return output.finish(command.run()).into(),
        Action::Config(command) => return command.run(&arguments.settings, output).into(),
        action => action,
    };
    let config = Config::load(&arguments.settings);
    if matches!(action, Action::Doctor) {
        return actix_web::rt::System::new().block_on(doctor::run(config, output)).into();
    }
    let config = match config {
        Ok(config) => config,
        Err(errors) => {
            output.fail("configuration", &errors.to_string(), None);
            return Exit::Usage.into();
        }
    };
    let log = LogConfig { level: config.log.level.clone(), format: config.log.format };
    let logs = match logs::init(&log) {
        Ok(logs) => logs,
        Err(error) => {
            output.fail("configuration", &format!("log.level: {error}"), None);
            return Exit::Usage.into();
        }
    };
    let result = actix_web::rt::System::new().block_on(run((config, logs), action, output));
    let exit = result.unwrap_or_else(|error| {
        output.fail(error.code(), &error.to_string(), None);
        error.exit()
    });
    exit.into()
}

/// What is wrong with the words of the command line, for scripts too; or the help that was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if error.use_stderr() && json {
        Output { json: true }.fail("usage", error.render().to_string().trim_end(), None);
        return Exit::Usage.into();
    }
    error.exit()
}

fn printed<E: std::fmt::Display>(output: Output, result: Result<(), E>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            output.fail("not_printed", &error.to_string(), None);
            Exit::Failed
        }
    }
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
    #[error("the work was cut off")]
    CutOff,
}

impl CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Serve(_) => "not_serving",
            Self::Start(_) => "not_opened",
            Self::Control(_) => "no_answer",
            Self::CutOff => "cut_off",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Start(StartError::Store(StoreError::Unavailable(_))) | Self::Control(_) => Exit::Unavailable,
            _ => Exit::Failed,
        }
    }
}

async fn run((config, logs): (Config, LogHandle), action: Action, output: Output) -> Result<Exit, CliError> {
    match action {
        Action::Serve => {
            serve::serve(config, logs).await?;
            Ok(Exit::Done)
        }
        Action::Migrate => {
            let migrating = config.clone();
            let ran = tokio::task::spawn_blocking(move || startup::migrate(&migrating, &progress))
                .await
                .map_err(|_| CliError::CutOff)?;
            let (text, ran) = match ran {
                // The server that holds the embedded database migrated it when it started.
                Err(error) if error.is_locked() => {
                    control::ask(&config, &Command::Client(client::ClientCommand::List { search: None })).await?;
                    ("The schema is up to date; the running Signet saw to that.".to_owned(), Vec::new())
                }
                Err(error) => return Err(error.into()),
                Ok(ran) if ran.is_empty() => ("The schema is up to date.".to_owned(), ran),
                Ok(ran) => (format!("Ran {}.", ran.join(", ")), ran),
            };
            Ok(output.finish(Reply::done(text, serde_json::json!({ "ran": ran }))))
        }
        Action::Reload => {
            let mut exit = Exit::Done;
            for reply in control::reload_all(&config).await? {
                let one = output.finish(reply);
                exit = if exit == Exit::Done { one } else { exit };
            }
            Ok(exit)
        }
        // Answered before the configuration was read.
        Action::Config(_)
        | Action::Completions(_)
        | Action::Man(_)
        | Action::Routes
        | Action::Tls(_)
        | Action::Doctor => Ok(Exit::Done),
        Action::Command(mut command) => {
            if let Err(reply) = command.prepare() {
                return Ok(output.finish(reply));
            }
            let door = Door::open(config).await?;
            let answered = converse(&door, command, output).await;
            door.close().await;
            answered.map(|reply| output.finish(reply))
        }
    }
}

/// Sends a command, and what follows from its answers, until there is a last answer.
async fn converse(door: &Door, mut command: Command, output: Output) -> Result<Reply, CliError> {
    loop {
        command = match door.send(command).await? {
            Reply::Ask { text, question, then } if output.can_ask() => {
                if !output::confirm(&text, &question) {
                    return Ok(Reply::Failed {
                        code: "unconfirmed".to_owned(),
                        message: "Nothing was changed.".to_owned(),
                        field: None,
                        exit: Exit::Unconfirmed,
                    });
                }
                *then
            }
            Reply::More { text, value, then, pause } => {
                match output.answer(&text, &value) {
                    Written::Done if !output::reader_is_gone() => {}
                    // Nobody reads on.
                    Written::Done | Written::ReaderGone => {
                        return Ok(Reply::More { text: String::new(), value: Vec::new(), then, pause: 0 });
                    }
                    Written::Lost(error) => {
                        return Ok(Reply::Failed {
                            code: "output_lost".to_owned(),
                            message: format!("The answer could not be written: {error}."),
                            field: None,
                            exit: Exit::Failed,
                        });
                    }
                }
                if pause > 0 {
                    // Whoever follows something ends it with Ctrl-C.
                    let stopped = tokio::time::timeout(Duration::from_millis(pause), tokio::signal::ctrl_c()).await;
                    if stopped.is_ok() {
                        return Ok(Reply::More { text: String::new(), value: Vec::new(), then, pause: 0 });
                    }
                }
                *then
            }
            reply => return Ok(reply),
        }
    }
}

/// The way to the database.
enum Door {
    /// It is open in this process.
    Here(Box<(Desk, Opened, Option<Publisher>)>),
    /// A running server holds it and answers on its control socket.
    Server(Box<Config>),
}

impl Door {
    async fn open(config: Config) -> Result<Self, CliError> {
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || startup::open(&opening, Migrate::WhenEmpty, &progress))
            .await
            .map_err(|_| CliError::CutOff)?;
        let opened = match opened {
            Err(error) if error.is_locked() => return Ok(Self::Server(Box::new(config))),
            other => other?,
        };
        let desk = Desk {
            store: opened.store.clone(),
            realm: opened.realm.clone(),
            hasher: startup::hasher(&config),
            passwords: PasswordPolicy::default(),
            origin: startup::operator(),
            audit: crate::audit::Settings::of(&config),
            outbound: Outbound::new(&config.outbound).map(Arc::new).map_err(|error| error.to_string()),
            held: None,
        };
        // What the command changes reaches running servers without waiting for their next look.
        let publisher = Publisher::start(&config, &opened.store);
        Ok(Self::Here(Box::new((desk, opened, publisher))))
    }

    async fn send(&self, command: Command) -> Result<Reply, CliError> {
        match self {
            Self::Here(here) => Ok(command::run(&here.0, command).await),
            Self::Server(config) => Ok(control::ask(config, &command).await?),
        }
    }

    async fn close(self) {
        if let Self::Here(here) = self {
            let (desk, opened, publisher) = *here;
            drop(desk);
            if let Some(publisher) = publisher {
                publisher.finish().await;
            }
            serve::close(opened).await;
        }
    }
}

fn progress(line: &str) {
    output::tell(line);
}
