//! A view's rows as they were at one moment, for who writes them out.

use super::chunk::{Chunk, Written};

/// The rows of a view at one moment. They share the view's memory; what the
/// view gives up afterwards is held until this is dropped.
#[derive(Clone, Debug, Default)]
pub struct Frozen {
    chunks: Vec<Chunk>,
    bytes: u64,
}

/// How far rows were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    chunk: usize,
    written: Written,
}

impl Frozen {
    /// What stands in these chunks, so many bytes with a comma behind each row.
    pub(super) fn new(chunks: Vec<Chunk>, bytes: u64) -> Self {
        Frozen { chunks, bytes }
    }

    /// Bytes that are written, commas included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends what comes next: every copy of every row with a comma behind
    /// it, until `out` has so many bytes; whether that was all. Never ends
    /// within a character.
    pub fn write(&self, progress: &mut Progress, full: usize, out: &mut Vec<u8>) -> bool {
        while let Some(chunk) = self.chunks.get(progress.chunk) {
            if !chunk.write(&mut progress.written, full, out) {
                return false;
            }
            *progress = Progress {
                chunk: progress.chunk + 1,
                written: Written::default(),
            };
        }
        true
    }

    /// Appends all of it at once.
    pub fn write_all(&self, out: &mut Vec<u8>) {
        self.write(&mut Progress::default(), usize::MAX, out);
    }
}
