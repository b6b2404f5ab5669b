//! Texts of rows, one after the other in large chunks.
//!
//! A row costs its text, a comma and four bytes. The comma makes a chunk from
//! which nothing was taken a part of a base as it stands: it is encoded by
//! copying it whole.

use std::collections::VecDeque;

/// Binary digits of a row's number within its chunk; the rest of 32 are the
/// chunk's.
const ROW_BITS: u32 = 12;

/// Rows of one chunk, at the most: moving them is the longest pause of a
/// compaction, some hundred microseconds.
const CHUNK_ROWS: usize = 1 << ROW_BITS;

/// Bytes of one chunk, unless a single row is longer: large enough that the
/// allocator's share and the chunk's own fields do not count.
const CHUNK_BYTES: usize = 1 << 20;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// Every machine this runs on counts memory in 32 bits at least.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    /// Each row's text and a comma.
    text: String,
    /// Where each row ends, its comma included.
    ends: Vec<u32>,
    /// One bit for each row that was taken away; empty while there is none.
    dead: Vec<u64>,
    dead_rows: usize,
    dead_bytes: usize,
    /// It waits to be compacted.
    is_due: bool,
}

impl Chunk {
    fn start(&self, row: usize) -> usize {
        let before = row.checked_sub(1).and_then(|before| self.ends.get(before));
        before.copied().map_or(0, index)
    }

    /// Where the row ends, its comma included.
    fn end(&self, row: usize) -> usize {
        self.ends.get(row).copied().map_or(0, index)
    }

    fn row(&self, row: usize) -> &str {
        let comma = self.end(row).saturating_sub(1);
        self.text.get(self.start(row)..comma).unwrap_or_default()
    }

    fn is_dead(&self, row: usize) -> bool {
        let word = self.dead.get(row / 64).copied().unwrap_or(0);
        word & (1 << (row % 64)) != 0
    }

    /// The rows that live.
    fn live(&self) -> impl Iterator<Item = usize> + Clone {
        (0..self.ends.len()).filter(|row| !self.is_dead(*row))
    }

    fn kill(&mut self, row: usize) {
        if self.dead.is_empty() {
            self.dead = vec![0; CHUNK_ROWS / 64];
        }
        if let Some(word) = self.dead.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
        self.dead_rows += 1;
        self.dead_bytes += self.end(row).saturating_sub(self.start(row));
    }

    /// Appends the rows that live, each with its comma.
    fn write(&self, out: &mut Vec<u8>) {
        if self.dead_rows == 0 {
            return out.extend_from_slice(self.text.as_bytes());
        }
        // Neighbours go together.
        let (mut from, mut to) = (0, 0);
        let mut flush = |from, to| {
            out.extend_from_slice(self.text.get(from..to).unwrap_or_default().as_bytes())
        };
        for row in self.live() {
            if self.start(row) != to {
                flush(from, to);
                from = self.start(row);
            }
            to = self.end(row);
        }
        flush(from, to);
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.ends.len() < CHUNK_ROWS && self.text.len().saturating_add(bytes) <= CHUNK_BYTES
    }
}

/// Texts of rows in chunks.
///
/// Invariants: a place that was handed out and not removed stays valid until
/// `compact` reports that it has moved; a chunk with dead rows only is freed.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    chunks: Vec<Chunk>,
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
        let at = match self
            .open
            .filter(|_| open.is_some_and(|open| open.has_room(length)))
        {
            Some(open) => open,
            None => self.open_chunk(length)?,
        };
        let chunk = self.chunks.get_mut(at)?;
        let end = u32::try_from(chunk.text.len().checked_add(length)?).ok()?;
        chunk.text.push_str(text);
        chunk.text.push(',');
        chunk.ends.push(end);
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(size(text));
        Some(Place::new(at, chunk.ends.len() - 1))
    }

    /// Closes the chunk that is being filled and opens another one.
    fn open_chunk(&mut self, room: usize) -> Option<usize> {
        if let Some(full) = self.open.take().and_then(|open| self.chunks.get_mut(open)) {
            full.text.shrink_to_fit();
            full.ends.shrink_to_fit();
        }
        let at = match self.free.pop() {
            Some(free) => free,
            None if self.chunks.len() >= CHUNKS_MAX => return None,
            None => {
                self.chunks.push(Chunk::default());
                self.chunks.len() - 1
            }
        };
        // The chunk of a small view grows with it.
        if size_is_over(self.bytes, CHUNK_BYTES)
            && let Some(chunk) = self.chunks.get_mut(at)
        {
            chunk.text.reserve_exact(room.max(CHUNK_BYTES));
        }
        self.open = Some(at);
        Some(at)
    }

    /// The text of a row.
    pub fn text(&self, place: Place) -> &str {
        let chunk = self.chunks.get(place.chunk());
        chunk.map_or("", |chunk| chunk.row(place.row()))
    }

    /// Takes a row away, which must live.
    pub fn remove(&mut self, place: Place) {
        let at = place.chunk();
        let Some(chunk) = self.chunks.get_mut(at) else {
            return;
        };
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size(chunk.row(place.row())));
        chunk.kill(place.row());
        let is_empty = chunk.dead_rows == chunk.ends.len();
        let is_wasteful =
            chunk.dead_bytes >= DEAD_BYTES_MIN && chunk.dead_bytes > chunk.text.len() / DEAD_PART;
        if is_empty && !chunk.is_due {
            *chunk = Chunk::default();
            if self.open != Some(at) {
                self.free.push(at);
            }
        } else if is_wasteful && !chunk.is_due {
            chunk.is_due = true;
            self.due.push_back(at);
        }
    }

    /// Moves the rows of one chunk of which too much is dead, if there is one;
    /// `moved` learns each row's text, old place and new one. Returns the bytes
    /// that were moved, `None` if there was nothing to do.
    pub fn compact(&mut self, mut moved: impl FnMut(&str, Place, Place)) -> Option<usize> {
        // What lives in a chunk fits into what is open and one chunk more.
        if self.free.is_empty() && self.chunks.len() >= CHUNKS_MAX {
            return None;
        }
        let at = self.due.pop_front()?;
        let chunk = std::mem::take(self.chunks.get_mut(at)?);
        if self.open == Some(at) {
            self.open = None;
        }
        let mut bytes = 0;
        for row in chunk.live() {
            let text = chunk.row(row);
            bytes += text.len();
            self.rows = self.rows.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(size(text));
            // There is room, as was made sure of above.
            if let Some(place) = self.push(text) {
                moved(text, Place::new(at, row), place);
            }
        }
        self.free.push(at);
        Some(bytes)
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

    /// Appends all rows that live, each with a comma behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        for chunk in &self.chunks {
            chunk.write(out);
        }
    }

    /// Bytes of chunks that no row lives in, for tests of the bound.
    #[cfg(test)]
    pub fn wasted(&self) -> (usize, usize) {
        let all = self.chunks.iter();
        let dead = all.clone().map(|chunk| chunk.dead_bytes).sum();
        (dead, all.map(|chunk| chunk.text.len()).sum())
    }
}

fn size(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn size_is_over(bytes: u64, max: usize) -> bool {
    u64::try_from(max).is_ok_and(|max| bytes >= max)
}
