//! A view of a stream of several of which a window is shown.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use super::{Part, Sent};
use crate::model::position::{Incarnation, Timestamp};
use crate::model::retention::Cursor;
use crate::relay::event::frame::Frame;
use crate::relay::event::names::EVENT_GONE;
use crate::relay::subscribe::joint::output::Out;
use crate::relay::subscribe::windowed::Seated;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::seat::Seat;

impl Part {
    /// The place at the window, if one is shown and its log is there.
    pub(super) fn seat(&self) -> Option<&Seat> {
        self.window.as_ref()?.seat()
    }

    /// Of what a position of this time is.
    pub(super) fn incarnation(&self, log: &LocalLog, timestamp: Timestamp) -> Incarnation {
        let own = self.seat().and_then(|seat| seat.incarnation_at(timestamp));
        own.unwrap_or_else(|| log.terms.at(timestamp))
    }

    /// The place at the window is given back.
    pub(super) fn stand_up(&mut self) {
        if let Some(window) = &mut self.window {
            window.stand_up();
        }
    }

    /// Takes a place at the window of this log, unless it has one. Where there is no
    /// such window, the client is told once that the view is gone.
    pub(super) fn sit_down(
        &mut self,
        log: &Rc<RefCell<LocalLog>>,
        out: &mut Out,
        now: Instant,
    ) -> Option<Sent> {
        let window = self.window.as_mut()?;
        match window.sit_down(log, &self.shared, false, now) {
            Seated::Here => None,
            Seated::Nowhere => {
                self.window = None;
                None
            }
            Seated::Refused(None) => Some(Sent::Nothing),
            Seated::Refused(Some(reason)) => {
                self.tell(EVENT_GONE, Frame::gone(&reason).encoded.data(), out);
                self.leave_view();
                Some(Sent::Word)
            }
        }
    }

    /// A window may go on where its view's log has forgotten changes of other rows,
    /// or some of its own that came to nothing. Within those no time is whole: the
    /// first one that is again.
    pub(super) fn whole_from(&self, log: &LocalLog) -> Option<Timestamp> {
        self.seat().map(|_| log.frames.start())
    }

    /// The time of the view's last change, where the client has been told all of it.
    pub(super) fn unchanged_since(&self, log: &LocalLog, cursor: Cursor) -> Option<Timestamp> {
        match self.seat() {
            Some(seat) => seat.unchanged_since(log, cursor),
            None => log.unchanged_since(cursor),
        }
    }
}
