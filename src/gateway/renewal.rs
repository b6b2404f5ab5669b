//! SIGHUP: certificate, keys and passwords are read anew while streams go on.
//! What cannot be read is said, and what was good stays in force.

use std::io;
use std::sync::Arc;

use actix_web::rt::spawn;
use actix_web::rt::task::spawn_blocking;
use log::{info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::access::key::KeySet;
use crate::config::Config;
use crate::config::access::renewed_key;
use crate::config::upstream::Upstream;
use crate::http::policy::Policy;
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
    async fn next(&mut self) {
        loop {
            let name = tokio::select! {
                _ = self.hangup.recv() => return,
                _ = self.user1.recv() => "SIGUSR1",
                _ = self.user2.recv() => "SIGUSR2",
            };
            info!("{name} means nothing here; SIGHUP has files read anew");
        }
    }
}

/// Reads the files anew at each SIGHUP.
pub fn follow(
    mut nudges: Nudges,
    config: &Config,
    certificate: Option<Arc<Certificate>>,
    policy: Arc<Policy>,
) {
    let tokens = config.access.tokens.as_ref();
    let key_file = tokens.and_then(|tokens| tokens.key_file.clone());
    let upstream = config.upstream.clone();
    spawn(async move {
        loop {
            nudges.next().await;
            info!("SIGHUP: reading certificate, keys and passwords anew");
            let (certificate, policy) = (certificate.clone(), Arc::clone(&policy));
            let (key_file, upstream) = (key_file.clone(), upstream.clone());
            // A file may be on a disk that hangs, and the streams must not.
            let read = spawn_blocking(move || {
                if let Some(certificate) = certificate {
                    certificate.reload();
                }
                if let Some(path) = key_file {
                    renew_key(&policy, &path);
                }
                renew_upstream(&upstream);
                if let Some(tokens) = &policy.tokens {
                    tokens.keys.read_anew();
                }
            });
            if read.await.is_err() {
                warn!("the files could not be read anew");
            }
        }
    });
}

fn renew_key(policy: &Policy, path: &std::path::Path) {
    let Some(tokens) = &policy.tokens else { return };
    match renewed_key(path) {
        Ok(key) => {
            tokens.keys.replace_own(KeySet::of(key));
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
