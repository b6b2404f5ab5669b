//! Unpacks streams by code that knows nothing of the gateway's, each part as it comes.

use std::io::{Result, Write as _};
use std::net::SocketAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::write::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::frames::Frames;
use super::http::get;

/// A view's dictionary, as a browser has it.
#[derive(Clone, Debug)]
pub struct Dictionary {
    /// The bytes.
    pub text: String,
    /// What `Available-Dictionary` calls it.
    pub name: String,
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
        let name = format!(":{}:", BASE64_STANDARD.encode(Sha256::digest(&text)));
        Dictionary { text, name }
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
    Dictionary(Box<Frames>),
}

impl Unpacker {
    pub fn gzip() -> Unpacker {
        Unpacker::Gzip(Box::new(GzDecoder::new(Vec::new())))
    }

    /// Of what is compressed with this.
    pub fn with(dictionary: &Dictionary) -> Unpacker {
        Unpacker::Dictionary(Box::new(Frames::with(&dictionary.text)))
    }

    /// All that these bytes and those before say, at once: nothing may need what
    /// follows.
    pub fn unpack(&mut self, piece: &[u8]) -> Result<Vec<u8>> {
        match self {
            Unpacker::Gzip(gzip) => {
                gzip.write_all(piece)?;
                gzip.flush()?;
                Ok(std::mem::take(gzip.get_mut()))
            }
            Unpacker::Dictionary(frames) => frames.unpack(piece),
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
            Unpacker::Dictionary(frames) => {
                assert!(frames.has_begun(), "ended inside its head");
                Ok(Vec::new())
            }
        }
    }
}
