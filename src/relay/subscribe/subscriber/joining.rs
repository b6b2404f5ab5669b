//! A stream that has not begun: it looks for the place to begin.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::{Stage, Subscriber};
use crate::model::position::Timestamp;
use crate::model::retention::Cursor;
use crate::relay::counters::End;
use crate::relay::event::frame::Frame;
use crate::relay::event::names::COMMENT;
use crate::relay::event::notices::REASON_DICTIONARY;
use crate::relay::event::packed::Piece;
use crate::relay::event::packing::Packing;
use crate::relay::subscribe::handshake::Judged;
use crate::relay::subscribe::windowed::Seated;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::seat::Seat;

impl Subscriber {
    /// Takes a place at the window of this log, if the stream shows one; or why there
    /// is no such window.
    fn sit_down(&mut self, log: &Rc<RefCell<LocalLog>>, now: Instant) -> Result<(), String> {
        let Some(window) = &mut self.window else {
            return Ok(());
        };
        match window.sit_down(log, &self.shared, true, now) {
            Seated::Here => {}
            Seated::Nowhere => {
                let outlet = window.outlet();
                self.window = None;
                if let Some(outlet) = outlet {
                    self.waiter.serve(outlet);
                }
            }
            // The stream ends when it is said.
            Seated::Refused(reason) => return Err(reason.unwrap_or_default()),
        }
        Ok(())
    }

    /// Finds the place to begin. `Ready(None)` where the stage has changed.
    pub(super) fn join(&mut self, now: Instant, waker: &Waker) -> Poll<Option<Piece>> {
        if self.shared.ends(self.lot) {
            return Poll::Ready(Some(self.say_farewell()));
        }
        let Some(log) = self.waiter.current_log(now) else {
            return self.wait_longer(false, waker);
        };
        // What is kept for others was compressed with the log's own dictionary.
        if let Some(Packing::Dictionary(had)) = &self.encoder.form.packing
            && !log.borrow().source.shelf.is_of(had)
        {
            self.finish(End::Gone);
            return Poll::Ready(Some(self.encoder.farewell(REASON_DICTIONARY)));
        }
        if let Err(reason) = self.sit_down(&log, now) {
            return Poll::Ready(Some(self.say_gone(&reason)));
        }
        let seat = self.window.as_ref().and_then(|window| window.seat());
        let window = seat.and_then(Seat::window);
        let counters = &self.encoder.tally.thread;
        match self.handshake.judge(&log, window.as_deref(), counters, now) {
            Judged::Resumed(position, cursor) => {
                let at = (cursor, position.timestamp);
                return Poll::Ready(self.follow(log, at, now));
            }
            Judged::Ahead => return self.wait_longer(false, waker),
            Judged::Base(_) => {}
        }
        let base = match seat {
            None => log.borrow().base.clone(),
            Some(seat) => seat.base(),
        };
        match (base, seat) {
            (Some(base), _) => Poll::Ready(self.begin(log, &base)),
            (None, None) => {
                self.waiter.want_base();
                self.wait_longer(true, waker)
            }
            (None, Some(seat)) => {
                seat.want_base(&self.waiter.thread());
                seat.wait(waker);
                Poll::Pending
            }
        }
    }

    /// Begins to follow the log. If the upstream is lost, the client is told so
    /// here: the frame that says it may lie before the cursor.
    pub(super) fn follow(
        &mut self,
        log: Rc<RefCell<LocalLog>>,
        (cursor, at): (Cursor, Timestamp),
        now: Instant,
    ) -> Option<Piece> {
        let lost = log.borrow_mut().is_lost_at(cursor);
        if let Some(window) = &self.window {
            window.follow((cursor, at), now);
        }
        self.stage = Stage::Following { log, cursor };
        lost.then(|| {
            let event = self.encoder.own(&Frame::upstream(false).encoded.event());
            self.encoder.event(event)
        })
    }

    /// Waits for news; each silent interval is answered with a comment, which
    /// keeps proxies from closing a stream that has no base yet.
    fn wait_longer(&mut self, is_due: bool, waker: &Waker) -> Poll<Option<Piece>> {
        let silences = self.waiter.thread().silences;
        if silences != self.silences {
            self.silences = silences;
            return Poll::Ready(Some(self.encoder.own(COMMENT)));
        }
        // A base that is being made is waited for, but nothing else is.
        if self.is_last && !is_due {
            return Poll::Ready(Some(self.say_farewell()));
        }
        self.wait(waker)
    }
}
