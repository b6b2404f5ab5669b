//! Events compressed with a dictionary that the client has fetched before: `dcz`,
//! compression dictionary transport (RFC 9842) with Zstandard (RFC 8878).
//!
//! A dictionary is made of a view's own rows, so that even a short row is little more
//! than a pointer into it. Each event is a frame by itself: nothing in it refers to what
//! came before, so the same bytes fit into every subscriber's stream, and no stream has
//! a context of its own.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};
use zstd::zstd_safe::{CCtx, CDict, compress_bound};

use crate::limits::DICTIONARY_LEVEL;

/// What a stream begins with, before the hash of its dictionary: a frame of Zstandard
/// that decoders skip, of 32 bytes.
const MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];

/// The head of a frame of stored blocks: its magic number, no optional fields, and a
/// window of 128 KiB.
const STORED: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x38];

/// Bytes of a block, at the most.
const BLOCK_BYTES_MAX: usize = 128 * 1024;

thread_local! {
    /// Some hundred KiB of tables, which only threads have that pack something.
    static CONTEXT: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
}

/// A log's dictionary: none, until somebody has asked for it. Then it stays what it is,
/// since frames are kept that were compressed with it.
#[derive(Debug, Default)]
pub struct Shelf {
    made: OnceLock<Arc<Dictionary>>,
    is_closed: AtomicBool,
}

impl Shelf {
    /// The dictionary for a client, if there is one.
    pub fn offered(&self) -> Option<&Arc<Dictionary>> {
        let made = self.made.get();
        made.filter(|_| !self.is_closed.load(Ordering::Acquire))
    }

    /// The same; of this text, if there is none. Nothing, once it is closed.
    pub fn get_or_make(&self, text: impl FnOnce() -> String) -> Option<&Arc<Dictionary>> {
        if !self.is_closed.load(Ordering::Acquire) {
            self.made.get_or_init(|| Arc::new(Dictionary::of(text())));
        }
        self.offered()
    }

    /// Whether the log's frames are compressed with this one, if they are with any.
    pub fn is_of(&self, dictionary: &Dictionary) -> bool {
        let made = self.made.get();
        made.is_some_and(|made| **made == *dictionary)
    }

    /// Gives nobody the dictionary any more, since its rows are those of what the view
    /// was before. Streams that are compressed with it go on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }
}

/// Text that events are compressed with.
pub struct Dictionary {
    text: String,
    hash: [u8; 32],
    prepared: CDict<'static>,
}

/// Two of one hash are the same.
impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Dictionary {}

impl fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dictionary")
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl Dictionary {
    fn of(text: String) -> Dictionary {
        Dictionary {
            hash: Sha256::digest(&text).into(),
            prepared: CDict::create(text.as_bytes(), DICTIONARY_LEVEL),
            text,
        }
    }

    /// As clients fetch it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text: what clients know it by.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// What a stream begins with.
    pub fn head(&self) -> [u8; 40] {
        let mut head = [0; 40];
        let (magic, hash) = head.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        hash.copy_from_slice(&self.hash);
        head
    }

    /// Compresses a part of a stream into a frame of its own.
    pub(super) fn pack(&self, plain: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        out.resize(begin.saturating_add(compress_bound(plain.len())), 0);
        let room = out.get_mut(begin..).unwrap_or_default();
        let packed = CONTEXT
            .with_borrow_mut(|context| context.compress_using_cdict(room, plain, &self.prepared));
        out.truncate(begin.saturating_add(packed.unwrap_or(0)));
        // There is always room for it, and no other reason to fail; but nobody is to be
        // sent half an event.
        if packed.is_err() {
            store(plain, out);
        }
    }
}

/// Writes a frame that holds a part of a stream as it is.
pub(super) fn store(plain: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&STORED);
    let mut rest = plain;
    let mut is_last = false;
    // Of no bytes there is one block, too.
    while !is_last {
        let (block, behind) = rest.split_at(rest.len().min(BLOCK_BYTES_MAX));
        (rest, is_last) = (behind, behind.is_empty());
        let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
        let head = length << 3 | u32::from(is_last);
        out.extend(head.to_le_bytes().iter().take(3));
        out.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use zstd::stream::read::Decoder;

    use super::*;

    impl Dictionary {
        /// What a part of a stream that was packed with it says.
        pub fn unpack(&self, packed: &[u8]) -> Vec<u8> {
            let mut decoder = Decoder::with_dictionary(packed, self.text().as_bytes()).unwrap();
            let mut out = Vec::new();
            decoder.read_to_end(&mut out).unwrap();
            out
        }
    }

    fn row(number: u32) -> String {
        format!("{{\"city\":\"Berlin\",\"name\":\"customer {number}\",\"orders\":{number}}}")
    }

    #[test]
    fn dictionary_unpacks_each_event_by_itself_and_all_after_each_other() {
        let shelf = Shelf::default();
        let dictionary = shelf.get_or_make(|| row(7).repeat(100)).unwrap();
        let texts: [Vec<u8>; 6] = [
            Vec::new(),
            b"retry: 1000\n\n".to_vec(),
            format!("event: delta\ndata: [{{\"insert\":{}}}]\n\n", row(77)).into_bytes(),
            vec![b'x'; 300_000],
            (0..200_000_u32)
                .flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes())
                .collect(),
            b"\n".to_vec(),
        ];
        let mut all = dictionary.head().to_vec();
        for text in &texts {
            let (mut packed, mut stored) = (Vec::new(), Vec::new());
            dictionary.pack(text, &mut packed);
            store(text, &mut stored);
            assert_eq!(dictionary.unpack(&packed), *text);
            assert_eq!(dictionary.unpack(&stored), *text);
            all.extend_from_slice(&packed);
            all.extend_from_slice(&stored);
        }
        let twice: Vec<u8> = texts.iter().flat_map(|it| [&it[..], it].concat()).collect();
        assert_eq!(dictionary.unpack(&all), twice);
    }

    #[test]
    fn dictionary_stays_what_it_is_until_nobody_is_given_it() {
        let shelf = Shelf::default();
        assert!(shelf.offered().is_none());
        let made = shelf.get_or_make(|| "one".to_owned()).cloned().unwrap();
        let again = shelf.get_or_make(|| panic!("it is made once"));
        assert_eq!((again, made.text()), (Some(&made), "one"));
        shelf.close();
        assert!(shelf.offered().is_none() && shelf.is_of(&made));
        assert!(shelf.get_or_make(|| panic!("none is made")).is_none());
        let closed = Shelf::default();
        closed.close();
        assert!(closed.get_or_make(|| panic!("none is made")).is_none());
        assert!(!closed.is_of(&made));
    }
}
