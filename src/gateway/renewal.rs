//! SIGHUP: certificate, keys and passwords are read anew while streams go on.
//! What cannot be read is said, and what was good stays in force.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::{info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::access::key::KeySet;
use crate::config::Config;
use crate::config::access::renewed_key;
use crate::config::upstream::Upstream;
use crate::http::keyring::Keyring;
use crate::http::tls::Certificate;

/// The signals that people send to a server and that would end the process if
/// nobody took them. One that comes before it is waited for is not lost.
pub struct Nudges {
    hangup: Signal,
    user1: Signal,
    user2: Signal,
}

impl Nudges {
    /// From now on these signals end nothing, for as long as the process lives.
    pub fn new() -> io::Result<Self> {
        Ok(Nudges {
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for the next one that means something.
    pub async fn next(&mut self) {
        loop {
            let name = tokio::select! {
                _ = self.hangup.recv() => return,
                _ = self.user1.recv() => "SIGUSR1",
                _ = self.user2.recv() => "SIGUSR2",
            };
            info!("{name} means nothing here; SIGHUP has files and settings read anew");
        }
    }
}

/// What is read anew though no setting changes.
#[derive(Clone)]
pub struct Files {
    /// What browsers are shown over TLS.
    certificate: Option<Arc<Certificate>>,
    /// What tokens are verified with.
    pub keys: Option<Arc<Keyring>>,
    /// The file with a key of its own.
    pub key_file: Option<PathBuf>,
    /// What is connected to.
    upstream: Upstream,
}

impl Files {
    /// Those that a configuration names.
    pub fn of(
        config: &Config,
        certificate: Option<Arc<Certificate>>,
        keys: Option<Arc<Keyring>>,
    ) -> Self {
        let tokens = config.access.tokens.as_ref();
        Files {
            certificate,
            keys,
            key_file: tokens.and_then(|tokens| tokens.key_file.clone()),
            upstream: config.upstream.clone(),
        }
    }

    /// From now on the key is the one that these settings name, as it was read with
    /// them.
    pub fn take(&mut self, config: &Config) {
        if let (Some(tokens), Some(keys)) = (&config.access.tokens, &self.keys) {
            self.key_file.clone_from(&tokens.key_file);
            keys.replace_own(tokens.key.clone().map(KeySet::of).unwrap_or_default());
        }
    }

    /// Reads all of them. Each counts by itself: a certificate that was renewed is
    /// shown though another file is damaged.
    pub fn renew(&self) {
        if let Some(certificate) = &self.certificate {
            certificate.reload();
        }
        if let (Some(keys), Some(path)) = (&self.keys, &self.key_file) {
            renew_key(keys, path);
        }
        renew_upstream(&self.upstream);
    }
}

fn renew_key(keys: &Keyring, path: &Path) {
    match renewed_key(path) {
        Ok(key) => {
            keys.replace_own(KeySet::of(key));
            info!("key for tokens read anew");
        }
        Err(error) => warn!("the key for tokens stays as it is: {error}"),
    }
}

/// The next connection to the upstream takes what was read.
fn renew_upstream(upstream: &Upstream) {
    if !upstream.has_files() {
        return;
    }
    let errors = upstream.renew();
    if errors.is_empty() {
        info!("files of the upstream's connections read anew");
    }
    for error in errors {
        warn!("what the upstream is connected with stays as it is: {error}");
    }
}
