//! The upstream's time, as far as a stream tells it. Pure: our own clock comes
//! in as an argument.
//!
//! It need not be the time of day (a replay has a clock of its own), and how
//! far a view is known is not it either: a view that is refreshed once an hour
//! is known an hour ahead, and one that will never change to the end of time.
//! What does tell is when somebody goes on: nobody goes beyond a time that he
//! has promised before that time has come.

use std::time::Instant;

use crate::limits::SNAPSHOT_BEHIND_MS_MAX;
use crate::model::position::Timestamp;

/// What is known of the upstream's time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// What it has shown at the least.
    reached: Option<Timestamp>,
    /// What it showed, and when.
    seen: Option<(Timestamp, Instant)>,
}

impl Clock {
    /// What the upstream's clock has shown so far, at the least.
    pub fn reached(&self) -> Option<Timestamp> {
        self.reached
    }

    /// What it shows now, by our clock since it was seen last.
    pub fn now(&self, now: Instant) -> Option<Timestamp> {
        let (seen, at) = self.seen?;
        let since = u64::try_from(now.saturating_duration_since(at).as_millis());
        let since = since.unwrap_or(u64::MAX);
        Some(Timestamp::new(seen.get().saturating_add(since)))
    }

    /// Whether nothing is known of it yet that is as late as this.
    pub fn is_news(&self, timestamp: Timestamp) -> bool {
        self.reached < Some(timestamp)
    }

    /// This time has come.
    pub fn pass(&mut self, timestamp: Timestamp, now: Instant) {
        // At the end of time stands what never changes.
        if timestamp == Timestamp::MAX {
            return;
        }
        self.reached = self.reached.max(Some(timestamp));
        if self.now(now) < Some(timestamp) {
            self.seen = Some((timestamp, now));
        }
    }

    /// The upstream was asked, or chose the present for a snapshot.
    pub fn set(&mut self, timestamp: Timestamp, now: Instant) {
        if timestamp == Timestamp::MAX {
            return;
        }
        self.reached = self.reached.max(Some(timestamp));
        self.seen = Some((timestamp, now));
    }

    /// Another clock of the same upstream, from now on as well: what either has shown.
    pub fn follow(&mut self, other: Clock) {
        if self.reached < other.reached {
            *self = other;
        }
    }

    /// Whether what was promised up to a time is silence that is still to be
    /// kept.
    pub fn is_ahead(&self, promised: Timestamp, now: Instant) -> bool {
        self.now(now).is_some_and(|time| promised > time)
    }

    /// Whether this time of the upstream's is so long before what it has shown
    /// that it has gone back.
    pub fn is_back(&self, timestamp: Timestamp) -> bool {
        let back = |reached: Timestamp| reached.get().saturating_sub(timestamp.get());
        self.reached
            .is_some_and(|reached| back(reached) > SNAPSHOT_BEHIND_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds)
    }

    #[test]
    fn clock_takes_a_refresh_far_ahead_for_a_promise_until_it_is_due() {
        let begin = Instant::now();
        let later = |ms| begin + Duration::from_millis(ms);
        let mut clock = Clock::default();
        assert!(!clock.is_ahead(at(HOUR_MS), begin), "nothing is known");
        clock.set(at(1_000), begin);
        let promised = at(1_000 + HOUR_MS);
        assert!(clock.is_ahead(promised, begin));
        assert!(clock.is_ahead(promised, later(HOUR_MS - 1)));
        assert!(!clock.is_ahead(promised, later(HOUR_MS)));
        // At the next refresh the one before has passed, though ours is slow.
        clock.pass(promised, later(HOUR_MS - 500));
        assert_eq!(clock.now(later(HOUR_MS - 500)), Some(promised));
        assert!(clock.is_ahead(at(1_000 + 2 * HOUR_MS), later(HOUR_MS)));
        assert!(clock.is_ahead(Timestamp::MAX, later(HOUR_MS)));
    }

    #[test]
    fn clock_of_steady_progress_promises_nothing() {
        // One that is a hundred times as fast as ours, one as fast, one slower.
        for step_ms in [1, 10, 1_000] {
            let begin = Instant::now();
            let mut clock = Clock::default();
            clock.set(at(0), begin);
            for n in 1..1_000 {
                let now = begin + Duration::from_millis(10 * n);
                clock.pass(at(step_ms * (n - 1)), now);
                let promised = at(step_ms * n);
                // No longer than one step from the last word.
                let after = now + Duration::from_millis(step_ms + 1);
                assert!(!clock.is_ahead(promised, after), "{step_ms} {n}");
            }
        }
    }

    #[test]
    fn clock_is_not_moved_by_the_end_of_time_and_knows_when_it_went_back() {
        let begin = Instant::now();
        let mut clock = Clock::default();
        clock.set(Timestamp::MAX, begin);
        clock.pass(Timestamp::MAX, begin);
        assert_eq!((clock.reached(), clock.now(begin)), (None, None));
        clock.pass(at(100_000), begin);
        let least = 100_000 - SNAPSHOT_BEHIND_MS_MAX;
        assert!(!clock.is_back(at(least)));
        assert!(clock.is_back(at(least - 1)));
        // What the upstream says by the way only corrects what we reckon.
        clock.set(at(90_000), begin);
        assert_eq!(clock.now(begin), Some(at(90_000)));
        assert_eq!(clock.reached(), Some(at(100_000)));
        clock = Clock::default();
        clock.set(at(5), begin);
        assert_eq!(clock.reached(), Some(at(5)));
    }
}
