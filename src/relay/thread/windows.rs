//! The windows of a view's log that are open on one thread.
//!
//! What is new in the log is looked at once for all of them: each delta comes
//! parted by key, and only keys that have windows are looked at further. A window
//! of which nothing has changed costs nothing then; one that is read by many is
//! encoded once. Between the log's changes nothing is held of a window but who
//! reads it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::model::delta::{Change, Delta};
use crate::model::parted::Part;
use crate::model::position::{Incarnation, Timestamp};
use crate::model::retention::{Cursor, Retention};
use crate::model::terms::Terms;
use crate::model::window::Window;
use crate::relay::event::frame::{Frame, Kind};
use crate::relay::log::bases::Base;
use crate::relay::log::shared_log::Log;
use crate::relay::log::window_request::WindowRequest;
use crate::relay::thread::places::Places;
use beats::Beats;
use by_key::ByKey;
use open_window::OpenWindow;

mod beats;
mod by_key;
pub(super) mod open_window;
mod readers;
mod telling;

/// The open windows.
pub(super) struct Windows {
    log: Arc<Log>,
    /// Each at its number.
    open: Places<Box<OpenWindow>>,
    known: HashMap<Arc<Window>, usize, RandomState>,
    by_key: Vec<ByKey>,
    /// Frames that are held, the oldest first: the window's number, the place behind
    /// the frame, and its bytes.
    held: VecDeque<(usize, Cursor, usize)>,
    held_bytes: usize,
    beats: Beats,
    /// Windows whose outlets are to be written to: in this round, and in the next.
    round: VecDeque<usize>,
    woken: VecDeque<usize>,
    /// The window of the round whose outlets were written to up to a place.
    within: Option<(usize, usize)>,
    /// Bases that are waited for, the first one first.
    requests: VecDeque<(usize, Arc<WindowRequest>)>,
    /// Large ones that have come, for a while: those who wait for them are only about
    /// to read them, and then they are kept.
    bases: VecDeque<(Instant, Arc<Base>)>,
}

impl fmt::Debug for Windows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Windows")
            .field("open", &self.known.len())
            .finish_non_exhaustive()
    }
}

impl Windows {
    /// None of this log yet.
    pub(super) fn new(log: &Arc<Log>) -> Self {
        Windows {
            log: Arc::clone(log),
            open: Places::default(),
            known: HashMap::default(),
            by_key: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            beats: Beats::new(log.heartbeat),
            round: VecDeque::new(),
            woken: VecDeque::new(),
            within: None,
            requests: VecDeque::new(),
            bases: VecDeque::new(),
        }
    }

