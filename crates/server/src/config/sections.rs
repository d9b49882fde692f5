//! Sections about the machine Signet runs on: database, network, log.

use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::{SecretText, Span, networks};
use crate::telemetry::logs::{DEFAULT_LEVEL, Format};

/// The database. `DATABASE_URL` is another spelling of `url`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// A PostgreSQL server, 15 or later; without it the database runs inside the process.
    #[serde(skip_serializing)]
    #[schemars(example = "postgresql://signet:password@db.example/signet")]
    pub url: Option<SecretText>,
    /// A file that holds the URL.
    #[schemars(example = "/run/secrets/database_url")]
    pub url_file: Option<PathBuf>,
    /// How many connections to the server, 1 to 200.
    pub pool_size: u32,
    /// How long making a connection may take, 1s to 60s.
    pub connect_timeout: Span,
    /// How long a request waits for a connection before it is answered with 503, 100ms to 60s.
    pub checkout_timeout: Span,
    /// How long a statement may take on the server, 100ms to 5m.
    pub statement_timeout: Span,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            pool_size: 8,
            connect_timeout: Span::seconds(5),
            checkout_timeout: Span::seconds(2),
            statement_timeout: Span::seconds(5),
        }
    }
}

/// Redis. `REDIS_URL` is another spelling of `url`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// A Redis server; without it nodes ask the database for changes.
    #[serde(skip_serializing)]
    #[schemars(example = "redis://127.0.0.1:6379")]
    pub url: Option<SecretText>,
    /// A file that holds the URL.
    #[schemars(example = "/run/secrets/redis_url")]
    pub url_file: Option<PathBuf>,
    /// What the names of keys and channels begin with.
    pub prefix: String,
    /// How long an answer may take, 50ms to 30s.
    pub timeout: Span,
}

impl Default for Redis {
    fn default() -> Self {
        Self { url: None, url_file: None, prefix: "signet:".to_owned(), timeout: Span::seconds(1) }
    }
}

/// TLS by Signet itself; without it a proxy does that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate and its chain, PEM.
    #[schemars(example = "/etc/signet/tls.crt")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[schemars(example = "/etc/signet/tls.key")]
    pub key: Option<PathBuf>,
}

/// Connections and requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Threads that serve; without it one for each core.
    #[schemars(example = 2)]
    pub workers: Option<u32>,
    /// How long the head of a request may take to arrive, 1s to 5m.
    pub head_timeout: Span,
    /// How long the body of a request may take to arrive, 1s to 5m.
    pub body_timeout: Span,
    /// How long a request may take in all before it is answered with 503, 1s to 10m.
    pub request_timeout: Span,
    /// How long an idle connection is kept, 1s to 10m.
    pub keep_alive: Span,
    /// How long Signet, once asked to stop, goes on serving while /readyz answers 503, so that a load balancer can turn
    /// away, 0s to 5m.
    pub drain: Span,
    /// How long requests under way may take once Signet is asked to stop, 0s to 10m.
    pub shutdown_timeout: Span,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            workers: None,
            head_timeout: Span::seconds(10),
            body_timeout: Span::seconds(10),
            request_timeout: Span::seconds(30),
            keep_alive: Span::seconds(5),
            drain: Span::seconds(0),
            shutdown_timeout: Span::seconds(10),
        }
    }
}

/// Proxies in front of Signet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// Networks whose `Forwarded` and `X-Forwarded-*` headers are believed.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>", example = ["10.0.0.0/8"])]
    pub trusted: Vec<IpNet>,
}

/// Requests that Signet itself makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Whether they may go to private and loopback addresses, on this machine also by http. Never to link-local ones.
    pub allow_private: bool,
    /// Certificates of further authorities to trust, PEM.
    #[schemars(example = "/etc/ssl/private-ca.pem")]
    pub trusted_ca: Option<PathBuf>,
    /// How long one may take, 1s to 60s.
    pub timeout: Span,
}

impl Default for Outbound {
    fn default() -> Self {
        Self { allow_private: false, trusted_ca: None, timeout: Span::seconds(5) }
    }
}

/// Hashing of passwords (Argon2id, R-03).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hashing {
    /// Memory for one hash, 8 to 1048576 KiB.
    pub memory_kib: u32,
    /// Passes over the memory, 1 to 100.
    pub iterations: u32,
    /// Lanes of one hash, 1 to 16.
    pub parallelism: u32,
    /// Hashes at once; without it one for each core.
    #[schemars(example = 2)]
    pub threads: Option<u32>,
    /// Sign-ins that wait or are being hashed; one more is answered with 503, 1 to 100000.
    pub queue: u32,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1, threads: None, queue: 256 }
    }
}

/// Signing keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// After how many days the next key signs, 0 to 3650; 0 means only by hand.
    pub rotation_days: u32,
}

impl Default for Keys {
    fn default() -> Self {
        Self { rotation_days: 90 }
    }
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// How many days a row stays in the database, 1 to 36500.
    pub retention_days: u32,
    /// Where older rows are written before they go; without it `audit` in the data directory.
    #[schemars(example = "/var/lib/signet/audit")]
    pub archive_dir: Option<PathBuf>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { retention_days: 90, archive_dir: None }
    }
}

/// Metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Networks that may read /metrics.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<IpNet>,
}

impl Default for Metrics {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Self { allow: loopback.iter().filter_map(|text| text.parse().ok()).collect() }
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: error, warn, info, debug or trace, for all or for a module (`warn,signet_server=debug`).
    #[schemars(extend("x-live" = true))]
    pub level: String,
    /// JSON lines, text for people, or text where a terminal reads it and else JSON (auto).
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: DEFAULT_LEVEL.to_owned(), format: Format::default() }
    }
}
