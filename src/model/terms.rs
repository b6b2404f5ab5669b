//! Of which incarnation a log is at which time.
//!
//! A view's name may be given to another view with the same columns, as by
//! `ALTER SCHEMA ... SWAP`. The log goes on then: the difference between the two is
//! one of its deltas, and from that time on it is of the other one. A position is
//! good where the log was of its incarnation at its time, and nowhere else: other
//! gateways may have noticed the change earlier, or later.
//!
//! Where the upstream's time went back, the same times come twice, with other rows.
//! Until time has come as far again, a log is of an incarnation of its own: a gateway
//! that has not noticed yet would take its positions for those of before. Pure.

use std::collections::VecDeque;

use super::position::{Incarnation, Position, Timestamp};

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
}

/// Positions of an incarnation up to a time were given out before the upstream's time
/// went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twice {
    /// The last time that may have been given out.
    pub until: Timestamp,
    /// What a log is of up to there: an incarnation that no other log has.
    pub own: Incarnation,
}

impl Terms {
    /// One incarnation from the beginning of time, but for times that come twice.
    pub fn new(incarnation: Incarnation, twice: Option<Twice>) -> Self {
        let current = Term {
            incarnation,
            from: Timestamp::MIN,
            until: Timestamp::MAX,
        };
        let mut terms = Terms {
            earlier: VecDeque::new(),
            current,
            count: 1,
        };
        terms.set_apart(twice);
        terms
    }

    /// The beginning of the present term is one of its own, as far as times come twice.
    fn set_apart(&mut self, twice: Option<Twice>) {
        let from = self.current.from;
        if let Some(Twice { until, own }) = twice.filter(|twice| from <= twice.until) {
            self.earlier.push_back(Term {
                incarnation: own,
                from,
                until,
            });
            self.current.from = until.next();
            if until == Timestamp::MAX {
                // No time is left.
                self.current.until = Timestamp::MIN;
            }
        }
    }

    /// The one at the end of time.
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
        if (self.current.from..=self.current.until).contains(&timestamp) {
            return self.current.incarnation;
        }
        let mut earlier = self.earlier.iter().rev();
        let term = earlier.find(|term| term.from <= timestamp);
        term.unwrap_or(&self.current).incarnation
    }

    /// What was known up to `until` is followed by another incarnation, which begins
    /// where `to` stands, but for times that come twice. So many are remembered, the
    /// present one among them.
    pub fn turn(&mut self, until: Timestamp, to: Position, twice: Option<Twice>, terms_max: usize) {
        let before = Term {
            until,
            ..self.current
        };
        self.earlier.push_back(before);
        // One that was to begin later has never been.
        self.earlier.retain_mut(|term| {
            term.until = term.until.min(until);
            term.from <= term.until
        });
        self.current = Term {
            incarnation: to.incarnation,
            from: to.timestamp,
            until: Timestamp::MAX,
        };
        self.set_apart(twice);
        while self.earlier.len() >= terms_max {
            self.earlier.pop_front();
        }
        self.count = self.count.saturating_add(1);
    }

    /// Nobody goes on from before this time.
    pub fn forget_before(&mut self, start: Timestamp) {
        while self.earlier.front().is_some_and(|term| term.until < start) {
            self.earlier.pop_front();
        }
    }

    /// Whether the log is, or was, what a position is of. Of a window's, `of` says
    /// which one the window has where its view has this one.
    pub fn hold(&self, position: Position, of: impl Fn(Incarnation) -> Incarnation) -> bool {
        let mut terms = self.earlier.iter().chain([&self.current]);
        terms.any(|term| {
            (term.from..=term.until).contains(&position.timestamp)
                && of(term.incarnation) == position.incarnation
        })
    }

    /// Of several positions, the latest one that is the log's counts, and the first
    /// where none is; and whether it is. From an earlier one the client would be
    /// sent deltas that it has applied already.
    pub fn latest(
        &self,
        positions: &[Position],
        of: impl Fn(Incarnation) -> Incarnation,
    ) -> Option<(Position, bool)> {
        let ours = positions.iter().filter(|it| self.hold(**it, &of));
        let latest = ours.max_by_key(|position| position.timestamp);
        let latest = latest.map(|position| (*position, true));
        latest.or_else(|| positions.first().map(|position| (*position, false)))
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

    fn twice(until: u64, own: &str) -> Option<Twice> {
        let own = Incarnation::of([own]);
        let until = Timestamp::new(until);
        Some(Twice { until, own })
    }

    /// Of `a` up to 20, of `b` from 25 on, and of `a` again from 40 on. What is up to 5,
    /// and from there up to 26, comes twice.
    fn terms() -> Terms {
        let mut terms = Terms::new(Incarnation::of(["a"]), twice(5, "own a"));
        terms.turn(Timestamp::new(20), at(25, "b"), twice(26, "own b"), 5);
        terms.turn(Timestamp::new(39), at(40, "a"), twice(39, "never"), 5);
        terms
    }

    #[test]
    fn terms_hold_a_position_at_the_times_of_its_incarnation_only() {
        let terms = terms();
        for (time, of, is_held) in [
            (5, "a", false),
            (0, "own a", true),
            (5, "own a", true),
            (6, "own a", false),
            (6, "a", true),
            (20, "a", true),
            (21, "a", false),
            (24, "b", false),
            (24, "own b", false),
            (26, "b", false),
            (26, "own b", true),
            (27, "b", true),
            (39, "b", true),
            (40, "b", false),
            (39, "a", false),
            (40, "a", true),
            (40, "never", false),
            (9_999, "a", true),
            (30, "c", false),
        ] {
            assert_eq!(terms.hold(at(time, of), |it| it), is_held, "{time} {of}");
        }
    }

    /// Times that come twice are followed by others before they have come.
    #[test]
    fn terms_turn_before_the_present_one_has_begun() {
        let mut terms = Terms::new(Incarnation::of(["a"]), twice(50, "own a"));
        terms.turn(Timestamp::new(20), at(25, "b"), twice(50, "own b"), 5);
        for (time, of, is_held) in [
            (20, "own a", true),
            (21, "own a", false),
            (51, "a", false),
            (24, "own b", false),
            (25, "own b", true),
            (50, "own b", true),
            (51, "b", true),
        ] {
            assert_eq!(terms.hold(at(time, of), |it| it), is_held, "{time} {of}");
        }
        let end = Timestamp::MAX.get();
        let terms = Terms::new(Incarnation::of(["a"]), twice(end, "own"));
        assert!(terms.hold(at(end, "own"), |it| it));
        assert_eq!(terms.at(Timestamp::MAX), Incarnation::of(["own"]));
        assert!(!terms.hold(at(end, "a"), |it| it));
    }

    #[test]
    fn terms_tell_the_incarnation_of_a_time() {
        let terms = terms();
        for (time, of) in [
            (0, "own a"),
            (24, "a"),
            (25, "own b"),
            (27, "b"),
            (39, "b"),
            (40, "a"),
        ] {
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
        assert!(!terms.hold(at(20, "a"), |it| it));
        assert!(terms.hold(at(39, "b"), |it| it));
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
