//! One stream: a cursor into the thread's copy of the log.
//!
//! Nothing is queued for a subscriber. It is asked for bytes when its socket
//! has room, and answers from where it stands; nobody ever waits for it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use fastrand::Rng;

use crate::limits::OUTLET_GATHERED_MAX;
use crate::model::position::{Position, Timestamp};
use crate::model::retention::{Cursor, Resume};
use crate::relay::counters::{End, Kept};
use crate::relay::event::frame::Frame;
use crate::relay::event::long_event::{Reading, Upcoming};
use crate::relay::event::notices::{REASON_CLOSING, REASON_EXPIRED, REASON_HALF_CLOSED};
use crate::relay::event::packed::Piece;
use crate::relay::event::packing::Packing;
use crate::relay::log::backlog::Waiting;
use crate::relay::shared_view::{LOTS, SharedView};
use crate::relay::subscribe::expiry::{Expiry, Lease};
use crate::relay::subscribe::handshake::Handshake;
use crate::relay::subscribe::stream_encoder::StreamEncoder;
use crate::relay::subscribe::windowed::Windowed;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::next::Next;
use crate::relay::thread::round::WriteNews;
use crate::relay::thread::seat::Choose;
use crate::relay::thread::thread_view::ThreadView;
use crate::relay::thread::waiter::Waiter;

mod following;
mod joining;

/// Where a stream is in its life.
enum Stage {
    /// Nothing sent yet.
    Opening,
    /// Waits for a log, a base, or for the log to reach a position.
    Joining,
    /// Sends a large event, slice by slice.
    Long {
        log: Rc<RefCell<LocalLog>>,
        long: Box<Long>,
    },
    /// Waits for what it lacks as one delta.
    Merging {
        log: Rc<RefCell<LocalLog>>,
        cursor: Cursor,
        waiting: Waiting,
    },
    /// Follows the log.
    Following {
        log: Rc<RefCell<LocalLog>>,
        cursor: Cursor,
    },
    /// Ends, or has ended but for the end of a compressed stream.
    Ended,
    /// Has ended.
    Over,
}

/// A large event that is being sent. Most streams send none for most of their
/// lives, so it is boxed.
struct Long {
    reading: Reading,
    then: Then,
}

/// Where a stream goes on behind a large event.
#[derive(Clone, Copy)]
enum Then {
    /// Behind its base, which is of this time, it begins to follow the log. The
    /// place in the log is looked up before the base is sent: a frame without a
    /// timestamp (`upstream`) that is appended meanwhile then comes after it.
    Begin(Resume, Timestamp),
    /// It stands in the log at this cursor.
    GoOn(Cursor),
}

/// What the thread has to do for a subscriber when there is news.
pub enum News {
    /// Write these bytes.
    Bytes(Bytes),
    /// Nothing: it has been sent everything, or its task is woken anyway.
    None,
    /// Wake its task.
    Task,
}

/// A browser's stream, as a source of bytes.
pub struct Subscriber {
    waiter: Waiter,
    encoder: StreamEncoder,
    shared: Arc<SharedView>,
    stage: Stage,
    handshake: Handshake,
    /// The window that it shows; `None` where it shows the whole view.
    window: Option<Box<Windowed>>,
    /// Silent intervals already answered with a comment.
    silences: u64,
    /// Drawn at random: when it ends at a shutdown.
    lot: u16,
    /// It has just compressed a slice: other tasks of the thread come first.
    has_worked: bool,
    /// Why it ended, once it has.
    end: End,
    /// The stream ends as soon as it has sent what there is.
    is_last: bool,
    /// When the stream has to end, if it has to.
    expiry: Expiry,
    /// Dropped when the stream has ended.
    kept: Box<dyn Kept>,
}

