//! Every setting with its default: the JSON Schema and the commented example are made from these types.
//!
//! `x-live` marks what a running server takes over when it reads its settings again; the rest needs a restart.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::sections::{Audit, Database, Hashing, Http, Keys, Log, Metrics, Outbound, Proxy, Redis, Tls};
use super::value::{Rate, SecretText, Span};

/// Settings of Signet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address people and applications use. http is for this machine only.
    pub issuer: String,
    /// Where to listen; without it the issuer's port on loopback, or 127.0.0.1:8080 behind a proxy.
    #[schemars(example = "127.0.0.1:8080")]
    pub bind: Option<String>,
    /// Signet's own files: secret key, embedded database, sockets.
    pub data_dir: PathBuf,
    /// Seals keys at rest: base64 of 32 random bytes or more (openssl rand -base64 32); older keys after a comma.
    /// Without it one is made and kept in the data directory.
    #[serde(skip_serializing)]
    pub secret_key: Option<SecretText>,
    /// A file that holds the secret key.
    #[schemars(example = "/run/secrets/signet_key")]
    pub secret_key_file: Option<PathBuf>,
    /// The first administrator's address.
    pub admin_email: String,
    /// The first administrator's password; without it one is made and shown once.
    #[serde(skip_serializing)]
    pub admin_password: Option<SecretText>,
    /// A file that holds the first administrator's password.
    #[schemars(example = "/run/secrets/signet_admin")]
    pub admin_password_file: Option<PathBuf>,
    /// The database.
    pub database: Database,
    /// Redis, which carries changes between nodes faster.
    pub redis: Redis,
    /// TLS by Signet itself.
    #[schemars(extend("x-live" = true))]
    pub tls: Tls,
    /// Connections and requests.
    pub http: Http,
    /// Proxies in front of Signet.
    #[schemars(extend("x-live" = true))]
    pub proxy: Proxy,
    /// Requests that Signet itself makes.
    #[schemars(extend("x-live" = true))]
    pub outbound: Outbound,
    /// Who may register.
    #[schemars(extend("x-live" = true))]
    pub registration: Registration,
    /// How often something may be tried. Each node counts for itself.
    #[schemars(extend("x-live" = true))]
    pub rate_limits: RateLimits,
    /// How long what is issued is good for.
    #[schemars(extend("x-live" = true))]
    pub tokens: Tokens,
    /// How long people stay signed in.
    #[schemars(extend("x-live" = true))]
    pub sessions: Sessions,
    /// Hashing of passwords.
    pub hashing: Hashing,
    /// Signing keys.
    #[schemars(extend("x-live" = true))]
    pub keys: Keys,
    /// The audit log.
    #[schemars(extend("x-live" = true))]
    pub audit: Audit,
    /// Metrics.
    #[schemars(extend("x-live" = true))]
    pub metrics: Metrics,
    /// The log.
    pub log: Log,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "http://localhost:8080".to_owned(),
            bind: None,
            data_dir: PathBuf::from("data"),
            secret_key: None,
            secret_key_file: None,
            admin_email: "admin@localhost".to_owned(),
            admin_password: None,
            admin_password_file: None,
            database: Database::default(),
            redis: Redis::default(),
            tls: Tls::default(),
            http: Http::default(),
            proxy: Proxy::default(),
            outbound: Outbound::default(),
            registration: Registration::default(),
            rate_limits: RateLimits::default(),
            tokens: Tokens::default(),
            sessions: Sessions::default(),
            hashing: Hashing::default(),
            keys: Keys::default(),
            audit: Audit::default(),
            metrics: Metrics::default(),
            log: Log::default(),
        }
    }
}

impl Settings {
    /// Takes over what is marked `x-live`.
    pub(super) fn adopt_live(&mut self, new: &Self) {
        // Whether there is TLS at all is settled when the listener begins.
        if self.tls.cert.is_some() == new.tls.cert.is_some() {
            self.tls = new.tls.clone();
        }
        self.proxy = new.proxy.clone();
        self.outbound = new.outbound.clone();
        self.registration = new.registration.clone();
        self.rate_limits = new.rate_limits.clone();
        self.tokens = new.tokens.clone();
        self.sessions = new.sessions.clone();
        self.keys = new.keys.clone();
        self.audit = new.audit.clone();
        self.metrics = new.metrics.clone();
        self.log.level.clone_from(&new.log.level);
    }

