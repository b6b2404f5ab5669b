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

/// The bounded log of one incarnation, oldest entry first.
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
    distrusted: Option<Timestamp>,
}

impl<F> Retention<F> {
    /// An empty log that begins at a base's timestamp. Positions that clients
    /// bring back are not believed up to `distrusted`: they were given out
    /// before the upstream's time went back, for other contents.
    pub fn new(start: Timestamp, distrusted: Option<Timestamp>) -> Self {
        Retention {
            entries: VecDeque::new(),
            first: 0,
            start,
            head: start,
            changed: start,
            bytes: 0,
            distrusted,
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

    /// The entries from a place on; `None` where some of them are forgotten.
    pub fn from(&self, cursor: Cursor) -> Option<impl Iterator<Item = &Entry<F>>> {
        let skip = cursor.0.checked_sub(self.first)?;
        let skip = usize::try_from(skip).ok()?;
        Some(self.entries.iter().skip(skip))
    }

    /// What a client that comes back with a position needs.
    pub fn resume(&self, timestamp: Timestamp) -> Resume {
        if Some(timestamp) <= self.distrusted {
            return Resume::Base;
        }
        self.since(timestamp)
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
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds)
    }

    fn entry(after: u64, timestamp: u64, bytes: u64, at_ms: u64) -> Entry<u64> {
        Entry {
            after: at(after),
            timestamp: at(timestamp),
            has_changes: true,
            bytes,
            at_ms,
            frame: timestamp,
        }
    }

    /// Base at 100, changes at 110, at 120, and one delta over (120, 150].
    fn log() -> Retention<u64> {
        let mut log = Retention::new(at(100), None);
        log.push(entry(109, 110, 10, 0));
        log.push(entry(119, 120, 10, 5));
        log.push(entry(120, 150, 10, 9));
        log.advance(at(160));
        log
    }

    fn frames(log: &Retention<u64>, cursor: Cursor) -> Option<Vec<u64>> {
        Some(log.from(cursor)?.map(|entry| entry.frame).collect())
    }

    #[test]
    fn since_within_the_log_gives_what_follows() {
        let log = log();
        for (position, expected) in [
            (100, Some(vec![110, 120, 150])),
            (105, Some(vec![110, 120, 150])),
            (109, Some(vec![110, 120, 150])),
            (110, Some(vec![120, 150])),
            (115, Some(vec![120, 150])),
            (120, Some(vec![150])),
            // Inside a delta that can only be applied whole.
            (121, None),
            (149, None),
        ] {
            let found = match log.since(at(position)) {
                Resume::Deltas(cursor) => frames(&log, cursor),
                other => {
                    assert_eq!(other, Resume::Base);
                    None
                }
            };
            assert_eq!(found, expected, "position {position}");
        }
        for position in [150, 155, 160] {
            assert_eq!(log.since(at(position)), Resume::UpToDate(log.end()));
        }
        assert_eq!(log.since(at(161)), Resume::Ahead);
        assert_eq!(log.since(at(99)), Resume::Base);
    }

    #[test]
    fn whole_at_is_never_within_an_entry() {
        let log = log();
        for (asked, expected) in [(99, 99), (110, 110), (119, 119), (120, 120), (121, 120)] {
            assert_eq!(log.whole_at(at(asked)), at(expected), "{asked}");
        }
        for (asked, expected) in [(149, 120), (150, 150), (155, 155), (900, 900)] {
            assert_eq!(log.whole_at(at(asked)), at(expected), "{asked}");
        }
    }

    #[test]
    fn resume_from_before_time_went_back_is_not_believed() {
        let mut log: Retention<u64> = Retention::new(at(100), Some(at(115)));
        log.push(entry(119, 120, 10, 0));
        assert_eq!(log.resume(at(115)), Resume::Base);
        assert_eq!(log.resume(at(116)), Resume::Deltas(Cursor(0)));
        assert_eq!(log.since(at(100)), Resume::Deltas(Cursor(0)));
    }

    #[test]
    fn prune_by_bytes_and_by_age_moves_the_start() {
        let limits = |bytes_max, age_ms_max| RetentionLimits {
            bytes_max,
            age_ms_max,
        };
        let mut by_bytes = log();
        by_bytes.prune(limits(20, 1_000), 10);
        assert_eq!((by_bytes.start(), by_bytes.bytes()), (at(110), 20));
        let mut by_age = log();
        by_age.prune(limits(1_000, 4), 10);
        assert_eq!((by_age.start(), by_age.bytes()), (at(120), 10));
        assert_eq!(by_age.since(at(119)), Resume::Base);
        let begin = Cursor(0);
        assert_eq!(frames(&by_age, begin), None, "a cursor beyond retention");
    }

    #[test]
    fn follow_from_any_older_copy_makes_the_same_log() {
        let limits = RetentionLimits {
            bytes_max: 35,
            age_ms_max: 1_000,
        };
        let mut log = Retention::new(at(0), None);
        let mut copies = vec![log.clone()];
        for time in 1..50 {
            log.push(entry(time - 1, time, 10, time));
            log.prune(limits, time);
            copies.push(log.clone());
        }
        for mut copy in copies {
            copy.follow(&log);
            assert_eq!(
                (copy.start(), copy.head(), copy.end()),
                (log.start(), log.head(), log.end())
            );
            assert_eq!(copy.bytes(), log.bytes());
            let Resume::Deltas(cursor) = log.since(log.start()) else {
                panic!("the start of a log can be resumed from");
            };
            assert_eq!(frames(&copy, cursor), frames(&log, cursor));
        }
    }
}
