//! gzip, compressed once for everybody who asks for it.
//!
//! A gzip stream (RFC 1952) is a head, blocks of deflate, and an end with the
//! sum of all that was said. An event's blocks depend on nothing before them
//! and end at a whole byte (a full flush), so the same bytes fit into every
//! subscriber's stream, and a browser unpacks an event as soon as it has it.
//! Only the sum is a subscriber's own: it is added up from the events' sums.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::limits::PACK_LEVEL;
use crate::relay::event::form::{Form, Framed};

/// What a gzip stream begins with: no name, no time, no system.
pub const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The last block, which holds nothing.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// What ends a flush: an empty stored block, from a whole byte on.
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

/// Bytes of a stored block, at the most.
const STORED_BYTES_MAX: usize = 0xffff;

thread_local! {
    /// Some 260 KiB of tables, which only threads have that pack something.
    static DEFLATE: RefCell<Compress> =
        RefCell::new(Compress::new(Compression::new(PACK_LEVEL), false));
}

/// A part of a stream, compressed; `Clone` shares the bytes.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The blocks.
    pub framed: Framed,
    /// The sum of what they stand for.
    pub sum: Arc<Crc>,
}

impl Packed {
    /// Compresses a part of a stream.
    pub fn of(plain: &[u8]) -> Packed {
        let mut out = Framed::buffer(plain.len() / 2);
        pack(plain, &mut out);
        out.shrink_to_fit();
        Packed {
            framed: Framed::finish(out),
            sum: Arc::new(sum(plain)),
        }
    }

    /// As the subscriber needs it.
    pub fn piece(&self, form: Form) -> Piece {
        Piece {
            bytes: self.framed.form(form),
            sum: Some(Arc::clone(&self.sum)),
        }
    }

    /// A few words for one subscriber, which are not worth compressing; the
    /// stream's head before them, if they are the first.
    pub fn of_own(plain: &[u8], is_first: bool) -> Packed {
        let mut out = Framed::buffer(plain.len().saturating_add(HEAD.len() * 2));
        if is_first {
            out.extend_from_slice(&HEAD);
        }
        store(plain, &mut out);
        Packed {
            framed: Framed::finish(out),
            sum: Arc::new(sum(plain)),
        }
    }
}

/// What ends a gzip stream of this sum.
pub fn end(sum: &Crc) -> Framed {
    let mut out = Framed::buffer(LAST_BLOCK.len() + 8);
    out.extend_from_slice(&LAST_BLOCK);
    out.extend_from_slice(&sum.sum().to_le_bytes());
    out.extend_from_slice(&sum.amount().to_le_bytes());
    Framed::finish(out)
}

fn sum(plain: &[u8]) -> Crc {
    let mut sum = Crc::new();
    sum.update(plain);
    sum
}

fn pack(plain: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    // What cannot be compressed is stored: five bytes for each 16 KiB.
    out.reserve(plain.len().saturating_add(plain.len() / 1024 + 64));
    let is_whole = DEFLATE.with_borrow_mut(|deflate| {
        deflate.reset();
        let done = deflate.compress_vec(plain, out, FlushCompress::Full);
        let taken = usize::try_from(deflate.total_in());
        done.is_ok() && taken == Ok(plain.len())
    });
    // There is always room for it, and no other reason to fail; but nobody is
    // to be sent half an event.
    if !is_whole || !out.ends_with(&FLUSHED) {
        out.truncate(begin);
        store(plain, out);
    }
}

/// Writes stored blocks: each five bytes, and what it holds as it is.
fn store(plain: &[u8], out: &mut Vec<u8>) {
    for part in plain.chunks(STORED_BYTES_MAX) {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(part);
    }
}

/// Bytes for a subscriber's socket.
#[derive(Clone, Debug)]
pub struct Piece {
    /// As they go out.
    pub bytes: Bytes,
    /// The sum of what they stand for, if they are compressed.
    pub sum: Option<Arc<Crc>>,
}

/// Several pieces after each other as one.
#[derive(Debug, Default)]
pub struct Pieces {
    bytes: Vec<u8>,
    sum: Option<Crc>,
}

impl Pieces {
    /// Bytes so far.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// One more.
    pub fn push(&mut self, piece: &Piece) {
        self.bytes.extend_from_slice(&piece.bytes);
        if let Some(sum) = &piece.sum {
            self.sum.get_or_insert_default().combine(sum);
        }
    }

    /// All of them.
    pub fn finish(self) -> Piece {
        Piece {
            bytes: self.bytes.into(),
            sum: self.sum.map(Arc::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Text with repetitions, and without any.
    fn texts() -> Vec<Vec<u8>> {
        let mut noise = fastrand::Rng::with_seed(7);
        let mut texts: Vec<Vec<u8>> = [0, 1, 10, 200, 70_000]
            .iter()
            .map(|length| {
                b"event: delta\n"
                    .iter()
                    .copied()
                    .cycle()
                    .take(*length)
                    .collect()
            })
            .collect();
        texts.extend(
            [1, 300, 200_000].map(|length| (0..length).map(|_| noise.u8(..)).collect::<Vec<u8>>()),
        );
        texts
    }

    #[test]
    fn packed_parts_in_any_order_are_one_valid_stream() {
        let mut order = fastrand::Rng::with_seed(11);
        let texts = texts();
        let packed: Vec<Packed> = texts.iter().map(|text| Packed::of(text)).collect();
        for _ in 0..20 {
            let first = Packed::of_own(b"retry: 1000\n\n", true);
            let mut stream = first.framed.event().to_vec();
            let mut plain = b"retry: 1000\n\n".to_vec();
            let mut sum = Crc::new();
            sum.combine(&first.sum);
            for _ in 0..12 {
                let at = order.usize(..texts.len());
                stream.extend_from_slice(&packed[at].framed.event());
                sum.combine(&packed[at].sum);
                plain.extend_from_slice(&texts[at]);
            }
            stream.extend_from_slice(&end(&sum).event());
            let mut unpacked = Vec::new();
            flate2::bufread::GzDecoder::new(&stream[..])
                .read_to_end(&mut unpacked)
                .expect("a valid stream with the right sum");
            assert!(unpacked == plain);
        }
    }

    #[test]
    fn packed_text_is_smaller_and_noise_hardly_larger() {
        for text in texts() {
            let length = Packed::of(&text).framed.event().len();
            assert!(length <= text.len() + text.len() / 1024 + 16, "{length}");
        }
        let text = b"event: delta\n".repeat(100);
        assert!(Packed::of(&text).framed.event().len() < text.len() / 10);
    }
}
