//! What is remembered of a view while it is gone. Its name may be given to
//! another object, or to none, and back; if the upstream's time went back
//! meanwhile, positions that were given out before are of other contents. Pure.

use std::collections::VecDeque;

use crate::limits::{INCARNATIONS_REMEMBERED_MAX, SNAPSHOT_BEHIND_MS_MAX};
use crate::model::position::{Incarnation, Timestamp};

use super::clock::Clock;

/// How far one incarnation of a view has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// What is known of the upstream's time.
    pub(super) clock: Clock,
    /// The latest time that was ever told as closed.
    told: Option<Timestamp>,
    /// Positions up to here may have been given out before time went back.
    distrusted: Option<Timestamp>,
}

impl Reach {
    /// This time was told as closed.
    pub(super) fn tell(&mut self, closed: Timestamp) {
        self.told = self.told.max(Some(closed));
    }

    /// The upstream's time went back: positions from before are worth nothing,
    /// and would look good once time has come so far again. Not all of them are
    /// ours: who only began to read has given out none, but other gateways may
    /// have, up to the upstream's time and a little ahead of what was told here.
    pub(super) fn go_back(&mut self) {
        if let Some(before) = self.told.max(self.clock.reached()) {
            let others = before.get().saturating_add(SNAPSHOT_BEHIND_MS_MAX);
            self.distrusted = self.distrusted.max(Some(Timestamp::new(others)));
        }
        self.clock = Clock::default();
    }

    /// It is back, or is found, while the upstream's clock shows this: time may have
    /// gone back meanwhile.
    pub(super) fn come_back(&mut self, clock: Clock) {
        if clock.reached().is_some_and(|time| self.clock.is_back(time)) {
            self.go_back();
        }
        self.clock.follow(clock);
    }

    /// Whether nothing was ever told of it, and its time is not known to have
    /// gone back.
    pub(super) fn is_untold(&self) -> bool {
        self.told.is_none() && self.distrusted.is_none()
    }

    /// Up to which time positions are not to be believed.
    pub(super) fn distrusted(&self) -> Option<Timestamp> {
        self.distrusted
    }
}

/// What is remembered of incarnations that the view is not any more.
pub type Past = Remembered<Incarnation, Reach, INCARNATIONS_REMEMBERED_MAX>;

/// The last so many values that were put aside, each under a key of its own.
#[derive(Clone, Debug)]
pub struct Remembered<K, V, const MAX: usize>(VecDeque<(K, V)>);

impl<K, V, const MAX: usize> Default for Remembered<K, V, MAX> {
    fn default() -> Self {
        Remembered(VecDeque::new())
    }
}

impl<K, V: Default, const MAX: usize> Remembered<K, V, MAX> {
    /// Puts a value aside. The oldest is forgotten where there are too many.
    pub fn put(&mut self, key: K, value: V)
    where
        K: PartialEq,
    {
        drop(self.take(&key));
        if self.0.len() >= MAX {
            self.0.pop_front();
        }
        self.0.push_back((key, value));
    }

    /// Takes what was put aside under this key; the default if nothing was.
    pub fn take<Q: ?Sized>(&mut self, key: &Q) -> V
    where
        K: PartialEq<Q>,
    {
        let place = self.0.iter().position(|(one, _)| *one == *key);
        let found = place.and_then(|place| self.0.remove(place));
        found.map(|(_, value)| value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds)
    }

    #[test]
    fn reach_distrusts_what_may_have_been_given_out_anywhere() {
        let margin = SNAPSHOT_BEHIND_MS_MAX;
        let mut reach = Reach::default();
        reach.go_back();
        assert_eq!(reach.distrusted(), None, "nothing is known");
        // Read from, but not told yet: other gateways may have.
        reach.clock.set(at(500_000), Instant::now());
        reach.go_back();
        assert_eq!(reach.distrusted(), Some(at(500_000 + margin)));
        assert_eq!(reach.clock.reached(), None);
        // Known ahead of time.
        reach.tell(at(900_000));
        reach.tell(at(7));
        reach.clock.set(at(300_000), Instant::now());
        reach.go_back();
        assert_eq!(reach.distrusted(), Some(at(900_000 + margin)));
        reach.tell(Timestamp::MAX);
        reach.go_back();
        assert_eq!(reach.distrusted(), Some(Timestamp::MAX));
    }

    #[test]
    fn reach_of_what_comes_back_knows_that_time_went_back_meanwhile() {
        let mut clock = Clock::default();
        clock.set(at(500_000), Instant::now());
        let mut reach = Reach::default();
        reach.come_back(clock);
        assert_eq!(reach.clock.reached(), Some(at(500_000)));
        assert_eq!(reach.distrusted(), None);
        reach.clock.set(at(900_000), Instant::now());
        reach.tell(at(900_000));
        reach.come_back(clock);
        assert_eq!(reach.clock.reached(), Some(at(500_000)));
        let until = at(900_000 + SNAPSHOT_BEHIND_MS_MAX);
        assert_eq!(reach.distrusted(), Some(until));
    }

    #[test]
    fn remembered_are_the_last_so_many() {
        let mut all: Remembered<u32, u32, 3> = Remembered::default();
        for (key, value) in [(1, 10), (2, 20), (3, 30), (1, 11), (4, 40)] {
            all.put(key, value);
        }
        assert_eq!(
            [2, 1, 3, 4, 1].map(|key| all.take(&key)),
            [0, 11, 30, 40, 0]
        );
    }
}
