//! TLS by the server itself: TLS 1.2 with forward-secret AEAD suites and 1.3, HTTP/1.1 and HTTP/2.
//!
//! The certificate stands behind a pointer: [`Tls::reload`] reads the files again, a good pair serves from the next
//! handshake on, a bad one changes nothing. Connections that are open stay.

pub mod files;
pub mod self_signed;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use files::Stamp;
pub use files::{Files, Loaded, TlsError};

/// The certificate that serves, and where it comes from.
pub struct Tls {
    served: ArcSwap<CertifiedKey>,
    source: Mutex<Source>,
}

/// The files, and what they looked like when they were last read.
struct Source {
    files: Files,
    seen: Option<Stamp>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// The cryptography: ring.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Tls {
    /// Reads certificate and key, and logs what will become a problem.
    pub fn load(files: &Files) -> Result<Arc<Self>, TlsError> {
        let seen = files.stamp();
        let loaded = files.load()?;
        loaded.warn();
        let source = Mutex::new(Source { files: files.clone(), seen });
        Ok(Arc::new(Self { served: ArcSwap::from_pointee(loaded.key), source }))
    }

    /// Reads the files, or others from now on, and serves what they hold. An error leaves everything as it was.
    pub fn reload(&self, files: &Files) -> Result<(), TlsError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = files.stamp();
        let loaded = files.load()?;
        loaded.warn();
        self.served.store(Arc::new(loaded.key));
        *source = Source { files: files.clone(), seen };
        tracing::info!(until = %loaded.facts.not_after.to_rfc3339(), "a new certificate serves");
        Ok(())
    }

    /// Reads the files where they changed since they were last looked at. To be called every few seconds.
    pub fn reload_changed(&self) {
        let (files, changed) = {
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            let now = source.files.stamp();
            // Files that are away, perhaps just being replaced, are no change.
            let changed = now.is_some() && now != source.seen;
            if changed {
                source.seen = now;
            }
            (source.files.clone(), changed)
        };
        if changed && let Err(error) = self.reload(&files) {
            tracing::error!(%error, "the changed certificate is not used; the one from before serves on");
        }
    }

    /// What the listener needs. The server itself names the protocols.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.ignore_client_order = true;
        Ok(config)
    }
}

/// Hands the certificate of the moment to each handshake.
struct Resolver(Arc<Tls>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver(…)")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.served.load_full())
    }
}
