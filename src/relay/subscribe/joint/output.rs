//! Bytes on their way out of a stream of several views.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::{JOINT_GATHER_BYTES, JOINT_ROOM_BYTES};
use crate::relay::counters::StreamCounters;
use crate::relay::event::form::{Form, Framed};
use crate::relay::event::long_event::{Reading, Slice};
use crate::relay::event::notices::retry_line;

/// In this order: small events, gathered into one piece; one large event, either
/// shared memory or read slice by slice; and the few bytes that end it.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// How the bytes are framed.
    pub(super) form: Form,
    /// Begun by `Framed::buffer` where there is anything.
    small: Vec<u8>,
    large: Bytes,
    long: Option<Box<(Reading, Arc<StreamCounters>)>>,
    behind: Vec<u8>,
    /// The rest of a chunk, which comes before anything else.
    rest: VecDeque<Bytes>,
    /// The reconnection time in milliseconds, until it was sent with an event.
    retry_ms: Option<u64>,
}

/// What comes next of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// This.
    Bytes(Bytes),
    /// Nothing.
    Nothing,
    /// Nothing yet: it takes a while to find, and other tasks come first.
    Later,
    /// Nothing: the event that is being read was given up.
    GivenUp,
}

impl Out {
    /// Puts a `retry:` line into the next event.
    pub(super) fn retry_after(&mut self, milliseconds: u64) {
        self.retry_ms = Some(milliseconds);
    }

    /// Begins an event; returns how many bytes that took.
    pub(super) fn begin_event(&mut self) -> usize {
        let line = self.retry_ms.take().map(retry_line).unwrap_or_default();
        self.own(&line);
        line.len()
    }

    /// Adds bytes of this stream alone.
    pub(super) fn own(&mut self, bytes: &[u8]) {
        match self.large.is_empty() && self.long.is_none() {
            true => self.add(bytes),
            false => self.behind.extend_from_slice(bytes),
        }
    }

    /// Adds bytes that others are sent, too; call it only while not full.
    pub(super) fn shared(&mut self, bytes: Bytes) {
        if bytes.len() < JOINT_GATHER_BYTES {
            self.add(&bytes);
        } else {
            self.large = bytes;
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.small.is_empty() {
            self.small = Framed::buffer(JOINT_ROOM_BYTES);
        }
        self.small.extend_from_slice(bytes);
    }

    /// What was gathered, as a piece of its own.
    fn gathered(&mut self) -> Bytes {
        match self.small.is_empty() {
            true => Bytes::new(),
            false => Framed::finish(std::mem::take(&mut self.small)).form(&self.form),
        }
    }

    /// Adds an event that is read in slices; call it only while not full.
    pub(super) fn long(&mut self, reading: Reading, counters: &Arc<StreamCounters>) {
        self.long = Some(Box::new((reading, Arc::clone(counters))));
    }

    /// Whether it is to be taken before anything is added.
    pub(super) fn is_full(&self) -> bool {
        let is_large = !self.large.is_empty() || self.long.is_some();
        is_large || self.small.len() >= JOINT_GATHER_BYTES
    }

    /// Whether all of it was taken, and nothing is to come with the next event.
    pub(super) fn is_done(&self) -> bool {
        let is_more = self.is_full() || !self.small.is_empty() || !self.behind.is_empty();
        !is_more && self.rest.is_empty() && self.retry_ms.is_none()
    }

    /// Leaves out the rest of an event that is being read; whether any of its data
    /// was said.
    pub(super) fn abandon(&mut self) -> bool {
        self.behind.clear();
        let read = self.long.take();
        read.is_some_and(|read| read.0.slices() > 0)
    }

    /// The next piece, if there is one.
    pub(super) fn take(&mut self) -> Taken {
        if let Some(bytes) = self.rest.pop_front() {
            return Taken::Bytes(bytes);
        }
        if self.small.is_empty()
            && let Some(long) = &mut self.long
        {
            let (reading, counters) = &mut **long;
            match reading.next(&self.form) {
                Slice::Bytes(piece) => {
                    counters.count_bytes(piece.bytes.len());
                    return Taken::Bytes(piece.bytes);
                }
                Slice::Later => return Taken::Later,
                Slice::GivenUp => return Taken::GivenUp,
                Slice::End => {
                    self.long = None;
                    let behind = std::mem::take(&mut self.behind);
                    self.add(&behind);
                }
            }
        }
        let bytes = if !self.large.is_empty() {
            let (large, behind) = (
                std::mem::take(&mut self.large),
                std::mem::take(&mut self.behind),
            );
            let small = std::mem::take(&mut self.small);
            // One chunk around all three.
            let (first, last) = Framed::around(small, &large, behind, &self.form);
            self.rest.extend([large, last]);
            first
        } else {
            self.gathered()
        };
        match bytes.is_empty() {
            true => Taken::Nothing,
            false => Taken::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_gathers_what_is_small_and_shares_what_is_large() {
        let mut out = Out::default();
        let large = Bytes::from(vec![b'x'; JOINT_GATHER_BYTES]);
        let taken = |out: &mut Out| match out.take() {
            Taken::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        out.retry_after(7);
        assert_eq!((out.begin_event(), out.begin_event()), (9, 0));
        assert_eq!(taken(&mut out), "retry: 7\n");
        out.own(b"a");
        out.shared(Bytes::from_static(b"b"));
        assert!(!out.is_full());
        out.shared(large.clone());
        assert!(out.is_full());
        out.own(b"c");
        assert_eq!(taken(&mut out), "ab");
        assert_eq!(taken(&mut out).as_ptr(), large.as_ptr());
        assert_eq!(taken(&mut out), "c");
        assert_eq!(out.take(), Taken::Nothing);
    }
}
