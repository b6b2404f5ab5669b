//! Why there is no connection, and what the operator can do about it.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use postgres::error::SqlState;
use rustls::{AlertDescription, CertificateError};

use super::dial::Undialed;
use super::scram::ScramError;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address names no host.
    #[error("the upstream's address names no host")]
    NoHost,
    /// Where the password comes from, it cannot be read.
    #[error("the upstream's password cannot be read: {0}")]
    Password(String),
    /// No connection to the only host.
    #[error("connecting to Materialize failed")]
    One(#[source] postgres::Error),
    /// No connection to the last of several hosts that was tried.
    #[error("connecting to Materialize at {host} failed")]
    OfSeveral {
        /// The host and its port.
        host: String,
        /// What happened.
        #[source]
        source: postgres::Error,
    },
    /// The address's host has no address of its own.
    #[error("looking up the upstream's host {host:?} failed")]
    Unresolved {
        /// As given.
        host: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The process, or the machine, has no file left for it.
    #[error("there is no file left for a connection to Materialize: {0}")]
    NoFiles(String),
    /// The server does not take one of the session's settings.
    #[error("setting {parameter} of the session failed")]
    Session {
        /// Which.
        parameter: &'static str,
        /// What the server says.
        #[source]
        source: postgres::Error,
    },
}

impl ConnectError {
    /// A failure with a host, which is named if it is one of several.
    pub(super) fn host(place: String, is_one_of_several: bool, why: Undialed) -> Self {
        match why {
            Undialed::Failed(source) if is_one_of_several => ConnectError::OfSeveral {
                host: place,
                source,
            },
            Undialed::Failed(source) => ConnectError::One(source),
            Undialed::Unresolved(source) => ConnectError::Unresolved {
                host: place,
                source,
            },
            Undialed::NoFiles(words) => ConnectError::NoFiles(words),
        }
    }

    fn cause(&self) -> Option<&postgres::Error> {
        match self {
            ConnectError::NoHost
            | ConnectError::Password(_)
            | ConnectError::Unresolved { .. }
            | ConnectError::NoFiles(_) => None,
            ConnectError::One(source)
            | ConnectError::OfSeveral { source, .. }
            | ConnectError::Session { source, .. } => Some(source),
        }
    }

    /// Whether the server knows who we are and does not let us in: SQLSTATE
    /// class 28, or it wants a password and there is none.
    pub fn is_refused_login(&self) -> bool {
        self.cause().is_some_and(is_refused_login)
    }

    /// Whether the gateway has no file left for it.
    pub fn is_without_files(&self) -> bool {
        matches!(self, ConnectError::NoFiles(_))
    }

    /// Whether there is no password to log in with.
    pub fn is_without_password(&self) -> bool {
        matches!(self, ConnectError::Password(_))
    }

    /// Whether a server that is well has no room for one more connection.
    pub fn is_no_room(&self) -> bool {
        let code = self.cause().and_then(postgres::Error::code);
        // A Materialize says the second, what is in front of it the first.
        let full = [
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::INSUFFICIENT_RESOURCES,
        ];
        code.is_some_and(|code| full.contains(code))
    }

    /// The error and its causes on one line, with what can be done about it.
    pub fn report(&self) -> String {
        format!("{}. {}", chain(self), self.hint())
    }

    /// What the operator can do.
    pub fn hint(&self) -> &'static str {
        if let ConnectError::Password(_) = self {
            return "Try what gives it as the gateway's user.";
        }
        if let ConnectError::NoFiles(_) = self {
            return HINT_OF_FILES;
        }
        if let ConnectError::Unresolved { .. } = self {
            return HINT_OF_ADDRESS;
        }
        let Some(cause) = self.cause() else {
            return "Name at least one host.";
        };
        if let ConnectError::Session { .. } = self {
            return "Check the name, and that this server has such a setting: clusters came with \
                Materialize 0.27, and before it the search path is fixed.";
        }
        if is_password_missing(cause) {
            return "The server asks for a password: give one by --password-file, \
                --password-command, PGPASSWORD or PGPASSFILE.";
        }
        if is_refused_login(cause) {
            return "Check the user and the password; it is taken from the address, \
                --password-file or --password-command, PGPASSWORD or the password file of \
                PGPASSFILE, the first that gives one.";
        }
        if self.is_no_room() {
            return "The server has as many connections as it allows: raise its max_connections \
                (ALTER SYSTEM SET max_connections), or let others go.";
        }
        if says(cause, "server does not support TLS") {
            return "The server has no TLS: sslmode=prefer goes on without, sslmode=disable does \
                not ask.";
        }
        if let Some(error) = cause_of::<ScramError>(cause) {
            return hint_of_scram(error);
        }
        match cause_of(cause) {
            Some(error) => hint_of_tls(error),
            None => HINT_OF_ADDRESS,
        }
    }
}

const HINT_OF_ADDRESS: &str = "Check the upstream's address and that it is up.";
const HINT_OF_FILES: &str = "Raise the limit of open files (ulimit -n, LimitNOFILE=), or stream \
    fewer views.";

fn hint_of_scram(error: &ScramError) -> &'static str {
    match error {
        ScramError::NoMechanism => "Here, SCRAM-SHA-256 is known, and passwords in the clear.",
        ScramError::NoBinding => {
            "Leave channel_binding=require out of the address, or use TLS and a server that binds."
        }
        ScramError::Iterations(_) => {
            "Lower scram_iterations on the server, and set the role's password anew."
        }
        ScramError::Malformed | ScramError::Unproven | ScramError::Refused(_) => {
            "Check that the address is that of the server you mean."
        }
    }
}

fn hint_of_tls(error: &rustls::Error) -> &'static str {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "The server's certificate is not from a CA that is trusted: give the CA's certificate \
             by sslrootcert=FILE in the upstream's address."
        }
        Tls::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "Renew the server's certificate, or set the clock of this machine right.",
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            "Connect by a name that the certificate is for; sslmode=verify-ca does not look at \
             the name."
        }
        Tls::InvalidCertificate(_) => {
            "The server needs a certificate of its own that a CA has signed."
        }
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => {
            "The server may want a client's certificate: give sslcert=FILE and sslkey=FILE, of a \
             CA that it trusts, in the upstream's address."
        }
        _ => "Check that this port speaks TLS for PostgreSQL, version 1.2 or later.",
    }
}

fn is_refused_login(error: &postgres::Error) -> bool {
    let refused = error
        .code()
        .is_some_and(|code| code.code().starts_with("28"));
    refused || is_password_missing(error)
}

fn is_password_missing(error: &postgres::Error) -> bool {
    says(error, "password missing")
}

/// Whether the cause of an error is this text, as the crate has it.
fn says(error: &postgres::Error, text: &str) -> bool {
    error
        .source()
        .is_some_and(|cause| cause.to_string() == text)
}

/// Whether TLS is what failed.
pub(super) fn is_of_tls(error: &postgres::Error) -> bool {
    cause_of::<rustls::Error>(error).is_some() || error.to_string().contains("TLS handshake")
}

/// The error of a kind among the causes of an error.
pub(super) fn cause_of<E: Error + 'static>(error: &postgres::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // One that is wrapped into an error of I/O is not among its causes.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
