//! Unpacks a stream that is compressed with a dictionary (RFC 9842) as it comes, by code
//! that knows nothing of the gateway's.

use std::fmt;
use std::io::{Error, Result, Write as _};

use sha2::{Digest as _, Sha256};
use zstd::stream::write::Decoder;

/// What a stream begins with, before the hash of its dictionary (RFC 9842, section 5): a
/// frame that is skipped.
const MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];

/// A stream, as far as it has come.
pub struct Frames {
    /// What is still to come of its head.
    head: Vec<u8>,
    decoder: Decoder<'static, Vec<u8>>,
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

impl Frames {
    /// By the dictionary of this text.
    pub fn with(text: &str) -> Self {
        let decoder = Decoder::with_dictionary(Vec::new(), text.as_bytes());
        Frames {
            head: [&MAGIC[..], &Sha256::digest(text)].concat(),
            decoder: decoder.expect("a decoder"),
        }
    }

    /// All that these bytes and those before say, at once: nothing may need what follows.
    pub fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (head, rest) = bytes.split_at(self.head.len().min(bytes.len()));
        if !self.head.starts_with(head) {
            return Err(Error::other("not the head with the dictionary's hash"));
        }
        self.head.drain(..head.len());
        self.decoder.write_all(rest)?;
        self.decoder.flush()?;
        Ok(std::mem::take(self.decoder.get_mut()))
    }

    /// Whether its head has come; it has no end of its own.
    pub fn has_begun(&self) -> bool {
        self.head.is_empty()
    }
}
