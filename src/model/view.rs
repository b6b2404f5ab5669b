//! A view's contents: a multiset of rows at one closed timestamp.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::delta::{Change, Delta};
use super::position::Timestamp;
use super::row::Row;

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
}

/// A multiset of rows at one closed timestamp.
#[derive(Clone, Debug)]
pub struct View {
    timestamp: Timestamp,
    /// Every multiplicity is positive, except inside a `ViewBuilder`.
    rows: HashMap<Row, i64, RandomState>,
    /// Rows, copies counted; the same number of elements a base has.
    copies: u64,
    /// Bytes of the rows' JSON, copies counted.
    bytes: u64,
}

impl View {
    /// The empty view at a time.
    pub fn empty(timestamp: Timestamp) -> Self {
        View {
            timestamp,
            rows: HashMap::default(),
            copies: 0,
            bytes: 0,
        }
    }

    /// The closed timestamp it stands at.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Rows, copies counted.
    pub fn copies(&self) -> u64 {
        self.copies
    }

    /// Bytes of its rows' JSON, copies counted.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of a base's array: the rows' JSON with a comma each.
    pub fn listed_bytes(&self) -> u64 {
        self.bytes.saturating_add(self.copies)
    }

    /// The distinct rows, each with its multiplicity, in no particular order.
    pub fn rows(&self) -> impl Iterator<Item = (&Row, u64)> {
        self.rows
            .iter()
            .map(|(row, copies)| (row, copies.unsigned_abs()))
    }

    /// Moves to a later timestamp at which nothing changed; an earlier one is
    /// ignored, since the view already includes it.
    pub fn advance(&mut self, timestamp: Timestamp) {
        self.timestamp = self.timestamp.max(timestamp);
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
            if let Err(error) = self.add(change, delta.timestamp()) {
                self.undo(delta.changes().iter().take(done));
                return Err(error);
            }
        }
        self.timestamp = delta.timestamp();
        Ok(())
    }

    /// Takes back changes that `apply` has just made.
    fn undo<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        for change in changes {
            let reverse = Change {
                row: change.row.clone(),
                diff: change.diff.saturating_neg(),
            };
            // The state before these changes was a valid view, and they go
            // back to it one by one, so none of these can fail.
            let _ = self.add(&reverse, self.timestamp);
        }
    }

    fn add(&mut self, change: &Change, timestamp: Timestamp) -> Result<(), ViewError> {
        let negative = |multiplicity| ViewError::NegativeMultiplicity {
            timestamp,
            multiplicity,
        };
        match self.rows.entry(change.row.clone()) {
            Entry::Occupied(mut entry) => {
                let copies = entry
                    .get()
                    .checked_add(change.diff)
                    .ok_or(ViewError::Overflow { timestamp })?;
                match copies {
                    0 => drop(entry.remove()),
                    1.. => *entry.get_mut() = copies,
                    _ => return Err(negative(copies)),
                }
            }
            Entry::Vacant(entry) => match change.diff {
                1.. => drop(entry.insert(change.diff)),
                diff => return Err(negative(diff)),
            },
        }
        self.count(change);
        Ok(())
    }

    /// Keeps the totals; called for changes that were made.
    fn count(&mut self, change: &Change) {
        let copies = change.diff.unsigned_abs();
        let length = u64::try_from(change.row.text().len()).unwrap_or(u64::MAX);
        let bytes = copies.saturating_mul(length);
        if change.diff > 0 {
            self.copies = self.copies.saturating_add(copies);
            self.bytes = self.bytes.saturating_add(bytes);
        } else {
            self.copies = self.copies.saturating_sub(copies);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    /// The delta that turns this view into `next`, at `next`'s timestamp: how
    /// a new snapshot is shown to those who hold the old contents.
    pub fn difference(&self, next: &View) -> Delta {
        let mut changes = Vec::new();
        for (row, copies) in &next.rows {
            let diff = copies - self.rows.get(row).copied().unwrap_or(0);
            changes.push(Change {
                row: row.clone(),
                diff,
            });
        }
        for (row, copies) in &self.rows {
            if !next.rows.contains_key(row) {
                changes.push(Change {
                    row: row.clone(),
                    diff: -copies,
                });
            }
        }
        Delta::new(next.timestamp, changes)
    }
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        self.timestamp == other.timestamp && self.rows == other.rows
    }
}

/// A snapshot as it arrives: updates of one timestamp in any order, so that
/// sums may be negative until the last one is in.
#[derive(Debug, Default)]
pub struct ViewBuilder {
    rows: HashMap<Row, i64, RandomState>,
    overflow: bool,
}

impl ViewBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        ViewBuilder::default()
    }

    /// Adds one update of the snapshot; `text` is the row's JSON text.
    pub fn add(&mut self, text: &str, diff: i64) {
        // Looked up by text first: most repetitions need no new allocation.
        match self.rows.get_mut(text) {
            Some(copies) => match copies.checked_add(diff) {
                Some(sum) => *copies = sum,
                None => self.overflow = true,
            },
            None => drop(self.rows.insert(Row::from(text), diff)),
        }
    }

    /// Distinct rows so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row has come.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The whole view, now that its timestamp is closed.
    pub fn finish(mut self, timestamp: Timestamp) -> Result<View, ViewError> {
        if self.overflow {
            return Err(ViewError::Overflow { timestamp });
        }
        let (mut copies, mut bytes) = (0u64, 0u64);
        let mut negative = None;
        self.rows.retain(|row, multiplicity| {
            if *multiplicity < 0 {
                negative = Some(*multiplicity);
            }
            let length = u64::try_from(row.text().len()).unwrap_or(u64::MAX);
            let here = multiplicity.unsigned_abs();
            copies = copies.saturating_add(here);
            bytes = bytes.saturating_add(here.saturating_mul(length));
            *multiplicity != 0
        });
        if let Some(multiplicity) = negative {
            return Err(ViewError::NegativeMultiplicity {
                timestamp,
                multiplicity,
            });
        }
        Ok(View {
            timestamp,
            rows: self.rows,
            copies,
            bytes,
        })
    }
}
