//! Bases: a view's rows at one moment, for who joins and for who asks once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::limits::{BASE_KEPT_BYTES_MIN, BASES_MAX, LONG_EVENT_BYTES};
use crate::model::picked::Pick;
use crate::model::position::{Incarnation, Position, Timestamp};
use crate::model::view::View;
use crate::relay::event::body::Extent;
use crate::relay::event::encoded::Encoded;
use crate::relay::event::form::Form;
use crate::relay::event::frame::encode_base;
use crate::relay::event::long_event::{LongEvent, Reading, Slice};
use crate::relay::log::jobs::{Jobs, discard};

/// A view's rows at one moment.
#[derive(Debug)]
pub struct Base {
    /// Where they stand.
    pub position: Position,
    /// The event, if it is short enough to be handed out at once.
    pub short: Option<Encoded>,
    /// The event, slice by slice; `None` of a window's base that is short.
    long: Option<Arc<LongEvent>>,
    /// Bytes of the array.
    pub bytes: u64,
    /// Bytes that the view had given up by then.
    retired: u64,
}

impl Base {
    /// The rows as they are now, of a view that has given up so many bytes of
    /// memory; takes no longer for a large view.
    pub fn of(view: &View, incarnation: Incarnation, retired: u64) -> Base {
        let position = Position {
            timestamp: view.timestamp(),
            incarnation,
        };
        let long = Arc::new(LongEvent::rows(view.freeze(), position));
        let bytes = array_bytes(view.bytes(), view.copies());
        let is_short = usize::try_from(bytes).is_ok_and(|bytes| bytes <= LONG_EVENT_BYTES);
        Base {
            position,
            short: is_short.then(|| whole(&long)),
            long: Some(long),
            bytes,
            retired,
        }
    }

    /// The rows of a window, as they were picked from a view that has given up so
    /// many bytes of memory.
    pub fn of_window(pick: Pick, position: Position, retired: u64) -> Base {
        let (bytes, short, long) = match pick {
            Pick::Short { rows, listed } => {
                let bytes = u64::try_from(listed.len()).unwrap_or(u64::MAX);
                let event = encode_base(&listed, position);
                (
                    array_bytes(bytes.saturating_sub(rows), rows),
                    Some(event),
                    None,
                )
            }
            Pick::Long(rows) => {
                let bytes = rows.bytes_max().saturating_add(2);
                let long = LongEvent::picked(rows, position);
                (bytes, None, Some(Arc::new(long)))
            }
        };
        Base {
            position,
            short,
            long,
            bytes,
            retired,
        }
    }

    /// Reads it slice by slice; nothing of one that is short and a window's.
    pub fn read(&self, extent: Extent) -> Reading {
        let read = |long| Reading::new(long, extent);
        self.long.as_ref().map_or_else(Reading::over, read)
    }

    fn is_read(&self) -> bool {
        self.long.as_ref().is_some_and(|long| long.is_read())
    }
}

/// Bytes of an array of so many rows with so many bytes in all.
pub fn array_bytes(bytes: u64, rows: u64) -> u64 {
    // Two brackets, and a comma between each two rows.
    bytes
        .saturating_add(rows.saturating_sub(1))
        .saturating_add(2)
}

/// All of an event.
fn whole(long: &Arc<LongEvent>) -> Encoded {
    let mut reading = Reading::new(long, Extent::Event);
    let mut event = Vec::new();
    while let Slice::Bytes(piece) = reading.next(&Form::EVENT) {
        event.extend_from_slice(&piece.bytes);
    }
    Encoded::copy_of(&event)
}

/// The bases of one log: a bounded number, whatever those do who read them.
///
/// All share the view's memory. What the view has given up since they were
/// taken is theirs alone: of those that another one has taken the place of, at
/// least the last is kept while it is read, and any older ones only while all
/// of them hold less than the view itself.
#[derive(Debug)]
pub struct Bases {
    /// For who joins.
    current: Option<Arc<Base>>,
    /// For who asks for the rows as they are now.
    latest: Option<Arc<Base>>,
    /// Those before, which are being read, the oldest first.
    earlier: VecDeque<Arc<Base>>,
    /// Those of windows that are read in slices, the oldest first.
    windows: VecDeque<Arc<Base>>,
    /// How many there were.
    taken: u64,
    jobs: Arc<dyn Jobs>,
}

