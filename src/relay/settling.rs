//! What an upstream tells when it is back, gathered into one delta (rule P8).
//!
//! A server that still has the history answers a resume with every timestamp
//! that was missed, one after the other. A subscriber is to see them as one.

use std::time::{Duration, Instant};

use crate::limits::{SETTLING_MAX, SETTLING_QUIET};
use crate::model::delta::Delta;
use crate::model::position::Timestamp;

/// Deltas since the upstream came back. The view includes them already; the
/// log does not.
#[derive(Debug)]
pub struct Settling {
    deltas: Vec<Delta>,
    /// The changes are later than this.
    from: Timestamp,
    began: Instant,
    last: Instant,
}

impl Settling {
    /// The upstream is back at this moment; changes are later than `from`.
    pub fn new(from: Timestamp, now: Instant) -> Self {
        Settling {
            deltas: Vec::new(),
            from,
            began: now,
            last: now,
        }
    }

    /// One more delta.
    pub fn push(&mut self, delta: Delta, now: Instant) {
        self.deltas.push(delta);
        self.last = now;
    }

    /// How long to wait yet: until it was quiet for a moment, but not for ever.
    pub fn wait(&self, now: Instant) -> Duration {
        let quiet = SETTLING_QUIET.saturating_sub(now.duration_since(self.last));
        let patience = SETTLING_MAX.saturating_sub(now.duration_since(self.began));
        quiet.min(patience)
    }

    /// The net effect of all of them, closed through `timestamp`, and the time
    /// its changes are later than.
    pub fn finish(self, timestamp: Timestamp) -> (Delta, Timestamp) {
        let net = Delta::merge(&self.deltas);
        let changes = net.map_or_else(Vec::new, |net| net.changes().to_vec());
        (Delta::new(timestamp, changes), self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Change;
    use crate::model::row::Row;

    #[test]
    fn settling_is_one_delta_from_where_the_view_stood() {
        let begin = Instant::now();
        let mut settling = Settling::new(Timestamp::new(4), begin);
        for (time, diff) in [(5, 1), (6, 1), (7, -1)] {
            let change = Change {
                row: Row::from("{}"),
                diff,
            };
            settling.push(Delta::new(Timestamp::new(time), vec![change]), begin);
        }
        let (delta, from) = settling.finish(Timestamp::new(9));
        assert_eq!(
            (delta.timestamp(), from),
            (Timestamp::new(9), Timestamp::new(4))
        );
        assert_eq!(delta.changes().len(), 1);
    }

    #[test]
    fn settling_ends_when_quiet_and_in_any_case() {
        let begin = Instant::now();
        let mut settling = Settling::new(Timestamp::new(4), begin);
        assert_eq!(settling.wait(begin), SETTLING_QUIET);
        assert_eq!(settling.wait(begin + SETTLING_QUIET), Duration::ZERO);
        let late = begin + SETTLING_MAX;
        settling.push(Delta::new(Timestamp::new(5), Vec::new()), late);
        assert_eq!(settling.wait(late), Duration::ZERO);
    }
}
