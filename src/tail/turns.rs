//! Whose turn it is to do what only so many may do at once, in the order they
//! asked. Who takes long is overtaken: a server that does not answer some must
//! not keep the others waiting for good.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Those who have their turn, and those who wait for it.
#[derive(Debug)]
pub struct Turns {
    /// So many at once.
    most: usize,
    /// After so long, somebody is not counted any more.
    longest: Duration,
    next: u64,
    waiting: VecDeque<u64>,
    /// Since when each of them has had its turn.
    taken: BTreeMap<u64, Instant>,
}

impl Turns {
    /// Nobody has asked yet.
    pub const fn new(most: usize, longest: Duration) -> Self {
        Turns {
            most,
            longest,
            next: 0,
            waiting: VecDeque::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Asks for a turn; the place in the queue.
    pub fn ask(&mut self) -> u64 {
        let place = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting.push_back(place);
        place
    }

    /// Takes the turn, if it has come; whether it has.
    pub fn take(&mut self, place: u64, now: Instant) -> bool {
        let is_up = self.waiting.front() == Some(&place) && self.counted(now) < self.most;
        if is_up {
            self.waiting.pop_front();
            self.taken.insert(place, now);
        }
        is_up
    }

    /// Gives the turn back, or the place in the queue.
    pub fn leave(&mut self, place: u64) {
        if self.taken.remove(&place).is_none() {
            self.waiting.retain(|waiting| *waiting != place);
        }
    }

    /// Who is to look next whether its turn has come.
    pub fn first(&self) -> Option<u64> {
        self.waiting.front().copied()
    }

    /// When somebody is overtaken next, if nobody gives a turn back before.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let ends = self.taken.values().map(|since| *since + self.longest);
        ends.filter(|end| *end > now).min()
    }

    /// How many have their turn, and how many wait for it.
    pub fn counts(&self) -> (usize, usize) {
        (self.taken.len(), self.waiting.len())
    }

    fn counted(&self, now: Instant) -> usize {
        let since = self.taken.values();
        since.filter(|since| **since + self.longest > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    #[test]
    fn turns_are_had_in_order_by_so_many_at_once() {
        let now = Instant::now();
        let mut turns = Turns::new(2, LONGEST);
        let [a, b, c, d] = [(); 4].map(|()| turns.ask());
        assert!(!turns.take(b, now), "another one was first");
        assert!(turns.take(a, now) && turns.take(b, now));
        assert!(!turns.take(c, now));
        assert_eq!((turns.first(), turns.counts()), (Some(c), (2, 2)));
        // One who gives up waiting holds up nobody.
        turns.leave(c);
        turns.leave(a);
        assert!(turns.take(d, now));
        turns.leave(b);
        turns.leave(d);
        assert_eq!((turns.first(), turns.counts()), (None, (0, 0)));
    }

    #[test]
    fn turns_of_who_takes_long_are_overtaken() {
        let now = Instant::now();
        let mut turns = Turns::new(1, LONGEST);
        let [hung, next, last] = [(); 3].map(|()| turns.ask());
        assert!(turns.take(hung, now));
        assert_eq!(turns.wake_at(now), Some(now + LONGEST));
        assert!(!turns.take(next, now + LONGEST / 2));
        let later = now + LONGEST;
        assert!(turns.take(next, later));
        assert!(!turns.take(last, later), "the next one counts");
        // What comes back at last frees nothing that was not taken.
        turns.leave(hung);
        assert!(!turns.take(last, later));
        turns.leave(next);
        assert!(turns.take(last, later));
        assert_eq!(turns.wake_at(later), Some(later + LONGEST));
    }
}
