//! Deltas of several timestamps, gathered into one.
//!
//! A server that still has the history answers a resume with every timestamp
//! that was missed, one after the other: a subscriber is to see them as one
//! (rule P8). And where the operator wants no more than one delta an interval,
//! what comes within it is gathered too.

use std::time::{Duration, Instant};

use crate::limits::{SETTLING_CHANGES_MIN, SETTLING_MAX, SETTLING_QUIET};
use crate::model::delta::Delta;
use crate::model::position::Timestamp;

/// Deltas that are gathered. The view includes them already; the log does not.
#[derive(Debug)]
pub struct Conflation {
    deltas: Vec<Delta>,
    /// Changes in the first of them, which is the net effect of all that came
    /// before the others.
    merged: usize,
    /// Changes in the others.
    loose: usize,
    /// The changes are later than this.
    from: Timestamp,
    /// The time of the last of them.
    last: Timestamp,
    /// When the line of the first of them came.
    heard: Option<Instant>,
    end: End,
}

/// When to publish what is gathered.
#[derive(Debug)]
enum End {
    /// When it was quiet for a moment.
    Quiet { began: Instant, last: Instant },
    /// At this moment.
    Due(Instant),
}

impl Conflation {
    /// The upstream is back at this moment; changes are later than `from`.
    pub fn new(from: Timestamp, now: Instant) -> Self {
        let end = End::Quiet {
            began: now,
            last: now,
        };
        Conflation::ending(from, end)
    }

    /// Changes that are later than `from` are held back until this moment.
    pub fn until(from: Timestamp, due: Instant) -> Self {
        Conflation::ending(from, End::Due(due))
    }

    fn ending(from: Timestamp, end: End) -> Self {
        Conflation {
            deltas: Vec::new(),
            merged: 0,
            loose: 0,
            from,
            last: from,
            heard: None,
            end,
        }
    }

    /// When the line of the first delta came, if there is one.
    pub fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// One more delta, whose line came at a moment before this one.
    pub fn push(&mut self, delta: Delta, now: Instant, heard: Instant) {
        self.heard.get_or_insert(heard);
        self.loose += delta.changes().len();
        self.last = self.last.max(delta.timestamp());
        self.deltas.push(delta);
        if let End::Quiet { last, .. } = &mut self.end {
            *last = now;
        }
        // Merged whenever as much again has come: what is held is at most twice
        // the net effect and this bound, and each change is looked at a few
        // times only.
        if self.loose > self.merged.max(SETTLING_CHANGES_MIN) {
            self.deltas = Vec::from_iter(Delta::merge(&self.deltas));
            self.merged = self.deltas.first().map_or(0, |net| net.changes().len());
            self.loose = 0;
        }
    }

    /// When to publish it: once it was quiet for a moment, but not never, or at
    /// the end of the shortest time between two deltas.
    pub fn due(&self) -> Instant {
        match self.end {
            End::Quiet { began, last } => (last + SETTLING_QUIET).min(began + SETTLING_MAX),
            End::Due(due) => due,
        }
    }

    /// Whether the changes are only held back, of an upstream that is there.
    pub fn is_conflation(&self) -> bool {
        matches!(self.end, End::Due(_))
    }

    /// Whether this time is of another round than what is held back.
    ///
    /// A delta never reaches over a whole multiple of the interval in the
    /// upstream's time. So the views of a gateway, each of which begins to
    /// gather at a moment of its own, have times in common at which none of
    /// them is in the middle of a delta.
    pub fn is_round_over(&self, timestamp: Timestamp, interval: Duration) -> bool {
        let interval = u64::try_from(interval.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let first = self.from.get().saturating_add(1);
        timestamp.get() / interval != first / interval
    }

    /// The net effect of all of them, at the time of the last one, and the time
    /// that its changes are later than. Progress beyond the last change, which
    /// may be far ahead, does not move that time.
    pub fn finish(self) -> (Delta, Timestamp) {
        let net = Delta::merge(&self.deltas);
        let changes = net.map_or_else(Vec::new, |net| net.changes().to_vec());
        (Delta::new(self.last, changes), self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Change;
    use crate::model::row::Row;

    #[test]
    fn conflation_is_one_delta_from_where_the_view_stood() {
        let begin = Instant::now();
        let mut conflation = Conflation::new(Timestamp::new(4), begin);
        for (time, diff) in [(5, 1), (6, 1), (7, -1)] {
            let change = Change {
                row: Row::from("{}"),
                diff,
            };
            conflation.push(Delta::new(Timestamp::new(time), vec![change]), begin, begin);
        }
        let (delta, from) = conflation.finish();
        assert_eq!(
            (delta.timestamp(), from),
            (Timestamp::new(7), Timestamp::new(4))
        );
        assert_eq!(delta.changes().len(), 1);
    }

    #[test]
    fn conflation_of_many_changes_holds_their_net_effect() {
        let begin = Instant::now();
        let mut conflation = Conflation::until(Timestamp::new(0), begin);
        let change = |row: u64, diff| Change {
            row: Row::from(format!("{{\"a\":{row}}}").as_str()),
            diff,
        };
        // One row stays of each ten thousand that come and go.
        for time in 1..100_000 {
            let mut changes = vec![change(time, 1)];
            if !time.is_multiple_of(10_000) {
                changes.push(change(time - 1, -1));
            }
            conflation.push(Delta::new(Timestamp::new(time), changes), begin, begin);
            assert!(conflation.deltas.len() <= SETTLING_CHANGES_MIN + 2);
        }
        let (delta, _) = conflation.finish();
        // The first of all was there before.
        let inserted = delta.changes().iter().filter(|it| it.diff == 1).count();
        assert_eq!((inserted, delta.changes().len()), (10, 11));
    }

    #[test]
    fn conflation_that_is_due_does_not_wait_for_quiet() {
        let begin = Instant::now();
        let due = begin + SETTLING_QUIET * 30;
        let mut conflation = Conflation::until(Timestamp::new(4), due);
        assert_eq!(conflation.due(), due);
        conflation.push(Delta::new(Timestamp::new(5), Vec::new()), due, begin);
        assert_eq!(conflation.due(), due);
        assert!(conflation.is_conflation());
        assert!(!Conflation::new(Timestamp::new(4), begin).is_conflation());
    }

    #[test]
    fn conflation_keeps_to_a_round_of_the_upstreams_time() {
        let interval = Duration::from_millis(100);
        let conflation = Conflation::until(Timestamp::new(299), Instant::now());
        for (time, is_over) in [(300, false), (399, false), (400, true), (700, true)] {
            let found = conflation.is_round_over(Timestamp::new(time), interval);
            assert_eq!(found, is_over, "{time}");
        }
    }

    #[test]
    fn conflation_ends_when_quiet_and_in_any_case() {
        let begin = Instant::now();
        let mut conflation = Conflation::new(Timestamp::new(4), begin);
        assert_eq!(conflation.due(), begin + SETTLING_QUIET);
        let late = begin + SETTLING_MAX;
        conflation.push(Delta::new(Timestamp::new(5), Vec::new()), late, begin);
        assert_eq!(conflation.due(), late);
    }
}
