//! Configuration: defaults, file, `.env`, environment and flags, turned into values at the door. No globals afterwards.
//!
//! `settings.rs` and `sections.rs` are the list of settings; everything else is read off those types.

mod check;
pub mod example;
mod keys;
mod layers;
mod read;
pub mod sections;
pub mod settings;
pub mod value;

use std::{collections::BTreeMap, env, fmt, net::SocketAddr, ops::Deref, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signet_identity::password::HashCost;
use signet_oidc::policy::Policy;
use zeroize::Zeroizing;

pub use check::parse_keys;
pub use keys::{Key, Keys, Kind, schema};
pub use layers::{DEFAULT_FILE, Place};
use settings::{Accounts, Settings};
use value::SecretText;

/// One setting as it is in effect.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its dotted name.
    pub key: String,
    /// Its value; `(hidden)` for a secret.
    pub value: Value,
    /// File and line, variable, flag, or `default`.
    pub source: String,
    /// Whether a running server takes a new value over.
    pub live: bool,
}

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
    /// A PostgreSQL server; the embedded engine when absent.
    pub database_url: Option<Zeroizing<String>>,
    /// A Redis server.
    pub redis_url: Option<Zeroizing<String>>,
    /// The key that seals, then older ones; read from the data directory when absent.
    pub secret_keys: Option<Vec<Zeroizing<Vec<u8>>>>,
    /// The first administrator's password; made and shown once when absent.
    pub admin_password: Option<Zeroizing<String>>,
    /// Answers carry the number of SQL statements they took. Debug builds only.
    pub count_statements: bool,
    /// Where each setting that is not a default was written.
    pub places: BTreeMap<String, Place>,
    settings: Settings,
    flags: Flags,
}

/// The sections: `config.tokens.access`.
impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
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
        Self::load_and(flags, false)
    }

    /// [`Config::load`], which also looks into the certificates and the key that the settings name.
    pub fn load_with_files(flags: &Flags) -> Result<Self, ConfigErrors> {
        Self::load_and(flags, true)
    }

    fn load_and(flags: &Flags, files: bool) -> Result<Self, ConfigErrors> {
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
        match Self::read_and(flags, &environment, &directory, files) {
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
        Self::read_and(flags, environment, directory, false)
    }

    fn read_and(
        flags: &Flags,
        environment: &[(String, String)],
        directory: &std::path::Path,
        files: bool,
    ) -> Result<Self, ConfigErrors> {
        let mut read = read::read(flags, environment, directory);
        let checked = check::check(&mut read, directory);
        if files {
            check::files(&mut read);
        }
        let (Some(checked), true) = (checked, read.errors.is_empty()) else {
            return Err(ConfigErrors(read.errors));
        };
        let mut settings = read.settings;
        let accounts = if checked.development { Accounts::Open } else { Accounts::Closed };
        settings.registration.accounts.get_or_insert(accounts);
        settings.bind = Some(checked.bind.to_string());
        let counts = |(name, value): &(String, String)| name == "SIGNET_TEST_COUNT_STATEMENTS" && value == "1";
        let text = |secret: &Option<SecretText>| secret.as_ref().map(|secret| secret.0.clone());
        Ok(Self {
            issuer: checked.issuer,
            development: checked.development,
            bind: checked.bind,
            database_url: text(&settings.database.url),
            redis_url: text(&settings.redis.url),
            secret_keys: checked.secret_keys,
            admin_password: text(&settings.admin_password),
            count_statements: cfg!(debug_assertions) && environment.iter().any(counts),
            places: read.places,
            settings,
            flags: flags.clone(),
        })
    }

    /// This configuration with what a running server takes over from `new`. The rest waits for a restart.
    #[must_use]
    pub fn with_live_of(&self, new: &Self) -> Self {
        let mut effective = self.clone();
        effective.settings.adopt_live(&new.settings);
        for key in Keys::new().iter().filter(|key| key.live) {
            match new.places.get(&key.path) {
                Some(place) => effective.places.insert(key.path.clone(), place.clone()),
                None => effective.places.remove(&key.path),
            };
        }
        effective
    }

    /// Every setting with its value and where that was written. Secrets are only told to be there.
    pub fn entries(&self) -> Vec<Entry> {
        let keys = Keys::new();
        let values = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut entries = Vec::new();
        for key in keys.iter() {
            let value = if key.secret {
                self.settings.secret(&key.path).map_or(Value::Null, |_| Value::from("(hidden)"))
            } else {
                values.pointer(&format!("/{}", key.path.replace('.', "/"))).cloned().unwrap_or_default()
            };
            let place = self.places.get(&key.path).map_or("default", |place| place.label.as_str());
            entries.push(Entry { key: key.path.clone(), value, source: place.to_owned(), live: key.live });
        }
        entries
    }

    /// The settings that differ in `new`.
    pub fn differences(&self, new: &Self) -> Vec<Entry> {
        let before = self.entries();
        let differs = |before: &Entry, after: &Entry| {
            before.value != after.value || self.settings.secret(&after.key) != new.settings.secret(&after.key)
        };
        let pairs = before.iter().zip(new.entries());
        pairs.filter(|(before, after)| differs(before, after)).map(|(_, after)| after).collect()
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