impl Subscriber {
    /// A stream of the view, from the latest of these positions if it can be
    /// resumed; it keeps what it is given until it has ended. Chance decides
    /// when it ends at a shutdown, and when its client comes back.
    pub fn new(
        local: &Rc<RefCell<ThreadView>>,
        resume: Vec<Position>,
        mut rng: Rng,
        kept: impl Kept + 'static,
    ) -> Self {
        let (shared, silences, counters) = {
            let local = local.borrow();
            let counters = Arc::clone(&local.counters);
            (Arc::clone(&local.shared), local.silences, counters)
        };
        shared.subscribe();
        Subscriber {
            waiter: Waiter::new(local),
            lot: rng.u16(LOTS),
            encoder: StreamEncoder::new(counters, rng),
            shared,
            stage: Stage::Opening,
            handshake: Handshake::new(resume),
            window: None,
            silences,
            has_worked: false,
            end: End::Left,
            is_last: false,
            expiry: Expiry::default(),
            kept: Box::new(kept),
        }
    }

    /// A stream of the window of a view that is chosen when the view's columns are
    /// known; else like one of the whole view.
    pub fn of_window(
        local: &Rc<RefCell<ThreadView>>,
        choose: Choose,
        resume: Vec<Position>,
        rng: Rng,
        kept: impl Kept + 'static,
    ) -> Self {
        let mut subscriber = Subscriber::new(local, resume, rng, kept);
        subscriber.window = Some(Box::new(Windowed::new(choose)));
        subscriber
    }

    /// Ends the stream between two events as soon as it has said what there is
    /// now: its client has closed its side. It may still read, or have left.
    pub fn end_soon(&mut self) {
        self.is_last = true;
    }

    /// Ends the stream with this lease, between two events.
    pub fn end_with(&mut self, lease: Arc<Lease>) {
        let recalls = self.shared.recalls();
        self.expiry = Expiry::of(lease, recalls);
    }

    /// Whether it would end if it were asked for more: its time is over, or what
    /// it lacks is not kept any more.
    pub fn is_due(&self, now: Instant) -> bool {
        let is_over = match &self.stage {
            Stage::Following { log, cursor } | Stage::Merging { log, cursor, .. } => {
                match self.window.as_ref().and_then(|it| it.seat()) {
                    Some(seat) => seat.is_forgotten(*cursor),
                    None => log.borrow().is_forgotten(*cursor),
                }
            }
            Stage::Long { long, .. } => long.reading.is_given_up(),
            Stage::Ended | Stage::Over => true,
            Stage::Opening | Stage::Joining => false,
        };
        is_over || self.shared.ends(self.lot) || self.is_expired(now)
    }

    /// Whether the piece handed out last begins an event. Then the stream may as
    /// well end before that piece. A compressed stream may not: it needs its head, or a
    /// trailer at its end.
    pub fn is_at_event(&self) -> bool {
        let is_inside =
            matches!(&self.stage, Stage::Long { long, .. } if long.reading.slices() > 1);
        !is_inside && self.encoder.form.packing.is_none()
    }

    /// Compresses what the stream says.
    pub fn pack(&mut self, packing: Packing) {
        self.encoder.form.packing = Some(packing);
    }

    /// Frames the bytes in chunks, and has the thread write to the outlet at news
    /// instead of waking a task. Returns the first bytes.
    pub fn serve(&mut self, outlet: Rc<dyn WriteNews>) -> Bytes {
        self.encoder.form.is_chunked = true;
        match &mut self.window {
            None => self.waiter.serve(outlet),
            Some(window) => window.serve(&outlet),
        }
        let first = self.open();
        self.encoder.said(first)
    }

    fn open(&mut self) -> Piece {
        self.stage = Stage::Joining;
        self.encoder.open()
    }

    /// The thread writes to the outlet no more.
    pub fn leave(&self) {
        self.waiter.leave_outlet();
    }

    /// Counts a write to the socket.
    pub fn count_write(&self) {
        self.encoder.tally.thread.count_write();
    }

    /// What the thread is to do when there is news.
    pub fn news(&mut self, now: Instant) -> News {
        if let Some(piece) = self.encoder.behind() {
            return News::Bytes(self.encoder.said(piece));
        }
        let is_to_end = self.is_expired(now) || self.shared.ends(self.lot);
        let Stage::Following { log, cursor } = &mut self.stage else {
            return News::None;
        };
        if is_to_end {
            return News::Task;
        }
        let form = &self.encoder.form;
        let taken = match &mut self.window {
            Some(window) if window.is_behind(*cursor) => return News::Task,
            Some(window) => window.take(log, cursor, form, &self.encoder.tally),
            None if log.borrow().is_far_behind(*cursor) => return News::Task,
            None => {
                let next = log.borrow_mut().next(*cursor, form);
                next.taken(cursor, &self.encoder.tally)
            }
        };
        match taken {
            Ok(piece) => {
                let piece = self.encoder.event(piece);
                News::Bytes(self.encoder.said(piece))
            }
            Err(Next::Nothing) => News::None,
            // Long or to be merged: its task does that.
            Err(_) => News::Task,
        }
    }

