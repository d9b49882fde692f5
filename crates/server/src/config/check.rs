//! What types cannot say: bounds, files that hold secrets, and settings that belong together.

use std::{
    fs,
    io::{self, Read as _},
    net::SocketAddr,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use signet_oidc::client::is_loopback_host;
use url::Url;
use zeroize::Zeroizing;

use super::{
    layers::{Place, variable_of},
    read::Read,
    settings::Accounts,
    value::{SecretText, Span},
};
use crate::{
    outbound::{Outbound, SetupError},
    tls::Files,
};

/// No file with a secret in it is longer, in bytes.
const SECRET_LIMIT: u64 = 64 * 1024;

/// What checking adds to the settings.
pub struct Checked {
    /// The issuer, without a trailing slash.
    pub issuer: String,
    /// Whether it is a loopback http address.
    pub development: bool,
    /// Where to listen.
    pub bind: SocketAddr,
    /// Keys that seal.
    pub secret_keys: Option<Vec<Zeroizing<Vec<u8>>>>,
}

/// Checks; lines about what is wrong are added to `read.errors`.
pub fn check(read: &mut Read, directory: &Path) -> Option<Checked> {
    secrets(read, directory);
    spans(read);
    numbers(read);
    together(read);
    let issuer = parse_issuer(&read.settings.issuer).map_err(|message| wrong(read, "issuer", &message)).ok();
    let url = issuer.as_ref().map(|(_, url)| url.clone());
    let bind = match read.settings.bind.clone() {
        None => Some(default_bind(url.as_ref(), read.settings.tls.cert.is_some())),
        Some(text) => {
            let bind = text.parse().ok();
            if bind.is_none() {
                let message = format!("{text:?} is not an address with a port, such as 127.0.0.1:8080 or [::]:8080");
                wrong(read, "bind", &message);
            }
            bind
        }
    };
    let keys = read.settings.secret_key.clone().map(|text| parse_keys(&text.0));
    let secret_keys = match keys {
        None => None,
        Some(Ok(keys)) => Some(keys),
        Some(Err(message)) => {
            wrong(read, "secret_key", message);
            None
        }
    };
    let (issuer, url) = issuer?;
    Some(Checked { development: url.scheme() == "http", issuer, bind: bind?, secret_keys })
}

/// Whether certificate, key and authorities can be used; lines about what is wrong are added to `read.errors`.
pub fn files(read: &mut Read) {
    let s = &read.settings;
    let mut wrongs: Vec<(String, String)> = Vec::new();
    for mistake in Files::of(&s.tls).iter().flat_map(Files::mistakes) {
        wrongs.push((mistake.setting.to_string(), format!("{} {}", mistake.path.display(), mistake.problem)));
    }
    let message = match Outbound::new(&s.outbound) {
        Ok(_) => None,
        Err(SetupError::Authorities { path, problem }) => Some(format!("{} {problem}", path.display())),
        Err(SetupError::Client(reason)) => Some(format!("the certificates cannot be used: {reason}")),
    };
    wrongs.extend(message.map(|message| ("outbound.trusted_ca".to_owned(), message)));
    for (path, message) in wrongs {
        wrong(read, &path, &message);
    }
}

fn wrong(read: &mut Read, path: &str, message: &str) {
    let default = || Place { label: variable_of(path), names_key: true };
    let place = read.places.get(path).cloned().unwrap_or_else(default);
    read.errors.push(place.line(path, message));
}

/// Secrets that stand in a file of their own.
fn secrets(read: &mut Read, directory: &Path) {
    let settings = &mut read.settings;
    let mut wrongs = Vec::new();
    for (path, value, file) in [
        ("secret_key", &mut settings.secret_key, &settings.secret_key_file),
        ("admin_password", &mut settings.admin_password, &settings.admin_password_file),
        ("database.url", &mut settings.database.url, &settings.database.url_file),
        ("redis.url", &mut settings.redis.url, &settings.redis.url_file),
    ] {
        let Some(file) = file else { continue };
        let from = format!("{path}_file");
        if value.is_some() {
            let other = read.places.get(path).map_or_else(|| variable_of(path), |place| place.label.clone());
            wrongs.push((from, format!("{path} is given too ({other}); give the value or the file, not both")));
            continue;
        }
        match secret_text(&directory.join(file)) {
            Ok(text) if text.trim().is_empty() => wrongs.push((from, format!("{} is empty", file.display()))),
            Ok(text) => {
                *value = Some(SecretText(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())));
                if let Some(place) = read.places.get(&from).cloned() {
                    read.places.insert(path.to_owned(), place);
                }
            }
            Err(error) => wrongs.push((from, format!("{} cannot be read: {error}", file.display()))),
        }
    }
    for (path, message) in wrongs {
        wrong(read, &path, &message);
    }
}

