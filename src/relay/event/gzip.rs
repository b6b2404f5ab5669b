//! gzip, compressed once for everybody who asks for it.
//!
//! A gzip stream (RFC 1952) is a head, blocks of deflate, and an end with the
//! sum of all that was said. An event's blocks depend on nothing before them
//! and end at a whole byte (a full flush), so the same bytes fit into every
//! subscriber's stream, and a browser unpacks an event as soon as it has it.
//! Only the sum is a subscriber's own: it is added up from the events' sums.

use std::cell::RefCell;

use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::limits::PACK_LEVEL;
use crate::relay::event::form::Framed;

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

/// What ends a gzip stream of this sum.
pub fn end(sum: &Crc) -> Framed {
    let mut out = Framed::buffer(LAST_BLOCK.len() + 8);
    out.extend_from_slice(&LAST_BLOCK);
    out.extend_from_slice(&sum.sum().to_le_bytes());
    out.extend_from_slice(&sum.amount().to_le_bytes());
    Framed::finish(out)
}

/// The sum of a part of a stream.
pub(super) fn sum(plain: &[u8]) -> Crc {
    let mut sum = Crc::new();
    sum.update(plain);
    sum
}

/// Compresses a part of a stream into blocks.
pub(super) fn pack(plain: &[u8], out: &mut Vec<u8>) {
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
pub(super) fn store(plain: &[u8], out: &mut Vec<u8>) {
    for part in plain.chunks(STORED_BYTES_MAX) {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(part);
    }
}
