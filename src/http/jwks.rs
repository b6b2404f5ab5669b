//! Reads the issuer's key set, again and again: from a URL or a file.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::rt::time::{sleep, timeout};
use awc::{Client, Connector};
use log::{info, warn};
use rustls::{ClientConfig, RootCertStore};

use crate::access::key::{KeyError, KeySet};
use crate::limits::{JWKS_BYTES_MAX, JWKS_REFRESH, JWKS_RETRY, JWKS_TIMEOUT};

use super::keyring::Keyring;

/// Where the set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, which may hold secrets, too.
    File(PathBuf),
    /// A URL: https, or http on this machine.
    Url(String),
}

/// Why the set could not be read. No text here repeats the URL, which may carry
/// a secret of its own.
#[derive(Debug, thiserror::Error)]
enum JwksError {
    #[error("file could not be read: {0}")]
    File(std::io::Error),
    #[error("no answer: {0}")]
    Silent(String),
    #[error("no answer in {}", humantime::format_duration(JWKS_TIMEOUT))]
    Slow,
    #[error("answer is {0}, not 200")]
    Status(StatusCode),
    #[error("larger than {JWKS_BYTES_MAX} bytes, or cut off")]
    Body,
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// Keeps the keyring up to date for as long as it is polled. What was read last
/// stays in force while the source is out of reach.
pub async fn keep(keys: &Keyring, source: Source) {
    let mut known = None;
    loop {
        let pause = match read(&source).await {
            Ok(set) => {
                keys.replace(&set);
                if known != Some(set.len()) {
                    info!("{} keys for tokens read", set.len());
                    known = Some(set.len());
                }
                JWKS_REFRESH
            }
            Err(error) => {
                warn!("key set for tokens: {error}; trying again soon");
                JWKS_RETRY
            }
        };
        keys.reading_ended();
        wait(keys, pause).await;
    }
}

async fn wait(keys: &Keyring, pause: Duration) {
    tokio::select! {
        () = sleep(pause) => {}
        () = keys.wanted() => {}
    }
}

async fn read(source: &Source) -> Result<KeySet, JwksError> {
    match source {
        Source::File(path) => {
            let mut text = Vec::new();
            // One byte more tells a file that is too large from one that is not.
            let most = u64::try_from(JWKS_BYTES_MAX)
                .unwrap_or(u64::MAX)
                .saturating_add(1);
            std::fs::File::open(path)
                .and_then(|file| file.take(most).read_to_end(&mut text))
                .map_err(JwksError::File)?;
            if text.len() > JWKS_BYTES_MAX {
                return Err(JwksError::Body);
            }
            Ok(KeySet::from_jwks(&text, true)?)
        }
        Source::Url(url) => timeout(JWKS_TIMEOUT, fetch(url))
            .await
            .map_err(|_| JwksError::Slow)?,
    }
}

async fn fetch(url: &str) -> Result<KeySet, JwksError> {
    // Made anew each time: it is used once in minutes, and so sees what has
    // become of the machine's certificates.
    let client = Client::builder()
        .connector(Connector::new().rustls_0_23(Arc::new(tls())))
        .timeout(JWKS_TIMEOUT)
        // A redirect could lead to where nobody meant to trust.
        .disable_redirects()
        .finish();
    let mut response = client
        .get(url)
        .insert_header(("Accept", "application/json"))
        .send()
        .await
        .map_err(|error| JwksError::Silent(error.to_string()))?;
    if response.status() != StatusCode::OK {
        return Err(JwksError::Status(response.status()));
    }
    let body = response.body().limit(JWKS_BYTES_MAX).await;
    let text = body.map_err(|_| JwksError::Body)?;
    Ok(KeySet::from_jwks(&text, false)?)
}

/// The machine's own roots (SSL_CERT_FILE names others).
fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
