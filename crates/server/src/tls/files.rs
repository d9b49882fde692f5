//! The files of certificate and key: reading them, and saying what is wrong with them.

use std::{
    fmt, fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, TimeDelta, Utc};
use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    error::ErrorStack,
    x509::X509,
};
use rustls::{
    CertificateError, Error as RustlsError, RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use crate::{config::settings, entropy};

/// A certificate that ends sooner than this is worth a warning.
pub const SOON: TimeDelta = TimeDelta::days(30);

/// No certificate file and no key file is larger, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `tls.cert`: the certificate, then the rest of its chain, as PEM.
    pub cert: PathBuf,
    /// `tls.key`: its private key, as PEM.
    pub key: PathBuf,
}

/// What tells one version of the files from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([(Option<SystemTime>, u64, u64); 2]);

/// A setting of which the file is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// `tls.cert`.
    Cert,
    /// `tls.key`.
    Key,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cert => "tls.cert",
            Self::Key => "tls.key",
        })
    }
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting} ({}): {problem}", .path.display())]
pub struct TlsError {
    /// Which setting.
    pub setting: Setting,
    /// The file it names.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("cannot be read: {0}; name a file that this user may read")]
    Unreadable(io::Error),
    /// It is far too large.
    #[error("is larger than 1 MiB; name the PEM file itself")]
    TooLarge,
    /// No certificate in it.
    #[error("holds no certificate in PEM form; convert it with `openssl x509 -in FILE -inform DER`")]
    NoCertificate,
    /// A certificate that cannot be read.
    #[error("holds a certificate that cannot be read: {0}")]
    BadCertificate(String),
    /// No private key in it.
    #[error("holds no private key in PEM form (PKCS#8, PKCS#1 or SEC1)")]
    NoKey,
    /// The key needs a pass phrase.
    #[error("is encrypted; take the pass phrase off with `openssl pkey -in FILE -out NEW` and protect it by its mode")]
    Encrypted,
    /// A key that cannot be used.
    #[error("holds a key that cannot be used: {0}; use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more")]
    BadKey(String),
    /// Key and certificate are not a pair.
    #[error("is not the key of the certificate in {}; the certificate comes first in its file, then its chain", .0.display())]
    OtherKey(PathBuf),
}

/// Certificate and key that go together.
pub struct Loaded {
    /// For the listener.
    pub key: CertifiedKey,
    /// What the certificate says.
    pub facts: Facts,
    files: Files,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From when on it is good.
    pub not_before: DateTime<Utc>,
    /// Until when.
    pub not_after: DateTime<Utc>,
    /// Whether it vouches for itself.
    pub self_signed: bool,
    /// The mode of the key's file.
    pub key_mode: u32,
}

impl Files {
    /// The files that the settings name; none where a proxy does TLS.
    pub fn of(settings: &settings::Tls) -> Option<Self> {
        Some(Self { cert: settings.cert.clone()?, key: settings.key.clone()? })
    }