    /// A secret by its dotted name.
    pub(super) fn secret(&self, path: &str) -> Option<&SecretText> {
        match path {
            "secret_key" => self.secret_key.as_ref(),
            "admin_password" => self.admin_password.as_ref(),
            "database.url" => self.database.url.as_ref(),
            "redis.url" => self.redis.url.as_ref(),
            _ => None,
        }
    }
}

/// Who may register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// Who may make an account: everybody (open), nobody (closed), whoever is invited (invitation), or people with an
    /// address of certain domains (domains). Without it open in development, else closed.
    #[schemars(example = Accounts::Closed)]
    pub accounts: Option<Accounts>,
    /// The domains of `accounts = "domains"`.
    #[schemars(example = ["example.org"])]
    pub domains: Vec<String>,
    /// Whether applications may register themselves: not at all (off), with an initial access token (token), or
    /// freely (open).
    pub clients: Clients,
    /// How many applications may be there that registered themselves, 1 to 1000000; one more is refused with 503.
    pub max_clients: u32,
    /// After how long without use an application goes that registered itself, 1d to 3650d.
    pub unused_after: Span,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            accounts: None,
            domains: Vec::new(),
            clients: Clients::default(),
            max_clients: 10_000,
            unused_after: Span::days(30),
        }
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Accounts {
    /// Everybody.
    Open,
    /// Nobody; administrators make accounts.
    Closed,
    /// Whoever has an invitation.
    Invitation,
    /// People with an address of the domains named.
    Domains,
}

/// Whether applications may register themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Clients {
    /// Not at all.
    #[default]
    Off,
    /// With an initial access token.
    Token,
    /// Freely.
    Open,
}

/// How often something may be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Whether there are limits at all.
    pub enabled: bool,
    /// Sign-ins from one address.
    pub sign_in: Rate,
    /// Registrations of people from one address.
    pub registration: Rate,
    /// Registrations of applications by themselves, and changes of them, from one address.
    pub client_registration: Rate,
    /// Password resets for one account. Without effect yet: there are none.
    pub reset: Rate,
    /// Second factors tried for one account. Without effect yet: there are none.
    pub second_factor: Rate,
    /// Sensitive requests of one person. Without effect yet: they are counted by address.
    pub user: Rate,
    /// Sensitive requests from one address.
    pub address: Rate,
    /// Failures at the token, introspection, revocation and userinfo endpoints from one address for one client.
    pub token_failures: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        let minute = Span::minutes(1);
        Self {
            enabled: true,
            sign_in: Rate::new(5, minute),
            registration: Rate::new(3, minute),
            client_registration: Rate::new(60, minute),
            reset: Rate::new(3, Span::hours(1)),
            second_factor: Rate::new(5, minute),
            user: Rate::new(10, minute),
            address: Rate::new(50, minute),
            token_failures: Rate::new(10, minute),
        }
    }
}

/// How long what is issued is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Access tokens, 1m to 60m.
    pub access: Span,
    /// ID tokens, 1m to 24h.
    pub id: Span,
    /// Refresh tokens, counted from their last use, 1h to 365d.
    pub refresh: Span,
    /// How long the answer to a refresh can be repeated, 0s to 60s.
    pub refresh_repeat: Span,
    /// Authorization codes, 10s to 10m.
    pub code: Span,
    /// How long a person may take from the authorization request to its end, 1m to 24h.
    pub interaction: Span,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access: Span::minutes(15),
            id: Span::hours(1),
            refresh: Span::days(30),
            refresh_repeat: Span::minutes(1),
            code: Span::minutes(1),
            interaction: Span::minutes(30),
        }
    }
}

/// How long people stay signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Without using it, 1m to 90d.
    pub idle: Span,
    /// In any case, 5m to 365d; not less than `idle`.
    pub absolute: Span,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { idle: Span::hours(12), absolute: Span::days(7) }
    }
}
