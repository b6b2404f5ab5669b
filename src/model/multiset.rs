//! A multiset of rows: their texts in an arena, found by an index.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::arena::{Arena, Place};
use super::frozen::Frozen;
use super::index::{Entry, Index};
use super::indexes::Indexes;

mod windows;

/// Bytes that one call of `tidy` may move for each byte that was taken away
/// since: a chunk is three quarters alive when it is compacted, so three would
/// keep up, and four catches up.
const MOVED_PER_REMOVED: u64 = 4;

/// Why a multiset cannot take a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The row would stand so many times in it, less than zero.
    Negative(i64),
    /// More copies than can be counted.
    Overflow,
    /// More rows than can be named, or one longer than 4 GiB.
    Full,
}

/// A multiset of rows.
///
/// Invariant: every row in the arena is in the index once, and in each of the
/// indexes by columns.
#[derive(Clone, Debug, Default)]
pub struct Multiset {
    arena: Arena,
    index: Index,
    hasher: RandomState,
    /// Copies beyond each row's first, and their bytes.
    more_rows: u64,
    more_bytes: u64,
    /// Bytes that `tidy` may move yet.
    allowance: u64,
    /// For the windows of the view, as soon as there are any.
    by_columns: Option<Box<Indexes>>,
}

impl Multiset {
    /// Rows, copies counted.
    pub fn rows(&self) -> u64 {
        count(self.arena.rows()).saturating_add(self.more_rows)
    }

    /// Bytes of the rows' texts, copies counted.
    pub fn bytes(&self) -> u64 {
        self.arena.bytes().saturating_add(self.more_bytes)
    }

    /// The distinct rows, each with its multiplicity, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        let rows = self.arena.iter();
        rows.map(|(place, text)| (text, self.arena.copies(place)))
    }

    /// How many copies of a row there are.
    pub fn get(&self, text: &str) -> i64 {
        let place = self.find(hash(&self.hasher, text), text);
        place.map_or(0, |place| self.arena.copies(place))
    }

    fn find(&self, hash: u32, text: &str) -> Option<Place> {
        self.index
            .find(hash, |place| self.arena.text(place) == text)
    }

    /// Changes how many copies of a row there are, or refuses and changes
    /// nothing.
    pub fn add(&mut self, text: &str, diff: i64) -> Result<(), Refusal> {
        let hash = hash(&self.hasher, text);
        let found = self.find(hash, text);
        let held = found.map_or(0, |place| self.arena.copies(place));
        let copies = held.checked_add(diff).ok_or(Refusal::Overflow)?;
        if copies < 0 {
            return Err(Refusal::Negative(copies));
        }
        let place = match found {
            Some(place) => place,
            None if copies == 0 => return Ok(()),
            None => {
                let place = self.arena.push(text).ok_or(Refusal::Full)?;
                self.index.insert(Entry { hash, place });
                if let Some(by_columns) = &mut self.by_columns {
                    by_columns.note(text, hash, false);
                }
                place
            }
        };
        self.set(place, text, held, copies);
        if copies == 0 {
            self.index.remove(Entry { hash, place });
            if let Some(by_columns) = &mut self.by_columns {
                by_columns.note(text, hash, true);
            }
            self.arena.remove(place);
            let length = count(text.len());
            let allowance = length.saturating_mul(MOVED_PER_REMOVED);
            self.allowance = self.allowance.saturating_add(allowance);
        }
        Ok(())
    }

    /// Keeps the copies beyond the first, given those before and after.
    fn set(&mut self, place: Place, text: &str, before: i64, after: i64) {
        let more = |copies: i64| copies.saturating_sub(1).max(0).unsigned_abs();
        let (before, after) = (more(before), more(after));
        if before == after {
            return;
        }
        let bytes = |more: u64| more.saturating_mul(count(text.len()));
        self.more_rows = self.more_rows.saturating_sub(before).saturating_add(after);
        let less = self.more_bytes.saturating_sub(bytes(before));
        self.more_bytes = less.saturating_add(bytes(after));
        let copies = i64::try_from(after).unwrap_or(i64::MAX);
        self.arena.set_copies(place, copies.saturating_add(1));
    }

    /// Gives back memory of rows that were taken away: moves the rows of one
    /// chunk at least, if too much of it is dead, and more after more removals.
    /// A call takes time in proportion to what was removed since the last.
    pub fn tidy(&mut self) {
        loop {
            let Some(moved) = self.compact() else {
                // Nothing is due, so nothing is owed.
                self.allowance = 0;
                return;
            };
            self.allowance = self.allowance.saturating_sub(count(moved));
            if self.allowance == 0 {
                return;
            }
        }
    }

    /// Compacts one chunk, if one is due; the bytes moved.
    fn compact(&mut self) -> Option<usize> {
        let (index, hasher) = (&mut self.index, &self.hasher);
        self.arena.compact(|text, from, to| {
            let hash = hash(hasher, text);
            index.repoint(Entry { hash, place: from }, to);
        })
    }

    /// The rows as they are now, whatever becomes of them here; takes a few
    /// pointers for each megabyte or some thousand rows.
    pub fn freeze(&self) -> Frozen {
        let bytes = self.bytes().saturating_add(self.rows());
        Frozen::new(self.arena.freeze(), bytes)
    }

    /// Bytes that were given up so far: see `Arena::retired`.
    pub fn retired(&self) -> u64 {
        self.arena.retired()
    }
}

