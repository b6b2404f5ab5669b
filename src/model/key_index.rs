//! Finds rows by a key that many rows may have.

use super::window::Key;

/// Entries of one leaf at the most, those that came late left aside: 2 KiB.
const LEAF_MAX: usize = 256;

/// Entries of one leaf at least, if it is not the only one: less than half, so
/// that what is split is not joined again at once.
const LEAF_MIN: usize = 96;

/// Entries of a leaf when many are put in at once: some can be added to it
/// before it is split.
const LEAF_BUILT: usize = LEAF_MAX - LEAF_MAX / 8;

/// Changes of a leaf that are only noted behind its entries, at the most. Twice
/// as many make a change no cheaper, and looking something up dearer.
const LATE_MAX: usize = 32;

/// Changes that are not with their leaves yet, at the most. They are brought
/// there in one go, since nothing that one of them waits for in memory depends on
/// another: so the processor waits for some of them at a time.
const FRESH_MAX: usize = 64;

/// Room that a leaf may have beyond that for its changes.
const ROOM_MAX: usize = 8;

/// Entries that are passed at a time where one is looked for: two lines of the
/// processor's cache.
const PASSED: usize = 16;

/// A row's key and the hash of its text as one number, ordered by key first;
/// the lowest bit says that the row is gone. Of a key, 31 bits are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyed(u64);

impl Keyed {
    /// A row with this key and this hash.
    pub fn new(key: Key, hash: u32) -> Self {
        let key = u64::from(key.bits() >> 1);
        Keyed(key << (u32::BITS + 1) | u64::from(hash) << 1)
    }

    /// That it is gone.
    fn gone(self) -> Self {
        Keyed(self.0 | 1)
    }

    fn is_gone(self) -> bool {
        self.0 & 1 == 1
    }

    /// The row, whether it came or is gone.
    fn row(self) -> Self {
        Keyed(self.0 & !1)
    }

    fn has_key_of(self, other: Keyed) -> bool {
        (self.0 ^ other.0) >> (u32::BITS + 1) == 0
    }

