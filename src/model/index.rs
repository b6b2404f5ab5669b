//! Finds rows by the hash of their text.
//!
//! One large hash table would stop for a quarter of a second to double itself
//! at five million rows. Here it is many small ones, of which one at a time is
//! split in two as rows come (linear hashing), so that a change costs the same
//! whatever the size of the view. An entry holds its hash, so nothing of the
//! rows' text is read when entries move.

use hashbrown::HashTable;

use super::arena::Place;

/// Rows per table, on the average. The fullest has about twice that many, just
/// below the 57,344 that a table of 65,536 buckets holds: all have that size,
/// nine bytes a bucket, so a row costs 10 to 21 bytes, and a split moves some
/// 28,000 entries in a millisecond at the most.
const TABLE_ROWS: usize = 28_000;

/// A table that could hold so many times its rows is made smaller.
const SPARSE: usize = 8;

/// A table below this capacity is left as it is.
const CAPACITY_MIN: usize = 1024;

/// Binary digits of a hash that place an entry within its table; the others
/// choose the table.
const TABLE_BITS: u32 = 17;

/// A row's hash and place.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// 32 bits of the hash of its text.
    pub hash: u32,
    /// Where it stands.
    pub place: Place,
}

/// The hash within a table: its low bits are the entry's low bits, and its
/// seven highest, by which hashbrown tells entries apart, depend on all.
fn within(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The table of a hash among so many.
fn table_of(hash: u32, tables: usize) -> usize {
    let number = usize::try_from(hash >> TABLE_BITS).unwrap_or(0);
    let all = tables.next_power_of_two();
    let place = number & (all - 1);
    // The upper half of the doubled range is not all there yet.
    if place < tables {
        place
    } else {
        place & (all / 2 - 1)
    }
}

/// Where the rows are, by hash. Which rows are equal, the caller says.
#[derive(Clone, Debug)]
pub struct Index {
    /// Never empty.
    tables: Vec<HashTable<Entry>>,
    rows: usize,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            tables: vec![HashTable::new()],
            rows: 0,
        }
    }
}

impl Index {
    /// The index of all these `count` rows at once. Of a row that `equals` an
    /// earlier one, `repeats` is told both places, and it is left out.
    ///
    /// Sorted by table first, so that each is filled while it is in the cache.
    pub fn build(
        rows: impl Iterator<Item = Entry> + Clone,
        count: usize,
        mut equals: impl FnMut(Place, Place) -> bool,
        mut repeats: impl FnMut(Place, Place),
    ) -> Self {
        let tables = count.div_ceil(TABLE_ROWS).max(1);
        let mut ends = vec![0usize; tables];
        for row in rows.clone() {
            if let Some(size) = ends.get_mut(table_of(row.hash, tables)) {
                *size += 1;
            }
        }
        // From sizes to where each begins; filling moves that to its end.
        let mut sum = 0;
        for size in &mut ends {
            (*size, sum) = (sum, sum + *size);
        }
        let none = Entry {
            hash: 0,
            place: Place::default(),
        };
        let mut sorted = vec![none; sum];
        for row in rows {
            if let Some(at) = ends.get_mut(table_of(row.hash, tables)) {
                if let Some(slot) = sorted.get_mut(*at) {
                    *slot = row;
                }
                *at += 1;
            }
        }
        let mut index = Index {
            tables: Vec::with_capacity(tables),
            rows: 0,
        };
        let mut begin = 0;
        for end in ends {
            let rows = sorted.get(begin..end).unwrap_or_default();
            begin = end;
            let mut table = HashTable::with_capacity(rows.len());
            for row in rows {
                let same = |known: &Entry| known.hash == row.hash && equals(known.place, row.place);
                match table.find(within(row.hash), same) {
                    Some(known) => repeats(known.place, row.place),
                    None => {
                        table.insert_unique(within(row.hash), *row, |entry| within(entry.hash));
                    }
                }
            }
            index.rows += table.len();
            index.tables.push(table);
        }
        index
    }

