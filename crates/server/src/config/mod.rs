//! Configuration: environment and defaults, turned into values at the door. No globals afterwards.

use std::{fmt, net::SocketAddr, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use signet_oidc::client::is_loopback_host;
use url::Url;
use zeroize::Zeroizing;

use crate::guard::proxy::TrustedProxies;

/// The names that are read.
const NAMES: [&str; 9] = [
    "SIGNET_ISSUER",
    "SIGNET_BIND",
    "SIGNET_DATA_DIR",
    "DATABASE_URL",
    "REDIS_URL",
    "SIGNET_SECRET_KEY",
    "SIGNET_ADMIN_EMAIL",
    "SIGNET_ADMIN_PASSWORD",
    "SIGNET_PROXY__TRUSTED",
];

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
    /// The proxies that are believed about a client's address.
    pub trusted_proxies: TrustedProxies,
    /// Answers carry the number of SQL statements they took. Debug builds only.
    pub count_statements: bool,
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
    /// Reads the environment through `lookup`. Empty values count as absent.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let [issuer, bind, data_dir, database, redis, secret, email, password, trusted] =
            NAMES.map(|name| lookup(name).filter(|value| !value.is_empty()));
        let mut errors = Vec::new();
        let mut note = |result: Result<_, String>| match result {
            Ok(value) => Some(value),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let issuer = note(parse_issuer(issuer.as_deref().unwrap_or("http://localhost:8080")));
        let url = issuer.as_ref().map(|(_, url)| url.clone());
        let mut errors_after = Vec::new();
        let bind = match bind {
            Some(text) => text.parse::<SocketAddr>().map_err(|_| {
                errors_after.push(format!(
                    "SIGNET_BIND: {text:?} is not an address with a port, such as 127.0.0.1:8080 or [::]:8080"
                ));
            }),
            None => Ok(default_bind(url.as_ref())),
        };
        let secret_keys = secret
            .map(|text| parse_keys(&text).map_err(|error| errors_after.push(format!("SIGNET_SECRET_KEY: {error}"))));
        if let Some(url) = &database
            && !(url.starts_with("postgres://") || url.starts_with("postgresql://"))
        {
            errors_after.push("DATABASE_URL must begin with postgres:// or postgresql://".to_owned());
        }
        if let Some(url) = &redis
            && !(url.starts_with("redis://") || url.starts_with("rediss://") || url.starts_with("unix://"))
        {
            errors_after.push("REDIS_URL must begin with redis:// or rediss://".to_owned());
        }
        let email = email.unwrap_or_else(|| "admin@localhost".to_owned());
        if email.parse::<signet_identity::user::Email>().is_err() {
            errors_after.push(format!("SIGNET_ADMIN_EMAIL: {email:?} is not an email address"));
        }
        let trusted = TrustedProxies::parse(trusted.as_deref().unwrap_or_default()).unwrap_or_else(|error| {
            errors_after.push(format!("SIGNET_PROXY__TRUSTED: {error}"));
            TrustedProxies::default()
        });
        errors.extend(errors_after);
        let (Some((issuer, url)), Ok(bind), true) = (issuer, bind, errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        Ok(Self {
            development: url.scheme() == "http",
            issuer,
            bind,
            data_dir: data_dir.map_or_else(|| PathBuf::from("data"), PathBuf::from),
            database_url: database.map(Zeroizing::new),
            redis_url: redis.map(Zeroizing::new),
            secret_keys: secret_keys.and_then(Result::ok),
            admin_email: email,
            admin_password: password.map(Zeroizing::new),
            trusted_proxies: trusted,
            count_statements: cfg!(debug_assertions) && lookup("SIGNET_TEST_COUNT_STATEMENTS").as_deref() == Some("1"),
        })
    }

    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Host and port of the issuer, as shown on pages.
    pub fn issuer_host(&self) -> String {
        self.issuer.split_once("://").map_or_else(|| self.issuer.clone(), |(_, rest)| rest.to_owned())
    }
}

/// OIDC Discovery §3: https without query or fragment; http on this machine only.
fn parse_issuer(text: &str) -> Result<(String, Url), String> {
    let url =
        Url::parse(text).map_err(|_| format!("SIGNET_ISSUER: {text:?} is not a URL such as https://id.example.org"))?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("SIGNET_ISSUER must not have a query, a fragment or a user name".to_owned());
    }
    if url.path() != "/" {
        return Err("SIGNET_ISSUER must not have a path: give Signet a host name of its own".to_owned());
    }
    match url.scheme() {
        "https" if url.host().is_some() => {}
        "http" if is_loopback_host(&url) => {}
        "http" => {
            return Err(format!(
                "SIGNET_ISSUER: {text} is http and not on this machine; use https (http is for localhost only)"
            ));
        }
        _ => return Err(format!("SIGNET_ISSUER: {text} must begin with https://")),
    }
    Ok((url.as_str().trim_end_matches('/').to_owned(), url))
}

/// In development the issuer's own port on loopback; behind a proxy 8080 on loopback.
fn default_bind(issuer: Option<&Url>) -> SocketAddr {
    let issuer = issuer.filter(|url| url.scheme() == "http");
    let port = issuer.and_then(Url::port_or_known_default).unwrap_or(8080);
    match issuer.and_then(Url::host) {
        Some(url::Host::Ipv4(address)) => SocketAddr::from((address, port)),
        Some(url::Host::Ipv6(address)) => SocketAddr::from((address, port)),
        Some(url::Host::Domain(_)) | None => SocketAddr::from(([127, 0, 0, 1], port)),
    }
}

/// Comma-separated base64 keys of at least 32 bytes; the first seals.
pub fn parse_keys(text: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, &'static str> {
    text.split(',')
        .map(|part| {
            let bytes =
                STANDARD.decode(part.trim()).map_err(|_| "not base64; make one with `openssl rand -base64 32`")?;
            if bytes.len() < 32 {
                return Err("shorter than 32 bytes; make one with `openssl rand -base64 32`");
            }
            Ok(Zeroizing::new(bytes))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::read(lookup).map_err(|errors| errors.to_string())
    }

    /// an http issuer that is not on this machine is refused.
    #[test]
    fn issuers() {
        for good in
            ["http://localhost:9000", "http://127.0.0.1:9000", "https://id.example.org", "https://id.example.org/"]
        {
            assert!(read(&[("SIGNET_ISSUER", good)]).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.org",
            "http://127.0.0.1.example.org",
            "id.example.org",
            "https://a/?q",
            "ftp://a",
            "https://a/b",
        ] {
            assert!(read(&[("SIGNET_ISSUER", bad)]).is_err(), "{bad}");
        }
        assert_eq!(read(&[("SIGNET_ISSUER", "https://id.example.org/")]).unwrap().issuer, "https://id.example.org");
        assert_eq!(read(&[("SIGNET_ISSUER", "http://localhost:9000")]).unwrap().bind.port(), 9000);
    }

    /// every error at once, and no secret in any of them.
    #[test]
    fn every_error_at_once() {
        let errors = read(&[
            ("SIGNET_ISSUER", "http://id.example.org"),
            ("SIGNET_BIND", "here"),
            ("DATABASE_URL", "mysql://user:hunter2@host/db"),
            ("SIGNET_SECRET_KEY", "aHVudGVyMg=="),
        ])
        .unwrap_err();
        assert_eq!(errors.lines().count(), 4, "{errors}");
        assert!(!errors.contains("hunter2") && !errors.contains("aHVudGVyMg"), "{errors}");
    }
}
