//! A window that is open on a thread: its frames, until all its readers have them,
//! and who they are.
//!
//! A reader stands at a place of the view's log: it has been told everything of the
//! window that lies before it. Frames are held only while somebody lacks them, so an
//! idle window holds none. What is not held any more is made anew from the log.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Weak as RcWeak;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use crate::limits::{BASE_SURPLUS_BYTES_MIN, CATCH_UP_FRAMES_MAX, WINDOW_BASE_READERS_MIN};
use crate::model::position::{Incarnation, Timestamp};
use crate::model::retention::Cursor;
use crate::model::window::Window;
use crate::relay::event::frame::{Frame, Kind};
use crate::relay::log::bases::Base;
use crate::relay::log::window_request::WindowRequest;
use crate::relay::thread::round::WriteNews;
use crate::relay::thread::windows::beats::Tick;
use crate::relay::thread::windows::readers::{Reader, Readers};

/// A frame of the window.
#[derive(Debug)]
struct Held {
    frame: Arc<Frame>,
    /// The time of the log's entry that it was made of, and the place behind it.
    timestamp: Timestamp,
    behind: Cursor,
    /// Readers who lack it.
    unread: usize,
}

/// The base that the window's readers were given last.
enum Kept {
    /// It is small, and held here.
    Short(Arc<Base>),
    /// The log holds it while it is read.
    Long(Weak<Base>),
}

/// What a reader is to be given.
pub(in crate::relay::thread) enum Ahead {
    /// This; it then stands at the place.
    Frame(Arc<Frame>, Cursor),
    /// The heartbeat.
    Beat(Arc<Frame>),
    /// Nothing.
    Nothing,
    /// What it lacks is in the log alone.
    Log,
}

/// An open window.
pub(in crate::relay::thread) struct OpenWindow {
    pub(in crate::relay::thread) window: Arc<Window>,
    /// The incarnation that the view had when it was asked for last, and the window's.
    incarnation: Cell<Option<(Incarnation, Incarnation)>>,
    /// The frames hold all of the window that the log has from this place on.
    first: Cursor,
    frames: VecDeque<Held>,
    /// The heartbeat that was sent after the last of them.
    beat: Option<Arc<Frame>>,
    readers: Readers,
    /// The latest position that any of them has been sent, or has brought.
    pub(in crate::relay::thread) sent: Timestamp,
    /// When it last told them something.
    pub(in crate::relay::thread) heard: Instant,
    /// The step at which it is looked at for a heartbeat.
    pub(in crate::relay::thread) tick: Option<Tick>,
    /// Its outlets are to be written to.
    pub(in crate::relay::thread) is_queued: bool,
    kept: Option<Kept>,
    /// Bytes of its frames since that base.
    surplus: u64,
    /// The base that is waited for.
    pub(in crate::relay::thread) request: Option<Arc<WindowRequest>>,
}

impl OpenWindow {
    /// Nobody reads it yet; it knows the log from this place on.
    pub(in crate::relay::thread) fn new(window: Arc<Window>, first: Cursor, now: Instant) -> Self {
        OpenWindow {
            window,
            incarnation: Cell::default(),
            first,
            frames: VecDeque::new(),
            beat: None,
            readers: Readers::default(),
            sent: Timestamp::MIN,
            heard: now,
            tick: None,
            is_queued: false,
            kept: None,
            surplus: 0,
            request: None,
        }
    }

    /// The window's incarnation where the view has this one.
    pub(in crate::relay::thread) fn incarnation(&self, view: Incarnation) -> Incarnation {
        let known = self.incarnation.get().filter(|(of, _)| *of == view);
        let own = known.map_or_else(|| self.window.incarnation(view), |(_, own)| own);
        self.incarnation.set(Some((view, own)));
        own
    }

    /// One reader more, who waits for a base first; its place.
    pub(in crate::relay::thread) fn enter(&mut self, is_alone: bool) -> usize {
        self.readers.enter(is_alone)
    }

    /// A reader is gone; whether it was the last one.
    pub(in crate::relay::thread) fn leave(&mut self, place: usize) -> bool {
        if let Some(cursor) = self.readers.leave(place) {
            self.read(cursor, Cursor::at(u64::MAX));
        }
        self.let_base_go();
        self.readers.is_empty()
    }

    /// Where a reader stands.
    pub(in crate::relay::thread) fn cursor(&self, place: usize) -> Option<Cursor> {
        self.readers.get(place)?.cursor
    }

    /// Whether anybody stands somewhere.
    pub(in crate::relay::thread) fn is_followed(&self) -> bool {
        self.readers.following() > 0
    }