/// Equal as multisets, wherever the rows stand.
impl PartialEq for Multiset {
    fn eq(&self, other: &Self) -> bool {
        self.rows() == other.rows() && self.iter().all(|(row, copies)| other.get(row) == copies)
    }
}

/// A multiset that is filled before it is looked at: rows in any order and with
/// repetitions, so that sums may be negative until the last one is in.
#[derive(Debug, Default)]
pub struct Filling {
    arena: Arena,
    /// The hashes of the rows in the arena, in their order.
    hashes: Vec<u32>,
    /// Diffs other than one.
    diffs: HashMap<Place, i64, RandomState>,
    hasher: RandomState,
    /// The first row that could not be taken.
    refused: Option<Refusal>,
}

impl Filling {
    /// Adds so many copies of a row, perhaps less than none.
    pub fn add(&mut self, text: &str, diff: i64) {
        let Some(place) = self.arena.push(text) else {
            self.refused = Some(Refusal::Full);
            return;
        };
        self.hashes.push(hash(&self.hasher, text));
        if diff != 1 {
            self.diffs.insert(place, diff);
        }
    }

    /// Whether no row has come.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The multiset, or why the sums make none.
    pub fn finish(self) -> Result<Multiset, Refusal> {
        let Filling {
            mut arena,
            hashes,
            mut diffs,
            hasher,
            mut refused,
        } = self;
        let rows = arena.places().zip(&hashes);
        let entries = rows.map(|(place, hash)| Entry { hash: *hash, place });
        let mut repeated = Vec::new();
        let equals = |a, b| arena.text(a) == arena.text(b);
        let repeats = |first, again| {
            let sum = diff_at(&diffs, first).checked_add(diff_at(&diffs, again));
            if sum.is_none() {
                refused = Some(Refusal::Overflow);
            }
            diffs.insert(first, sum.unwrap_or(0));
            repeated.push(again);
        };
        let index = Index::build(entries, hashes.len(), equals, repeats);
        drop(hashes);
        // In the order in which they came: that of hashes is another one in
        // each process, and decides which chunk is compacted first.
        repeated.sort_unstable();
        for place in repeated {
            diffs.remove(&place);
            arena.remove(place);
        }
        let mut filled = Multiset {
            arena,
            index,
            hasher,
            ..Multiset::default()
        };
        let mut diffs: Vec<(Place, i64)> = diffs.into_iter().collect();
        diffs.sort_unstable_by_key(|(place, _)| *place);
        for (place, copies) in diffs {
            if copies < 0 {
                refused = Some(Refusal::Negative(copies));
            }
            let text = filled.arena.text(place).to_owned();
            filled.set(place, &text, 1, copies);
            if copies == 0 {
                let hash = hash(&filled.hasher, &text);
                filled.index.remove(Entry { hash, place });
                filled.arena.remove(place);
            }
        }
        while filled.compact().is_some() {}
        match refused {
            Some(refusal) => Err(refusal),
            None => Ok(filled),
        }
    }
}

fn diff_at(diffs: &HashMap<Place, i64, RandomState>, place: Place) -> i64 {
    diffs.get(&place).copied().unwrap_or(1)
}

/// 32 bits of a text's hash: with five million rows, some 3,000 share theirs
/// with another one, and are told apart by their texts.
fn hash(hasher: &RandomState, text: &str) -> u32 {
    let [a, b, c, d, ..] = hasher.hash_one(text).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
