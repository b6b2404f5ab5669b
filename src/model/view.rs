//! A view's contents: a multiset of rows at one closed timestamp.

use std::sync::Arc;

use super::delta::{Change, Delta};
use super::frozen::Frozen;
use super::multiset::{Filling, Multiset, Refusal};
use super::picked::Pick;
use super::position::Timestamp;
use super::row::Row;
use super::window::{Layout, Shape, Window};

/// What a correct upstream never sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A row would stand less than zero times in the view.
    #[error("a row would have multiplicity {multiplicity} at timestamp {timestamp}")]
    NegativeMultiplicity {
        /// Where.
        timestamp: Timestamp,
        /// How many copies there would be.
        multiplicity: i64,
    },
    /// A change at or before the time the view already stands at.
    #[error("a change at timestamp {given} came after timestamp {held} was closed")]
    TimestampWentBack {
        /// Where the view stands.
        held: Timestamp,
        /// The time of the change.
        given: Timestamp,
    },
    /// More copies than can be counted.
    #[error("a row's multiplicity at timestamp {timestamp} is beyond counting")]
    Overflow {
        /// Where.
        timestamp: Timestamp,
    },
    /// More rows than can be held, or one that is too long.
    #[error("the rows at timestamp {timestamp} are too many or too long to be held")]
    Full {
        /// Where.
        timestamp: Timestamp,
    },
}

impl ViewError {
    fn of(refusal: Refusal, timestamp: Timestamp) -> Self {
        match refusal {
            Refusal::Negative(multiplicity) => ViewError::NegativeMultiplicity {
                timestamp,
                multiplicity,
            },
            Refusal::Overflow => ViewError::Overflow { timestamp },
            Refusal::Full => ViewError::Full { timestamp },
        }
    }
}

/// A multiset of rows at one closed timestamp.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    timestamp: Timestamp,
    rows: Multiset,
}

impl View {
    /// The empty view at a time.
    pub fn empty(timestamp: Timestamp) -> Self {
        View {
            timestamp,
            rows: Multiset::default(),
        }
    }

    /// The closed timestamp it stands at.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Rows, copies counted; the same number of elements a base has.
    pub fn copies(&self) -> u64 {
        self.rows.rows()
    }

    /// Bytes of its rows' JSON, copies counted.
    pub fn bytes(&self) -> u64 {
        self.rows.bytes()
    }

    /// Bytes of a base's array: the rows' JSON with a comma each.
    pub fn listed_bytes(&self) -> u64 {
        self.bytes().saturating_add(self.copies())
    }

    /// The distinct rows' JSON, each with its multiplicity, in no particular
    /// order.
    pub fn rows(&self) -> impl Iterator<Item = (&str, u64)> {
        let rows = self.rows.iter();
        rows.map(|(row, copies)| (row, copies.unsigned_abs()))
    }

    /// The rows as they are now, whatever becomes of the view; takes a few
    /// pointers for each megabyte or some thousand rows.
    pub fn freeze(&self) -> Frozen {
        self.rows.freeze()
    }

    /// Bytes of memory that the view has given up so far. What was frozen when
    /// they were fewer holds at most the difference beside what the view holds.
    pub fn retired(&self) -> u64 {
        self.rows.retired()
    }

    /// Sees to it that windows of a shape are found by an index, which from now
    /// on follows every change; `false` where there are too many already, or the
    /// shape is that of all rows. Building one takes some 0.1 us a row.
    pub fn index(&mut self, shape: &Shape, layout: &Arc<Layout>) -> bool {
        self.rows.index(shape, layout)
    }

    /// Sees to it that there are the indexes that the view had whose place this
    /// one takes.
    pub fn index_like(&mut self, old: &View) {
        self.rows.index_like(&old.rows);
    }

    /// Bytes of memory that the indexes take.
    pub fn index_bytes(&self) -> u64 {
        self.rows.index_bytes()
    }

    /// The rows of a window as they are now, whatever becomes of the view: at
    /// once where what is shown of them has at most so many bytes. They are
    /// found by the best index there is; without one, all rows are looked at.
    pub fn pick(&self, window: &Arc<Window>, full: usize) -> Pick {
        self.rows.pick(window, full)
    }

    /// Whether the indexes have each row once.
    #[cfg(test)]
    pub fn is_indexed(&self) -> bool {
        self.rows.is_indexed()
    }

    /// Moves to a later timestamp at which nothing changed; an earlier one is
    /// ignored, since the view already includes it.
    pub fn advance(&mut self, timestamp: Timestamp) {
        self.timestamp = self.timestamp.max(timestamp);
        self.rows.tidy();
    }

    /// Applies a delta whole, or on an error not at all.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), ViewError> {
        if delta.timestamp() <= self.timestamp {
            return Err(ViewError::TimestampWentBack {
                held: self.timestamp,
                given: delta.timestamp(),
            });
        }
        for (done, change) in delta.changes().iter().enumerate() {
            if let Err(refusal) = self.rows.add(change.row.text(), change.diff) {
                self.undo(delta.changes().iter().take(done));
                return Err(ViewError::of(refusal, delta.timestamp()));
            }
        }
        self.timestamp = delta.timestamp();
        self.rows.tidy();
        Ok(())
    }

    /// Takes back changes that `apply` has just made.
    fn undo<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        for change in changes {
            // The state before these changes was a valid view, and they go
            // back to it one by one, so none of these can fail.
            let _ = self
                .rows
                .add(change.row.text(), change.diff.saturating_neg());
        }
    }

    /// The delta that turns this view into `next`, at `next`'s timestamp: how
    /// a new snapshot is shown to those who hold the old contents.
    pub fn difference(&self, next: &View) -> Delta {
        let mut changes = Vec::new();
        let mut push = |row: &str, diff: i64| {
            changes.push(Change {
                row: Row::from(row),
                diff,
            });
        };
        for (row, copies) in next.rows.iter() {
            let diff = copies - self.rows.get(row);
            if diff != 0 {
                push(row, diff);
            }
        }
        for (row, copies) in self.rows.iter() {
            if next.rows.get(row) == 0 {
                push(row, -copies);
            }
        }
        Delta::new(next.timestamp, changes)
    }
}

/// A snapshot as it arrives: updates of one timestamp in any order, so that
/// sums may be negative until the last one is in.
#[derive(Debug, Default)]
pub struct ViewBuilder {
    rows: Filling,
}

impl ViewBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        ViewBuilder::default()
    }

    /// Adds one update of the snapshot; `text` is the row's JSON text.
    pub fn add(&mut self, text: &str, diff: i64) {
        self.rows.add(text, diff);
    }

    /// Whether no row has come.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The whole view, now that its timestamp is closed.
    pub fn finish(self, timestamp: Timestamp) -> Result<View, ViewError> {
        let rows = self.rows.finish();
        let rows = rows.map_err(|refusal| ViewError::of(refusal, timestamp))?;
        Ok(View { timestamp, rows })
    }
}
