//! Of which incarnation a log is at which time.
//!
//! A view's name may be given to another view with the same columns, as by
//! `ALTER SCHEMA ... SWAP`. The log goes on then: the difference between the two is
//! one of its deltas, and from that time on it is of the other one. A position is
//! good where the log was of its incarnation at its time, and nowhere else: other
//! gateways may have noticed the change earlier, or later. Pure.

use std::collections::VecDeque;

use super::position::{Incarnation, Position, Timestamp};
use super::retention::{Resume, Retention};

/// The incarnations of one log, each with its time. There is always one.
#[derive(Clone, Debug)]
pub struct Terms {
    earlier: VecDeque<Term>,
    current: Term,
    /// How many there were.
    count: u64,
}

/// The time in which a log is of one incarnation.
#[derive(Clone, Copy, Debug)]
struct Term {
    incarnation: Incarnation,
    /// Its first timestamp and its last.
    from: Timestamp,
    until: Timestamp,
    /// Positions up to here are from before the upstream's time went back.
    distrusted: Option<Timestamp>,
}

/// Whether a position that a client brings back is one of the log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// The log is, or was, what the position is of.
    Good,
    /// The same, but for it was given out before the upstream's time went back.
    Distrusted,
    /// It is of something else, or of another time.
    None,
}

impl Worth {
    /// What a client that comes back with a position of this worth needs of the log.
    pub fn resume<F>(self, log: &Retention<F>, timestamp: Timestamp) -> Resume {
        match self {
            Worth::Good => log.since(timestamp),
            Worth::Distrusted | Worth::None => Resume::Base,
        }
    }
}

impl Terms {
    /// One incarnation from the beginning of time; positions up to `distrusted` are
    /// not to be believed.
    pub fn new(incarnation: Incarnation, distrusted: Option<Timestamp>) -> Self {
        Terms {
            earlier: VecDeque::new(),
            current: Term {
                incarnation,
                from: Timestamp::MIN,
                until: Timestamp::MAX,
                distrusted,
            },
            count: 1,
        }
    }

    /// The present one.
    pub fn current(&self) -> Incarnation {
        self.current.incarnation
    }

    /// How many there were: copies with the same count are equal, but for what was
    /// forgotten.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The one of this time.
    pub fn at(&self, timestamp: Timestamp) -> Incarnation {
        if self.current.from <= timestamp {
            return self.current.incarnation;
        }
        let mut earlier = self.earlier.iter().rev();
        let term = earlier.find(|term| term.from <= timestamp);
        term.unwrap_or(&self.current).incarnation
    }

    /// What was known up to `until` is followed by another incarnation, which begins
    /// where `to` stands. So many are remembered, the present one among them.
    pub fn turn(
        &mut self,
        until: Timestamp,
        to: Position,
        distrusted: Option<Timestamp>,
        terms_max: usize,
    ) {
        let before = Term {
            until,
            ..self.current
        };
        self.earlier.push_back(before);
        if self.earlier.len() >= terms_max {
            self.earlier.pop_front();
        }
        self.current = Term {
            incarnation: to.incarnation,
            from: to.timestamp,
            until: Timestamp::MAX,
            distrusted,
        };
        self.count = self.count.saturating_add(1);
    }

    /// Nobody goes on from before this time.
    pub fn forget_before(&mut self, start: Timestamp) {
        while self.earlier.front().is_some_and(|term| term.until < start) {
            self.earlier.pop_front();
        }
    }

    /// What a position is worth. Of a window's, `of` says which one the window has
    /// where its view has this one.
    pub fn worth(&self, position: Position, of: impl Fn(Incarnation) -> Incarnation) -> Worth {
        let mut terms = self.earlier.iter().chain([&self.current]);
        let timestamp = position.timestamp;
        let is_its = |term: &&Term| {
            (term.from..=term.until).contains(&timestamp)
                && of(term.incarnation) == position.incarnation
        };
        match terms.find(is_its) {
            None => Worth::None,
            Some(term) if Some(timestamp) <= term.distrusted => Worth::Distrusted,
            Some(_) => Worth::Good,
        }
    }

