//! What a stream has of the window that it shows.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use crate::limits::GATHER_BYTES_MAX;
use crate::model::position::Timestamp;
use crate::model::retention::Cursor;
use crate::relay::counters::Tally;
use crate::relay::event::body::Extent;
use crate::relay::event::form::Form;
use crate::relay::event::frame::Frame;
use crate::relay::event::long_event::Reading;
use crate::relay::event::packed::{Piece, Pieces};
use crate::relay::shared_view::SharedView;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::next::{Due, Next};
use crate::relay::thread::round::WriteNews;
use crate::relay::thread::seat::{Choose, Seat};

/// What a stream has of its window.
pub(super) struct Windowed {
    choose: Choose,
    /// Its place at the window, once the view's log is there.
    seat: Option<Seat>,
    /// The socket that is written to at news, if it has one.
    outlet: Option<Weak<dyn WriteNews>>,
    /// The log that has no such window, as the client knows.
    refused: Weak<RefCell<LocalLog>>,
}

/// Whether a stream has a place at its window.
pub(super) enum Seated {
    /// It has.
    Here,
    /// It needs none: the window is the whole view.
    Nowhere,
    /// There is no such window, in words that are fit for browsers; none where it was
    /// said before.
    Refused(Option<String>),
}

impl Windowed {
    /// A window that is chosen when the view's columns are known.
    pub(super) fn new(choose: Choose) -> Self {
        Windowed {
            choose,
            seat: None,
            outlet: None,
            refused: Weak::new(),
        }
    }

    /// Takes a place at the window of this log, unless it has one.
    pub(super) fn sit_down(
        &mut self,
        log: &Rc<RefCell<LocalLog>>,
        shared: &Arc<SharedView>,
        is_alone: bool,
        now: Instant,
    ) -> Seated {
        if self.seat.as_ref().is_some_and(|seat| seat.is_of(log)) {
            return Seated::Here;
        }
        if self.refused.as_ptr() == Rc::as_ptr(log) {
            return Seated::Refused(None);
        }
        // Before the next place is taken: it may be of a log that is given up.
        self.seat = None;
        let layout = Arc::clone(log.borrow().layout());
        match (self.choose)(&layout) {
            Ok(window) if window.is_all() => Seated::Nowhere,
            Ok(window) => {
                self.seat = Some(Seat::take(log, shared, window, is_alone, now));
                Seated::Here
            }
            Err(reason) => {
                self.refused = Rc::downgrade(log);
                Seated::Refused(Some(reason))
            }
        }
    }

    /// Gives the place back.
    pub(super) fn stand_up(&mut self) {
        self.seat = None;
    }

    /// The socket that is written to at news, if it has one.
    pub(super) fn outlet(&self) -> Option<Rc<dyn WriteNews>> {
        self.outlet.as_ref()?.upgrade()
    }

    /// Its place at the window.
    pub(super) fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// Has the thread write to this socket at the window's news.
    pub(super) fn serve(&mut self, outlet: &Rc<dyn WriteNews>) {
        self.outlet = Some(Rc::downgrade(outlet));
    }

    /// The stream stands here from now on.
    pub(super) fn follow(&self, at: (Cursor, Timestamp), now: Instant) {
        if let Some(seat) = &self.seat {
            seat.follow(at, self.outlet.clone(), now);
        }
    }

    /// Whether what comes next has to be looked for.
    pub(super) fn is_behind(&self, cursor: Cursor) -> bool {
        self.seat
            .as_ref()
            .is_some_and(|seat| seat.is_behind(cursor))
    }

    /// Takes what comes behind a place, and moves that; or what there is in place of
    /// bytes.
    pub(super) fn take(
        &mut self,
        log: &RefCell<LocalLog>,
        cursor: &mut Cursor,
        form: &Form,
        tally: &Tally,
    ) -> Result<Piece, Next> {
        let Some(seat) = &self.seat else {
            return Err(Next::Forgotten);
        };
        let first = match seat.due(*cursor, Timestamp::MAX, form) {
            Due::Frame(frame, place) => match &frame.long {
                Some(long) => return Err(Next::Long(Reading::new(long, Extent::Event), place)),
                None => said(&frame, form, (cursor, place), tally),
            },
            Due::Merged(waiting) => return Err(Next::Merged(waiting)),
            Due::Nothing(place) => {
                *cursor = place;
                return Err(match log.borrow().ended {
                    true => Next::Ended,
                    false => Next::Nothing,
                });
            }
            Due::Forgotten => return Err(Next::Forgotten),
        };
        if !form.is_chunked || !seat.holds(*cursor) {
            return Ok(first);
        }
        // One write for what has come since, as long as copying is the cheaper part.
        let mut pieces = Pieces::default();
        pieces.push(&first);
        while pieces.length() < GATHER_BYTES_MAX
            && seat.holds(*cursor)
            && let Due::Frame(frame, place) = seat.due(*cursor, Timestamp::MAX, form)
            && frame.long.is_none()
        {
            pieces.push(&said(&frame, form, (cursor, place), tally));
        }
        Ok(pieces.finish())
    }
}

/// A frame's bytes, which are about to be sent.
fn said(
    frame: &Frame,
    form: &Form,
    (cursor, place): (&mut Cursor, Cursor),
    tally: &Tally,
) -> Piece {
    tally.count_frames(1);
    *cursor = place;
    frame.encoded.piece(form)
}
