//! Texts of some thousand rows, one after the other, and which of them live.
//!
//! A clone costs three pointers: text, dead rows and multiplicities are shared
//! until one of the two is changed, and only what is changed is copied then.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::append::append;

/// Binary digits of a row's number within its chunk.
pub(super) const ROW_BITS: u32 = 12;

/// Rows of one chunk, at the most: moving them is the longest pause of a
/// compaction, some hundred microseconds.
pub(super) const CHUNK_ROWS: usize = 1 << ROW_BITS;

/// Bytes of one chunk, unless a single row is longer: large enough that the
/// allocator's share and the chunk's own fields do not count.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// Every machine this runs on counts memory in 32 bits at least.
pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[derive(Clone, Debug, Default)]
struct Texts {
    /// Each row's text and a comma.
    text: String,
    /// Where each row ends, its comma included.
    ends: Vec<u32>,
}

/// Rows in the order in which they came. The comma behind each makes a chunk
/// from which nothing was taken a part of a base as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    texts: Arc<Texts>,
    /// One bit for each row that was taken away.
    dead: Option<Arc<[u64; CHUNK_ROWS / 64]>>,
    /// The rows that stand in the view more than once, and how often.
    copies: Option<Arc<BTreeMap<usize, i64>>>,
    dead_rows: usize,
    dead_bytes: usize,
}

/// How far a chunk was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    row: usize,
    /// Copies of the row.
    copies: i64,
    /// Bytes of the copy, or of the whole chunk where nothing is to be left
    /// out or repeated.
    bytes: usize,
}

impl Chunk {
    /// Rows, dead ones included.
    pub(super) fn rows(&self) -> usize {
        self.texts.ends.len()
    }

    /// Bytes of all rows, dead ones included.
    pub(super) fn bytes(&self) -> usize {
        self.texts.text.len()
    }

    /// Bytes of the rows that were taken away.
    pub(super) fn dead_bytes(&self) -> usize {
        self.dead_bytes
    }

    /// Bytes of all copies of the rows that live, commas included.
    pub(super) fn listed_bytes(&self) -> u64 {
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let more = |(row, copies): (&usize, &i64)| {
            let more = copies.saturating_sub(1).unsigned_abs();
            count(self.listed(*row).len()).saturating_mul(more)
        };
        let repeated = self.copies.iter().flat_map(|copies| copies.iter());
        let once = count(self.bytes().saturating_sub(self.dead_bytes));
        repeated.map(more).fold(once, u64::saturating_add)
    }

    /// Whether no row lives in it.
    pub(super) fn is_dead(&self) -> bool {
        self.dead_rows == self.rows()
    }

    fn start(&self, row: usize) -> usize {
        let before = row.checked_sub(1);
        let before = before.and_then(|before| self.texts.ends.get(before));
        before.copied().map_or(0, index)
    }

    /// Where the row ends, its comma included.
    fn end(&self, row: usize) -> usize {
        self.texts.ends.get(row).copied().map_or(0, index)
    }

    /// A row's text and its comma.
    pub(super) fn listed(&self, row: usize) -> &str {
        let range = self.start(row)..self.end(row);
        self.texts.text.get(range).unwrap_or_default()
    }

    /// A row's text.
    pub(super) fn row(&self, row: usize) -> &str {
        let listed = self.listed(row);
        listed.get(..listed.len().saturating_sub(1)).unwrap_or("")
    }

    /// Whether a row was taken away.
    pub(super) fn is_row_dead(&self, row: usize) -> bool {
        let word = self.dead.as_ref().and_then(|dead| dead.get(row / 64));
        word.is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// The rows that live.
    pub(super) fn live(&self) -> impl Iterator<Item = usize> + Clone {
        (0..self.rows()).filter(|row| !self.is_row_dead(*row))
    }

    /// How often a living row stands in the view.
    pub(super) fn copies(&self, row: usize) -> i64 {
        let copies = self.copies.as_ref().and_then(|copies| copies.get(&row));
        copies.copied().unwrap_or(1)
    }

    /// A living row stands in the view so often.
    pub(super) fn set_copies(&mut self, row: usize, copies: i64) {
        if self.copies(row) == copies {
            return;
        }
        let all = Arc::make_mut(self.copies.get_or_insert_default());
        match copies {
            1 => drop(all.remove(&row)),
            _ => drop(all.insert(row, copies)),
        }
        if all.is_empty() {
            self.copies = None;
        }
    }

    /// Takes a row away, which must live.
    pub(super) fn kill(&mut self, row: usize) {
        self.set_copies(row, 1);
        let dead = self
            .dead
            .get_or_insert_with(|| Arc::new([0; CHUNK_ROWS / 64]));
        if let Some(word) = Arc::make_mut(dead).get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
        self.dead_rows += 1;
        self.dead_bytes += self.end(row).saturating_sub(self.start(row));
    }

    /// Whether so many bytes fit into it. One that somebody else holds as well
    /// has to be copied first, for which it must not be large.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let (rows_max, bytes_max) = match self.is_shared() {
            true => (CHUNK_ROWS / 2, CHUNK_BYTES / 2),
            false => (CHUNK_ROWS, CHUNK_BYTES),
        };
        self.rows() < rows_max && self.bytes().saturating_add(bytes) <= bytes_max
    }

    /// Whether somebody else holds its text as well.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.texts) > 1
    }

    /// Makes room for so many bytes of text.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.texts_mut().text.reserve_exact(bytes);
    }

    /// Appends a row; its number, `None` where the text would be too long.
    pub(super) fn push(&mut self, text: &str) -> Option<usize> {
        let length = self.bytes().checked_add(text.len())?.checked_add(1)?;
        let end = u32::try_from(length).ok()?;
        let texts = self.texts_mut();
        texts.text.push_str(text);
        texts.text.push(',');
        texts.ends.push(end);
        Some(texts.ends.len() - 1)
    }

    fn texts_mut(&mut self) -> &mut Texts {
        if self.is_shared() {
            // A clone has no room for more, which is what it is made for.
            let mut copy = Texts::default();
            copy.text.reserve(self.bytes() * 2);
            copy.text.push_str(&self.texts.text);
            copy.ends.reserve(self.rows() * 2);
            copy.ends.extend_from_slice(&self.texts.ends);
            self.texts = Arc::new(copy);
        }
        Arc::make_mut(&mut self.texts)
    }

    /// No row will be appended any more.
    pub(super) fn close(&mut self) {
        if let Some(texts) = Arc::get_mut(&mut self.texts) {
            texts.text.shrink_to_fit();
            texts.ends.shrink_to_fit();
        }
    }

    /// Appends what comes behind what was written: every copy of every living
    /// row, each with its comma, until `out` has so many bytes; whether that
    /// was all. Never ends within a character.
    pub(super) fn write(&self, written: &mut Written, full: usize, out: &mut Vec<u8>) -> bool {
        if self.dead_rows == 0 && self.copies.is_none() {
            return append(&self.texts.text, &mut written.bytes, full, out);
        }
        while written.row < self.rows() {
            let copies = match self.is_row_dead(written.row) {
                true => 0,
                false => self.copies(written.row),
            };
            while written.copies < copies {
                if !append(self.listed(written.row), &mut written.bytes, full, out) {
                    return false;
                }
                (written.copies, written.bytes) = (written.copies + 1, 0);
            }
            (written.row, written.copies) = (written.row + 1, 0);
        }
        true
    }
}
