//! What happened to a view's streams, for whoever watches the process.
//!
//! Counting costs an addition: each HTTP worker counts for itself, in numbers
//! that no other thread writes, and they are added up when somebody asks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::relay::latency::{Latency, LatencyTotals};
use crate::relay::single_writer::add;

/// What became of a position that a client brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing had changed since.
    UpToDate,
    /// It was sent what it lacked.
    Deltas,
    /// It was ahead of this gateway, which did not get there in time: a base.
    Ahead,
    /// Too old, or of another incarnation: a base.
    Base,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 4] = [
        Outcome::UpToDate,
        Outcome::Deltas,
        Outcome::Ahead,
        Outcome::Base,
    ];

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::UpToDate => "up_to_date",
            Outcome::Deltas => "deltas",
            Outcome::Ahead => "ahead",
            Outcome::Base => "base",
        }
    }
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it, the connection broke, or the peer stalled.
    Left,
    /// The view is gone.
    Gone,
    /// The client was so slow that what it lacked was forgotten.
    Slow,
    /// The gateway shuts down.
    Shutdown,
    /// The access it was opened with has expired.
    Expired,
}

impl End {
    /// All of them.
    pub const ALL: [End; 5] = [End::Left, End::Gone, End::Slow, End::Shutdown, End::Expired];

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            End::Left => "left",
            End::Gone => "gone",
            End::Slow => "slow",
            End::Shutdown => "shutdown",
            End::Expired => "expired",
        }
    }
}

/// What was handed to connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
    /// Deltas that stood for many.
    pub compacted: u64,
}

impl Sub for Handed {
    type Output = Handed;

    /// What was handed since the other.
    fn sub(self, before: Handed) -> Handed {
        Handed {
            frames: self.frames.wrapping_sub(before.frames),
            bytes: self.bytes.wrapping_sub(before.bytes),
            compacted: self.compacted.wrapping_sub(before.compacted),
        }
    }
}

/// The counts of one view on one HTTP worker.
#[derive(Debug, Default)]
pub struct StreamCounters {
    frames: AtomicU64,
    bytes: AtomicU64,
    writes: AtomicU64,
    compacted: AtomicU64,
    resumes: [AtomicU64; Outcome::ALL.len()],
    ends: [AtomicU64; End::ALL.len()],
    /// From a delta's line to the last write of its round.
    pub delivery: Latency,
    /// From the database's time to the same.
    pub age: Latency,
}

