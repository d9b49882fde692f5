//! `signet tls …`: works on files only, without configuration or database.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::command::Reply;
use crate::{
    entropy,
    tls::{
        Files,
        self_signed::{self, Order, SelfSignedError},
    },
};

/// `signet tls …`
#[derive(Debug, Subcommand)]
pub enum TlsCommand {
    /// Make a certificate that vouches for itself, and its key.
    SelfSigned(SelfSigned),
}

/// `signet tls self-signed`
#[derive(Debug, Args)]
pub struct SelfSigned {
    /// A host name or address it is good for; may be repeated.
    #[arg(long = "host", required = true, value_name = "NAME")]
    hosts: Vec<String>,
    /// The directory for tls.crt and tls.key.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
    /// How many days it is good.
    #[arg(long, default_value_t = 365, value_name = "N")]
    days: u32,
    /// Overwrite files that are there.
    #[arg(long)]
    force: bool,
}

impl TlsCommand {
    /// Carries it out.
    pub(super) fn run(self) -> Reply {
        let Self::SelfSigned(wanted) = self;
        match make(&wanted) {
            Ok(files) => done(&wanted, &files),
            Err(error) => Reply::failed("tls_self_signed", error),
        }
    }
}

fn make(wanted: &SelfSigned) -> Result<Files, SelfSignedError> {
    let turn = entropy::turn();
    let mut turn =
        turn.map_err(|error| SelfSignedError::Unwritable("a serial number".to_owned(), std::io::Error::other(error)))?;
    let order = Order { hosts: wanted.hosts.clone(), days: wanted.days };
    let pair = self_signed::make(&order, turn.now(), u64::from_be_bytes(turn.bytes()))?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&wanted.out)
        .map_err(|error| SelfSignedError::Unwritable(wanted.out.display().to_string(), error))?;
    let out = wanted.out.canonicalize().unwrap_or_else(|_| wanted.out.clone());
    let files = Files { cert: out.join("tls.crt"), key: out.join("tls.key") };
    self_signed::write(&pair, &files, wanted.force)?;
    Ok(files)
}

fn done(wanted: &SelfSigned, files: &Files) -> Reply {
    let show = |path: &Path| path.display().to_string();
    let (cert, key) = (show(&files.cert), show(&files.key));
    let host = wanted.hosts.first().map_or("localhost", String::as_str);
    let (host, everywhere) =
        if host.contains(':') { (format!("[{host}]"), "[::]") } else { (host.to_owned(), "0.0.0.0") };
    let text = format!(
        "Made {cert}\n     {key}   (readable by you only)\n\nServe with it:\n  SIGNET_ISSUER=https://{host} \
         SIGNET_BIND={everywhere}:443 SIGNET_TLS__CERT={cert} SIGNET_TLS__KEY={key}\nNobody trusts it by itself: give {cert} to the clients that \
         should.",
    );
    Reply::done(text, json!({ "cert": cert, "key": key, "hosts": wanted.hosts, "days": wanted.days }))
}
