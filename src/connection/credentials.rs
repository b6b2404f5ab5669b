//! What a connection proves itself by. It is read from files that may change
//! while we run, so it stands apart from what stays as it was given.

use std::sync::{Arc, PoisonError, RwLock};

use postgres::Config;

use super::tls::Tls;

/// Passwords and certificates. No `Debug`: they are secret.
#[derive(Clone)]
pub struct Credentials {
    /// The password of each host, in their order.
    pub passwords: Vec<Option<Vec<u8>>>,
    /// TLS, with the client's own certificate and the CAs that are trusted.
    pub tls: Tls,
}

impl Credentials {
    /// The configuration of the host at this place, with its credentials.
    pub(super) fn complete(&self, host: &Config, at: usize) -> Config {
        let mut host = host.clone();
        if let Some(Some(password)) = self.passwords.get(at) {
            host.password(password);
        }
        host.ssl_mode(self.tls.negotiated());
        host
    }
}

/// The credentials that are in force; all clones see what is put in their
/// place. Cheap to clone.
#[derive(Clone)]
pub struct Current(Arc<RwLock<Arc<Credentials>>>);

impl Current {
    /// These, for now.
    pub fn new(credentials: Credentials) -> Self {
        Current(Arc::new(RwLock::new(Arc::new(credentials))))
    }

    /// Those in force.
    pub fn get(&self) -> Arc<Credentials> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// Puts others in their place, for the connections to come.
    pub fn replace(&self, credentials: Credentials) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(credentials);
    }
}