    fn hash(self) -> u32 {
        let [a, b, c, d, ..] = (self.0 >> 1).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// Which rows have a key, by the hashes of their texts.
///
/// Sorted entries of eight bytes in leaves of bounded size, as in a B+ tree
/// (Bayer and McCreight 1972, as Comer tells it in "The Ubiquitous B-Tree",
/// 1979) with one level above the leaves: five million rows make some 22,000
/// leaves, whose bounds fit into a processor's cache. Rows of one key stand side
/// by side however many they are, where a hash table of lists would need as much
/// for a key as for a row.
///
/// A change is noted behind the entries of its leaf, and some are put in their
/// places together, as the nodes of a B-epsilon tree do it (Brodal and Fagerberg
/// 2003): a leaf that is not in the cache is then waited for once, and not at
/// each step of a search and once more for what has to be moved.
///
/// A row costs 9.3 bytes when the index is built, about ten when it has changed
/// for long, and, whatever comes and goes, not more than 16. It has the hash of
/// a row and not its place, so that rows can be moved in memory without it.
///
/// Invariants: bounds are sorted, and the first is zero; what belongs to a leaf
/// is not below its bound, and below the next; equal entries are in one leaf.
#[derive(Clone, Debug, Default)]
pub struct KeyIndex {
    bounds: Vec<Keyed>,
    leaves: Vec<Leaf>,
    /// The last changes, as they came.
    fresh: Vec<Keyed>,
    /// Entries that there is room for in the leaves.
    room: usize,
    /// Where a leaf's entries are put in order.
    scratch: Vec<Keyed>,
}

#[derive(Clone, Debug, Default)]
struct Leaf {
    /// Rows in order, and behind them the changes that came late, as they came.
    entries: Vec<Keyed>,
    sorted: usize,
}

impl KeyIndex {
    /// The index of these rows.
    pub fn build(mut rows: Vec<Keyed>) -> Self {
        rows.sort_unstable();
        let count = rows.len().div_ceil(LEAF_BUILT).max(1);
        let mut index = KeyIndex {
            bounds: Vec::with_capacity(count),
            leaves: Vec::with_capacity(count),
            ..KeyIndex::default()
        };
        // All of one size, so that the last one is not too small.
        let size = rows.len().div_ceil(count).max(1);
        let mut rest = rows.as_slice();
        while let Some(first) = rest.first() {
            let (part, others) = rest.split_at(whole(rest, size));
            rest = others;
            let mut entries = Vec::with_capacity(part.len() + LATE_MAX);
            entries.extend_from_slice(part);
            index.room += entries.capacity();
            let is_first = index.leaves.is_empty();
            index.bounds.push(if is_first { Keyed(0) } else { *first });
            let sorted = part.len();
            index.leaves.push(Leaf { entries, sorted });
        }
        // What is left for the last one may be little.
        if index
            .leaves
            .last()
            .is_some_and(|leaf| leaf.sorted < LEAF_MIN)
        {
            index.join(index.leaves.len() - 1);
        }
        index
    }

    /// Bytes of memory that it takes, but for what the allocator adds to each
    /// leaf.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.bounds.capacity() * size_of::<Keyed>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + (self.room + self.fresh.capacity() + self.scratch.capacity()) * size_of::<Keyed>()
    }

    /// Rows that are in it.
    #[cfg(test)]
    pub fn rows(&self) -> usize {
        let leaves = self.leaves.iter().flat_map(|leaf| &leaf.entries);
        let all = leaves.chain(&self.fresh);
        let gone = all.clone().filter(|entry| entry.is_gone());
        all.count() - 2 * gone.count()
    }

    /// The leaf that a row belongs to.
    fn leaf_of(&self, row: Keyed) -> usize {
        let after = self.bounds.partition_point(|bound| *bound <= row);
        after.saturating_sub(1)
    }

    /// Appends the hashes of the rows that have a key, in no particular order.
    pub fn find(&self, key: Key, hashes: &mut Vec<u32>) {
        let least = Keyed::new(key, 0);
        let at = self.leaf_of(least);
        let (start, bounds) = (hashes.len(), self.bounds.iter().skip(at));
        for (bound, leaf) in bounds.zip(self.leaves.iter().skip(at)) {
            if *bound > least && !bound.has_key_of(least) {
                break;
            }
            leaf.find(least, hashes);
        }
        follow(&self.fresh, least, start, hashes);
    }

    /// Adds a row.
    pub fn insert(&mut self, row: Keyed) {
        self.note(row);
    }

    /// Forgets a row that is there.
    pub fn remove(&mut self, row: Keyed) {
        self.note(row.gone());
    }

    fn note(&mut self, change: Keyed) {
        self.fresh.push(change);
        if self.fresh.len() >= FRESH_MAX {
            let mut fresh = std::mem::take(&mut self.fresh);
            for change in fresh.drain(..) {
                self.bring(change);
            }
            self.fresh = fresh;
        }
    }

    /// Notes a change behind the entries of its leaf.
    fn bring(&mut self, change: Keyed) {
        let at = self.leaf_of(change.row());
        if self.leaves.is_empty() {
            self.bounds.push(Keyed(0));
            self.leaves.push(Leaf::default());
        }
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        let room = leaf.entries.capacity();
        if leaf.entries.len() == room {
            leaf.entries.reserve_exact(LATE_MAX);
        }
        leaf.entries.push(change);
        self.room = self.room + leaf.entries.capacity() - room;
        if leaf.entries.len() - leaf.sorted >= LATE_MAX {
            self.settle(at);
        }
    }

    /// Puts the changes of a leaf in their places.
    fn settle(&mut self, at: usize) {
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        let room = leaf.entries.capacity();
        leaf.settle(&mut self.scratch);
        self.room = self.room + leaf.entries.capacity() - room;
        match leaf.sorted {
            large if large > LEAF_MAX => self.split(at),
            small if small < LEAF_MIN => self.join(at),
            _ => {}
        }
    }

    /// Splits a leaf without late changes in two.
    fn split(&mut self, at: usize) {
        let Some(leaf) = self.leaves.get_mut(at) else {
            return;
        };
        let room = leaf.entries.capacity();
        let upper = leaf
            .entries
            .split_off(whole(&leaf.entries, leaf.sorted / 2));
        leaf.sorted = leaf.entries.len();
        leaf.entries.shrink_to(leaf.sorted + LATE_MAX);
        self.room = self.room + leaf.entries.capacity() - room;
        // None where all entries are equal.
        if let Some(bound) = upper.first() {
            self.room += upper.capacity();
            self.bounds.insert(at + 1, *bound);
            let sorted = upper.len();
            let entries = upper;
            self.leaves.insert(at + 1, Leaf { entries, sorted });
        }
    }

    /// Makes one or two leaves of one that has too few entries and one beside
    /// it.
    fn join(&mut self, at: usize) {
        let Some(lower) = self.leaves.len().checked_sub(2).map(|last| last.min(at)) else {
            if self.leaves.iter().all(|leaf| leaf.entries.is_empty()) {
                (self.bounds, self.leaves, self.room) = (Vec::new(), Vec::new(), 0);
            }
            return;
        };
        let mut upper = self.leaves.remove(lower + 1);
        self.bounds.remove(lower + 1);
        self.room -= upper.entries.capacity();
        upper.settle(&mut self.scratch);
        let Some(leaf) = self.leaves.get_mut(lower) else {
            return;
        };
        let room = leaf.entries.capacity();
        leaf.settle(&mut self.scratch);
        leaf.entries.reserve_exact(upper.entries.len() + LATE_MAX);
        leaf.entries.extend_from_slice(&upper.entries);
        leaf.sorted = leaf.entries.len();
        self.room = self.room + leaf.entries.capacity() - room;
        if leaf.sorted > LEAF_MAX {
            self.split(lower);
        }
        if self.leaves.capacity() > 4 * self.leaves.len() {
            self.leaves.shrink_to(2 * self.leaves.len());
            self.bounds.shrink_to(2 * self.bounds.len());
        }
    }
}

impl Leaf {
    /// Appends the hashes of the rows here that have the key of this one.
    fn find(&self, least: Keyed, hashes: &mut Vec<u32>) {
        let start = hashes.len();
        let (sorted, late) = self.entries.split_at(self.sorted);
        let rows = sorted.iter().skip(before(sorted, least));
        let rows = rows.take_while(|row| row.has_key_of(least));
        hashes.extend(rows.map(|row| row.hash()));
        follow(late, least, start, hashes);
    }

