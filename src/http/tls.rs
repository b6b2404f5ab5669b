//! TLS to browsers: one certificate, which may change while we serve.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{info, warn};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::access::certificate::{CertificateError, Validity, certified};

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("could not read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// Two files that are no certificate with its key.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The library offers no version of TLS.
    #[error("TLS could not be set up")]
    Versions(#[source] rustls::Error),
}

/// The certificate and where it came from.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads both files.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let current = read(chain, key)?;
        Ok(Arc::new(Certificate {
            chain: chain.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(Arc::new(current)),
        }))
    }

    /// Reads both files anew, for connections to come; what is no good changes
    /// nothing.
    pub fn reload(&self) {
        match read(&self.chain, &self.key) {
            Ok(read) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(read);
                drop(current);
                info!("certificate read anew");
                self.warn_of_time();
            }
            Err(error) => warn!("the certificate stays as it is: {error}"),
        }
    }

    /// Warns if browsers refuse one of the certificates for its dates, or soon
    /// will.
    pub fn warn_of_time(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        for (at, certificate) in self.current().cert.iter().enumerate() {
            let Some(told) = Validity::of(certificate).and_then(|time| time.judge(now)) else {
                continue;
            };
            let which = match at {
                0 => "the certificate".to_owned(),
                at => format!("certificate {} of the chain", at.saturating_add(1)),
            };
            warn!(
                "{which} in {} {told}: renew it, then send SIGHUP",
                self.chain.display()
            );
        }
    }

    /// When browsers refuse the first of the certificates, since 1970.
    pub fn end(&self) -> Option<Duration> {
        let all = self.current();
        let ends = all.cert.iter().filter_map(|it| Validity::of(it));
        ends.map(|validity| validity.end).min()
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// What a listener needs. `connection` adds the protocols (ALPN).
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?
            .with_no_client_auth();
        let resolver: Arc<Certificate> = Arc::clone(self);
        Ok(config.with_cert_resolver(resolver))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| TlsError::Read {
            path: path.to_owned(),
            error,
        })
    };
    Ok(certified(&read(chain)?, &read(key)?)?)
}