    /// The next bytes of the stream; `None` at its end, which is always between
    /// two events.
    pub fn poll_next(&mut self, now: Instant, waker: &Waker) -> Poll<Option<Bytes>> {
        let Some(piece) = ready!(self.poll_stage(now, waker)) else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(self.encoder.said(piece)))
    }

    /// What may be written along with the bytes that were handed out last, since
    /// it is in memory anyway. As long as it is held, `poll_next` hands it out
    /// next, piece by piece.
    pub fn upcoming(&self) -> Upcoming {
        let mut upcoming = match &self.stage {
            Stage::Long { long, .. } if long.reading.slices() > 0 => {
                let form = &self.encoder.form;
                long.reading.upcoming(form, OUTLET_GATHERED_MAX)
            }
            _ => Upcoming::default(),
        };
        if let Some(behind) = self.encoder.peek_behind() {
            upcoming.slices.insert(0, behind.bytes.clone());
        }
        upcoming
    }

    /// When it is to be polled again after this moment, though its task is not
    /// woken.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let all = [self.expiry.wake_at(now), self.handshake.wake_at()].into_iter();
        all.flatten().filter(|at| *at > now).min()
    }

    fn poll_stage(&mut self, now: Instant, waker: &Waker) -> Poll<Option<Piece>> {
        if let Some(piece) = self.encoder.behind() {
            return Poll::Ready(Some(piece));
        }
        let is_expired = self.is_expired(now);
        loop {
            // `Ready(None)` where the stage has changed.
            let step = match &self.stage {
                Stage::Opening => return Poll::Ready(Some(self.open())),
                Stage::Joining | Stage::Following { .. } | Stage::Merging { .. } if is_expired => {
                    self.finish(End::Expired);
                    return Poll::Ready(Some(self.encoder.farewell(REASON_EXPIRED)));
                }
                Stage::Joining => self.join(now, waker),
                Stage::Long { .. } => self.read_on(now, waker),
                Stage::Merging { .. } => self.take_merged(waker),
                Stage::Following { .. } => self.go_on(waker),
                Stage::Ended => {
                    self.stage = Stage::Over;
                    return Poll::Ready(self.encoder.end());
                }
                Stage::Over => return Poll::Ready(None),
            };
            match step {
                Poll::Ready(None) => {}
                done => return done,
            }
        }
    }

    fn finish(&mut self, end: End) {
        self.end = end;
        self.stage = Stage::Ended;
    }

    /// The last block: that the view is gone; else when to come back, since the
    /// gateway shuts down or the client has closed its side.
    fn say_farewell(&mut self) -> Piece {
        if let Some(reason) = self.shared.given_up() {
            return self.say_gone(reason);
        }
        let (end, reason) = match self.shared.ends(self.lot) {
            true => (End::Shutdown, REASON_CLOSING),
            false => (End::Left, REASON_HALF_CLOSED),
        };
        self.finish(end);
        self.encoder.farewell(reason)
    }

    /// The last event: there is nothing to show any more, for this reason.
    fn say_gone(&mut self, reason: &str) -> Piece {
        self.finish(End::Gone);
        let gone = Frame::gone(reason);
        let event = self.encoder.own(&gone.encoded.event());
        self.encoder.event(event)
    }

    /// Whether the time is over that the stream may last.
    fn is_expired(&self, now: Instant) -> bool {
        self.expiry.is_over(now, || self.shared.recalls())
    }

    fn wait(&mut self, waker: &Waker) -> Poll<Option<Piece>> {
        self.waiter.wait(waker);
        Poll::Pending
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.shared.unsubscribe();
        let tally = &self.encoder.tally;
        tally.thread.count_end(self.end);
        self.kept.ended(self.end, tally.frames());
    }
}
