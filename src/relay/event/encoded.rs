//! An event's bytes, encoded once for all who are sent it.
//!
//! The memory holds a whole chunk of HTTP/1.1: the chunk's size, the event, and a
//! line break. A plain HTTP/1.1 socket is given all of it; HTTP/2 and TLS, which
//! frame what they send themselves, are given the event inside it.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::relay::event::form::{Form, Framed};
use crate::relay::event::packed::{Packed, Piece};
use crate::relay::event::packing::PerPacking;

/// An event and the chunk around it; compressed as well once anybody wants that.
#[derive(Debug)]
pub struct Encoded {
    plain: Framed,
    packed: PerPacking<OnceLock<Packed>>,
}

impl Encoded {
    /// A buffer to write an event into, with room for so many bytes.
    pub fn buffer(room: usize) -> Vec<u8> {
        Framed::buffer(room)
    }

    /// What was written into the buffer of `buffer`.
    pub fn finish(out: Vec<u8>) -> Encoded {
        Encoded {
            plain: Framed::finish(out),
            packed: PerPacking::default(),
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
        self.plain.event()
    }

    /// The event's line of data with its line break: what stays the same under
    /// another name, and without the id behind it.
    pub fn data(&self) -> Bytes {
        let event = self.event();
        let begin = memchr::memmem::find(&event, b"\ndata: ").map_or(0, |at| at.saturating_add(1));
        let without_blank = event.len().saturating_sub(1);
        let lines = event.get(..without_blank.saturating_sub(1));
        // The id is short, and the data may be long: it is looked for from behind.
        let last = lines.and_then(|lines| memchr::memrchr(b'\n', lines));
        let last = last.map_or(0, |at| at.saturating_add(1));
        let has_id = last > begin
            && event
                .get(last..)
                .is_some_and(|line| line.starts_with(b"id: "));
        event.slice(begin..if has_id { last } else { without_blank })
    }

    /// The event in its chunk.
    pub fn chunk(&self) -> &Bytes {
        self.plain.chunk()
    }

    /// The event as the subscriber needs it; compressed for the first who asks, and
    /// shared with all who follow.
    pub fn piece(&self, form: &Form) -> Piece {
        match &form.packing {
            None => Piece {
                bytes: self.plain.form(form),
                sum: None,
            },
            Some(packing) => {
                let pack = || Packed::of(&self.event(), packing);
                self.packed.get(packing).get_or_init(pack).piece(form)
            }
        }
    }

    /// Bytes of the event.
    pub fn length(&self) -> usize {
        self.plain.length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_data_is_a_line_of_the_event() {
        let line = "data: [\"data: \",\"id: 7\"]\n";
        for rest in ["\n", "id: 7-0123456789ab\n\n"] {
            let encoded = Encoded::copy_of(format!("event: delta\n{line}{rest}").as_bytes());
            assert_eq!(encoded.data(), line.as_bytes());
        }
    }

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
