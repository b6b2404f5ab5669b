//! Unpacks a stream that is compressed with a dictionary (RFC 9842) as it comes.

use std::fmt;
use std::io::Write as _;

use viewcast::relay::event::dictionary::Dictionary;
use zstd::stream::write::Decoder;

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
    pub fn with(dictionary: &Dictionary) -> Self {
        let mut head = vec![0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];
        head.extend_from_slice(dictionary.hash());
        let text = dictionary.text().as_bytes();
        let decoder = Decoder::with_dictionary(Vec::new(), text).expect("a decoder");
        Frames { head, decoder }
    }

    /// Appends what these bytes stand for.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let (head, rest) = bytes.split_at(self.head.len().min(bytes.len()));
        if !self.head.starts_with(head) {
            return Err("not the head with the dictionary's hash".to_owned());
        }
        self.head.drain(..head.len());
        let taken = self.decoder.write_all(rest);
        let taken = taken.and_then(|()| self.decoder.flush());
        taken.map_err(|error| format!("what is compressed is malformed: {error}"))?;
        out.append(self.decoder.get_mut());
        Ok(())
    }

    /// Whether it has begun; it has no end of its own.
    pub fn is_whole(&self) -> bool {
        self.head.is_empty()
    }
}
