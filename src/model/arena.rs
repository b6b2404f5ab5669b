//! Texts of rows, one after the other in large chunks.
//!
//! A row costs its text, a comma and four bytes. What is frozen shares the
//! chunks with what goes on to change.

use std::collections::VecDeque;

use super::chunk::{CHUNK_BYTES, CHUNK_ROWS, Chunk, ROW_BITS, index};

/// Chunks of one arena, at the most: as many as a place can name, 1 TiB of rows
/// of the usual size.
const CHUNKS_MAX: usize = 1 << (u32::BITS - ROW_BITS);

/// Dead bytes below which a chunk is left alone: a small view that changes all
/// the time would be moved all the time.
const DEAD_BYTES_MIN: usize = 4096;

/// A chunk is compacted when more than one in so many of its bytes is dead. So
/// all chunks together are at most 4/3 of what lives in them.
const DEAD_PART: usize = 4;

/// Where a row stands in an arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u32);

impl Place {
    /// `chunk` is below `CHUNKS_MAX` and `row` below `CHUNK_ROWS`, which an
    /// arena keeps, so that nothing is cut off.
    fn new(chunk: usize, row: usize) -> Self {
        let joined = (chunk << ROW_BITS) | row;
        Place(u32::try_from(joined).unwrap_or(u32::MAX))
    }

    fn chunk(self) -> usize {
        index(self.0 >> ROW_BITS)
    }

    fn row(self) -> usize {
        index(self.0) % CHUNK_ROWS
    }
}

/// Texts of rows in chunks.
///
/// Invariants: a place that was handed out and not removed stays valid until
/// `compact` reports that it has moved; a chunk with dead rows only is freed.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    chunks: Vec<Chunk>,
    /// For each of them, whether it waits to be compacted.
    is_due: Vec<bool>,
    /// Chunks that hold nothing.
    free: Vec<usize>,
    /// The chunk that is being filled.
    open: Option<usize>,
    /// Chunks of which too much is dead, the first found first.
    due: VecDeque<usize>,
    /// Rows that live.
    rows: usize,
    /// Bytes of their texts.
    bytes: u64,
    /// Bytes of chunks that were given up so far.
    retired: u64,
}

impl Arena {
    /// Rows that live.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of their texts.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends a row; `None` where no place is left for it.
    pub fn push(&mut self, text: &str) -> Option<Place> {
        let length = text.len().checked_add(1)?;
        let open = self.open.and_then(|open| self.chunks.get(open));
        let has_room = open.is_some_and(|open| open.has_room(length));
        let at = match self.open.filter(|_| has_room) {
            Some(open) => open,
            None => self.open_chunk(length)?,
        };
        let chunk = self.chunks.get_mut(at)?;
        if chunk.is_shared() {
            self.retired = self.retired.saturating_add(count(chunk.bytes()));
        }
        let row = chunk.push(text)?;
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(count(text.len()));
        Some(Place::new(at, row))
    }

    /// Closes the chunk that is being filled and opens another one.
    fn open_chunk(&mut self, room: usize) -> Option<usize> {
        if let Some(full) = self.open.take().and_then(|open| self.chunks.get_mut(open)) {
            full.close();
        }
        let at = match self.free.pop() {
            Some(free) => free,
            None if self.chunks.len() >= CHUNKS_MAX => return None,
            None => {
                self.chunks.push(Chunk::default());
                self.is_due.push(false);
                self.chunks.len() - 1
            }
        };
        // The chunk of a small view grows with it.
        if self.bytes >= count(CHUNK_BYTES)
            && let Some(chunk) = self.chunks.get_mut(at)
        {
            chunk.reserve(room.max(CHUNK_BYTES));
        }
        self.open = Some(at);
        Some(at)
    }

    /// The text of a row.
    pub fn text(&self, place: Place) -> &str {
        let chunk = self.chunks.get(place.chunk());
        chunk.map_or("", |chunk| chunk.row(place.row()))
    }

    /// How often a row stands in the view.
    pub fn copies(&self, place: Place) -> i64 {
        let chunk = self.chunks.get(place.chunk());
        chunk.map_or(0, |chunk| chunk.copies(place.row()))
    }

    /// A row stands in the view so often.
    pub fn set_copies(&mut self, place: Place, copies: i64) {
        if let Some(chunk) = self.chunks.get_mut(place.chunk()) {
            chunk.set_copies(place.row(), copies);
        }
    }

