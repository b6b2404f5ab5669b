//! How long a question may take, and when it is asked again that was not
//! answered: one that hangs is neither waited for each time nor asked so often
//! that others wait for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::limits::{CATALOG_HANG_AGAIN, CATALOG_HANG_AGAIN_MAX, CATALOG_QUESTION_FIRST};

/// What is known of questions that take long, each by a key of its own.
#[derive(Debug)]
pub(super) struct Patience {
    /// The longest that any question may take.
    max: Duration,
    /// Those that do not take the usual time.
    slow: BTreeMap<String, Slow>,
}

/// A question that was slow, or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slow {
    limit: Duration,
    /// When it may be asked again, if it has hung.
    again: Option<Again>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Again {
    at: Instant,
    /// How long it rests until then.
    rest: Duration,
    /// How long it was waited for.
    waited: Duration,
}

/// A question rests, since it was not answered for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rests(pub Duration);

impl Patience {
    /// Nothing is known yet.
    pub fn new(upstream_timeout: Duration) -> Self {
        Patience {
            max: upstream_timeout.max(CATALOG_QUESTION_FIRST),
            slow: BTreeMap::new(),
        }
    }

    /// How long a question that is asked now is to be waited for.
    pub fn limit(&self, key: &str, now: Instant) -> Result<Duration, Rests> {
        match self.slow.get(key) {
            Some(Slow {
                again: Some(again), ..
            }) if now < again.at => Err(Rests(again.waited)),
            Some(slow) => Ok(slow.limit),
            None => Ok(CATALOG_QUESTION_FIRST),
        }
    }

    /// It was not answered within this limit.
    pub fn hung(&mut self, key: &str, limit: Duration, now: Instant) {
        let rested = self.slow.get(key).and_then(|slow| slow.again);
        let rest = match rested {
            Some(Again { rest, .. }) => (rest * 2).min(CATALOG_HANG_AGAIN_MAX),
            None => CATALOG_HANG_AGAIN,
        };
        let slow = Slow {
            limit: (limit * 2).min(self.max),
            again: Some(Again {
                at: now + rest,
                rest,
                waited: limit,
            }),
        };
        self.slow.insert(key.to_string(), slow);
    }

    /// It was answered after this time.
    pub fn took(&mut self, key: &str, time: Duration) {
        let limit = (time * 4).min(self.max);
        if limit > CATALOG_QUESTION_FIRST {
            let slow = Slow { limit, again: None };
            self.slow.insert(key.to_string(), slow);
        } else {
            self.slow.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_what_a_question_takes_and_lets_rest_what_hangs() {
        let seconds = Duration::from_secs;
        let begin = Instant::now();
        let mut patience = Patience::new(seconds(20));
        assert_eq!(patience.limit("a", begin), Ok(seconds(2)));
        patience.took("a", seconds(1));
        assert_eq!(patience.limit("a", begin), Ok(seconds(4)));
        patience.took("a", seconds(9));
        assert_eq!(patience.limit("a", begin), Ok(seconds(20)));
        patience.took("a", Duration::from_millis(10));
        assert_eq!(patience.limit("a", begin), Ok(seconds(2)));
        // Asked again after ten seconds, then after twenty, and so on.
        let mut now = begin;
        for (rest, waited, limit) in [(10, 2, 4), (20, 4, 8), (40, 8, 16), (80, 16, 20)] {
            let asked = patience.limit("a", now);
            assert_eq!(asked, Ok(seconds(waited)));
            patience.hung("a", seconds(waited), now);
            now += seconds(rest);
            let early = now - Duration::from_millis(1);
            assert_eq!(patience.limit("a", early), Err(Rests(seconds(waited))));
            assert_eq!(patience.limit("a", now), Ok(seconds(limit)));
        }
        assert_eq!(patience.limit("b", begin), Ok(seconds(2)));
    }
}
