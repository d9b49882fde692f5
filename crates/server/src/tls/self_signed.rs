//! `signet tls self-signed`: a certificate that vouches for itself, for trying things out and for private networks.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use openssl::{
    asn1::{Asn1Integer, Asn1Time},
    bn::BigNum,
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName},
    },
};
use rustls::pki_types::DnsName;
use zeroize::Zeroizing;

use super::Files;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Order {
    /// Host names and addresses it is good for; at least one.
    pub hosts: Vec<String>,
    /// How long, from now.
    pub days: u32,
}

/// A certificate and its key, as PEM.
pub struct Pair {
    /// The certificate.
    pub cert: Vec<u8>,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

/// Why none was made or written.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// Not a host name.
    #[error("--host: {0:?} is neither a host name such as id.example.org nor an address")]
    Host(String),
    /// Not a lifetime.
    #[error("--days must be between 1 and 3650")]
    Days,
    /// The cryptography.
    #[error("the certificate could not be made: {0}")]
    Crypto(#[from] ErrorStack),
    /// A file is there already.
    #[error("{0} exists already; choose another --out, or overwrite it with --force")]
    Exists(String),
    /// A file cannot be written.
    #[error("cannot write {0}: {1}")]
    Unwritable(String, io::Error),
}

/// Makes a key on P-256 and a certificate for it. `serial` is a random number.
pub fn make(order: &Order, now: DateTime<Utc>, serial: u64) -> Result<Pair, SelfSignedError> {
    let first = order.hosts.first().ok_or_else(|| SelfSignedError::Host(String::new()))?;
    if !(1..=3650).contains(&order.days) {
        return Err(SelfSignedError::Days);
    }
    let mut names = SubjectAlternativeName::new();
    for host in &order.hosts {
        if host.parse::<IpAddr>().is_ok() {
            names.ip(host);
        } else if DnsName::try_from(host.strip_prefix("*.").unwrap_or(host)).is_ok() {
            names.dns(host);
        } else {
            return Err(SelfSignedError::Host(host.clone()));
        }
    }
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let mut subject = X509NameBuilder::new()?;
    // RFC 5280: a common name has at most 64 characters; clients look at the alternative names only.
    subject.append_entry_by_text("CN", first.get(..64).unwrap_or(first))?;
    let subject = subject.build();
    // A minute in the past, for clients whose clock is behind.
    let at = |moment: DateTime<Utc>| Asn1Time::from_str_x509(&moment.format("%Y%m%d%H%M%SZ").to_string());
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*Asn1Integer::from_bn(&*BigNum::from_slice(&(serial >> 1).to_be_bytes())?)?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(&subject)?;
    builder.set_not_before(&*at(now - TimeDelta::minutes(1))?)?;
    builder.set_not_after(&*at(now + TimeDelta::days(i64::from(order.days)))?)?;
    builder.set_pubkey(&key)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let names = names.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok(Pair { cert: builder.build().to_pem()?, key: Zeroizing::new(key.private_key_to_pem_pkcs8()?) })
}

/// Writes both, each whole or not at all, the key readable by its owner only.
pub fn write(pair: &Pair, files: &Files, force: bool) -> Result<(), SelfSignedError> {
    for path in [&files.cert, &files.key] {
        if !force && path.exists() {
            return Err(SelfSignedError::Exists(path.display().to_string()));
        }
    }
    put(&files.key, &pair.key, 0o600, force)?;
    put(&files.cert, &pair.cert, 0o644, force)
}

fn put(path: &Path, bytes: &[u8], mode: u32, force: bool) -> Result<(), SelfSignedError> {
    let unwritable = |error| SelfSignedError::Unwritable(path.display().to_string(), error);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new.{}", std::process::id()));
    let aside = Path::new(&name);
    let placed = fill(aside, bytes, mode)
        .and_then(|()| if force { fs::rename(aside, path) } else { fs::hard_link(aside, path) });
    let _ = fs::remove_file(aside);
    placed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => SelfSignedError::Exists(path.display().to_string()),
        _ => unwritable(error),
    })
}

fn fill(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what cannot stand in a certificate is refused, and what is there stays.
    #[test]
    fn orders_that_are_refused() {
        let order = |host: &str, days| Order { hosts: vec![host.to_owned()], days };
        for bad in ["", "a b", "https://id.example", "id.example:443", "*.*.example", "-", "DNS:x,IP:1.1.1.1"] {
            assert!(make(&order(bad, 1), crate::entropy::now(), 1).is_err(), "{bad}");
        }
        for days in [0, 3651] {
            assert!(make(&order("id.example", days), crate::entropy::now(), 1).is_err(), "{days}");
        }
        let pair = make(&order("*.id.example", 1), crate::entropy::now(), u64::MAX).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = Files { cert: folder.path().join("a.crt"), key: folder.path().join("a.key") };
        write(&pair, &files, false).unwrap();
        assert!(write(&pair, &files, false).unwrap_err().to_string().contains("--force"));
        write(&pair, &files, true).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left aside");
        assert!(files.load().unwrap().covers("www.id.example"));
    }
}