    /// Puts the changes that came late in their places.
    fn settle(&mut self, scratch: &mut Vec<Keyed>) {
        let (sorted, late) = self.entries.split_at_mut(self.sorted);
        // Of equal ones, those that came stand before those that are gone.
        late.sort_unstable();
        scratch.clear();
        let mut rows = sorted.iter().copied().peekable();
        for change in late {
            let row = change.row();
            while let Some(before) = rows.next_if(|it| *it < row) {
                scratch.push(before);
            }
            if !change.is_gone() {
                scratch.push(row);
            } else if rows.next_if_eq(&row).is_none() && scratch.last() == Some(&row) {
                scratch.pop();
            }
        }
        scratch.extend(rows);
        self.entries.clear();
        self.entries.extend_from_slice(scratch);
        self.sorted = self.entries.len();
        if self.entries.capacity() > self.sorted + LATE_MAX + ROOM_MAX {
            self.entries.shrink_to(self.sorted + LATE_MAX);
        }
    }
}

/// Has hashes from a place on follow the changes of rows that have the key of
/// this one.
fn follow(changes: &[Keyed], least: Keyed, start: usize, hashes: &mut Vec<u32>) {
    for change in changes.iter().filter(|change| change.has_key_of(least)) {
        let hash = change.hash();
        if !change.is_gone() {
            hashes.push(hash);
            continue;
        }
        let mut found = (start..).zip(hashes.iter().skip(start));
        if let Some((at, _)) = found.find(|(_, other)| **other == hash) {
            hashes.swap_remove(at);
        }
    }
}

/// How many entries of a leaf come before one.
///
/// A binary search would wait for memory at each of its steps, which decide
/// where the next one looks; here nothing waits for anything.
fn before(sorted: &[Keyed], row: Keyed) -> usize {
    let mut passed = 0;
    for part in sorted.chunks(PASSED) {
        if part.last().is_some_and(|last| *last >= row) {
            return passed + part.iter().filter(|other| **other < row).count();
        }
        passed += part.len();
    }
    passed
}

/// About so many of the first entries, such that no equal ones are parted.
fn whole(sorted: &[Keyed], size: usize) -> usize {
    let Some(next) = sorted.get(size) else {
        return sorted.len();
    };
    match sorted.partition_point(|row| row < next) {
        0 => sorted.partition_point(|row| row <= next),
        whole => whole,
    }
}

#[cfg(test)]
mod tests;
