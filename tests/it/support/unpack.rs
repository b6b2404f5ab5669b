//! Unpacks streams by code that knows nothing of the gateway's, each part as it comes.

use std::io::{Result, Write as _};
use std::net::SocketAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::write::GzDecoder;
use sha2::{Digest as _, Sha256};
use zstd::stream::write::Decoder;

use super::http::get;

/// A view's dictionary, as a browser has it.
#[derive(Clone, Debug)]
pub struct Dictionary {
    /// The bytes.
    pub text: String,
    /// What `Available-Dictionary` calls it.
    pub name: String,
    hash: Vec<u8>,
}

impl Dictionary {
    /// Fetches that of a view.
    pub fn fetch(address: SocketAddr, view: &str) -> Dictionary {
        let mut answer = get(address, &format!("/{view}/dictionary"));
        assert_eq!(answer.status, 200, "{view} has a dictionary");
        let rule = answer.header("use-as-dictionary").map(str::to_owned);
        let text = answer.text();
        let expected = format!("match=\"../{view}/stream*\"");
        assert_eq!(rule, Some(expected), "{text}");
        Dictionary::of(text)
    }

    /// The one of these bytes.
    pub fn of(text: String) -> Dictionary {
        let hash = Sha256::digest(&text).to_vec();
        let name = format!(":{}:", BASE64_STANDARD.encode(&hash));
        Dictionary { text, name, hash }
    }

    /// What a browser that has it says.
    pub fn headers(&self) -> [(&'static str, &str); 2] {
        [
            ("Accept-Encoding", "gzip, deflate, br, zstd, dcb, dcz"),
            ("Available-Dictionary", &self.name),
        ]
    }
}

/// Unpacks one stream.
pub enum Unpacker {
    Gzip(Box<GzDecoder<Vec<u8>>>),
    /// What is still to come of its head, and the rest.
    Dictionary(Vec<u8>, Decoder<'static, Vec<u8>>),
}

impl Unpacker {
    pub fn gzip() -> Unpacker {
        Unpacker::Gzip(Box::new(GzDecoder::new(Vec::new())))
    }

    /// Of what is compressed with this (RFC 9842, section 5): a frame that is skipped,
    /// with the hash of the dictionary, then frames of Zstandard.
    pub fn with(dictionary: &Dictionary) -> Unpacker {
        let mut head = vec![0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];
        head.extend_from_slice(&dictionary.hash);
        let text = dictionary.text.as_bytes();
        let decoder = Decoder::with_dictionary(Vec::new(), text).expect("a decoder");
        Unpacker::Dictionary(head, decoder)
    }

    /// All that these bytes and those before say, at once: nothing may need what
    /// follows.
    pub fn unpack(&mut self, mut piece: &[u8]) -> Result<Vec<u8>> {
        match self {
            Unpacker::Gzip(gzip) => {
                gzip.write_all(piece)?;
                gzip.flush()?;
                Ok(std::mem::take(gzip.get_mut()))
            }
            Unpacker::Dictionary(head, decoder) => {
                let length = head.len().min(piece.len());
                let (of_head, rest) = piece.split_at(length);
                assert_eq!(of_head, &head[..length], "the head with the hash");
                head.drain(..length);
                piece = rest;
                decoder.write_all(piece)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }

    /// At the stream's end: what is left, if the stream is whole.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        match self {
            Unpacker::Gzip(gzip) => {
                // With the right sum.
                gzip.try_finish()?;
                Ok(std::mem::take(gzip.get_mut()))
            }
            Unpacker::Dictionary(head, _) => {
                assert!(head.is_empty(), "ended inside its head");
                Ok(Vec::new())
            }
        }
    }
}
