//! How a stream's bytes are framed: as bare events, or each in a chunk of
//! HTTP/1.1, and either of the two plain or compressed.

use std::io::Write as _;

use bytes::Bytes;

use crate::relay::event::packing::Packing;

/// Room for a chunk's size in hexadecimal and its line break.
const HEAD_ROOM: usize = 18;

/// What ends a chunk.
const LINE_BREAK: &[u8] = b"\r\n";

/// The chunk of no length: the end of a stream.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How a subscriber's bytes are framed and compressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Whether they go out in chunks of HTTP/1.1.
    pub is_chunked: bool,
    /// How they are compressed, if they are.
    pub packing: Option<Packing>,
}

impl Form {
    /// Bare events.
    pub const EVENT: Form = Form {
        is_chunked: false,
        packing: None,
    };
    /// Each in a chunk of HTTP/1.1.
    pub const CHUNK: Form = Form {
        is_chunked: true,
        packing: None,
    };
}

/// Bytes, and around them a chunk.
#[derive(Clone, Debug)]
pub struct Framed {
    chunk: Bytes,
    /// Where the bytes begin in the chunk.
    head: usize,
}

impl Framed {
    /// A buffer to write into, with room for so many bytes.
    pub fn buffer(room: usize) -> Vec<u8> {
        let more = HEAD_ROOM + LINE_BREAK.len();
        let mut out = Vec::with_capacity(room.saturating_add(more));
        out.resize(HEAD_ROOM, b'0');
        out
    }

    /// What was written into the buffer of `buffer`.
    pub fn finish(mut out: Vec<u8>) -> Framed {
        let length = out.len().saturating_sub(HEAD_ROOM);
        let (begin, head) = begin_chunk(&mut out, length);
        out.extend_from_slice(LINE_BREAK);
        Framed {
            chunk: Bytes::from(out).slice(begin..),
            head,
        }
    }

    /// What comes before and behind these bytes, so that `first` (a buffer of `buffer`,
    /// or none), they and `last` are one piece.
    pub fn around(
        mut first: Vec<u8>,
        bytes: &[u8],
        mut last: Vec<u8>,
        form: &Form,
    ) -> (Bytes, Bytes) {
        if first.is_empty() {
            first = Framed::buffer(0);
        }
        if !form.is_chunked {
            return (Bytes::from(first).slice(HEAD_ROOM..), last.into());
        }
        let length = first.len().saturating_sub(HEAD_ROOM);
        let length = length
            .saturating_add(bytes.len())
            .saturating_add(last.len());
        let (begin, _) = begin_chunk(&mut first, length);
        last.extend_from_slice(LINE_BREAK);
        (Bytes::from(first).slice(begin..), last.into())
    }

    /// The bytes alone.
    pub fn event(&self) -> Bytes {
        let end = self.chunk.len().saturating_sub(LINE_BREAK.len());
        self.chunk.slice(self.head..end)
    }

    /// The chunk.
    pub fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// Bytes of what is in the chunk.
    pub fn length(&self) -> usize {
        let around = self.head + LINE_BREAK.len();
        self.chunk.len().saturating_sub(around)
    }

    /// Either, as the subscriber needs it.
    pub fn form(&self, form: &Form) -> Bytes {
        match form.is_chunked {
            true => self.chunk.clone(),
            false => self.event(),
        }
    }
}

/// Writes the size of a chunk in front of what was written into a buffer; returns
/// where the chunk begins, and how many bytes its size takes.
fn begin_chunk(out: &mut [u8], length: usize) -> (usize, usize) {
    let digits = usize::try_from(length.max(1).ilog2() / 4 + 1).unwrap_or(HEAD_ROOM);
    let head = digits.saturating_add(LINE_BREAK.len());
    // 16 digits hold any length, and there is room for them.
    let begin = HEAD_ROOM.saturating_sub(head);
    if let Some(mut place) = out.get_mut(begin..HEAD_ROOM) {
        let _ = write!(place, "{length:X}\r\n");
    }
    (begin, head)
}
