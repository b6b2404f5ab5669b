//! What a connection proves itself by. It is read from files that may change
//! while we run, so it stands apart from what stays as it was given.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use postgres::Config;

use super::tls::Tls;

/// Passwords and certificates. No `Debug`: they are secret.
#[derive(Clone)]
pub struct Credentials {
    /// The password of each host, in their order.
    pub passwords: Passwords,
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

/// The password of each host, in their order.
pub type Passwords = Vec<Option<Vec<u8>>>;

/// Where passwords are read before each connection, since they may have changed:
/// a file, or a command.
pub trait ReadPasswords: Send + Sync {
    /// Reads them; `None` where they are as before, and an error in words that
    /// hold no secret. `known` are those of the connection before.
    fn read(&self, known: &Passwords) -> Result<Option<Passwords>, String>;
}

/// The credentials that are in force; all clones see what is put in their
/// place. Cheap to clone.
#[derive(Clone)]
pub struct Current(Arc<Inner>);

struct Inner {
    credentials: RwLock<Arc<Credentials>>,
    /// Why the passwords could not be read the last time; empty if they could.
    unread: Mutex<String>,
}

impl Current {
    /// These, for now.
    pub fn new(credentials: Credentials) -> Self {
        Current(Arc::new(Inner {
            credentials: RwLock::new(Arc::new(credentials)),
            unread: Mutex::default(),
        }))
    }

    /// Those in force.
    pub fn get(&self) -> Arc<Credentials> {
        let current = self.0.credentials.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Those for a connection that is made now. Where the passwords cannot be
    /// read, the last that were good are in force, and the log says so once; an
    /// error, if there are none.
    pub(super) fn read_by(&self, reader: &dyn ReadPasswords) -> Result<Arc<Credentials>, String> {
        let known = self.get();
        let read = reader.read(&known.passwords);
        let problem = read.as_ref().err().cloned().unwrap_or_default();
        let is_news = self.note(&problem);
        match read {
            Ok(Some(passwords)) if passwords != known.passwords => {
                self.replace_passwords(passwords);
                Ok(self.get())
            }
            Ok(_) => Ok(known),
            Err(problem) if known.passwords.iter().all(Option::is_none) => Err(problem),
            Err(problem) => {
                if is_news {
                    log::warn!("the upstream's password stays as it was: {problem}");
                }
                Ok(known)
            }
        }
    }

    /// Keeps what was wrong with the passwords; whether it is news.
    fn note(&self, problem: &str) -> bool {
        let mut unread = self.0.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *unread != problem;
        problem.clone_into(&mut unread);
        is_news
    }

    /// Puts others in their place, for the connections to come.
    pub fn replace(&self, credentials: Credentials) {
        let current = self.0.credentials.write();
        *current.unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
    }

    /// The same for the passwords alone.
    pub fn replace_passwords(&self, passwords: Passwords) {
        let current = self.0.credentials.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        let tls = current.tls.clone();
        *current = Arc::new(Credentials { passwords, tls });
    }
}