    /// The open window of this number.
    pub(super) fn get(&self, number: usize) -> Option<&OpenWindow> {
        self.open.get(number).map(|open| &**open)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut OpenWindow> {
        self.open.get_mut(number).map(|open| &mut **open)
    }

    /// A place at a window, which knows the log from another place on if it is opened
    /// now; and whether it is.
    pub(super) fn enter(
        &mut self,
        window: Window,
        is_alone: bool,
        first: Cursor,
        now: Instant,
    ) -> ((usize, usize), bool) {
        let (number, is_new) = self.open(window, first, now);
        let place = self.get_mut(number).map(|open| open.enter(is_alone));
        ((number, place.unwrap_or_default()), is_new)
    }

    /// A reader leaves its place; whether the window is closed by this.
    pub(super) fn leave(&mut self, (number, place): (usize, usize)) -> bool {
        let is_last = self.get_mut(number).is_some_and(|open| open.leave(place));
        if is_last {
            self.close(number);
        }
        is_last
    }

    /// The number of a window, which is opened if it is not open; and whether it was
    /// opened. The log is known from this place on.
    fn open(&mut self, window: Window, first: Cursor, now: Instant) -> (usize, bool) {
        if let Some(number) = self.known.get(&window) {
            return (*number, false);
        }
        let window = Arc::new(window);
        let open = OpenWindow::new(Arc::clone(&window), first, now);
        let number = self.open.enter(Box::new(open));
        self.known.insert(Arc::clone(&window), number);
        let columns = self
            .by_key
            .iter_mut()
            .find(|it| it.shape == *window.shape());
        match columns {
            Some(columns) => columns.add(&window, number),
            None => {
                self.log.shapes.enter(window.shape());
                let mut columns = ByKey::new(window.shape().clone());
                columns.add(&window, number);
                self.by_key.push(columns);
            }
        }
        (number, true)
    }

    /// Closes a window that nobody reads any more.
    fn close(&mut self, number: usize) {
        let Some(closed) = self.open.leave(number) else {
            return;
        };
        self.known.remove(&closed.window);
        let shape = closed.window.shape();
        if let Some(at) = self.by_key.iter().position(|it| it.shape == *shape)
            && let Some(columns) = self.by_key.get_mut(at)
            && columns.remove(&closed.window, number)
        {
            self.by_key.remove(at);
            self.log.shapes.leave(shape);
        }
        if self.known.is_empty() {
            // What was room for many is not kept for none.
            *self = Windows::new(&self.log);
        }
    }

    /// Takes in what the log has from a place on.
    pub(super) fn take_in(
        &mut self,
        frames: &Retention<Arc<Frame>>,
        terms: &Terms,
        from: Cursor,
        now: Instant,
    ) {
        if self.known.is_empty() {
            return;
        }
        let mut place = from.max(frames.first());
        if from < place {
            self.lose(place);
        }
        for entry in frames.from(place).into_iter().flatten() {
            place = place.next();
            let at = (entry.timestamp, place);
            match &entry.frame.kind {
                Kind::Delta(delta) if delta.is_empty() => {}
                Kind::Delta(delta) => {
                    let of = terms.at(entry.timestamp);
                    self.take_changes(&entry.frame, (delta, of), at, now);
                }
                Kind::Upstream { .. } | Kind::Gone => self.tell_all(&entry.frame, at, now),
            }
        }
    }

    /// A delta of the view, which has this incarnation then: each window of which
    /// rows have changed is told so.
    fn take_changes(
        &mut self,
        frame: &Frame,
        (delta, of): (&Delta, Incarnation),
        at: (Timestamp, Cursor),
        now: Instant,
    ) {
        for columns in 0..self.by_key.len() {
            let Some(columns) = self.by_key.get(columns) else {
                continue;
            };
            let Some(parted) = frame.part(&columns.shape, &self.log.layout) else {
                continue;
            };
            // By windows, which have an order that is not chance's, as keys' is.
            let mut found: Vec<(usize, &[Part])> = Vec::new();
            for (key, parts) in parted.groups() {
                let windows = columns.of(key).iter();
                found.extend(windows.map(|number| (*number, parts)));
            }
            found.sort_by_key(|(number, _)| *number);
            for group in found.chunk_by(|(one, _), (other, _)| one == other) {
                let Some((number, _)) = group.first() else {
                    continue;
                };
                let parts = group.iter().flat_map(|(_, parts)| *parts);
                let changes = parts.filter_map(|part| part.change(delta));
                self.change(*number, (changes, of), at, now);
            }
        }
    }

    /// Changes among which a window's may be: its readers are sent those.
    fn change<'a>(
        &mut self,
        number: usize,
        (changes, of): (impl Iterator<Item = &'a Change>, Incarnation),
        (timestamp, behind): (Timestamp, Cursor),
        now: Instant,
    ) {
        let Some(open) = self.get_mut(number) else {
            return;
        };
        let window = &open.window;
        let mut changes = changes.filter_map(|change| window.change(change));
        let Some(first) = changes.next() else {
            return;
        };
        if !open.is_followed() {
            // Who joins it is told from the log.
            drop(changes);
            return open.pass(behind);
        }
        let changes = std::iter::once(first).chain(changes).collect();
        let delta = Delta::new(timestamp, changes);
        // Rows that differ in what is not shown may cancel out.
        if !delta.is_empty() {
            let frame = Arc::new(Frame::delta(delta, open.incarnation(of)));
            self.tell(number, frame, (timestamp, behind), now);
        }
    }
}

#[cfg(test)]
mod tests;
