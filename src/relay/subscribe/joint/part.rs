//! One view's part in a stream of several.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::limits::JOINT_SILENCE;
use crate::model::position::{Position, Timestamp};
use crate::model::retention::Cursor;
use crate::model::upstream::Word;
use crate::relay::counters::{End, Tally};
use crate::relay::event::body::Extent;
use crate::relay::event::frame::Frame;
use crate::relay::event::names::{EVENT_BASE, EVENT_GONE};
use crate::relay::log::backlog::Waiting;
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::handshake::{Handshake, Judged};
use crate::relay::subscribe::joint::chosen::Chosen;
use crate::relay::subscribe::joint::output::Out;
use crate::relay::subscribe::windowed::Windowed;
use crate::relay::thread::cohort::Place;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::seat::Seat;
use crate::relay::thread::waiter::Waiter;
use reach::{Reach, is_far_before};

pub(super) mod reach;
mod reaching;
mod sending;
mod sitting;

/// Where a view is in the life of the stream.
enum Stage {
    /// Waits for a log, a base, or for the log to reach a position.
    Joining,
    /// Follows the log.
    Following {
        log: Rc<RefCell<LocalLog>>,
        cursor: Cursor,
    },
    /// Gone, and the client knows.
    Absent,
}

/// What became of an attempt to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Rows: the view is not what it was at the last common time.
    Rows,
    /// Something else.
    Word,
    /// Nothing: there is nothing to tell.
    Nothing,
    /// Nothing yet: the task is woken when there is.
    Later,
    /// What it lacks is forgotten.
    Forgotten,
}

/// A view in a stream.
pub(super) struct Part {
    waiter: Waiter,
    pub(super) shared: Arc<SharedView>,
    pub(super) tally: Tally,
    /// Its place among the views by name: the order of positions in an id.
    pub(super) rank: usize,
    /// How each of its events begins.
    prefix: String,
    stage: Stage,
    /// What it lacks is being merged.
    merging: Option<Waiting>,
    handshake: Handshake,
    /// The window of it that is shown; `None` of the whole view.
    window: Option<Box<Windowed>>,
    /// Where the client stands.
    pub(super) at: Option<Position>,
    /// The client has shown the view at this time: the views may not stand together
    /// at an earlier one, unless time went back.
    seen: Timestamp,
    /// The rest of its log is sent, whatever the others' times are.
    pub(super) is_leaving: bool,
    /// How far it reached when last looked at, and since when it does.
    reach: Reach,
    quiet_since: Instant,
}

impl Part {
    /// A view, whose events' names begin as given, at this place in an id; from a
    /// position if it can be resumed.
    pub(super) fn new(
        chosen: &Chosen,
        rank: usize,
        resume: Option<Position>,
        now: Instant,
    ) -> Self {
        let (shared, counters) = {
            let local = chosen.local.borrow();
            (Arc::clone(&local.shared), Arc::clone(&local.counters))
        };
        shared.subscribe();
        Part {
            waiter: Waiter::new(&chosen.local),
            shared,
            tally: Tally::new(counters),
            rank,
            prefix: format!("event: {}.", chosen.name),
            stage: Stage::Joining,
            merging: None,
            handshake: Handshake::new(resume.into_iter().collect()),
            window: chosen.window.clone().map(Windowed::new).map(Box::new),
            at: None,
            seen: Timestamp::MIN,
            is_leaving: false,
            reach: Reach::Closed(Timestamp::MIN),
            quiet_since: now,
        }
    }

    /// Wakes the task at the next news: at the view's, or at the window's alone where
    /// nothing is held back for which the view's time counts.
    /// The thread tells one that is served of the view's news itself, unless it has yet
    /// to find its place there.
    pub(super) fn wait(&self, is_idle: bool, is_served: bool, waker: &Waker) {
        let seat = self.seat();
        if let Some(seat) = seat {
            seat.wait(waker);
        }
        let is_told = is_served && !self.needs_task();
        if !is_told && (seat.is_none() || !is_idle || !self.is_followed()) {
            self.waiter.wait(waker);
        }
        // It may have been merged meanwhile.
        let merged = self.merging.as_ref().map(|it| it.poll(waker));
        if merged.flatten().is_some() {
            waker.wake_by_ref();
        }
    }

    /// Whether its task is to look for a log, or waits for something that is not news of
    /// the view: of a window, or of a merge.
    pub(super) fn needs_task(&self) -> bool {
        !self.is_followed() || self.window.is_some() || self.merging.is_some()
    }

