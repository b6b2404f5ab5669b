//! Reading the files of an upstream anew: its password, its CAs, the client's
//! certificate and key.

use postgres::config::SslNegotiation;

use super::files::{self, FileProblem};
use super::{PasswordSource, Upstream, passwords_in, tls};
use crate::config::error::ConfigError;
use crate::connection::{Credentials, Passwords, ReadPasswords};

/// What could not be read, or says nothing for this upstream.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The files of TLS.
    #[error(transparent)]
    Tls(Box<ConfigError>),
    /// The file of the password.
    #[error("file {} {problem}", path.display())]
    Password {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// The command that prints the password.
    #[error("the password command {problem}")]
    Command {
        /// What came of it.
        problem: String,
    },
    /// No line of the password file is for this upstream.
    #[error("file {} has no password for the upstream any more", path.display())]
    NoLine {
        /// The file.
        path: std::path::PathBuf,
    },
}

impl Upstream {
    /// Whether there is a file to read anew.
    pub fn has_files(&self) -> bool {
        let of_tls = ["sslrootcert", "sslcert", "sslkey"];
        self.source != PasswordSource::Fixed
            || of_tls.iter().any(|key| self.parameter(key).is_some())
    }

    /// Reads all files anew, for the connections to come, all clones'
    /// included. What cannot be read stays as it is.
    pub fn renew(&self) -> Vec<RenewalError> {
        let mut errors = Vec::new();
        let known = self.credentials.get();
        let had_any = known.passwords.iter().any(Option::is_some);
        let passwords = match self.passwords().read_files(had_any) {
            Ok(Some(passwords)) => passwords,
            Ok(None) => known.passwords.clone(),
            Err(error) => {
                errors.push(error);
                known.passwords.clone()
            }
        };
        let direct = self.config.get_ssl_negotiation() == SslNegotiation::Direct;
        let is_off = self.ours.is_empty();
        let tls = match tls::read(&self.ours, direct, &self.place) {
            // An address of our own making is without TLS.
            Ok(_) if is_off => known.tls.clone(),
            Ok(tls) => tls,
            Err(error) => {
                errors.push(RenewalError::Tls(Box::new(error)));
                known.tls.clone()
            }
        };
        self.credentials.replace(Credentials { passwords, tls });
        errors
    }

    /// Where the passwords are read anew.
    pub(super) fn passwords(&self) -> PasswordPlace {
        PasswordPlace {
            source: self.source.clone(),
            config: self.config.clone(),
        }
    }
}

/// Where the passwords of an upstream are read.
pub(super) struct PasswordPlace {
    source: PasswordSource,
    /// Names the hosts, the database and the user.
    config: postgres::Config,
}

impl ReadPasswords for PasswordPlace {
    fn read(&self, known: &Passwords) -> Result<Option<Passwords>, String> {
        let is_lasting = match &self.source {
            PasswordSource::File(path) | PasswordSource::Passfile(path) => files::is_lasting(path),
            PasswordSource::Fixed | PasswordSource::Command(_) => true,
        };
        match is_lasting {
            true => self
                .read_files(known.iter().any(Option::is_some))
                .map_err(|error| error.to_string()),
            false => Ok(None),
        }
    }
}

impl PasswordPlace {
    fn read_files(&self, had_any: bool) -> Result<Option<Passwords>, RenewalError> {
        match &self.source {
            PasswordSource::Fixed => Ok(None),
            PasswordSource::File(path) => {
                let password = files::password(path).map_err(|problem| {
                    let path = path.clone();
                    RenewalError::Password { path, problem }
                })?;
                Ok(Some(self.of_all_hosts(password)))
            }
            PasswordSource::Command(command) => {
                let password = command.password();
                let password = password.map_err(|problem| RenewalError::Command { problem })?;
                Ok(Some(self.of_all_hosts(password)))
            }
            PasswordSource::Passfile(path) => {
                let text = match files::passfile(path) {
                    Ok(text) => text,
                    // The one in the home directory need not be there.
                    Err(FileProblem::Read(_)) if !had_any => return Ok(None),
                    Err(problem) => {
                        let path = path.clone();
                        return Err(RenewalError::Password { path, problem });
                    }
                };
                let passwords = passwords_in(&self.config, &text);
                match (passwords.iter().any(Option::is_some), had_any) {
                    (true, _) => Ok(Some(passwords)),
                    (false, false) => Ok(None),
                    (false, true) => Err(RenewalError::NoLine { path: path.clone() }),
                }
            }
        }
    }
    fn of_all_hosts(&self, password: String) -> Passwords {
        vec![Some(password.into_bytes()); self.config.get_hosts().len()]
    }
}
