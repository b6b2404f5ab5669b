//! Unpacks a gzip stream (RFC 1952) as it comes, and looks at its end.

use std::fmt;

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// What a stream without a name and extra fields begins with.
const HEAD_BYTES: usize = 10;

/// A sum and a length.
const END_BYTES: usize = 8;

pub struct Gunzip {
    head: Vec<u8>,
    inflate: Decompress,
    sum: Crc,
    end: Option<Vec<u8>>,
}

impl Default for Gunzip {
    fn default() -> Self {
        Gunzip {
            head: Vec::new(),
            inflate: Decompress::new(false),
            sum: Crc::new(),
            end: None,
        }
    }
}

impl fmt::Debug for Gunzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gunzip").finish_non_exhaustive()
    }
}

impl Gunzip {
    /// Appends what these bytes stand for.
    pub fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let missing = (HEAD_BYTES - self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(missing);
        self.head.extend_from_slice(head);
        bytes = rest;
        if self.head.len() == HEAD_BYTES && !self.head.starts_with(&[0x1f, 0x8b, 8, 0]) {
            return Err(format!("not the head of gzip: {:?}", self.head));
        }
        while !bytes.is_empty() && self.end.is_none() {
            let (from, taken) = (out.len(), self.inflate.total_in());
            out.reserve(bytes.len().max(1_024) * 2);
            let status = self
                .inflate
                .decompress_vec(bytes, out, FlushDecompress::Sync)
                .map_err(|error| format!("what is compressed is malformed: {error}"))?;
            self.sum.update(&out[from..]);
            let taken = usize::try_from(self.inflate.total_in() - taken).unwrap();
            bytes = &bytes[taken..];
            match status {
                Status::StreamEnd => self.end = Some(Vec::new()),
                _ if taken == 0 && out.len() == from => return Err("nothing comes out".to_owned()),
                _ => {}
            }
        }
        let Some(end) = &mut self.end else {
            return Ok(());
        };
        end.extend_from_slice(bytes);
        let expected = [
            self.sum.sum().to_le_bytes(),
            self.sum.amount().to_le_bytes(),
        ]
        .concat();
        match end.len() {
            END_BYTES if *end != expected => Err("the sum at the end is wrong".to_owned()),
            0..=END_BYTES => Ok(()),
            _ => Err("bytes behind the end of gzip".to_owned()),
        }
    }

    /// Whether the end has come.
    pub fn is_whole(&self) -> bool {
        let end = self.end.as_ref();
        end.is_some_and(|it| it.len() == END_BYTES) || self.head.is_empty()
    }
}
