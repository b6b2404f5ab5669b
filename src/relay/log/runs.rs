//! Merged runs of a log's deltas, so that a backlog of any length is merged
//! from a few of them.
//!
//! A run holds the net effect of 32 entries of the log, or of 32 runs: as the
//! digits of a number, by their places. They are made when they are wanted
//! first, kept while the log has their entries, and shared by all who come
//! back, whose positions differ only in the smallest of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits::RUNS_PART_OF_RETENTION;
use crate::model::delta::{Change, Delta};
use crate::model::retention::{Cursor, Entry, Retention};
use crate::relay::event::frame::Frame;

/// Binary digits of the number of entries, or runs, that make a run.
const RUN_BITS: u32 = 5;

/// Runs of runs, at the most: of a billion entries.
const LEVELS: u32 = 6;

/// Bytes of a run beside its changes.
const RUN_OVERHEAD: usize = 128;

/// The net effect of several entries.
#[derive(Clone, Debug)]
pub struct Run {
    /// What changed.
    pub delta: Delta,
    /// Whether any of them moves the position.
    pub has_id: bool,
}

impl Run {
    /// The net effect of several runs; `None` of none.
    pub fn merge(runs: &[Arc<Run>]) -> Option<Run> {
        Some(Run {
            delta: Delta::merge(runs.iter().map(|run| &run.delta))?,
            has_id: runs.iter().any(|run| run.has_id),
        })
    }

    fn of_entry(entry: &Entry<Arc<Frame>>) -> Option<Arc<Run>> {
        let delta = entry.frame.changes()?.clone();
        let has_id = entry.frame.has_id;
        Some(Arc::new(Run { delta, has_id }))
    }

    fn bytes(&self) -> u64 {
        let changes = self.delta.changes().len();
        let bytes = changes.saturating_mul(size_of::<Change>()) + RUN_OVERHEAD;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// The place of a run: a power of 32 entries, and how many such are before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    level: u32,
    number: u64,
}

impl Block {
    /// The largest that begins at a place and ends at another or before it.
    pub fn largest(from: u64, to: u64) -> Option<Block> {
        let fits = |level: &u32| {
            let size = 1u64 << (RUN_BITS * level);
            from.is_multiple_of(size) && from.checked_add(size).is_some_and(|end| end <= to)
        };
        let level = (0..=LEVELS).rev().find(fits)?;
        let number = from >> (RUN_BITS * level);
        Some(Block { level, number })
    }

    fn from(self) -> u64 {
        self.number << (RUN_BITS * self.level)
    }

    /// The place behind its last entry.
    pub fn end(self) -> u64 {
        self.from().saturating_add(1 << (RUN_BITS * self.level))
    }

    /// Those that it is made of; `None` of a single entry.
    pub fn parts(self) -> Option<impl Iterator<Item = Block>> {
        let level = self.level.checked_sub(1)?;
        let first = self.number << RUN_BITS;
        let parts = first..first + (1 << RUN_BITS);
        Some(parts.map(move |number| Block { level, number }))
    }
}

/// The runs of one log.
#[derive(Debug, Default)]
pub struct Runs {
    made: BTreeMap<Block, Arc<Run>>,
    bytes: u64,
}

impl Runs {
    /// What they take.
    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is known of a block: an entry of the log itself, or a run.
    pub fn get(&self, log: &Retention<Arc<Frame>>, block: Block) -> Option<Arc<Run>> {
        if block.level == 0 {
            let entry = log.from(Cursor::at(block.number))?.next()?;
            return Run::of_entry(entry);
        }
        self.made.get(&block).map(Arc::clone)
    }

    /// Keeps a run, if there is room for it beside a log of so many bytes.
    pub fn keep(&mut self, block: Block, run: &Arc<Run>, retention_bytes_max: u64) {
        let bytes = self.bytes.saturating_add(run.bytes());
        if bytes <= retention_bytes_max / RUNS_PART_OF_RETENTION {
            self.bytes = bytes;
            if let Some(before) = self.made.insert(block, Arc::clone(run)) {
                self.bytes = self.bytes.saturating_sub(before.bytes());
            }
        }
    }

    /// Forgets the runs of entries that the log has forgotten.
    pub fn forget_before(&mut self, first: Cursor) {
        for level in 1..=LEVELS {
            let from = Block { level, number: 0 };
            while let Some((block, _)) = self.made.range(from..).next() {
                let block = *block;
                if block.level != level || block.from() >= first.number() {
                    break;
                }
                if let Some(run) = self.made.remove(&block) {
                    self.bytes = self.bytes.saturating_sub(run.bytes());
                }
            }
        }
    }
}
