//! Parts of streams, compressed once for everybody who takes them so, and the bytes
//! that go out.

use std::sync::Arc;

use bytes::Bytes;
use flate2::Crc;

use crate::relay::event::dictionary;
use crate::relay::event::form::{Form, Framed};
use crate::relay::event::gzip;
use crate::relay::event::packing::Packing;

/// Room for what a stream begins with, and for the head of its first part.
const HEAD_ROOM: usize = 64;

/// A part of a stream, compressed; `Clone` shares the bytes.
#[derive(Clone, Debug)]
pub struct Packed {
    framed: Framed,
    /// The sum of what it stands for, which gzip needs at its end.
    sum: Option<Arc<Crc>>,
}

impl Packed {
    /// Compresses a part of a stream.
    pub fn of(plain: &[u8], packing: &Packing) -> Packed {
        let mut out = Framed::buffer(plain.len() / 2);
        match packing {
            Packing::Gzip => gzip::pack(plain, &mut out),
            Packing::Dictionary(dictionary) => dictionary.pack(plain, &mut out),
        }
        out.shrink_to_fit();
        Packed::new(out, plain, packing)
    }

    /// A few words for one subscriber, which are not worth compressing; the
    /// stream's head before them, if they are the first.
    pub fn of_own(plain: &[u8], packing: &Packing, is_first: bool) -> Packed {
        let mut out = Framed::buffer(plain.len().saturating_add(HEAD_ROOM));
        match packing {
            Packing::Gzip => {
                if is_first {
                    out.extend_from_slice(&gzip::HEAD);
                }
                gzip::store(plain, &mut out);
            }
            Packing::Dictionary(of_view) => {
                if is_first {
                    out.extend_from_slice(&of_view.head());
                }
                dictionary::store(plain, &mut out);
            }
        }
        Packed::new(out, plain, packing)
    }

    fn new(out: Vec<u8>, plain: &[u8], packing: &Packing) -> Packed {
        Packed {
            framed: Framed::finish(out),
            sum: match packing {
                Packing::Gzip => Some(Arc::new(gzip::sum(plain))),
                Packing::Dictionary(_) => None,
            },
        }
    }

    /// As the subscriber needs it.
    pub fn piece(&self, form: &Form) -> Piece {
        Piece {
            bytes: self.framed.form(form),
            sum: self.sum.clone(),
        }
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

    use flate2::bufread::GzDecoder;

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
        let packed: Vec<Packed> = texts
            .iter()
            .map(|text| Packed::of(text, &Packing::Gzip))
            .collect();
        for _ in 0..20 {
            let first = Packed::of_own(b"retry: 1000\n\n", &Packing::Gzip, true);
            let mut stream = first.framed.event().to_vec();
            let mut plain = b"retry: 1000\n\n".to_vec();
            let mut sum = Crc::new();
            sum.combine(first.sum.as_deref().unwrap());
            for _ in 0..12 {
                let at = order.usize(..texts.len());
                stream.extend_from_slice(&packed[at].framed.event());
                sum.combine(packed[at].sum.as_deref().unwrap());
                plain.extend_from_slice(&texts[at]);
            }
            stream.extend_from_slice(&gzip::end(&sum).event());
            let mut unpacked = Vec::new();
            GzDecoder::new(&stream[..])
                .read_to_end(&mut unpacked)
                .expect("a valid stream with the right sum");
            assert!(unpacked == plain);
        }
    }

    #[test]
    fn packed_text_is_smaller_and_noise_hardly_larger() {
        for text in texts() {
            let length = Packed::of(&text, &Packing::Gzip).framed.event().len();
            assert!(length <= text.len() + text.len() / 1024 + 16, "{length}");
        }
        let text = b"event: delta\n".repeat(100);
        assert!(Packed::of(&text, &Packing::Gzip).framed.event().len() < text.len() / 10);
    }
}
