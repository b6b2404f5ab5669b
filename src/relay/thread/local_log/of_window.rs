//! A log as the readers of a window see it: what the window holds for them, and
//! behind that what the log has.

use std::rc::Weak;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::{Forgotten, LocalLog};
use crate::limits::{WINDOW_MISSED_CHANGES_MAX, WINDOW_MISSED_ENTRIES_MAX};
use crate::model::delta::Delta;
use crate::model::position::{Incarnation, Timestamp};
use crate::model::retention::Cursor;
use crate::model::window::Window;
use crate::relay::event::form::Form;
use crate::relay::event::frame::Frame;
use crate::relay::log::backlog::Merge;
use crate::relay::log::bases::Base;
use crate::relay::log::window_backlog::missed;
use crate::relay::log::window_request::WindowRequest;
use crate::relay::thread::next::Due;
use crate::relay::thread::round::WriteNews;
use crate::relay::thread::windows::open_window::Ahead;

/// A window's number, and a reader's place at it.
type At = (usize, usize);

/// It takes too long to say what a reader has missed.
struct Much;

impl LocalLog {
    /// A place at a window, and whether it was opened for this.
    pub(in crate::relay::thread) fn enter_window(
        &mut self,
        window: Window,
        is_alone: bool,
        now: Instant,
    ) -> (At, bool) {
        let end = self.frames.end();
        self.windows.enter(window, is_alone, end, now)
    }

    /// A place is given back; whether the window is closed by this.
    pub(in crate::relay::thread) fn leave_window(&mut self, at: At) -> bool {
        self.windows.leave(at)
    }

    /// The window that a reader has a place at.
    pub(in crate::relay::thread) fn window(&self, at: At) -> Option<Arc<Window>> {
        self.windows.get(at.0).map(|open| Arc::clone(&open.window))
    }

    /// Of what a reader's window is at this time.
    pub(in crate::relay::thread) fn window_incarnation(
        &self,
        at: At,
        timestamp: Timestamp,
    ) -> Option<Incarnation> {
        let view = self.terms.at(timestamp);
        self.windows.get(at.0).map(|open| open.incarnation(view))
    }

    /// Tells windows that have been silent for long that nothing has changed. Behind
    /// the last frame nothing is told.
    pub(in crate::relay::thread) fn beat(&mut self, now: Instant) {
        if !self.ended {
            self.windows.beat(self.position(), now);
        }
    }

    /// When `beat` is to be called next.
    pub(in crate::relay::thread) fn beat_at(&self) -> Option<Instant> {
        self.windows.wake_at().filter(|_| !self.ended)
    }

    /// The base of a window, if the log goes on from it.
    pub(in crate::relay::thread) fn window_base(&self, at: At) -> Option<Arc<Base>> {
        let base = self.windows.get(at.0)?.base()?;
        let found = self.frames.since(base.position.timestamp);
        found.cursor().map(|_| base)
    }

    /// A request for a base, unless one is on its way.
    pub(in crate::relay::thread) fn want_window_base(
        &mut self,
        at: At,
    ) -> Option<Arc<WindowRequest>> {
        self.windows.want_base(at.0)
    }

    /// A reader stands at a place and time from now on.
    pub(in crate::relay::thread) fn follow_window(
        &mut self,
        at: At,
        stands: (Cursor, Timestamp),
        outlet: Option<Weak<dyn WriteNews>>,
        now: Instant,
    ) {
        self.windows.follow(at, stands, outlet, now);
    }

    /// Wakes a reader's task at the next news of its window.
    pub(in crate::relay::thread) fn wait_at_window(&mut self, at: At, waker: &Waker) {
        if let Some(open) = self.windows.get_mut(at.0) {
            open.wait(at.1, waker);
        }
    }

    /// What comes after a place for a window's reader, with changes up to a time.
    pub(in crate::relay::thread) fn due_of_window(
        &mut self,
        at: At,
        cursor: Cursor,
        until: Timestamp,
        form: &Form,
    ) -> Due {
        let mut reached = cursor;
        loop {
            let Some(open) = self.windows.get_mut(at.0) else {
                return Due::Forgotten;
            };
            open.stand(at.1, reached);
            let cursor = open.cursor(at.1).unwrap_or(reached);
            if open.is_out_of_time(at.1, self.frames.first()) {
                return Due::Forgotten;
            }
            match open.ahead(at.1, until) {
                Ahead::Frame(frame, behind) => return Due::Frame(frame, behind),
                Ahead::Beat(beat) => return Due::Frame(beat, self.frames.end()),
                Ahead::Nothing => return Due::Nothing(cursor),
                Ahead::Log => {}
            }
            match self.due_of_log(at, cursor, until, form) {
                Ok(due) => return due,
                Err(further) => reached = further,
            }
        }
    }

