//! Finds rows by a key that many rows may have.

use super::window::Key;

/// Entries of one leaf at the most: 4 KiB, of which half is moved when one
/// comes in the middle.
const LEAF_MAX: usize = 512;

/// Entries of one leaf at least, if it is not the only one.
const LEAF_MIN: usize = LEAF_MAX / 4;

/// A leaf grows by room for so many entries, and never has more than twice that
/// to spare.
const LEAF_STEP: usize = 32;

/// Entries of a leaf when many are put in at once: some can be added to it
/// before it is split.
const LEAF_BUILT: usize = LEAF_MAX - LEAF_MAX / 8;

/// A row's key and the hash of its text as one number, ordered by key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyed(u64);

impl Keyed {
    /// A row with this key and this hash.
    pub fn new(key: Key, hash: u32) -> Self {
        Keyed(u64::from(key.bits()) << u32::BITS | u64::from(hash))
    }

    fn key(self) -> Key {
        let [.., a, b, c, d] = self.0.to_le_bytes();
        Key::new(u32::from_le_bytes([a, b, c, d]))
    }

    fn hash(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// Where the rows are that have a key.
///
/// Sorted entries in leaves of bounded size, as in a B+ tree (Bayer and
/// McCreight 1972, as Comer tells it in "The Ubiquitous B-Tree", 1979), with
/// one level above the leaves: five million rows make some 13,000 leaves, whose
/// first entries fit into a processor's cache. So a change moves 2 KiB on the
/// average, rows of one key stand side by side however many they are, and a row
/// costs 8.6 bytes when the index is built and, whatever comes and goes, never
/// more than 13. A hash table of lists would need as much for a key as for a
/// row.
///
/// Invariants: leaves are sorted and not empty, and so is what stands in them;
/// `firsts` has the first entry of each; each but an only one has `LEAF_MIN`
/// entries or more.
#[derive(Clone, Debug, Default)]
pub struct KeyIndex {
    firsts: Vec<Keyed>,
    leaves: Vec<Vec<Keyed>>,
    /// Entries that there is room for in the leaves.
    room: usize,
    rows: usize,
}

impl KeyIndex {
    /// The index of these rows, none of them twice.
    pub fn build(mut rows: Vec<Keyed>) -> Self {
        rows.sort_unstable();
        let count = rows.len().div_ceil(LEAF_BUILT).max(1);
        let mut index = KeyIndex {
            firsts: Vec::with_capacity(count),
            leaves: Vec::with_capacity(count),
            room: 0,
            rows: rows.len(),
        };
        // All of one size, so that the last one is not too small.
        let size = rows.len().div_ceil(count).max(1);
        for part in rows.chunks(size) {
            let mut leaf = Vec::with_capacity(part.len());
            leaf.extend_from_slice(part);
            index.room += leaf.capacity();
            index.firsts.extend(part.first());
            index.leaves.push(leaf);
        }
        // What is left for the last one may be little.
        let last = index.leaves.len().saturating_sub(1);
        if index
            .leaves
            .get(last)
            .is_some_and(|leaf| leaf.len() < LEAF_MIN)
        {
            index.join(last);
        }
        index
    }

    /// Bytes of memory that it takes, but for what the allocator adds to each
    /// leaf.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.firsts.capacity() * size_of::<Keyed>()
            + self.leaves.capacity() * size_of::<Vec<Keyed>>()
            + self.room * size_of::<Keyed>()
    }

    /// The leaf in which an entry stands, or would.
    fn leaf_of(&self, entry: Keyed) -> usize {
        let after = self.firsts.partition_point(|first| *first <= entry);
        after.saturating_sub(1)
    }

    /// The hashes of the rows that have a key, in order.
    pub fn hashes(&self, key: Key) -> impl Iterator<Item = u32> {
        let least = Keyed::new(key, 0);
        // Of equal entries, the first may stand in a leaf before.
        let after = self.firsts.partition_point(|first| *first < least);
        let at = after.saturating_sub(1);
        let leaves = self.leaves.get(at..).unwrap_or_default().iter();
        // Only in the first of them may smaller ones stand.
        let skipped = self
            .leaves
            .get(at)
            .map_or(0, |leaf| leaf.partition_point(|entry| *entry < least));
        leaves
            .flatten()
            .skip(skipped)
            .take_while(move |entry| entry.key() == key)
            .map(|entry| entry.hash())
    }

    /// Adds a row that is not there.
    pub fn insert(&mut self, entry: Keyed) {
        let at = self.leaf_of(entry);
        let Some(leaf) = self.leaves.get_mut(at) else {
            self.firsts.push(entry);
            self.leaves.push(vec![entry]);
            self.rows = 1;
            self.room = 1;
            return;
        };
        let place = leaf.partition_point(|other| *other < entry);
        if leaf.len() == leaf.capacity() {
            let before = leaf.capacity();
            leaf.reserve_exact(LEAF_STEP);
            self.room = self.room + leaf.capacity() - before;
        }
        leaf.insert(place, entry);
        self.rows += 1;
        let is_full = leaf.len() >= LEAF_MAX;
        self.note_first(at);
        if is_full {
            self.split(at);
        }
    }

    /// Forgets a row that is there.
    pub fn remove(&mut self, entry: Keyed) {
        let at = self.leaf_of(entry);
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        let Ok(place) = leaf.binary_search(&entry) else {
            return;
        };
        leaf.remove(place);
        self.rows -= 1;
        let length = leaf.len();
        if leaf.capacity() >= length + 2 * LEAF_STEP {
            let before = leaf.capacity();
            leaf.shrink_to(length + LEAF_STEP);
            self.room = self.room + leaf.capacity() - before;
        }
        self.note_first(at);
        if length < LEAF_MIN {
            self.join(at);
        }
    }

    /// The first entry of a leaf may be another one now.
    fn note_first(&mut self, at: usize) {
        let first = self.leaves.get(at).and_then(|leaf| leaf.first());
        if let (Some(known), Some(first)) = (self.firsts.get_mut(at), first) {
            *known = *first;
        }
    }

    /// Splits a leaf that is full in two.
    fn split(&mut self, at: usize) {
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        let before = leaf.capacity();
        let upper = leaf.split_off(leaf.len() / 2);
        leaf.shrink_to(leaf.len() + LEAF_STEP);
        self.room = self.room + leaf.capacity() - before + upper.capacity();
        self.put(at + 1, upper);
    }

    /// Puts a leaf, whose room is counted, at a place among the others.
    fn put(&mut self, at: usize, leaf: Vec<Keyed>) {
        if let Some(first) = leaf.first() {
            self.firsts.insert(at, *first);
            self.leaves.insert(at, leaf);
        }
    }

    /// Makes one or two leaves of one that has too few entries and one beside
    /// it.
    fn join(&mut self, at: usize) {
        if self.leaves.len() < 2 {
            if self.rows == 0 {
                *self = KeyIndex::default();
            }
            return;
        }
        let lower = at.min(self.leaves.len() - 2);
        let upper = self.leaves.remove(lower + 1);
        self.firsts.remove(lower + 1);
        let Some(leaf) = self.leaves.get_mut(lower) else {
            return;
        };
        let before = leaf.capacity();
        leaf.reserve_exact(upper.len());
        leaf.extend_from_slice(&upper);
        self.room = self.room + leaf.capacity() - before - upper.capacity();
        let is_large = leaf.len() >= LEAF_BUILT;
        self.note_first(lower);
        if is_large {
            self.split(lower);
        }
        let emptied = self.leaves.capacity() > 4 * self.leaves.len();
        if emptied {
            self.leaves.shrink_to(2 * self.leaves.len());
            self.firsts.shrink_to(2 * self.firsts.len());
        }
    }
}

#[cfg(test)]
mod tests;