    /// A reader has everything before this place, and the position; from now on
    /// frames are held for it, and it is woken for them in this way.
    pub(in crate::relay::thread) fn follow(
        &mut self,
        place: usize,
        (cursor, at): (Cursor, Timestamp),
        outlet: Option<RcWeak<dyn WriteNews>>,
    ) {
        self.sent = self.sent.max(at);
        if self.readers.follow(place, cursor, outlet) {
            let lacking = self.frames.iter_mut();
            let lacking = lacking.skip_while(|held| held.behind <= cursor);
            lacking.for_each(|held| held.unread += 1);
        }
        self.let_base_go();
    }

    /// A reader has everything before this place now.
    pub(in crate::relay::thread) fn stand(&mut self, place: usize, cursor: Cursor) {
        let Some(reader) = self.readers.get_mut(place) else {
            return;
        };
        if let Some(before) = reader.cursor.filter(|before| *before < cursor) {
            reader.cursor = Some(cursor);
            self.read(before, cursor);
        }
    }

    /// One reader has read, or wants no more, what lies between two places.
    fn read(&mut self, from: Cursor, to: Cursor) {
        let frames = self.frames.iter_mut();
        let read = frames.filter(|held| from < held.behind && held.behind <= to);
        read.for_each(|held| held.unread = held.unread.saturating_sub(1));
        while self.frames.front().is_some_and(|held| held.unread == 0) {
            self.drop_first();
        }
    }

    /// Lets the oldest frame go; who lacks it is told from the log.
    fn drop_first(&mut self) {
        let Some(held) = self.frames.pop_front() else {
            return;
        };
        if held.unread > 0 {
            // Nothing of the window was between the place where such a reader
            // stands and this frame. Further back, the log may soon end.
            let here = Cursor::at(held.behind.number().saturating_sub(1));
            for reader in self.readers.iter_mut() {
                let stands = reader.cursor.as_mut();
                let lacking = |stands: &&mut Cursor| self.first <= **stands && **stands < here;
                if let Some(stands) = stands.filter(lacking) {
                    *stands = here;
                }
            }
        }
        self.first = held.behind;
    }

    /// Lets the frames up to this place go.
    pub(in crate::relay::thread) fn drop_until(&mut self, behind: Cursor) {
        while self
            .frames
            .front()
            .is_some_and(|held| held.behind <= behind)
        {
            self.drop_first();
        }
    }

    /// Whether the frames up to this place are not held any more.
    pub(in crate::relay::thread) fn is_dropped(&self, behind: Cursor) -> bool {
        behind <= self.first
    }

    /// What the frames had up to this place is gone, and the log may not have it
    /// either.
    pub(in crate::relay::thread) fn lose(&mut self, first: Cursor) {
        self.frames.clear();
        self.beat = None;
        self.first = self.first.max(first);
        self.kept = None;
    }

    /// Nobody follows it, and something of it is before this place.
    pub(in crate::relay::thread) fn pass(&mut self, behind: Cursor) {
        self.first = behind;
    }

    /// One frame more, of the log's entry before a place, for those who follow.
    pub(in crate::relay::thread) fn push(
        &mut self,
        frame: Arc<Frame>,
        (timestamp, behind): (Timestamp, Cursor),
        now: Instant,
    ) {
        self.beat = None;
        if frame.has_id {
            self.sent = self.sent.max(timestamp);
        }
        self.heard = now;
        let bytes = u64::try_from(frame.encoded.length()).unwrap_or(u64::MAX);
        self.surplus = self.surplus.saturating_add(bytes);
        self.frames.push_back(Held {
            frame,
            timestamp,
            behind,
            unread: self.readers.following(),
        });
        if self.frames.len() > CATCH_UP_FRAMES_MAX {
            self.drop_first();
        }
    }

    /// The window is told that nothing has changed; whether anybody wants to know.
    pub(in crate::relay::thread) fn push_beat(
        &mut self,
        frame: Arc<Frame>,
        at: Timestamp,
        now: Instant,
    ) {
        if frame.has_id {
            self.sent = self.sent.max(at);
        }
        (self.beat, self.heard) = (Some(frame), now);
        self.readers.owe_beat();
    }

    /// A reader is told something else, which may be later than the heartbeat.
    pub(in crate::relay::thread) fn forgo_beat(&mut self, place: usize) {
        if let Some(reader) = self.readers.get_mut(place) {
            reader.lacks_beat = false;
        }
    }

    /// Whether anybody is to be sent heartbeats.
    pub(in crate::relay::thread) fn wants_beats(&self) -> bool {
        self.readers.wants_beats()
    }