/// A file that holds one secret; a longer one, or a device without end, is none.
fn secret_text(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(SECRET_LIMIT + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > SECRET_LIMIT) {
        Err(io::Error::other("it is longer than 64 KiB"))
    } else {
        Ok(text)
    }
}

fn spans(read: &mut Read) {
    let s = &read.settings;
    let ms = |millis| Span(std::time::Duration::from_millis(millis));
    let (second, minute, hour, day) = (Span::seconds, Span::minutes, Span::hours, Span::days);
    let bounds = [
        ("tokens.access", s.tokens.access, minute(1), minute(60)),
        ("tokens.id", s.tokens.id, minute(1), hour(24)),
        ("tokens.refresh", s.tokens.refresh, hour(1), day(365)),
        ("tokens.refresh_repeat", s.tokens.refresh_repeat, second(0), second(60)),
        ("tokens.code", s.tokens.code, second(10), minute(10)),
        ("tokens.interaction", s.tokens.interaction, minute(1), hour(24)),
        ("sessions.idle", s.sessions.idle, minute(1), day(90)),
        ("sessions.absolute", s.sessions.absolute, minute(5), day(365)),
        ("registration.unused_after", s.registration.unused_after, day(1), day(3_650)),
        ("database.connect_timeout", s.database.connect_timeout, second(1), minute(1)),
        ("database.checkout_timeout", s.database.checkout_timeout, ms(100), minute(1)),
        ("database.statement_timeout", s.database.statement_timeout, ms(100), minute(5)),
        ("redis.timeout", s.redis.timeout, ms(50), second(30)),
        ("outbound.timeout", s.outbound.timeout, second(1), minute(1)),
        ("http.head_timeout", s.http.head_timeout, second(1), minute(5)),
        ("http.body_timeout", s.http.body_timeout, second(1), minute(5)),
        ("http.request_timeout", s.http.request_timeout, second(1), minute(10)),
        ("http.keep_alive", s.http.keep_alive, second(1), minute(10)),
        ("http.drain", s.http.drain, second(0), minute(5)),
        ("http.shutdown_timeout", s.http.shutdown_timeout, second(0), minute(10)),
    ];
    for (path, value, least, most) in bounds {
        if value < least || value > most {
            wrong(read, path, &format!("{value} is out of bounds; write {least} to {most}"));
        }
    }
}

fn numbers(read: &mut Read) {
    let s = &read.settings;
    let bounds = [
        ("database.pool_size", s.database.pool_size, 1, 200),
        ("http.workers", s.http.workers.unwrap_or(1), 1, 1024),
        ("hashing.memory_kib", s.hashing.memory_kib, 8, 1_048_576),
        ("hashing.iterations", s.hashing.iterations, 1, 100),
        ("hashing.parallelism", s.hashing.parallelism, 1, 16),
        ("hashing.threads", s.hashing.threads.unwrap_or(1), 1, 1024),
        ("hashing.queue", s.hashing.queue, 1, 100_000),
        ("registration.max_clients", s.registration.max_clients, 1, 1_000_000),
        ("audit.retention_days", s.audit.retention_days, 1, 36_500),
        ("keys.rotation_days", s.keys.rotation_days, 0, 3_650),
    ];
    for (path, value, least, most) in bounds {
        if value < least || value > most {
            wrong(read, path, &format!("{value} is out of bounds; write {least} to {most}"));
        }
    }
}

