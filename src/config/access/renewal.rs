//! The file of a key, read at the start and whenever that is asked for.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::access::key::{Key, KeyError};
use crate::limits;

/// The bytes of a file with a key.
pub(super) fn key_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(limits::KEY_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a key that was good cannot be read anew.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The file cannot be read.
    #[error("file {} could not be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// It holds no key.
    #[error("{error} in the file {}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
}

/// The key of a file, read anew.
pub fn renewed_key(path: &Path) -> Result<Key, RenewalError> {
    let path = path.to_owned();
    match key_file(&path) {
        Err(error) => Err(RenewalError::Read { path, error }),
        Ok(text) => Key::from_file(&text).map_err(|error| RenewalError::Key { path, error }),
    }
}