    /// What the files look like now; none while one is away.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let look = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.modified().ok(), found.len(), found.ino()))
        };
        Some(Stamp([look(&self.cert)?, look(&self.key)?]))
    }

    /// What is wrong with them, each file by itself and then both together.
    pub fn mistakes(&self) -> Vec<TlsError> {
        let cert = read(&self.cert).and_then(|bytes| certificates(&bytes).map(drop)).err();
        let key = read(&self.key).and_then(|bytes| private_key(&bytes).map(drop)).err();
        let cert = cert.map(|problem| TlsError { setting: Setting::Cert, path: self.cert.clone(), problem });
        let key = key.map(|problem| TlsError { setting: Setting::Key, path: self.key.clone(), problem });
        let found: Vec<TlsError> = cert.into_iter().chain(key).collect();
        if found.is_empty() { self.load().err().into_iter().collect() } else { found }
    }

    /// Reads both and checks that they go together.
    pub fn load(&self) -> Result<Loaded, TlsError> {
        let wrong = |setting, problem| {
            let path = if setting == Setting::Cert { &self.cert } else { &self.key };
            TlsError { setting, path: path.clone(), problem }
        };
        let bytes = read(&self.cert).map_err(|problem| wrong(Setting::Cert, problem))?;
        let (chain, first) = certificates(&bytes).map_err(|problem| wrong(Setting::Cert, problem))?;
        let bytes = read(&self.key).map_err(|problem| wrong(Setting::Key, problem))?;
        let private = private_key(&bytes).map_err(|problem| wrong(Setting::Key, problem))?;
        let key = CertifiedKey::from_der(chain, private, &super::provider()).map_err(|error| match error {
            RustlsError::InconsistentKeys(_) => wrong(Setting::Key, Problem::OtherKey(self.cert.clone())),
            RustlsError::InvalidCertificate(error) => {
                wrong(Setting::Cert, Problem::BadCertificate(format!("{error:?}")))
            }
            error => wrong(Setting::Key, Problem::BadKey(error.to_string())),
        })?;
        let unreadable = |error: ErrorStack| wrong(Setting::Cert, Problem::BadCertificate(first_reason(&error)));
        let facts = Facts {
            not_before: time(first.not_before()).map_err(unreadable)?,
            not_after: time(first.not_after()).map_err(unreadable)?,
            self_signed: first.public_key().and_then(|own| first.verify(&own)).unwrap_or(false),
            key_mode: fs::metadata(&self.key).map_or(0, |found| found.permissions().mode() & 0o777),
        };
        Ok(Loaded { key, facts, files: self.clone() })
    }
}

impl Loaded {
    /// Whether the certificate is for this host name or address.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let Ok(name) = ServerName::try_from(host) else { return false };
        let parsed = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }

    /// Whether the file's chain leads to one of these authorities.
    pub fn leads_to(&self, roots: &RootCertStore, now: DateTime<Utc>) -> Result<(), CertificateError> {
        let verify = || {
            let parsed = self.key.end_entity_cert().and_then(ParsedCertificate::try_from)?;
            let rest = self.key.cert.get(1..).unwrap_or_default();
            let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
            let algorithms = super::provider().signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, rest, now, algorithms)
        };
        verify().map_err(|error| match error {
            RustlsError::InvalidCertificate(error) => error,
            _ => CertificateError::BadEncoding,
        })
    }

    /// Logs what does not keep it from serving.
    pub(super) fn warn(&self) {
        let now = entropy::now();
        let (cert, key) = (self.files.cert.display(), self.files.key.display());
        let until = self.facts.not_after.to_rfc3339();
        if self.facts.not_after <= now {
            tracing::warn!(%cert, %until, "the certificate has expired: clients will refuse it; renew it");
        } else if self.facts.not_after <= now + SOON {
            tracing::warn!(%cert, %until, "the certificate expires within 30 days; renew it");
        }
        if self.facts.not_before > now {
            let from = self.facts.not_before.to_rfc3339();
            tracing::warn!(%cert, %from, "the certificate is not good yet; check the clock of this machine");
        }
        if self.facts.key_mode & 0o077 != 0 {
            let mode = format!("{:o}", self.facts.key_mode);
            tracing::warn!(%key, mode, "others can read the private key; give it mode 600");
        }
    }
}

/// The certificates of a PEM file that names further authorities.
pub fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    certificates(&read(path)?).map(|(chain, _)| chain)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let length = fs::metadata(path).map_err(Problem::Unreadable)?.len();
    if length > LARGEST {
        return Err(Problem::TooLarge);
    }
    fs::read(path).map(Zeroizing::new).map_err(Problem::Unreadable)
}

/// All certificates, and the first one opened.
fn certificates(bytes: &[u8]) -> Result<(Vec<CertificateDer<'static>>, X509), Problem> {
    let bad = |text: String| Problem::BadCertificate(text);
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| bad(describe(&error)))?;
    let first = chain.first().ok_or(Problem::NoCertificate)?;
    let opened = X509::from_der(first).map_err(|error| bad(first_reason(&error)))?;
    Ok((chain, opened))
}

fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Problem> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Problem::Encrypted);
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => Problem::NoKey,
        error => Problem::BadKey(describe(&error)),
    })
}

