//! The bytes of one stream: shared events in the form that its client takes, and
//! the few lines that are made for this client alone (`retry:`, farewells).

use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use flate2::Crc;

use crate::limits::RETRY_MS;
use crate::relay::counters::{StreamCounters, Tally};
use crate::relay::event::encoded::Encoded;
use crate::relay::event::form::Form;
use crate::relay::event::gzip;
use crate::relay::event::long_event::abandoned;
use crate::relay::event::notices::{farewell, retry, retry_line};
use crate::relay::event::packed::{Packed, Piece};
use crate::relay::event::packing::Packing;

/// Puts what a stream sends into the form that its client takes.
pub(super) struct StreamEncoder {
    /// How the bytes are framed.
    pub(super) form: Form,
    /// CRC of what was sent so far, which ends a stream of gzip.
    sum: Crc,
    /// Whether nothing was sent yet: a compressed stream needs a header first.
    is_first: bool,
    /// The reconnection time in milliseconds, until it was sent with an event.
    retry_ms: Option<NonZeroU64>,
    /// The event that follows its `retry:` line, which was just handed out.
    behind: Option<Box<Piece>>,
    pub(super) tally: Tally,
    /// Spreads out when clients come back.
    rng: Rng,
}

impl StreamEncoder {
    /// The encoder of a new stream of plain events.
    pub(super) fn new(counters: Arc<StreamCounters>, rng: Rng) -> Self {
        StreamEncoder {
            form: Form::EVENT,
            sum: Crc::new(),
            is_first: true,
            retry_ms: None,
            behind: None,
            tally: Tally::new(counters),
            rng,
        }
    }

    /// The first block of the stream, with the reconnection time.
    pub(super) fn open(&mut self) -> Piece {
        let retry_ms = self.retry_ms();
        self.retry_ms = NonZeroU64::new(retry_ms);
        self.own(&retry(retry_ms))
    }

    /// The last block of a stream that ends though its view goes on.
    pub(super) fn farewell(&mut self, reason: &str) -> Piece {
        let farewell = farewell(self.retry_ms(), reason);
        self.own(&farewell)
    }

    /// The same in the middle of a long event, which clients then ignore.
    pub(super) fn abandon(&mut self, reason: &str) -> Piece {
        let farewell = farewell(self.retry_ms(), reason);
        self.own(&[abandoned(true).as_bytes(), &farewell].concat())
    }

    /// A random reconnection time.
    fn retry_ms(&mut self) -> u64 {
        self.rng.u64(RETRY_MS)
    }

    /// Bytes that are made for this stream alone.
    pub(super) fn own(&mut self, bytes: &[u8]) -> Piece {
        let is_first = std::mem::take(&mut self.is_first);
        match &self.form.packing {
            Some(packing) => Packed::of_own(bytes, packing, is_first).piece(&self.form),
            None => Encoded::copy_of(bytes).piece(&self.form),
        }
    }

    /// An event's shared bytes. Before the first event, its `retry:` line is handed
    /// out instead, and the event follows as `behind`.
    pub(super) fn event(&mut self, event: Piece) -> Piece {
        let Some(retry_ms) = self.retry_ms.take() else {
            return event;
        };
        self.behind = Some(Box::new(event));
        self.own(&retry_line(retry_ms.get()))
    }

    /// The event behind its `retry:` line: it comes before anything else.
    pub(super) fn behind(&mut self) -> Option<Piece> {
        self.behind.take().map(|piece| *piece)
    }

    /// The same, which is still to be taken.
    pub(super) fn peek_behind(&self) -> Option<&Piece> {
        self.behind.as_deref()
    }

    /// Counts bytes that are about to be sent.
    pub(super) fn said(&mut self, piece: Piece) -> Bytes {
        if let Some(sum) = &piece.sum {
            self.sum.combine(sum);
        }
        self.tally.thread.count_bytes(piece.bytes.len());
        piece.bytes
    }

    /// Whether the stream has a trailer.
    pub(super) fn has_end(&self) -> bool {
        matches!(self.form.packing, Some(Packing::Gzip))
    }

    /// The trailer, if the stream has one.
    pub(super) fn end(&self) -> Option<Piece> {
        self.has_end().then(|| Piece {
            bytes: gzip::end(&self.sum).form(&self.form),
            sum: None,
        })
    }
}
