//! How long deltas take, counted in buckets: from the upstream's line to the
//! sockets, and from the time that the database gave them.
//!
//! Counting costs nothing per subscriber: a thread looks at its clock at the end
//! of each round of writes anyway, and each delta of the round takes two
//! additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::LATENCY_BOUNDS;
use crate::model::now::Now;
use crate::model::position::Timestamp;
use crate::relay::single_writer::add;

/// When the line came that closed a delta, and how old its changes were then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    at: Instant,
    age: Duration,
}

impl Came {
    /// A delta of this timestamp came at this instant; `now` is a later moment,
    /// which tells how the two clocks stand to each other.
    pub fn new(at: Instant, timestamp: Timestamp, now: Now) -> Self {
        let age = Duration::from_millis(now.wall_ms.saturating_sub(timestamp.get()));
        Came {
            at,
            // A timestamp of the future, by our clock, has no age.
            age: age.saturating_sub(now.instant.saturating_duration_since(at)),
        }
    }

    /// How long it is since it came.
    pub fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }

    /// How long it is since the database's time of its changes.
    pub fn age(&self, now: Instant) -> Duration {
        self.age + self.since(now)
    }
}

/// Buckets, each for the times up to its bound; the last for all that are longer.
const BUCKETS: usize = LATENCY_BOUNDS.len() + 1;

/// How often what took how long. Only one thread writes.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Latency {
    /// Something took so long.
    pub fn count(&self, took: Duration) {
        let at = LATENCY_BOUNDS.partition_point(|bound| *bound < took);
        if let Some(bucket) = self.buckets.get(at) {
            add(bucket, 1);
        }
        let took = took.as_micros();
        add(&self.sum_us, u64::try_from(took).unwrap_or(u64::MAX));
    }
}

/// The counts of all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyTotals {
    /// In the order of `LATENCY_BOUNDS`, then those that took longer.
    pub buckets: [u64; BUCKETS],
    /// Microseconds of all of them together.
    pub sum_us: u64,
}

impl LatencyTotals {
    /// Adds one thread's counts.
    pub fn add(&mut self, latency: &Latency) {
        for (total, bucket) in self.buckets.iter_mut().zip(&latency.buckets) {
            *total = total.wrapping_add(bucket.load(Ordering::Relaxed));
        }
        let sum_us = latency.sum_us.load(Ordering::Relaxed);
        self.sum_us = self.sum_us.wrapping_add(sum_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_counted_up_to_its_bound_and_added_up() {
        let threads = [Latency::default(), Latency::default()];
        for thread in &threads {
            thread.count(Duration::ZERO);
            thread.count(Duration::from_millis(1));
            thread.count(Duration::from_micros(1_001));
            thread.count(Duration::from_secs(11));
        }
        let mut totals = LatencyTotals::default();
        threads.iter().for_each(|thread| totals.add(thread));
        let mut expected = [0; BUCKETS];
        (expected[0], expected[1], expected[2], expected[BUCKETS - 1]) = (2, 2, 2, 2);
        assert_eq!(totals.buckets, expected);
        assert_eq!(totals.sum_us, 2 * (1_000 + 1_001 + 11_000_000));
    }

    #[test]
    fn latency_of_a_delta_is_by_the_clock_that_never_goes_back() {
        let at = Instant::now();
        let now = Now {
            instant: at + Duration::from_millis(5),
            wall_ms: 1_005,
        };
        let came = Came::new(at, Timestamp::new(900), now);
        let sent = at + Duration::from_millis(20);
        assert_eq!(came.since(sent), Duration::from_millis(20));
        assert_eq!(came.age(sent), Duration::from_millis(120));
        // By our clock it is of the future.
        let came = Came::new(at, Timestamp::new(2_000), now);
        assert_eq!(came.age(sent), Duration::from_millis(20));
    }
}