    /// Whether it has a place in a log.
    pub(super) fn is_followed(&self) -> bool {
        matches!(self.stage, Stage::Following { .. })
    }

    /// Where it stands in the log, if it goes on from there with the others.
    pub(super) fn place(&self) -> Option<Place> {
        let Stage::Following { log, cursor } = &self.stage else {
            return None;
        };
        let is_by_itself = self.is_leaving || self.merging.is_some();
        Some(Place {
            log: Rc::clone(log),
            cursor: *cursor,
            at: self.at.filter(|_| !is_by_itself)?,
        })
    }

    /// It stands there.
    pub(super) fn stand_at(&mut self, place: &Place) {
        if let Stage::Following { cursor, .. } = &mut self.stage {
            *cursor = place.cursor;
        }
        self.at = Some(place.at);
    }

    /// When it is to be looked at again, though there is no news.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.handshake.wake_at()
    }

    /// Whether nothing is known of it yet.
    pub(super) fn is_loading(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Joining) && self.waiter.current_log(now).is_none()
    }

    /// Whether it is gone, and the client knows.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.stage, Stage::Absent)
    }

    /// Whether what it lacks is not kept any more.
    pub(super) fn is_forgotten(&self) -> bool {
        match &self.stage {
            Stage::Following { log, cursor } => match self.seat() {
                Some(seat) => seat.is_forgotten(*cursor),
                None => log.borrow().is_forgotten(*cursor),
            },
            Stage::Joining | Stage::Absent => false,
        }
    }

    /// Whether nobody looks for the view any more.
    pub(super) fn is_given_up(&self, lot: u16) -> bool {
        // A view that is given up is closed as well, which is seen without a lock.
        self.shared.ends(lot) && self.shared.given_up().is_some()
    }

    /// Tells the client that the view is not served any more, once; whether it
    /// was told now.
    pub(super) fn give_up(&mut self, out: &mut Out) -> bool {
        let gone = self.shared.given_up().filter(|_| !self.is_absent());
        let Some(gone) = gone.map(Frame::gone) else {
            return false;
        };
        self.tell(EVENT_GONE, gone.encoded.data(), out);
        self.leave_view();
        true
    }

    /// The client was told that the view is gone. It has no rows of it any
    /// more, and so goes on from nothing that it came with.
    fn leave_view(&mut self) {
        (self.stage, self.at, self.merging) = (Stage::Absent, None, None);
        self.stand_up();
        self.handshake = Handshake::new(Vec::new());
    }

    /// Looks for the place to begin, unless it has one.
    pub(super) fn join(&mut self, now: Instant, out: &mut Out) -> Sent {
        if let Stage::Following { .. } = self.stage {
            return Sent::Nothing;
        }
        let Some(log) = self.waiter.current_log(now) else {
            let why = self.shared.upstream().why_gone();
            let Some(why) = why.filter(|_| !self.is_absent()) else {
                return Sent::Nothing;
            };
            let gone = Frame::gone(why.words()).encoded.data();
            self.tell(EVENT_GONE, gone, out);
            self.leave_view();
            return Sent::Word;
        };
        if let Some(refused) = self.sit_down(&log, out, now) {
            return refused;
        }
        self.stage = Stage::Joining;
        let window = self.seat().and_then(Seat::window);
        let (window, counters) = (window.as_deref(), &self.tally.thread);
        let brought = match self.handshake.judge(&log, window, counters, now) {
            Judged::Ahead => return Sent::Nothing,
            Judged::Resumed(position, cursor) => {
                self.seen = position.timestamp;
                return self.follow(log, cursor, position, (out, now));
            }
            Judged::Base(brought) => brought,
        };
        // A base may be older than what the client has shown; but not where time
        // went back since, or the others would have to come as far again.
        let is_known = |brought: &Position| {
            let log = log.borrow();
            let is_reached = brought.timestamp <= log.frames.head();
            is_reached && log.holds(*brought, window)
        };
        if let Some(position) = brought.filter(is_known) {
            self.seen = position.timestamp;
        }
        let base = match self.seat() {
            Some(seat) => seat.base(),
            None => log.borrow().base.clone(),
        };
        let found = base.and_then(|base| {
            let found = log.borrow().frames.since(base.position.timestamp);
            Some((base, found.cursor()?))
        });
        let Some((base, cursor)) = found else {
            match self.seat() {
                Some(seat) => seat.want_base(&self.waiter.thread()),
                None => self.waiter.want_base(),
            }
            return Sent::Nothing;
        };
        // `upstream` comes before the base: a base that is sent slice by slice
        // must be the last thing in the output.
        self.follow(log, cursor, base.position, (out, now));
        match &base.short {
            Some(event) => self.tell(EVENT_BASE, event.data(), out),
            None => self.tell_long(EVENT_BASE, base.read(Extent::Data), out),
        }
        Sent::Rows
    }

    /// Begins to follow the log; who begins is told if the upstream is lost.
    fn follow(
        &mut self,
        log: Rc<RefCell<LocalLog>>,
        cursor: Cursor,
        position: Position,
        (out, now): (&mut Out, Instant),
    ) -> Sent {
        let is_lost = log.borrow_mut().is_lost_at(cursor);
        if let Some(seat) = self.seat() {
            seat.follow((cursor, position.timestamp), None, now);
        }
        if is_lost {
            let lost = Frame::upstream(false);
            self.tell(lost.event_name(), lost.encoded.data(), out);
        }
        (self.at, self.is_leaving) = (Some(position), false);
        // A merge that still runs would be of another log.
        self.merging = None;
        self.stage = Stage::Following { log, cursor };
        Sent::Word
    }

    /// Whether the upstream's time went back: the view now begins so long before
    /// the time at which the views stood together that no snapshot of the same
    /// history would.
    pub(super) fn is_far_before(&self, time: Option<Timestamp>) -> bool {
        let both = self.at.zip(time);
        both.is_some_and(|(at, time)| is_far_before(at.timestamp, time))
    }

    /// How far the view reaches now; `None` unless it is followed.
    pub(super) fn look(&mut self, now: Instant) -> Option<Reach> {
        let Stage::Following { log, .. } = &self.stage else {
            return None;
        };
        // Asked before the log is copied: a view that is constant has its last
        // frames in the log by then.
        let is_constant = self.shared.upstream().word() == Word::Complete;
        let mut log = log.borrow_mut();
        if is_constant {
            log.follow(now);
        }
        let head = log.frames.head();
        let reach = match log.ended {
            true => Reach::Ended(head),
            // At the end of time nothing changes any more, also while it is lost.
            false if is_constant || head == Timestamp::MAX => Reach::Constant(head),
            false => Reach::Closed(head),
        };
        if reach != self.reach {
            (self.reach, self.quiet_since) = (reach, now);
        }
        Some(reach)
    }

    /// From when on the view counts as unchanged up to where the others stand,
    /// since it was silent while they waited for it. `None` if its upstream sends
    /// progress, so that silence means nothing.
    pub(super) fn quiet_at(&self, waited_for_since: Instant) -> Option<Instant> {
        let is_mute = matches!(self.stage, Stage::Following { .. }) && !self.shared.is_steady();
        is_mute.then(|| self.quiet_since.max(waited_for_since) + JOINT_SILENCE)
    }

    /// The latest time up to this one at which the view's changes are whole.
    pub(super) fn whole_at(&self, time: Timestamp) -> Timestamp {
        match &self.stage {
            Stage::Following { log, .. } => log.borrow().frames.whole_at(time),
            Stage::Joining | Stage::Absent => time,
        }
    }

    /// Whether there is something to tell up to this time.
    pub(super) fn is_due(&self, until: Timestamp) -> bool {
        match &self.stage {
            Stage::Following { log, cursor } => match self.seat() {
                Some(seat) => seat.is_due(*cursor, until),
                None => log.borrow().is_due(*cursor, until),
            },
            Stage::Joining | Stage::Absent => false,
        }
    }

    /// Everything up to this time was told.
    pub(super) fn stand(&mut self, time: Timestamp) {
        let Stage::Following { log, cursor } = &self.stage else {
            return;
        };
        let log = log.borrow();
        let timestamp = match self.reach {
            // Where others will look for it, whatever the time is by then.
            Reach::Constant(head) if self.unchanged_since(&log, *cursor).is_some() => head,
            // Not beyond what the view itself has reached, though the others are. It may
            // have come further since the time was chosen, if it was not waited for.
            _ => log.frames.whole_at(log.frames.head().min(time)),
        };
        self.at = Some(Position {
            timestamp,
            incarnation: self.incarnation(&log, timestamp),
        });
    }

    /// The stream has ended, for this reason.
    pub(super) fn leave(&self, end: End) {
        self.shared.unsubscribe();
        self.tally.thread.count_end(end);
    }
}