impl StreamCounters {
    /// Bytes were handed to a connection.
    pub fn count_bytes(&self, count: usize) {
        add(&self.bytes, u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// They were, or began, so many frames.
    pub fn count_frames(&self, count: u64) {
        add(&self.frames, count);
    }

    /// A socket was written to, whether it took anything or not.
    pub fn count_write(&self) {
        add(&self.writes, 1);
    }

    /// A subscriber that was behind is sent one delta in place of many.
    pub fn count_compacted(&self) {
        add(&self.compacted, 1);
    }

    /// What was handed to connections so far.
    pub fn handed(&self) -> Handed {
        Handed {
            frames: self.frames.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            compacted: self.compacted.load(Ordering::Relaxed),
        }
    }

    /// The same was handed to one more.
    pub fn count_handed(&self, handed: Handed) {
        add(&self.frames, handed.frames);
        add(&self.bytes, handed.bytes);
    }

    /// A client came back with a position.
    pub fn count_resume(&self, outcome: Outcome) {
        let all = Outcome::ALL.iter().zip(&self.resumes);
        for (_, counter) in all.filter(|(known, _)| **known == outcome) {
            add(counter, 1);
        }
    }

    /// A stream has ended.
    pub fn count_end(&self, end: End) {
        let all = End::ALL.iter().zip(&self.ends);
        for (_, counter) in all.filter(|(known, _)| **known == end) {
            add(counter, 1);
        }
    }
}

/// What one stream counts, for its thread and for the line that tells of its end.
#[derive(Debug)]
pub struct Tally {
    /// The counts of its view on its thread.
    pub thread: Arc<StreamCounters>,
    frames: Cell<u64>,
}

impl Tally {
    /// Nothing is counted yet.
    pub fn new(thread: Arc<StreamCounters>) -> Self {
        Tally {
            thread,
            frames: Cell::new(0),
        }
    }

    /// Bytes were handed to the connection; they were, or began, so many frames.
    pub fn count_frames(&self, count: u64) {
        self.frames.set(self.frames.get().wrapping_add(count));
        self.thread.count_frames(count);
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames.get()
    }
}

/// What a stream keeps until its end, e.g. its place under a limit, and what is
/// told how it ended.
pub trait Kept {
    /// The stream has ended, for this reason and after so many events.
    fn ended(&self, end: End, events: u64);
}

impl Kept for () {
    fn ended(&self, _: End, _: u64) {}
}

/// A view's counts, all workers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTotals {
    /// Frames handed to connections: events, a base being one.
    pub frames: u64,
    /// Bytes handed to connections.
    pub bytes: u64,
    /// Writes to sockets, of streams that have one to themselves.
    pub writes: u64,
    /// Deltas that stood for many.
    pub compacted: u64,
    /// Positions brought back, in the order of `Outcome::ALL`.
    pub resumes: [u64; Outcome::ALL.len()],
    /// Streams ended, in the order of `End::ALL`.
    pub ends: [u64; End::ALL.len()],
    /// How long deltas took from their line to the last socket.
    pub delivery: LatencyTotals,
    /// The same from the database's time.
    pub age: LatencyTotals,
}

impl StreamTotals {
    /// Adds one worker's counts.
    pub fn add(&mut self, counters: &StreamCounters) {
        let add = |total: &mut u64, counter: &AtomicU64| {
            *total = total.wrapping_add(counter.load(Ordering::Relaxed));
        };
        add(&mut self.frames, &counters.frames);
        add(&mut self.bytes, &counters.bytes);
        add(&mut self.writes, &counters.writes);
        add(&mut self.compacted, &counters.compacted);
        for (total, counter) in self.resumes.iter_mut().zip(&counters.resumes) {
            add(total, counter);
        }
        for (total, counter) in self.ends.iter_mut().zip(&counters.ends) {
            add(total, counter);
        }
        self.delivery.add(&counters.delivery);
        self.age.add(&counters.age);
    }
}

/// What a view's publisher counts.
#[derive(Debug, Default)]
pub struct ViewCounters {
    deltas: AtomicU64,
    bases: AtomicU64,
    window_bases: AtomicU64,
    connections: AtomicU64,
    /// By reason; a failure is rare enough for a lock.
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

impl ViewCounters {
    /// A delta with changes was published.
    pub fn count_delta(&self) {
        self.deltas.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bases more were taken.
    pub fn count_bases(&self, count: u64) {
        self.bases.fetch_add(count, Ordering::Relaxed);
    }

    /// Bases taken so far.
    pub fn bases(&self) -> u64 {
        self.bases.load(Ordering::Relaxed)
    }

    /// The rows of a window were looked up for who joins it, or asks for them.
    pub fn count_window_base(&self) {
        self.window_bases.fetch_add(1, Ordering::Relaxed);
    }

    /// Such rows so far.
    pub fn window_bases(&self) -> u64 {
        self.window_bases.load(Ordering::Relaxed)
    }

    /// The upstream answered on a new connection.
    pub fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt to stream the view has failed for this reason, or the stream has.
    pub fn count_failure(&self, reason: &'static str) {
        let mut failures = self.lock_failures();
        let count = failures.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// Failures so far.
    pub fn failures(&self) -> u64 {
        self.lock_failures().values().sum()
    }

    /// Failures so far, by reason; those alone that there were.
    pub fn failures_by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.lock_failures().clone()
    }

    fn lock_failures(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deltas with changes so far.
    pub fn deltas(&self) -> u64 {
        self.deltas.load(Ordering::Relaxed)
    }

    /// Connections to the upstream after the first.
    pub fn reconnects(&self) -> u64 {
        self.connections.load(Ordering::Relaxed).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_all_workers() {
        let workers = [StreamCounters::default(), StreamCounters::default()];
        for worker in &workers {
            worker.count_frames(1);
            worker.count_bytes(10);
            worker.count_write();
            worker.count_compacted();
            worker.count_resume(Outcome::Ahead);
            worker.count_end(End::Shutdown);
            worker.count_end(End::Shutdown);
        }
        let mut totals = StreamTotals::default();
        workers.iter().for_each(|worker| totals.add(worker));
        let expected = StreamTotals {
            frames: 2,
            bytes: 20,
            writes: 2,
            compacted: 2,
            resumes: [0, 0, 2, 0],
            ends: [0, 0, 0, 4, 0],
            ..StreamTotals::default()
        };
        assert_eq!(totals, expected);
    }
}
