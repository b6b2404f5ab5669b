//! The sockets of one thread that are written to at news, round after round.
//!
//! A round through ten thousand sockets takes a tenth of a second, so others on
//! the thread get their turn after some of them. Between two rounds the thread
//! rests for as long as the last one took: news that comes fast then costs half
//! of its time at the most, and each write takes the more of it along.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::limits::{PASS_OUTLETS_MAX, PASS_REST_MAX, PASS_REST_MIN};

/// Somebody with a socket who is written to at news.
pub trait WriteNews {
    /// Writes what is new, as far as the socket has room.
    fn write_news(&self, now: Instant);
}

/// What is to be done next for the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write to some of them.
    Write,
    /// Let others on this thread have their turn, then write.
    Yield,
    /// Wait for so long, then write.
    Rest(Duration),
    /// Nothing until there is news.
    Done,
}

/// The sockets, and how far the current round has come.
#[derive(Default)]
pub struct Rounds {
    /// Each at its waiter's place.
    outlets: Vec<Option<Rc<dyn WriteNews>>>,
    round: Option<Round>,
    /// When the next round may begin.
    rested: Option<Instant>,
}

/// One round through the outlets.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// The next place.
    at: usize,
    /// Whether there was news after it began: those before `at` lack it.
    is_outdated: bool,
    began: Option<Instant>,
    /// Whether anybody was written to.
    has_written: bool,
}

impl Rounds {
    /// There is news: begins a round, unless one is going on.
    pub fn begin(&mut self, now: Instant) -> Step {
        if let Some(round) = &mut self.round {
            round.is_outdated = round.at > 0;
            return Step::Done;
        }
        self.round = Some(Round::default());
        let rest = self
            .rested
            .map(|rested| rested.saturating_duration_since(now));
        match rest.filter(|rest| *rest >= PASS_REST_MIN) {
            Some(rest) => Step::Rest(rest),
            None => Step::Write,
        }
    }

    /// Whether a round is to begin with the next `write`.
    pub fn is_at_start(&self) -> bool {
        self.round.is_some_and(|round| round.began.is_none())
    }

    /// Writes to the next few sockets; `written` says how to go on. Returns how many
    /// more may be written to: none while any of these are left.
    pub fn write(&mut self, now: Instant) -> usize {
        let Some(round) = &mut self.round else {
            return 0;
        };
        round.began.get_or_insert(now);
        let end = round.at.saturating_add(PASS_OUTLETS_MAX);
        for outlet in self.outlets.iter().take(end).skip(round.at).flatten() {
            round.has_written = true;
            outlet.write_news(now);
        }
        round.at = end;
        end.saturating_sub(self.outlets.len()).min(PASS_OUTLETS_MAX)
    }

    /// Somebody else was written to, as part of the round.
    pub fn note_write(&mut self) {
        if let Some(round) = &mut self.round {
            round.has_written = true;
        }
    }

    /// Whether all of a round are written to, and if so whether there was anybody.
    pub fn is_over(&self, is_more: bool) -> Option<bool> {
        let round = self.round.filter(|_| !is_more)?;
        (round.at >= self.outlets.len()).then_some(round.has_written)
    }

    /// The writing took until now: how the round goes on. Others may be left that
    /// are part of it.
    pub fn written(&mut self, is_more: bool, now: Instant) -> Step {
        let Some(round) = self.round else {
            return Step::Done;
        };
        if is_more || round.at < self.outlets.len() {
            return Step::Yield;
        }
        let took = round
            .began
            .map(|began| now.saturating_duration_since(began));
        let rest = took.unwrap_or_default().min(PASS_REST_MAX);
        self.rested = Some(now + rest);
        self.round = round.is_outdated.then(Round::default);
        match round.is_outdated {
            true if rest >= PASS_REST_MIN => Step::Rest(rest),
            true => Step::Yield,
            false => Step::Done,
        }
    }

    /// Writes to this one from now on, at its waiter's place.
    pub fn enter(&mut self, place: usize, outlet: Rc<dyn WriteNews>) {
        if self.outlets.len() <= place {
            self.outlets.resize(place.saturating_add(1), None);
        }
        if let Some(entry) = self.outlets.get_mut(place) {
            *entry = Some(outlet);
        }
    }

    /// The one at this place is written to no more.
    pub fn leave(&mut self, place: usize) -> Option<Rc<dyn WriteNews>> {
        self.outlets.get_mut(place).and_then(Option::take)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Counting(Cell<usize>);

    impl WriteNews for Counting {
        fn write_news(&self, _: Instant) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn rounds(count: usize) -> (Rounds, Vec<Rc<Counting>>) {
        let mut rounds = Rounds::default();
        let outlets: Vec<Rc<Counting>> = (0..count).map(|_| Rc::default()).collect();
        for (place, outlet) in outlets.iter().enumerate() {
            rounds.enter(place, Rc::<Counting>::clone(outlet));
        }
        (rounds, outlets)
    }

    #[test]
    fn round_lets_others_in_and_takes_news_along_that_comes_meanwhile() {
        let (mut rounds, outlets) = rounds(PASS_OUTLETS_MAX * 2);
        let times = |from| outlets.iter().skip(from).step_by(PASS_OUTLETS_MAX);
        let written = |at| times(at).map(|it| it.0.get()).collect::<Vec<_>>();
        let (begin, took) = (Instant::now(), PASS_REST_MIN * 2);
        assert_eq!(rounds.begin(begin), Step::Write);
        rounds.write(begin);
        assert_eq!(rounds.written(false, begin), Step::Yield);
        assert_eq!(written(0), [1, 0]);
        // The first of them lack what comes now.
        assert_eq!(rounds.begin(begin), Step::Done);
        rounds.write(begin);
        assert_eq!(rounds.written(false, begin + took), Step::Rest(took));
        assert_eq!(written(0), [1, 1]);
        rounds.write(begin + took * 2);
        assert_eq!(rounds.written(false, begin + took * 2), Step::Yield);
        rounds.write(begin + took * 2);
        assert_eq!(rounds.written(false, begin + took * 2), Step::Done);
        assert_eq!(written(0), [2, 2]);
    }

    #[test]
    fn round_begins_after_a_rest_as_long_as_the_last_one() {
        let (mut rounds, _outlets) = rounds(1);
        let (begin, took) = (Instant::now(), PASS_REST_MIN * 3);
        assert_eq!(rounds.begin(begin), Step::Write);
        rounds.write(begin);
        assert_eq!(rounds.written(false, begin + took), Step::Done);
        let soon = begin + took + PASS_REST_MIN;
        assert_eq!(rounds.begin(soon), Step::Rest(PASS_REST_MIN * 2));
        rounds.write(begin + took * 2);
        assert_eq!(rounds.written(false, begin + took * 2), Step::Done);
        // A rest too short for a timer is none.
        assert_eq!(rounds.begin(begin + took * 2), Step::Write);
    }
}
