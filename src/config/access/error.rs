//! What can be wrong with the settings of access.

use std::io;
use std::path::PathBuf;

use crate::access::certificate::CertificateError;
use crate::access::key::KeyError;
use crate::config::place::Place;

/// What is wrong with these settings.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file that cannot be read.
    #[error("file {} given by {place} could not be read: {error}", path.display())]
    Read {
        /// Where it was given.
        place: Place,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file that holds no key.
    #[error("{error} in the file given by {place}")]
    Key {
        /// Where it was given.
        place: Place,
        /// What is wrong with it.
        error: KeyError,
    },
    /// Tokens are to be checked, and something for it is missing.
    #[error("tokens cannot be checked without {what}")]
    Incomplete {
        /// What is missing.
        what: &'static str,
        /// How to give it.
        hint: &'static str,
    },
    /// A certificate without its key, or the other way round.
    #[error("{place} given without --{other}")]
    Half {
        /// What was given.
        place: Place,
        /// The flag of what was not.
        other: String,
    },
    /// Two files that are no certificate with its key.
    #[error("{error} (--tls-cert, --tls-key)")]
    Certificate {
        /// What is wrong with them.
        error: CertificateError,
    },
    /// Something about tokens, while none are asked for.
    #[error("{place} given, but no token is asked for")]
    Unused {
        /// Where it was given.
        place: Place,
    },
}

impl AccessError {
    /// What to do about it, as a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            AccessError::Read { .. } => "Check the path, and who may read the file.",
            AccessError::Key { error, .. } => error.hint(),
            AccessError::Incomplete { hint, .. } => hint,
            AccessError::Half { .. } => "Give both, or neither.",
            AccessError::Certificate { error } => error.hint(),
            AccessError::Unused { .. } => "Add --auth jwt, or leave it out.",
        }
    }
}