    /// Whether a reader of several views lacks a frame that a log, which begins at
    /// this place, has forgotten. At which times the view is known between the
    /// frame's changes and those before is forgotten with it.
    pub(in crate::relay::thread) fn is_out_of_time(&self, place: usize, first: Cursor) -> bool {
        let Some(reader) = self.readers.get(place).filter(|reader| !reader.is_alone) else {
            return false;
        };
        let cursor = reader.cursor.filter(|cursor| self.first <= *cursor);
        let lacks = |cursor: Cursor| {
            let read = self.frames.partition_point(|held| held.behind <= cursor);
            let next = self.frames.get(read);
            next.is_some_and(|held| held.behind <= first)
        };
        cursor.is_some_and(lacks)
    }

    /// What a reader is to be given next, with changes up to this time only.
    pub(in crate::relay::thread) fn ahead(&mut self, place: usize, until: Timestamp) -> Ahead {
        let Some(cursor) = self.cursor(place) else {
            return Ahead::Nothing;
        };
        if cursor < self.first {
            return Ahead::Log;
        }
        let read = self.frames.partition_point(|held| held.behind <= cursor);
        if let Some(next) = self.frames.get(read) {
            let is_word = matches!(next.frame.kind, Kind::Upstream { .. } | Kind::Gone);
            return match is_word || next.timestamp <= until {
                true => Ahead::Frame(Arc::clone(&next.frame), next.behind),
                false => Ahead::Nothing,
            };
        }
        let beat = self.beat.clone();
        let lacks_beat = |reader: &mut Reader| std::mem::take(&mut reader.lacks_beat);
        match beat.filter(|_| self.readers.get_mut(place).is_some_and(lacks_beat)) {
            Some(beat) => Ahead::Beat(beat),
            None => Ahead::Nothing,
        }
    }

    /// Where a reader stands who may have read on since it last asked.
    fn stands(&self, (place, read): (usize, Cursor)) -> Option<Cursor> {
        self.cursor(place).map(|cursor| cursor.max(read))
    }

    /// Whether what a reader lacks is in the log alone.
    pub(in crate::relay::thread) fn is_behind(&self, reader: (usize, Cursor)) -> bool {
        self.stands(reader)
            .is_some_and(|cursor| cursor < self.first)
    }

    /// Whether a reader is to be told something of the window itself, up to a time;
    /// `None` where the log has to be asked.
    pub(in crate::relay::thread) fn is_due(
        &self,
        reader: (usize, Cursor),
        until: Timestamp,
    ) -> Option<bool> {
        let cursor = self.stands(reader)?;
        if cursor < self.first {
            return None;
        }
        let read = self.frames.partition_point(|held| held.behind <= cursor);
        let is_due = |held: &Held| {
            let is_change = matches!(held.frame.kind, Kind::Delta(_));
            !is_change || held.timestamp <= until
        };
        Some(self.frames.get(read).is_some_and(is_due))
    }

    /// Wakes this task at the next news of the window.
    pub(in crate::relay::thread) fn wait(&mut self, place: usize, waker: &Waker) {
        self.readers.wait(place, waker);
    }

    /// Wakes the tasks that wait; whether there are sockets to be written to.
    pub(in crate::relay::thread) fn wake(&mut self) -> bool {
        self.readers.wake()
    }

    /// Adds the sockets of its readers from a place on, until there are so many;
    /// where to go on, if these were not all.
    pub(in crate::relay::thread) fn outlets(
        &self,
        from: usize,
        full: usize,
        outlets: &mut Vec<RcWeak<dyn WriteNews>>,
    ) -> Option<usize> {
        self.readers.outlets(from, full, outlets)
    }

    /// The base, if there is one that costs who joins less than a new one would.
    pub(in crate::relay::thread) fn base(&self) -> Option<Arc<Base>> {
        let base = match self.kept.as_ref()? {
            Kept::Short(base) => Some(Arc::clone(base)),
            Kept::Long(base) => base.upgrade(),
        };
        base.filter(|base| self.surplus <= base.bytes.max(BASE_SURPLUS_BYTES_MIN))
    }

    /// This is the base now, for who waits for one.
    pub(in crate::relay::thread) fn take_base(&mut self, base: &Arc<Base>) {
        self.request = None;
        self.surplus = 0;
        self.kept = Some(match base.short {
            Some(_) => Kept::Short(Arc::clone(base)),
            None => Kept::Long(Arc::downgrade(base)),
        });
        self.let_base_go();
    }

    /// How many frames are held.
    #[cfg(test)]
    pub(in crate::relay::thread) fn held(&self) -> usize {
        self.frames.len()
    }

    /// A base is held for those who wait for it, and longer only where others are
    /// likely to come.
    fn let_base_go(&mut self) {
        let is_popular = self.readers.following() >= WINDOW_BASE_READERS_MIN;
        if !is_popular && !self.readers.is_base_awaited() {
            self.kept = None;
        }
    }
}
