//! An event's bytes, encoded once for both ways out.
//!
//! Who frames what it sends itself (HTTP/2, TLS) is given the event. A plain
//! HTTP/1.1 socket is given the same memory with the chunk's size before it
//! and a line break behind, so that not even that is made per subscriber.

use std::fmt::Write as _;

use bytes::Bytes;

/// Room for a chunk's size in hexadecimal and its line break.
const HEAD_ROOM: usize = 18;

/// What ends a chunk.
const LINE_BREAK: &[u8] = b"\r\n";

/// The chunk of no length: the end of a stream.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How a subscriber's bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bare events.
    Event,
    /// Each in a chunk of HTTP/1.1.
    Chunk,
}

/// An event, and around it a chunk.
#[derive(Clone, Debug)]
pub struct Encoded {
    chunk: Bytes,
    /// Where the event begins in the chunk.
    head: usize,
}

impl Encoded {
    /// A buffer to write an event into, with room for so many bytes.
    pub fn buffer(room: usize) -> Vec<u8> {
        let more = HEAD_ROOM + LINE_BREAK.len();
        let mut out = Vec::with_capacity(room.saturating_add(more));
        out.resize(HEAD_ROOM, b'0');
        out
    }

    /// What was written into the buffer of `buffer`.
    pub fn finish(mut out: Vec<u8>) -> Encoded {
        let length = out.len().saturating_sub(HEAD_ROOM);
        let mut size = String::with_capacity(HEAD_ROOM);
        // Writing to a string never fails, and 16 digits hold any length.
        let _ = write!(size, "{length:X}\r\n");
        let begin = HEAD_ROOM.saturating_sub(size.len());
        if let Some(place) = out.get_mut(begin..HEAD_ROOM) {
            place.copy_from_slice(size.as_bytes());
        }
        out.extend_from_slice(LINE_BREAK);
        Encoded {
            chunk: Bytes::from(out).slice(begin..),
            head: size.len(),
        }
    }

    /// A copy of an event that is not made for sharing.
    pub fn copy_of(event: &[u8]) -> Encoded {
        let mut out = Encoded::buffer(event.len());
        out.extend_from_slice(event);
        Encoded::finish(out)
    }

    /// The event alone.
    pub fn event(&self) -> Bytes {
        let end = self.chunk.len().saturating_sub(LINE_BREAK.len());
        self.chunk.slice(self.head..end)
    }

    /// The event in its chunk.
    pub fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// Either, as the subscriber needs it.
    pub fn form(&self, form: Form) -> Bytes {
        match form {
            Form::Event => self.event(),
            Form::Chunk => self.chunk.clone(),
        }
    }

    /// Bytes of the event.
    pub fn length(&self) -> usize {
        self.chunk
            .len()
            .saturating_sub(self.head + LINE_BREAK.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_event_stands_in_its_chunk() {
        for length in [1, 15, 16, 255, 4096, 70_000] {
            let event = vec![b'x'; length];
            let encoded = Encoded::copy_of(&event);
            assert_eq!(encoded.event(), event);
            assert_eq!(encoded.length(), length);
            let chunk = [format!("{length:X}\r\n").as_bytes(), &event, b"\r\n"].concat();
            assert_eq!(encoded.chunk(), &chunk);
        }
    }
}