/// Never the text of the file: it may be a key.
fn describe(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "the line -----END …----- is missing",
        pem::Error::IllegalSectionStart { .. } => "the line -----BEGIN …----- is malformed",
        pem::Error::Base64Decode(_) => "its base64 is damaged",
        _ => "it is not PEM",
    }
    .to_owned()
}

fn first_reason(error: &ErrorStack) -> String {
    error.errors().first().and_then(openssl::error::Error::reason).unwrap_or("it is damaged").to_owned()
}

fn time(time: &Asn1TimeRef) -> Result<DateTime<Utc>, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    Ok(DateTime::from_timestamp(seconds, 0).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::self_signed::{self, Order};

    fn made(folder: &Path, name: &str, days: u32) -> Files {
        let order = Order { hosts: vec!["id.example".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()], days };
        let pair = self_signed::make(&order, entropy::now(), 7).unwrap();
        let files = Files { cert: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
        self_signed::write(&pair, &files, false).unwrap();
        files
    }

    /// each wrong file is named with what is wrong with it, and never quoted.
    #[test]
    fn wrong_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (made(folder.path(), "one", 90), made(folder.path(), "other", 90));
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let secret = fs::read_to_string(&one.key).unwrap();
        let away = folder.path().join("away");
        let nonsense = put("nonsense", "hunter2");
        let cut = put("cut", secret.trim_end().trim_end_matches("-----END PRIVATE KEY-----"));
        let encrypted =
            put("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n");
        let damaged = put("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        for (cert, key, words) in [
            (&away, &one.key, ["tls.cert", "away", "cannot be read"]),
            (&nonsense, &one.key, ["tls.cert", "nonsense", "no certificate"]),
            (&damaged, &one.key, ["tls.cert", "damaged", "cannot be read"]),
            (&one.key, &one.key, ["tls.cert", "one.key", "no certificate"]),
            (&one.cert, &away, ["tls.key", "away", "cannot be read"]),
            (&one.cert, &nonsense, ["tls.key", "nonsense", "no private key"]),
            (&one.cert, &one.cert, ["tls.key", "one.crt", "no private key"]),
            (&one.cert, &cut, ["tls.key", "cut", "END"]),
            (&one.cert, &encrypted, ["tls.key", "encrypted", "openssl pkey"]),
            (&one.cert, &other.key, ["tls.key", "other.key", "one.crt"]),
        ] {
            let files = Files { cert: cert.clone(), key: key.clone() };
            let error = files.load().map(drop).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
    }

    /// names, dates, and who vouches.
    #[test]
    fn what_a_certificate_says() {
        let folder = tempfile::tempdir().unwrap();
        let loaded = made(folder.path(), "one", 90).load().unwrap();
        let left = loaded.facts.not_after - entropy::now();
        assert!(loaded.facts.self_signed && left.num_days() == 89 && loaded.facts.key_mode == 0o600, "{left}");
        for (host, covered) in
            [("id.example", true), ("127.0.0.1", true), ("[::1]", true), ("other.example", false), ("", false)]
        {
            assert_eq!(loaded.covers(host), covered, "{host}");
        }
        let mut roots = RootCertStore::empty();
        assert!(loaded.leads_to(&roots, entropy::now()).is_err());
        roots.add(loaded.key.cert[0].clone()).unwrap();
        loaded.leads_to(&roots, entropy::now()).unwrap();
        assert!(loaded.leads_to(&roots, entropy::now() + TimeDelta::days(91)).is_err());
    }

    /// a bad new file changes nothing, a good one serves.
    #[test]
    fn reloading() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (made(folder.path(), "one", 90), made(folder.path(), "other", 90));
        let tls = super::super::Tls::load(&one).unwrap();
        let serves = || tls.served.load().cert[0].clone();
        let first = serves();
        tls.reload_changed();
        assert_eq!(serves(), first);
        fs::copy(&other.cert, &one.cert).unwrap();
        tls.reload_changed();
        assert_eq!(serves(), first, "the key is not there yet");
        fs::copy(&other.key, &one.key).unwrap();
        tls.reload_changed();
        assert_ne!(serves(), first);
        fs::remove_file(&one.key).unwrap();
        tls.reload_changed();
        assert!(tls.reload(&one).is_err());
        assert_ne!(serves(), first);
    }
}