impl Bases {
    /// None yet; who frees them is given.
    pub fn new(jobs: Arc<dyn Jobs>) -> Self {
        Bases {
            current: None,
            latest: None,
            earlier: VecDeque::new(),
            windows: VecDeque::new(),
            taken: 0,
            jobs,
        }
    }

    /// The one for who joins.
    pub fn current(&self) -> Option<&Arc<Base>> {
        self.current.as_ref()
    }

    /// The one that is the view as it is now.
    pub fn latest(&self) -> Option<&Arc<Base>> {
        self.latest.as_ref()
    }

    /// How many are held.
    pub fn held(&self) -> usize {
        let (current, latest) = (self.current.iter(), self.latest.iter());
        let is_both = |latest: &&Arc<Base>| {
            let current = self.current.as_ref();
            !current.is_some_and(|current| Arc::ptr_eq(current, latest))
        };
        current.count() + latest.filter(is_both).count() + self.earlier.len()
    }

    /// How many were taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Sees to it that there is one for who joins; it, if it is new.
    pub fn provide_current(&mut self, take: impl FnOnce() -> Arc<Base>) -> Option<&Arc<Base>> {
        if self.current.is_some() {
            return None;
        }
        if self.latest.is_none() {
            self.taken = self.taken.saturating_add(1);
            self.latest = Some(take());
        }
        self.current.clone_from(&self.latest);
        self.current.as_ref()
    }

    /// Sees to it that there is one that is the view as it is now; the current
    /// one is, if so told.
    pub fn provide_latest(&mut self, is_current: bool, take: impl FnOnce() -> Arc<Base>) {
        if self.latest.is_some() {
            return;
        }
        let current = self.current.as_ref().filter(|_| is_current);
        self.latest = Some(match current {
            Some(current) => Arc::clone(current),
            None => {
                self.taken = self.taken.saturating_add(1);
                take()
            }
        });
    }

    /// The view has changed, so that none is what it is now.
    pub fn outdate(&mut self) {
        if let Some(latest) = self.latest.take() {
            self.set_aside(latest);
        }
    }

    /// A log that begins at this time goes on from none before it, though its
    /// rows may still be those of now.
    pub fn forget_before(&mut self, start: Timestamp) {
        let is_before = |base: &Arc<Base>| base.position.timestamp < start;
        if self.current.as_ref().is_some_and(is_before) {
            self.drop_current();
        }
        if self.latest.as_ref().is_some_and(is_before) {
            self.outdate();
        }
    }

    /// The current one is of no use any more to who joins.
    pub fn drop_current(&mut self) {
        if let Some(current) = self.current.take() {
            self.set_aside(current);
        }
    }

    fn set_aside(&mut self, base: Arc<Base>) {
        let is_it = |other: &Arc<Base>| Arc::ptr_eq(other, &base);
        let is_kept = self.current.iter().chain(&self.latest).any(is_it);
        if !is_kept && base.is_read() {
            let older = |other: &Arc<Base>| other.position.timestamp <= base.position.timestamp;
            let at = self.earlier.partition_point(older);
            self.earlier.insert(at, base);
        }
    }

    /// Keeps a window's base while it is read, or somebody is about to.
    pub fn keep_of_window(&mut self, base: Arc<Base>) {
        if base.short.is_none() {
            self.windows.push_back(base);
        }
    }

    /// Gives up what nobody reads, and the oldest of what is too much beside a
    /// view of so many bytes that has given up so many.
    pub fn tidy(&mut self, bytes: u64, retired: u64) {
        self.earlier.retain(|base| base.is_read());
        let kept_max = bytes.max(BASE_KEPT_BYTES_MIN);
        while self.earlier.len() > 1
            && let Some(oldest) = self.earlier.front()
        {
            let kept = retired.saturating_sub(oldest.retired);
            if self.earlier.len() < BASES_MAX && kept <= kept_max {
                break;
            }
            if let Some(given_up) = self.earlier.pop_front() {
                discard(&*self.jobs, given_up);
            }
        }
        // They share the view's memory as well, and most of it with each other: what
        // the oldest of them holds beside the view is what all of them do.
        let is_used = |base: &Arc<Base>| base.is_read() || Arc::strong_count(base) > 1;
        self.windows.retain(is_used);
        let is_much = |oldest: &Arc<Base>| retired.saturating_sub(oldest.retired) > kept_max;
        while self.windows.front().is_some_and(is_much) {
            if let Some(given_up) = self.windows.pop_front() {
                discard(&*self.jobs, given_up);
            }
        }
    }
}

#[cfg(test)]
mod tests;
