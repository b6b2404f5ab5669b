//! The bounded log of what was published, for resume and for laggards.
//!
//! Pure: the clock is an argument, in milliseconds since any fixed moment.

use std::collections::VecDeque;

use super::position::Timestamp;

/// How much a log keeps; whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionLimits {
    /// Bytes of all entries together.
    pub bytes_max: u64,
    /// Age of the oldest entry, in milliseconds.
    pub age_ms_max: u64,
}

/// One published thing.
#[derive(Clone, Debug)]
pub struct Entry<F> {
    /// Its changes are later than this, which matters to who stands between:
    /// a delta over several timestamps can only be applied whole.
    pub after: Timestamp,
    /// Its changes are at or before this.
    pub timestamp: Timestamp,
    /// Whether the view may be another one after it.
    pub has_changes: bool,
    /// What it costs to keep.
    pub bytes: u64,
    /// When it was published, in milliseconds.
    pub at_ms: u64,
    /// The thing.
    pub frame: F,
}

/// Where a reader of the log stands: the sequence number of the next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(u64);

impl Cursor {
    /// The place behind this one.
    pub fn next(self) -> Cursor {
        Cursor(self.0.saturating_add(1))
    }

    /// The place with this number.
    pub fn at(number: u64) -> Cursor {
        Cursor(number)
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// How many entries lie between an earlier place and this one.
    pub fn since(self, earlier: Cursor) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a position that a client brings back is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Nothing has changed since.
    UpToDate(Cursor),
    /// What it lacks begins here.
    Deltas(Cursor),
    /// It has seen more than this log holds yet.
    Ahead,
    /// Out of reach: too old, or within a delta of several timestamps.
    Base,
}

impl Resume {
    /// Where to go on in the log, if that can be.
    pub fn cursor(self) -> Option<Cursor> {
        match self {
            Resume::UpToDate(cursor) | Resume::Deltas(cursor) => Some(cursor),
            Resume::Ahead | Resume::Base => None,
        }
    }
}

/// The bounded log of a view, oldest entry first.
///
/// Invariants: entries' timestamps never decrease; the changes after `start`
/// are exactly those in the entries; `head` is not before any of them.
#[derive(Clone, Debug)]
pub struct Retention<F> {
    entries: VecDeque<Entry<F>>,
    first: u64,
    start: Timestamp,
    head: Timestamp,
    /// The time of the last changes.
    changed: Timestamp,
    bytes: u64,
}

impl<F> Retention<F> {
    /// An empty log that begins at a base's timestamp.
    pub fn new(start: Timestamp) -> Self {
        Retention {
            entries: VecDeque::new(),
            first: 0,
            start,
            head: start,
            changed: start,
            bytes: 0,
        }
    }

    /// The earliest timestamp a position can be resumed from.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The timestamp up to which everything is known.
    pub fn head(&self) -> Timestamp {
        self.head
    }

    /// The timestamp since which the view is what it is now.
    pub fn changed(&self) -> Timestamp {
        self.changed
    }

    /// Bytes of all entries.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The place of the oldest entry.
    pub fn first(&self) -> Cursor {
        Cursor(self.first)
    }

    /// The place behind the entries up to this time.
    pub fn behind_all_until(&self, timestamp: Timestamp) -> Cursor {
        let known = self.entries.partition_point(|e| e.timestamp <= timestamp);
        Cursor(
            self.first
                .saturating_add(u64::try_from(known).unwrap_or(u64::MAX)),
        )
    }

    /// The place behind the last entry.
    pub fn end(&self) -> Cursor {
        Cursor(self.first.saturating_add(length(&self.entries)))
    }

    /// How many entries a reader at this place has before it.
    pub fn behind(&self, cursor: Cursor) -> usize {
        usize::try_from(self.end().0.saturating_sub(cursor.0)).unwrap_or(usize::MAX)
    }

    /// Everything up to here is closed and nothing changed.
    pub fn advance(&mut self, timestamp: Timestamp) {
        self.head = self.head.max(timestamp);
    }

    /// The latest time, this one or before, at which the log can be cut: not
    /// within an entry, which only makes sense whole.
    pub fn whole_at(&self, timestamp: Timestamp) -> Timestamp {
        let known = self.entries.partition_point(|e| e.timestamp <= timestamp);
        match self.entries.get(known) {
            Some(next) => next.after.min(timestamp),
            None => timestamp,
        }
    }

    /// Appends; the entry's timestamp must not be before the log's head.
    pub fn push(&mut self, entry: Entry<F>) {
        self.head = self.head.max(entry.timestamp);
        if entry.has_changes {
            self.changed = self.changed.max(entry.timestamp);
        }
        self.bytes = self.bytes.saturating_add(entry.bytes);
        self.entries.push_back(entry);
    }

    /// Forgets what is over the limits at the time `now_ms`.
    pub fn prune(&mut self, limits: RetentionLimits, now_ms: u64) {
        while let Some(oldest) = self.entries.front() {
            let old = now_ms.saturating_sub(oldest.at_ms) > limits.age_ms_max;
            if !old && self.bytes <= limits.bytes_max {
                break;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            // Without changes nothing is lost: who stands before it has what
            // stands behind it.
            if oldest.has_changes {
                self.start = self.start.max(oldest.timestamp);
            }
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            self.first = self.first.saturating_add(1);
        }
    }

    /// Forgets everything; no place is in the log any more.
    pub fn forget_all(&mut self) {
        self.first = self.end().next().0;
        self.entries.clear();
        self.bytes = 0;
    }

    /// The entries from a place on; `None` where some of them are forgotten.
    pub fn from(&self, cursor: Cursor) -> Option<impl Iterator<Item = &Entry<F>>> {
        let skip = cursor.0.checked_sub(self.first)?;
        let skip = usize::try_from(skip).ok()?;
        Some(self.entries.iter().skip(skip))
    }

    /// Whether the view is still what it was at this time; not, if that cannot be
    /// told.
    pub fn is_unchanged_since(&self, timestamp: Timestamp) -> bool {
        (self.changed..=self.head).contains(&timestamp)
    }

    /// What a client that has everything up to `timestamp` needs.
    pub fn since(&self, timestamp: Timestamp) -> Resume {
        if timestamp < self.start {
            return Resume::Base;
        }
        if timestamp > self.head {
            return Resume::Ahead;
        }
        let cursor = self.behind_all_until(timestamp);
        match self.from(cursor).and_then(|mut entries| entries.next()) {
            None => Resume::UpToDate(cursor),
            // It has part of what the next entry can only give whole.
            Some(next) if next.after < timestamp => Resume::Base,
            Some(_) => Resume::Deltas(cursor),
        }
    }
}

impl<F: Clone> Retention<F> {
    /// Makes this log the same as `other`, of which it is an older copy;
    /// costs what is new.
    pub fn follow(&mut self, other: &Retention<F>) {
        while self.first < other.first && !self.entries.is_empty() {
            self.forget_oldest();
        }
        if self.first < other.first {
            // Everything it had is forgotten there.
            self.first = other.first;
        }
        if let Some(new) = other.from(self.end()) {
            for entry in new {
                self.push(entry.clone());
            }
        }
        self.start = other.start;
        self.changed = other.changed;
        self.advance(other.head);
    }
}

fn length<T>(entries: &VecDeque<T>) -> u64 {
    u64::try_from(entries.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
