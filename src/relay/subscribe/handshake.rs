//! What a client says it has, until that was of use, or of none.

use std::cell::RefCell;
use std::time::Instant;

use crate::limits::AHEAD_WAIT;
use crate::model::position::{Incarnation, Position};
use crate::model::retention::{Cursor, Resume};
use crate::relay::counters::{Outcome, StreamCounters};
use crate::relay::thread::local_log::LocalLog;

/// The positions that a client came with, if it came with any.
pub struct Handshake {
    positions: Vec<Position>,
    /// How long it is waited for, while the client is ahead of this gateway.
    ahead_until: Option<Instant>,
}

/// How the handshake ends, if it does yet.
pub enum Judged {
    /// The stream goes on from this position, at this place of the log.
    Resumed(Position, Cursor),
    /// This gateway may get there yet: wait for news.
    Ahead,
    /// A base is needed; here is the position that was of no use, at the time
    /// that this was found.
    Base(Option<Position>),
}

impl Handshake {
    /// What the client says.
    pub fn new(positions: Vec<Position>) -> Self {
        Handshake {
            positions,
            ahead_until: None,
        }
    }

    /// Of several positions the latest of this incarnation is what the client
    /// has: from an earlier one on, it would be sent again what it has applied.
    fn best(&self, incarnation: Incarnation) -> Option<Position> {
        let ours = self
            .positions
            .iter()
            .filter(|it| it.incarnation == incarnation);
        let latest = ours.max_by_key(|position| position.timestamp);
        latest.or(self.positions.first()).copied()
    }

    /// Compares it with the log; what is found is counted, and ends the handshake.
    pub fn judge(
        &mut self,
        log: &RefCell<LocalLog>,
        counters: &StreamCounters,
        now: Instant,
    ) -> Judged {
        let Some(position) = self.best(log.borrow().incarnation()) else {
            return Judged::Base(None);
        };
        let found = log.borrow_mut().resume(position);
        counters.count_resume(match found {
            Resume::UpToDate(_) => Outcome::UpToDate,
            Resume::Deltas(_) => Outcome::Deltas,
            Resume::Ahead if now < self.patience_until(now) => return Judged::Ahead,
            Resume::Ahead => Outcome::Ahead,
            Resume::Base => Outcome::Base,
        });
        *self = Handshake::new(Vec::new());
        match found.cursor() {
            Some(cursor) => Judged::Resumed(position, cursor),
            None => Judged::Base(Some(position)),
        }
    }

    /// Until when a client that is ahead is to wait.
    fn patience_until(&mut self, now: Instant) -> Instant {
        *self.ahead_until.get_or_insert(now + AHEAD_WAIT)
    }

    /// When it is to be judged again, though there is no news.
    pub fn wake_at(&self) -> Option<Instant> {
        self.ahead_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::Timestamp;

    #[test]
    fn handshake_of_several_positions_is_the_latest_of_the_incarnation() {
        let (ours, other) = (Incarnation::of(["a"]), Incarnation::of(["b"]));
        let at = |time, incarnation| Position {
            timestamp: Timestamp::new(time),
            incarnation,
        };
        for (positions, expected) in [
            (vec![], None),
            (vec![at(7, ours)], Some(at(7, ours))),
            (
                vec![at(7, ours), at(9, ours), at(8, ours)],
                Some(at(9, ours)),
            ),
            (vec![at(9, other), at(7, ours)], Some(at(7, ours))),
            (vec![at(9, other), at(99, other)], Some(at(9, other))),
        ] {
            assert_eq!(Handshake::new(positions).best(ours), expected);
        }
    }
}