    /// The same where what comes is in the log alone; the place that is reached if
    /// it was nothing.
    fn due_of_log(
        &mut self,
        at: At,
        cursor: Cursor,
        until: Timestamp,
        form: &Form,
    ) -> Result<Due, Cursor> {
        let (place, frame) = match self.ahead(cursor, until) {
            Err(Forgotten) => return Ok(Due::Forgotten),
            // Heartbeats of the view are not the window's.
            Ok((place, None)) if place > cursor => return Err(place),
            Ok((place, None)) => return Ok(Due::Nothing(place)),
            Ok((place, Some(frame))) => (place, Arc::clone(frame)),
        };
        if frame.changes().is_none() {
            return Ok(Due::Frame(frame, place.next()));
        }
        let end = self.run_end(place, self.frames.behind_all_until(until));
        let Some(open) = self.windows.get_mut(at.0) else {
            return Ok(Due::Forgotten);
        };
        let window = Arc::clone(&open.window);
        match self.missed(&window, place, end) {
            Ok(None) => Err(end),
            Ok(Some(delta)) => {
                let timestamp = delta.timestamp();
                self.note_sent(at, timestamp);
                let incarnation = self.window_incarnation(at, timestamp);
                Ok(match incarnation {
                    Some(incarnation) => Due::Frame(self.frame_of(delta, incarnation), end),
                    None => Due::Forgotten,
                })
            }
            Err(Much) => {
                // Its position is not beyond what the log has reached.
                self.note_sent(at, self.frames.head());
                let (_, waiting) = Merge::begin(&self.source, (place, end), Some(window), form);
                Ok(Due::Merged(waiting))
            }
        }
    }

    /// A window's readers may not be sent this position, or one before, once more,
    /// and the one who is sent it lacks no heartbeat of before.
    fn note_sent(&mut self, (number, place): At, position: Timestamp) {
        if let Some(open) = self.windows.get_mut(number) {
            open.sent = open.sent.max(position);
            open.forgo_beat(place);
        }
    }

    /// A delta for one reader. A large one is kept while it is read.
    fn frame_of(&self, delta: Delta, incarnation: Incarnation) -> Arc<Frame> {
        let frame = Arc::new(Frame::delta(delta, incarnation));
        if let Some(long) = &frame.long {
            let bytes = u64::try_from(frame.encoded.length()).unwrap_or(u64::MAX);
            let long = Arc::clone(long);
            self.source.lock().long_backlogs.keep(long, bytes);
        }
        frame
    }

    /// What a window's reader has missed from a place to another, as one delta.
    fn missed(&self, window: &Window, from: Cursor, to: Cursor) -> Result<Option<Delta>, Much> {
        let entries = usize::try_from(to.since(from)).unwrap_or(usize::MAX);
        if entries > WINDOW_MISSED_ENTRIES_MAX {
            return Err(Much);
        }
        let entries = || self.frames.from(from).into_iter().flatten().take(entries);
        let loose = entries().filter_map(|entry| {
            let changes = entry.frame.changes()?.changes().len();
            let is_loose = changes > 0 && !entry.frame.parts.has(window.shape());
            is_loose.then_some(changes)
        });
        if loose.sum::<usize>() > WINDOW_MISSED_CHANGES_MAX {
            return Err(Much);
        }
        let frames = entries().map(|entry| (&entry.frame, entry.timestamp));
        Ok(missed(frames, window))
    }

    /// A request for the rows of a window.
    pub fn request(&self, window: Arc<Window>) -> WindowRequest {
        WindowRequest::new(window, Arc::clone(&self.source))
    }

    /// Whether the log has all changes since a time, and none of them is of the
    /// window; also `false` where that takes too long to say.
    pub fn is_window_unchanged(&self, window: &Window, since: Timestamp) -> bool {
        let found = self.frames.since(since).cursor();
        found.is_some_and(|from| matches!(self.missed(window, from, self.frames.end()), Ok(None)))
    }

    /// Whether `due_of_window` may give something.
    pub(in crate::relay::thread) fn is_due_of_window(
        &self,
        at: At,
        cursor: Cursor,
        until: Timestamp,
    ) -> bool {
        let Some(open) = self.windows.get(at.0) else {
            return true;
        };
        let is_due = open.is_due((at.1, cursor), until);
        is_due.unwrap_or_else(|| self.is_due(self.stands(at, cursor), until))
    }

    /// Whether a frame is held for a reader who has everything before a place.
    pub(in crate::relay::thread) fn window_holds(&self, at: At, cursor: Cursor) -> bool {
        let open = self.windows.get(at.0);
        open.is_some_and(|open| open.is_due((at.1, cursor), Timestamp::MAX) == Some(true))
    }

    /// Whether what a reader lacks is in the log alone.
    pub(in crate::relay::thread) fn is_window_behind(&self, at: At, cursor: Cursor) -> bool {
        let open = self.windows.get(at.0);
        open.is_none_or(|open| open.is_behind((at.1, cursor)))
    }

    /// Whether what a reader lacks is not kept any more.
    pub(in crate::relay::thread) fn is_window_forgotten(&self, at: At, cursor: Cursor) -> bool {
        if self.is_window_behind(at, cursor) {
            return self.is_forgotten(self.stands(at, cursor));
        }
        let open = self.windows.get(at.0);
        open.is_some_and(|open| open.is_out_of_time(at.1, self.frames.first()))
    }

    /// Where a reader stands who may have read on since it last asked.
    fn stands(&self, at: At, read: Cursor) -> Cursor {
        let open = self.windows.get(at.0);
        let cursor = open.and_then(|open| open.cursor(at.1));
        cursor.map_or(read, |cursor| cursor.max(read))
    }
}
