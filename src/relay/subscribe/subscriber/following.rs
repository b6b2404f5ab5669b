//! A stream that has begun: it sends frame by frame, or its backlog as one
//! delta, or the slices of a long event.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::{Long, Stage, Subscriber, Then};
use crate::model::retention::Resume;
use crate::relay::counters::End;
use crate::relay::event::body::Extent;
use crate::relay::event::long_event::{Reading, Slice};
use crate::relay::event::notices::{REASON_BUSY, REASON_SLOW};
use crate::relay::event::packed::Piece;
use crate::relay::log::backlog::Merged;
use crate::relay::log::bases::Base;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::next::Next;

impl Subscriber {
    /// Follows the log.
    pub(super) fn go_on(&mut self, waker: &Waker) -> Poll<Option<Piece>> {
        let Stage::Following { log, cursor } = &mut self.stage else {
            return Poll::Ready(None);
        };
        let is_to_end = self.shared.ends(self.lot);
        let is_given_up = is_to_end && self.shared.given_up().is_some();
        if is_to_end && !is_given_up {
            return Poll::Ready(Some(self.say_farewell()));
        }
        // The log of a view that was given up may end with a frame that tells the
        // true reason, which comes first.
        let form = &self.encoder.form;
        let taken = match &mut self.window {
            Some(window) => window.take(log, cursor, form, &self.encoder.tally),
            None => {
                let next = log.borrow_mut().next(*cursor, form);
                next.taken(cursor, &self.encoder.tally)
            }
        };
        match taken {
            Ok(piece) => return Poll::Ready(Some(self.encoder.event(piece))),
            Err(Next::Nothing) if is_given_up || self.is_last => {
                return Poll::Ready(Some(self.say_farewell()));
            }
            // The thread writes to the outlet at news: no task is to be woken.
            Err(Next::Nothing) if self.encoder.form.is_chunked => return Poll::Pending,
            Err(Next::Nothing) => {
                match self.window.as_ref().and_then(|window| window.seat()) {
                    Some(seat) => seat.wait(waker),
                    None => self.waiter.wait(waker),
                }
                return Poll::Pending;
            }
            Err(Next::Merged(waiting)) => {
                let (log, cursor) = (Rc::clone(log), *cursor);
                self.stage = Stage::Merging {
                    log,
                    cursor,
                    waiting,
                };
            }
            Err(Next::Long(reading, cursor)) => {
                let log = Rc::clone(log);
                self.read(log, reading, Then::GoOn(cursor));
            }
            Err(Next::Forgotten) => self.finish(End::Slow),
            Err(_) => self.finish(End::Gone),
        }
        Poll::Ready(None)
    }

    /// Begins with a base: with all of it, if it is short.
    pub(super) fn begin(&mut self, log: Rc<RefCell<LocalLog>>, base: &Base) -> Option<Piece> {
        let timestamp = base.position.timestamp;
        let found = log.borrow().frames.since(timestamp);
        let short = base
            .short
            .as_ref()
            .map(|event| event.piece(&self.encoder.form));
        let reading = match short {
            Some(_) => {
                self.encoder.tally.count_frames(1);
                Reading::over()
            }
            None => base.read(Extent::Event),
        };
        self.read(log, reading, Then::Begin(found, timestamp));
        short.map(|piece| self.encoder.event(piece))
    }

    /// Begins to send a long event.
    fn read(&mut self, log: Rc<RefCell<LocalLog>>, reading: Reading, then: Then) {
        let long = Box::new(Long { reading, then });
        self.stage = Stage::Long { log, long };
    }