    /// Takes a row away, which must live.
    pub fn remove(&mut self, place: Place) {
        let at = place.chunk();
        let (Some(chunk), Some(is_due)) = (self.chunks.get_mut(at), self.is_due.get_mut(at)) else {
            return;
        };
        self.rows = self.rows.saturating_sub(1);
        let length = chunk.row(place.row()).len();
        self.bytes = self.bytes.saturating_sub(count(length));
        chunk.kill(place.row());
        let dead = chunk.dead_bytes();
        let is_wasteful = dead >= DEAD_BYTES_MIN && dead > chunk.bytes() / DEAD_PART;
        if chunk.is_dead() && !*is_due {
            self.retired = self.retired.saturating_add(count(chunk.bytes()));
            *chunk = Chunk::default();
            if self.open != Some(at) {
                self.free.push(at);
            }
        } else if is_wasteful && !*is_due {
            *is_due = true;
            self.due.push_back(at);
        }
    }

    /// Moves the rows of one chunk of which too much is dead, if there is one;
    /// `moved` learns each row's text, old place and new one. Returns the bytes
    /// that were moved, `None` if there was nothing to do.
    pub fn compact(&mut self, mut moved: impl FnMut(&str, Place, Place)) -> Option<usize> {
        // What lives in a chunk fits into what is open and one chunk more, and
        // two more where the open one is shared.
        if self.free.is_empty() && self.chunks.len().saturating_add(1) >= CHUNKS_MAX {
            return None;
        }
        let at = self.due.pop_front()?;
        if let Some(is_due) = self.is_due.get_mut(at) {
            *is_due = false;
        }
        let chunk = std::mem::take(self.chunks.get_mut(at)?);
        self.retired = self.retired.saturating_add(count(chunk.bytes()));
        if self.open == Some(at) {
            self.open = None;
        }
        let mut bytes = 0;
        for row in chunk.live() {
            let text = chunk.row(row);
            bytes += text.len();
            self.rows = self.rows.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(count(text.len()));
            // There is room, as was made sure of above.
            if let Some(place) = self.push(text) {
                self.set_copies(place, chunk.copies(row));
                moved(text, Place::new(at, row), place);
            }
        }
        self.free.push(at);
        Some(bytes)
    }

    /// The rows as they are now, whatever becomes of them here; takes a few
    /// pointers for each chunk.
    pub(super) fn freeze(&self) -> Vec<Chunk> {
        let living = self.chunks.iter().filter(|chunk| !chunk.is_dead());
        living.cloned().collect()
    }

    /// The chunks that these rows stand in, which are sorted, and the numbers of
    /// the rows in each.
    pub(super) fn part(&self, places: &[Place]) -> Vec<(Chunk, Box<[u16]>)> {
        let groups = places.chunk_by(|a, b| a.chunk() == b.chunk());
        let parts = groups.filter_map(|group| {
            let chunk = self.chunks.get(group.first()?.chunk())?;
            // A chunk has 4,096 rows at the most.
            let rows = group.iter().map(|it| u16::try_from(it.row()).unwrap_or(0));
            Some((chunk.clone(), rows.collect()))
        });
        parts.collect()
    }

    /// Bytes of chunks that were given up so far: what was frozen when they
    /// were fewer holds at most the difference beside what is held here.
    pub fn retired(&self) -> u64 {
        self.retired
    }

    /// The places of all rows that live, in the order in which they stand.
    pub fn places(&self) -> impl Iterator<Item = Place> + Clone {
        let chunks = self.chunks.iter().enumerate();
        chunks.flat_map(|(at, chunk)| chunk.live().map(move |row| Place::new(at, row)))
    }

    /// All rows that live, in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &str)> {
        let chunks = self.chunks.iter().enumerate();
        chunks.flat_map(|(at, chunk)| {
            let rows = chunk.live();
            rows.map(move |row| (Place::new(at, row), chunk.row(row)))
        })
    }

    /// Bytes of chunks that no row lives in, for tests of the bound.
    #[cfg(test)]
    pub fn wasted(&self) -> (usize, usize) {
        let all = self.chunks.iter();
        let dead = all.clone().map(Chunk::dead_bytes).sum();
        (dead, all.map(Chunk::bytes).sum())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
