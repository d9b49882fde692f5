//! Configuration: defaults, file, `.env`, environment and flags, turned into values at the door. No globals afterwards.
//!
//! `settings.rs` and `sections.rs` are the list of settings; everything else is read off those types.

mod check;
mod keys;
mod layers;
mod read;
pub mod sections;
pub mod settings;
pub mod value;

use std::{collections::BTreeMap, env, fmt, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use signet_identity::password::HashCost;
use signet_oidc::policy::Policy;
use zeroize::Zeroizing;

pub use check::parse_keys;
pub use keys::{Key, Keys, Kind, schema};
pub use layers::{DEFAULT_FILE, Place};
use settings::{
    Accounts, Audit, Database, Hashing, Http, Log, Metrics, Outbound, Proxy, RateLimits, Redis, Registration, Sessions,
    Settings, Tls, Tokens,
};

/// Settings on the command line; they win over all others.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[command(next_help_heading = "Settings")]
pub struct Flags {
    /// The configuration file [default: config/signet.toml].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting, such as `tokens.access=10m`; may be given several times.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The address people and applications use.
    #[arg(long, global = true, value_name = "URL")]
    pub issuer: Option<String>,
    /// Where to listen.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub bind: Option<String>,
    /// Signet's own files.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// What this process runs with.
#[derive(Clone)]
pub struct Config {
    /// The issuer, without a trailing slash.
    pub issuer: String,
    /// Whether the issuer is a loopback http address.
    pub development: bool,
    /// Where to listen.
    pub bind: SocketAddr,
    /// Signet's own files.
    pub data_dir: PathBuf,
    /// A PostgreSQL server; the embedded engine when absent.
    pub database_url: Option<Zeroizing<String>>,
    /// A Redis server.
    pub redis_url: Option<Zeroizing<String>>,
    /// The key that seals, then older ones; read from the data directory when absent.
    pub secret_keys: Option<Vec<Zeroizing<Vec<u8>>>>,
    /// The first administrator's address.
    pub admin_email: String,
    /// The first administrator's password; made and shown once when absent.
    pub admin_password: Option<Zeroizing<String>>,
    /// Answers carry the number of SQL statements they took. Debug builds only.
    pub count_statements: bool,
    /// The database.
    pub database: Database,
    /// Redis.
    pub redis: Redis,
    /// TLS by Signet itself.
    pub tls: Tls,
    /// Connections and requests.
    pub http: Http,
    /// Proxies in front of Signet.
    pub proxy: Proxy,
    /// Requests that Signet itself makes.
    pub outbound: Outbound,
    /// Who may register; `accounts` is always there.
    pub registration: Registration,
    /// How often something may be tried.
    pub rate_limits: RateLimits,
    /// How long what is issued is good for.
    pub tokens: Tokens,
    /// How long people stay signed in.
    pub sessions: Sessions,
    /// Hashing of passwords.
    pub hashing: Hashing,
    /// Signing keys.
    pub keys: settings::Keys,
    /// The audit log.
    pub audit: Audit,
    /// Metrics.
    pub metrics: Metrics,
    /// The log.
    pub log: Log,
    /// Where each setting that is not a default was written.
    pub places: BTreeMap<String, Place>,
    flags: Flags,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("issuer", &self.issuer).field("bind", &self.bind).finish_non_exhaustive()
    }
}

/// Every mistake at once, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigErrors(pub Vec<String>);

impl Config {
    /// Reads defaults, file, `.env`, the environment of this process, and flags.
    pub fn load(flags: &Flags) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut environment = Vec::new();
        for (name, value) in env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => environment.push((name, value)),
                Err(_) if name.starts_with("SIGNET_") || name == "DATABASE_URL" || name == "REDIS_URL" => {
                    errors.push(format!("{name}: this is not text in UTF-8"));
                }
                Err(_) => {}
            }
        }
        let directory = env::current_dir().unwrap_or_default();
        match Self::read(flags, &environment, &directory) {
            Ok(config) if errors.is_empty() => Ok(config),
            Ok(_) => Err(ConfigErrors(errors)),
            Err(ConfigErrors(more)) => Err(ConfigErrors(errors.into_iter().chain(more).collect())),
        }
    }

    /// Reads again what this was read from.
    pub fn reread(&self) -> Result<Self, ConfigErrors> {
        Self::load(&self.flags)
    }

    /// Reads with this environment, in this directory. Empty values count as absent.
    pub fn read(
        flags: &Flags,
        environment: &[(String, String)],
        directory: &std::path::Path,
    ) -> Result<Self, ConfigErrors> {
        let mut read = read::read(flags, environment, directory);
        let checked = check::check(&mut read, directory);
        let (Some(checked), true) = (checked, read.errors.is_empty()) else {
            return Err(ConfigErrors(read.errors));
        };
        let Settings {
            data_dir,
            admin_email,
            admin_password,
            database,
            redis,
            tls,
            http,
            proxy,
            outbound,
            mut registration,
            rate_limits,
            tokens,
            sessions,
            hashing,
            keys,
            audit,
            metrics,
            log,
            ..
        } = read.settings;
        let accounts = if checked.development { Accounts::Open } else { Accounts::Closed };
        registration.accounts = Some(registration.accounts.unwrap_or(accounts));
        let counts = |(name, value): &(String, String)| name == "SIGNET_TEST_COUNT_STATEMENTS" && value == "1";
        Ok(Self {
            issuer: checked.issuer,
            development: checked.development,
            bind: checked.bind,
            data_dir,
            database_url: database.url.clone().map(|url| url.0),
            redis_url: redis.url.clone().map(|url| url.0),
            secret_keys: checked.secret_keys,
            admin_email,
            admin_password: admin_password.map(|password| password.0),
            count_statements: cfg!(debug_assertions) && environment.iter().any(counts),
            database,
            redis,
            tls,
            http,
            proxy,
            outbound,
            registration,
            rate_limits,
            tokens,
            sessions,
            hashing,
            keys,
            audit,
            metrics,
            log,
            places: read.places,
            flags: flags.clone(),
        })
    }

    /// Host and port of the issuer, as shown on pages.
    pub fn issuer_host(&self) -> String {
        self.issuer.split_once("://").map_or_else(|| self.issuer.clone(), |(_, rest)| rest.to_owned())
    }

    /// Who may make an account.
    pub fn accounts(&self) -> Accounts {
        self.registration.accounts.unwrap_or(Accounts::Closed)
    }

    /// Lifetimes of the realm.
    pub fn policy(&self) -> Policy {
        Policy {
            code_lifetime: self.tokens.code.chrono(),
            access_token_lifetime: self.tokens.access.chrono(),
            id_token_lifetime: self.tokens.id.chrono(),
            refresh_token_lifetime: self.tokens.refresh.chrono(),
            refresh_repeat_window: self.tokens.refresh_repeat.chrono(),
            interaction_lifetime: self.tokens.interaction.chrono(),
            session_idle: self.sessions.idle.chrono(),
            session_absolute: self.sessions.absolute.chrono(),
        }
    }

    /// The cost of a password's hash.
    pub fn hash_cost(&self) -> HashCost {
        HashCost {
            memory: self.hashing.memory_kib,
            iterations: self.hashing.iterations,
            parallelism: self.hashing.parallelism,
        }
    }
}

#[cfg(test)]
mod tests;
