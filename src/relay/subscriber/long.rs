//! A stream in the middle of a large event.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Stage, Subscriber, Then};
use crate::limits::RETRY_MS;
use crate::model::retention::Resume;
use crate::relay::base::Base;
use crate::relay::counters::End;
use crate::relay::local_log::LocalLog;
use crate::relay::long::{Extent, Reading, Slice, abandoned};
use crate::relay::packed::Piece;
use crate::relay::words::{REASON_SLOW, farewell};

impl Subscriber {
    /// Begins with a base: with all of it, if it is short.
    pub(super) fn begin(&mut self, log: Rc<RefCell<LocalLog>>, base: &Base) -> Option<Piece> {
        let timestamp = base.position.timestamp;
        let found = log.borrow().frames.since(timestamp);
        let mut reading = Reading::new(&base.long, Extent::Event);
        let short = base
            .short
            .as_ref()
            .map(|event| event.piece(self.voice.form));
        if short.is_some() {
            reading.skip();
            self.counters.count_frames(1);
        }
        let then = Then::Begin(found, timestamp);
        self.stage = Stage::Long { log, reading, then };
        short.map(|piece| self.voice.event(piece))
    }

    /// Goes on with a large event, or behind it. `Ready(None)` where the stage
    /// has changed.
    pub(super) fn read_on(&mut self, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        let Stage::Long { log, reading, then } = &mut self.stage else {
            return Poll::Ready(None);
        };
        if std::mem::take(&mut self.has_worked) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_first = reading.slices() == 0;
        match reading.next(self.voice.form) {
            Slice::Bytes(piece) => {
                self.counters.count_frames(u64::from(is_first));
                self.has_worked = self.voice.form.is_packed();
                return Poll::Ready(Some(self.voice.event(piece)));
            }
            Slice::GivenUp => return Poll::Ready(Some(self.abandon())),
            Slice::End => {}
        }
        let log = Rc::clone(log);
        let found = match *then {
            Then::GoOn(cursor) => {
                self.stage = Stage::Following { log, cursor };
                return Poll::Ready(None);
            }
            Then::Begin(Resume::Ahead, timestamp) => log.borrow().frames.since(timestamp),
            Then::Begin(found, _) => found,
        };
        match found.cursor() {
            Some(cursor) => Poll::Ready(self.follow(log, cursor)),
            // The base is not continued by the log any more: the client was
            // too slow for it, and comes back for another.
            None => {
                self.finish(End::Slow);
                Poll::Ready(None)
            }
        }
    }

    /// Ends the stream in the middle of an event, so that it is between two.
    fn abandon(&mut self) -> Piece {
        let farewell = farewell(fastrand::u64(RETRY_MS), REASON_SLOW);
        self.finish(End::Slow);
        self.voice
            .own(&[abandoned().as_bytes(), &farewell].concat())
    }
}
