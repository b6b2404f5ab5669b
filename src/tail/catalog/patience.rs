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
    /// How many questions were answered so far.
    answered: u64,
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
    /// How many questions had been answered when it hung.
    answered: u64,
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
            answered: 0,
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
            // Others are answered: it is this question that hangs.
            Some(Again { rest, answered, .. }) if answered < self.answered => {
                (rest * 2).min(CATALOG_HANG_AGAIN_MAX)
            }
            // No question is answered, so the server may be back at any time.
            Some(_) | None => CATALOG_HANG_AGAIN,
        };
        let slow = Slow {
            limit: (limit * 2).min(self.max),
            again: Some(Again {
                at: now + rest,
                rest,
                waited: limit,
                answered: self.answered,
            }),
        };
        self.slow.insert(key.to_string(), slow);
    }

    /// It was answered after this time.
    pub fn took(&mut self, key: &str, time: Duration) {
        self.answered = self.answered.saturating_add(1);
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
            patience.took("b", seconds(0));
            now += seconds(rest);
            let early = now - Duration::from_millis(1);
            assert_eq!(patience.limit("a", early), Err(Rests(seconds(waited))));
            assert_eq!(patience.limit("a", now), Ok(seconds(limit)));
        }
        assert_eq!(patience.limit("b", begin), Ok(seconds(2)));
    }

    #[test]
    fn patience_with_a_server_that_answers_nothing_does_not_grow() {
        let mut patience = Patience::new(Duration::from_secs(2));
        let mut now = Instant::now();
        for _ in 0..100 {
            for key in ["all names", "a", "b"] {
                let limit = patience.limit(key, now);
                assert_eq!(limit, Ok(Duration::from_secs(2)), "{key}");
                patience.hung(key, Duration::from_secs(2), now);
            }
            now += CATALOG_HANG_AGAIN;
        }
    }
}