    /// Of several positions, the latest one that is the log's counts, and the first
    /// where none is; and what it is worth. From an earlier one the client would be
    /// sent deltas that it has applied already.
    pub fn latest(
        &self,
        positions: &[Position],
        of: impl Fn(Incarnation) -> Incarnation,
    ) -> Option<(Position, Worth)> {
        let judged = positions.iter().map(|it| (*it, self.worth(*it, &of)));
        let ours = judged.filter(|(_, worth)| *worth != Worth::None);
        let latest = ours.max_by_key(|(position, _)| position.timestamp);
        latest.or_else(|| positions.first().map(|it| (*it, Worth::None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, of: &str) -> Position {
        Position {
            timestamp: Timestamp::new(time),
            incarnation: Incarnation::of([of]),
        }
    }

    /// Of `a` up to 20, of `b` from 25 on, and of `a` again from 40 on.
    fn terms() -> Terms {
        let mut terms = Terms::new(Incarnation::of(["a"]), Some(Timestamp::new(5)));
        terms.turn(Timestamp::new(20), at(25, "b"), Some(Timestamp::new(26)), 3);
        terms.turn(Timestamp::new(39), at(40, "a"), None, 3);
        terms
    }

    #[test]
    fn terms_hold_a_position_at_the_times_of_its_incarnation_only() {
        let terms = terms();
        for (time, of, worth) in [
            (5, "a", Worth::Distrusted),
            (6, "a", Worth::Good),
            (20, "a", Worth::Good),
            (21, "a", Worth::None),
            (24, "b", Worth::None),
            (26, "b", Worth::Distrusted),
            (27, "b", Worth::Good),
            (39, "b", Worth::Good),
            (40, "b", Worth::None),
            (39, "a", Worth::None),
            (40, "a", Worth::Good),
            (9_999, "a", Worth::Good),
            (30, "c", Worth::None),
        ] {
            assert_eq!(terms.worth(at(time, of), |it| it), worth, "{time} {of}");
        }
    }

    #[test]
    fn terms_tell_the_incarnation_of_a_time() {
        let terms = terms();
        for (time, of) in [(0, "a"), (24, "a"), (25, "b"), (39, "b"), (40, "a")] {
            assert_eq!(terms.at(Timestamp::new(time)), at(0, of).incarnation);
        }
        assert_eq!(
            (terms.current(), terms.count()),
            (at(0, "a").incarnation, 3)
        );
    }

    #[test]
    fn terms_of_long_ago_are_forgotten() {
        let mut terms = terms();
        terms.forget_before(Timestamp::new(21));
        assert_eq!(terms.worth(at(20, "a"), |it| it), Worth::None);
        assert_eq!(terms.worth(at(39, "b"), |it| it), Worth::Good);
        for turn in 0..100 {
            let to = at(50 + turn, "c");
            terms.turn(Timestamp::new(49 + turn), to, None, 4);
        }
        assert_eq!(terms.earlier.len(), 3);
    }

    #[test]
    fn terms_of_several_positions_pick_the_latest_that_is_theirs() {
        let terms = Terms::new(Incarnation::of(["a"]), None);
        for (positions, expected) in [
            (vec![], None),
            (vec![at(7, "a")], Some(at(7, "a"))),
            (vec![at(7, "a"), at(9, "a"), at(8, "a")], Some(at(9, "a"))),
            (vec![at(9, "b"), at(7, "a")], Some(at(7, "a"))),
            (vec![at(9, "b"), at(99, "b")], Some(at(9, "b"))),
        ] {
            let latest = terms.latest(&positions, |it| it);
            assert_eq!(latest.map(|(position, _)| position), expected);
        }
    }
}
