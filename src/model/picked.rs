//! A window's rows as they were at one moment, for who writes them out.

use std::borrow::Cow;
use std::sync::Arc;

use super::append::append;
use super::chunk::Chunk;
use super::window::Window;

/// Rows that are looked at in one go at the most, whether or not they are in
/// the window: about a millisecond.
pub(super) const LOOKED_MAX: usize = 8_192;

/// A window's rows.
#[derive(Clone, Debug)]
pub enum Pick {
    /// They are few.
    Short {
        /// Rows, copies counted.
        rows: u64,
        /// What is shown of each copy of each row, with a comma behind it.
        listed: Vec<u8>,
    },
    /// They are many, or many rows are to be looked at to find them.
    Long(Picked),
}

/// The rows of a window at one moment. They share the view's memory, of which
/// only the parts are held that rows of the window may stand in.
///
/// Of rows that may be in the window, each is compared when it is written.
#[derive(Clone, Debug)]
pub struct Picked {
    window: Arc<Window>,
    parts: Vec<Part>,
    bytes_max: u64,
}

/// Rows that stand in one chunk.
#[derive(Clone, Debug)]
struct Part {
    chunk: Chunk,
    /// In order; `None` of all.
    rows: Option<Box<[u16]>>,
}

impl Part {
    /// The number within the chunk of the row at this place of the part.
    fn row(&self, at: usize) -> Option<usize> {
        match &self.rows {
            Some(rows) => rows.get(at).copied().map(usize::from),
            None => (at < self.chunk.rows()).then_some(at),
        }
    }

    /// Bytes of the rows, copies and commas counted.
    fn bytes(&self) -> u64 {
        let Some(rows) = &self.rows else {
            return self.chunk.listed_bytes();
        };
        let bytes = |row: &u16| {
            let row = usize::from(*row);
            let one = u64::try_from(self.chunk.listed(row).len()).unwrap_or(u64::MAX);
            one.saturating_mul(self.chunk.copies(row).unsigned_abs())
        };
        rows.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

/// How far rows were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    part: usize,
    row: usize,
    /// Copies of the row that are out, and bytes of the next.
    copies: i64,
    bytes: usize,
}

impl Picked {
    /// The rows of a window among those that stand at these numbers in these
    /// chunks, or among all where no numbers are given.
    pub(super) fn new(
        window: Arc<Window>,
        parts: impl Iterator<Item = (Chunk, Option<Box<[u16]>>)>,
    ) -> Self {
        let parts = parts.map(|(chunk, rows)| Part { chunk, rows });
        let parts: Vec<Part> = parts.collect();
        let bytes = parts.iter().map(Part::bytes);
        Picked {
            window,
            bytes_max: bytes.fold(0, u64::saturating_add),
            parts,
        }
    }

    /// Bytes that are written at the most, commas included.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Appends what comes next: what is shown of every copy of every row, with
    /// a comma behind it, until `out` has so many bytes or a bounded number of
    /// rows was looked at; whether that was all. Never ends within a character.
    ///
    /// So nothing may be appended though more follows.
    pub fn write(&self, progress: &mut Progress, full: usize, out: &mut Vec<u8>) -> bool {
        let mut looked = 0;
        while let Some(part) = self.parts.get(progress.part) {
            while let Some(row) = part.row(progress.row) {
                if looked >= LOOKED_MAX {
                    return false;
                }
                looked += 1;
                if !self.write_row(&part.chunk, row, progress, full, out) {
                    return false;
                }
                *progress = Progress {
                    row: progress.row + 1,
                    copies: 0,
                    ..*progress
                };
            }
            *progress = Progress {
                part: progress.part + 1,
                ..Progress::default()
            };
        }
        true
    }

    /// Appends what comes next of one row; whether that was all.
    fn write_row(
        &self,
        chunk: &Chunk,
        row: usize,
        progress: &mut Progress,
        full: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        let is_begun = progress.copies > 0 || progress.bytes > 0;
        let text = chunk.row(row);
        if !is_begun && (chunk.is_row_dead(row) || !self.window.matches(text)) {
            return true;
        }
        let listed = match self.window.show(text) {
            Cow::Borrowed(_) => Cow::Borrowed(chunk.listed(row)),
            Cow::Owned(shown) => Cow::Owned(shown + ","),
        };
        while progress.copies < chunk.copies(row) {
            if !append(&listed, &mut progress.bytes, full, out) {
                return false;
            }
            (progress.copies, progress.bytes) = (progress.copies + 1, 0);
        }
        true
    }
}

#[cfg(test)]
mod tests;