/// Settings that must fit each other, and texts with a form of their own.
fn together(read: &mut Read) {
    let s = &read.settings;
    let mut wrongs: Vec<(&str, String)> = Vec::new();
    if s.sessions.absolute < s.sessions.idle {
        let message =
            format!("{} is less than sessions.idle ({}); make it longer", s.sessions.absolute, s.sessions.idle);
        wrongs.push(("sessions.absolute", message));
    }
    if s.hashing.memory_kib < 8 * s.hashing.parallelism.min(16) {
        let message = format!("write at least {}, 8 for each lane", 8 * s.hashing.parallelism.min(16));
        wrongs.push(("hashing.memory_kib", message));
    }
    match (&s.tls.cert, &s.tls.key) {
        (Some(_), None) => wrongs.push(("tls.cert", "tls.key is missing; give both".to_owned())),
        (None, Some(_)) => wrongs.push(("tls.key", "tls.cert is missing; give both".to_owned())),
        _ => {}
    }
    if s.tls.cert.is_some() && !s.issuer.starts_with("https://") {
        wrongs.push(("tls.cert", "Signet speaks https with it; give an issuer that begins with https://".to_owned()));
    }
    if s.registration.accounts == Some(Accounts::Domains) && s.registration.domains.is_empty() {
        wrongs.push(("registration.accounts", "registration.domains is empty; name the domains".to_owned()));
    }
    for domain in &s.registration.domains {
        let fine = domain.contains('.') && format!("a@{domain}").parse::<signet_identity::user::Email>().is_ok();
        if !fine {
            wrongs.push(("registration.domains", format!("{domain:?} is not a domain such as example.org")));
        }
    }
    if s.admin_email.parse::<signet_identity::user::Email>().is_err() {
        wrongs.push(("admin_email", format!("{:?} is not an email address", s.admin_email)));
    }
    let begins = |text: &SecretText, with: &[&str]| with.iter().any(|scheme| text.0.starts_with(scheme));
    if s.database.url.as_ref().is_some_and(|url| !begins(url, &["postgres://", "postgresql://"])) {
        wrongs.push(("database.url", "it must begin with postgres:// or postgresql://".to_owned()));
    }
    if s.redis.url.as_ref().is_some_and(|url| !begins(url, &["redis://", "rediss://", "unix://"])) {
        wrongs.push(("redis.url", "it must begin with redis:// or rediss://".to_owned()));
    }
    if let Err(error) = crate::telemetry::logs::parse_level(&s.log.level) {
        wrongs.push(("log.level", error.to_string()));
    }
    for (path, message) in wrongs {
        wrong(read, path, &message);
    }
}

/// OIDC Discovery §3: https without query or fragment; http on this machine only.
fn parse_issuer(text: &str) -> Result<(String, Url), String> {
    let url = Url::parse(text).map_err(|_| format!("{text:?} is not a URL such as https://id.example.org"))?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("it must not have a query, a fragment or a user name".to_owned());
    }
    if url.path() != "/" {
        return Err("it must not have a path: give Signet a host name of its own".to_owned());
    }
    match url.scheme() {
        "https" if url.host().is_some() => {}
        "http" if is_loopback_host(&url) => {}
        "http" => {
            return Err(format!("{text} is http and not on this machine; use https (http is for localhost only)"));
        }
        _ => return Err(format!("{text} must begin with https://")),
    }
    Ok((url.as_str().trim_end_matches('/').to_owned(), url))
}

/// In development and with a certificate the issuer's own port on loopback; behind a proxy 8080 on loopback.
fn default_bind(issuer: Option<&Url>, tls: bool) -> SocketAddr {
    if tls && let Some(issuer) = issuer.filter(|url| url.scheme() == "https") {
        return SocketAddr::from(([127, 0, 0, 1], issuer.port_or_known_default().unwrap_or(443)));
    }
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