    /// Sends the next slice of a long event, or continues behind its end.
    /// `Ready(None)` where the stage has changed.
    pub(super) fn read_on(&mut self, now: Instant, waker: &Waker) -> Poll<Option<Piece>> {
        let Stage::Long { log, long } = &mut self.stage else {
            return Poll::Ready(None);
        };
        let Long { reading, then } = &mut **long;
        if std::mem::take(&mut self.has_worked) {
            waker.wake_by_ref();
            return Poll::Pending;
        }
        let is_first = reading.slices() == 0;
        match reading.next(&self.encoder.form) {
            Slice::Bytes(piece) => {
                self.encoder.tally.count_frames(u64::from(is_first));
                self.has_worked = self.encoder.form.packing.is_some();
                return Poll::Ready(Some(self.encoder.event(piece)));
            }
            Slice::Later => {
                waker.wake_by_ref();
                return Poll::Pending;
            }
            Slice::GivenUp if is_first => {
                self.finish(End::Slow);
                return Poll::Ready(Some(self.encoder.farewell(REASON_SLOW)));
            }
            Slice::GivenUp => return Poll::Ready(Some(self.abandon())),
            Slice::End => {}
        }
        let log = Rc::clone(log);
        let (found, timestamp) = match *then {
            Then::GoOn(cursor) => {
                self.stage = Stage::Following { log, cursor };
                return Poll::Ready(None);
            }
            Then::Begin(Resume::Ahead, timestamp) => {
                (log.borrow().frames.since(timestamp), timestamp)
            }
            Then::Begin(found, timestamp) => (found, timestamp),
        };
        match found.cursor() {
            Some(cursor) => Poll::Ready(self.follow(log, (cursor, timestamp), now)),
            // The base is not continued by the log any more: the client was
            // too slow for it, and comes back for another.
            None => {
                self.finish(End::Slow);
                Poll::Ready(None)
            }
        }
    }

    /// Sends the backlog once it is merged into one delta. `Ready(None)` where the
    /// stage has changed.
    pub(super) fn take_merged(&mut self, waker: &Waker) -> Poll<Option<Piece>> {
        if self.shared.ends(self.lot) {
            return Poll::Ready(Some(self.say_farewell()));
        }
        let Stage::Merging {
            log,
            cursor,
            waiting,
        } = &self.stage
        else {
            return Poll::Ready(None);
        };
        let Some(merged) = waiting.poll(waker) else {
            return Poll::Pending;
        };
        let (log, cursor, to) = (Rc::clone(log), *cursor, waiting.to());
        match merged {
            Merged::Short(event) => {
                self.encoder.tally.count_frames(1);
                self.encoder.tally.thread.count_compacted();
                self.stage = Stage::Following { log, cursor: to };
                let piece = event.piece(&self.encoder.form);
                return Poll::Ready(Some(self.encoder.event(piece)));
            }
            Merged::Long(long) => match long.upgrade() {
                Some(long) => {
                    self.encoder.tally.thread.count_compacted();
                    let reading = Reading::new(&long, Extent::Event);
                    self.read(log, reading, Then::GoOn(to));
                }
                None => self.stage = Stage::Following { log, cursor },
            },
            Merged::Skipped => self.stage = Stage::Following { log, cursor },
            // Nothing of it is of the window.
            Merged::Nothing if self.window.is_some() => {
                self.stage = Stage::Following { log, cursor: to };
            }
            Merged::Nothing => match log.borrow().single(cursor, &self.encoder.form) {
                Next::Bytes(piece, place) => {
                    self.encoder.tally.count_frames(1);
                    let log = Rc::clone(&log);
                    self.stage = Stage::Following { log, cursor: place };
                    return Poll::Ready(Some(self.encoder.event(piece)));
                }
                _ => self.finish(End::Slow),
            },
            Merged::Forgotten => self.finish(End::Slow),
            Merged::Refused => {
                self.finish(End::Slow);
                return Poll::Ready(Some(self.encoder.farewell(REASON_BUSY)));
            }
        }
        Poll::Ready(None)
    }

    /// Ends the stream in the middle of a long event: the part that was sent is
    /// turned into an event that clients ignore.
    fn abandon(&mut self) -> Piece {
        self.finish(End::Slow);
        self.encoder.abandon(REASON_SLOW)
    }
}