    fn table(&self, hash: u32) -> Option<&HashTable<Entry>> {
        self.tables.get(table_of(hash, self.tables.len()))
    }

    /// The row of this hash that `is_it`.
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(Place) -> bool) -> Option<Place> {
        let same = |entry: &Entry| entry.hash == hash && is_it(entry.place);
        let entry = self.table(hash)?.find(within(hash), same)?;
        Some(entry.place)
    }

    /// The rows of this hash, in no particular order.
    pub fn all(&self, hash: u32) -> impl Iterator<Item = Place> {
        let table = self.table(hash).into_iter();
        let entries = table.flat_map(move |table| table.iter_hash(within(hash)));
        let entries = entries.filter(move |entry| entry.hash == hash);
        entries.map(|entry| entry.place)
    }

    /// Adds a row that is not there.
    pub fn insert(&mut self, row: Entry) {
        let at = table_of(row.hash, self.tables.len());
        if let Some(table) = self.tables.get_mut(at) {
            table.insert_unique(within(row.hash), row, |entry| within(entry.hash));
            self.rows += 1;
        }
        if self.rows > self.tables.len() * TABLE_ROWS {
            self.split();
        }
    }

    /// Forgets a row that is there.
    pub fn remove(&mut self, row: Entry) {
        let at = table_of(row.hash, self.tables.len());
        let Some(table) = self.tables.get_mut(at) else {
            return;
        };
        let same = |entry: &Entry| entry.place == row.place;
        if let Ok(entry) = table.find_entry(within(row.hash), same) {
            entry.remove();
            self.rows -= 1;
        }
        if table.capacity() > CAPACITY_MIN && table.len() < table.capacity() / SPARSE {
            table.shrink_to(table.len() * 2, |entry| within(entry.hash));
        }
        if self.tables.len() > 1 && self.rows < self.tables.len() * TABLE_ROWS / SPARSE {
            self.join();
        }
    }

    /// A row that is there stands elsewhere now.
    pub fn repoint(&mut self, row: Entry, place: Place) {
        let at = table_of(row.hash, self.tables.len());
        let same = |entry: &Entry| entry.place == row.place;
        if let Some(table) = self.tables.get_mut(at)
            && let Some(entry) = table.find_mut(within(row.hash), same)
        {
            entry.place = place;
        }
    }

    /// Which table is split when there are so many: the highest power of two
    /// in the number, taken from it.
    fn parent(tables: usize) -> usize {
        tables - (tables + 1).next_power_of_two() / 2
    }

    /// Splits the table whose turn it is in two.
    fn split(&mut self) {
        let added = self.tables.len();
        let mut table = HashTable::new();
        if let Some(parent) = self.tables.get_mut(Self::parent(added)) {
            let moves = |entry: &mut Entry| table_of(entry.hash, added + 1) == added;
            table.reserve(parent.len() / 2, |_: &Entry| 0);
            for entry in parent.extract_if(moves) {
                table.insert_unique(within(entry.hash), entry, |entry| within(entry.hash));
            }
        }
        self.tables.push(table);
    }

    /// Undoes the last split.
    fn join(&mut self) {
        let Some(last) = self.tables.pop() else {
            return;
        };
        let at = Self::parent(self.tables.len());
        if let Some(parent) = self.tables.get_mut(at) {
            for entry in last {
                parent.insert_unique(within(entry.hash), entry, |entry| within(entry.hash));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_table_of_a_hash_moves_only_when_its_table_is_split() {
        for tables in 1..300usize {
            for hash in (0..u32::MAX).step_by(9_876_543) {
                let (before, after) = (table_of(hash, tables), table_of(hash, tables + 1));
                assert!(before < tables);
                if before != after {
                    assert_eq!((before, after), (Index::parent(tables), tables));
                }
            }
        }
    }
}
