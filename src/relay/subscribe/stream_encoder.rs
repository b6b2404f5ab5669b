//! What one stream says: framed and compressed as its client takes it, with
//! the few words that are its own.

use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use flate2::Crc;

use crate::limits::RETRY_MS;
use crate::relay::counters::StreamCounters;
use crate::relay::event::encoded::Encoded;
use crate::relay::event::form::Form;
use crate::relay::event::gzip::{self, Packed, Piece};
use crate::relay::event::long_event::abandoned;
use crate::relay::event::notices::{farewell, retry, retry_line};

/// A stream's way of saying things.
pub(super) struct StreamEncoder {
    /// How the bytes are framed.
    pub(super) form: Form,
    /// The sum of what was said, if it is compressed.
    sum: Crc,
    /// Nothing was said yet.
    is_first: bool,
    /// When to come back, in milliseconds, until the first event has said it.
    retry_ms: Option<u64>,
    /// What is to be said at once behind what was said.
    behind: Option<Piece>,
    counters: Arc<StreamCounters>,
    /// Spreads out when clients come back.
    rng: Rng,
}

impl StreamEncoder {
    /// Nothing was said yet.
    pub(super) fn new(counters: Arc<StreamCounters>, rng: Rng) -> Self {
        StreamEncoder {
            form: Form::Event,
            sum: Crc::new(),
            is_first: true,
            retry_ms: None,
            behind: None,
            counters,
            rng,
        }
    }

    /// The first words.
    pub(super) fn open(&mut self) -> Piece {
        let retry_ms = self.retry_ms();
        self.retry_ms = Some(retry_ms);
        self.own(&retry(retry_ms))
    }

    /// The last words of a stream that ends though its view goes on.
    pub(super) fn farewell(&mut self, reason: &str) -> Piece {
        let farewell = farewell(self.retry_ms(), reason);
        self.own(&farewell)
    }

    /// The last words in the middle of an event, which then counts as none.
    pub(super) fn abandon(&mut self, reason: &str) -> Piece {
        let farewell = farewell(self.retry_ms(), reason);
        self.own(&[abandoned().as_bytes(), &farewell].concat())
    }

    /// When this client is to come back.
    fn retry_ms(&mut self) -> u64 {
        self.rng.u64(RETRY_MS)
    }

    /// Bytes that are made for this stream alone.
    pub(super) fn own(&mut self, bytes: &[u8]) -> Piece {
        let is_first = std::mem::take(&mut self.is_first);
        match self.form.is_packed() {
            true => Packed::of_own(bytes, is_first).piece(self.form),
            false => Encoded::copy_of(bytes).piece(self.form),
        }
    }

    /// Puts the line before the first event that says when to come back: the
    /// event's own bytes are shared, and have none. The event is then `behind`.
    pub(super) fn event(&mut self, event: Piece) -> Piece {
        let Some(retry_ms) = self.retry_ms.take() else {
            return event;
        };
        self.behind = Some(event);
        self.own(&retry_line(retry_ms))
    }

    /// What comes next, whatever else there may be to say.
    pub(super) fn behind(&mut self) -> Option<Piece> {
        self.behind.take()
    }

    /// The bytes, which from now on are a part of what was said.
    pub(super) fn said(&mut self, piece: Piece) -> Bytes {
        if let Some(sum) = &piece.sum {
            self.sum.combine(sum);
        }
        self.counters.count_bytes(piece.bytes.len());
        piece.bytes
    }

    /// What ends a compressed stream.
    pub(super) fn end(&self) -> Piece {
        let bytes = gzip::end(&self.sum).form(self.form);
        Piece { bytes, sum: None }
    }
}
