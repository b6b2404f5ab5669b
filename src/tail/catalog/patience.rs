//! How long a question may take, and when it is asked again that was not
//! answered: one that hangs is neither waited for each time nor asked so often
//! that others wait for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::limits::{CATALOG_HANG_AGAIN, CATALOG_HANG_AGAIN_MAX, CATALOG_QUESTION_FIRST};
use crate::tail::TailError;
use crate::tail::names::Session;

use super::asker::Asker;

/// An asker, and what it knows of questions that take long.
pub(super) struct Patient {
    pub asker: Asker,
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

impl Patient {
    pub fn new(asker: Asker, upstream_timeout: Duration) -> Self {
        Patient {
            asker,
            max: upstream_timeout.max(CATALOG_QUESTION_FIRST),
            slow: BTreeMap::new(),
        }
    }

    /// Asks a question, known by a key; one that has hung rests for a while.
    pub fn ask<T: Send + 'static>(
        &mut self,
        key: &str,
        question: impl FnOnce(&mut Client, &mut Session) -> Result<T, TailError> + Send + 'static,
    ) -> Result<T, TailError> {
        let began = Instant::now();
        let known = self.slow.get(key);
        if let Some(again) = known.and_then(|slow| slow.again)
            && began < again.at
        {
            return Err(TailError::Silent {
                seconds: again.waited.as_secs(),
            });
        }
        let limit = known.map_or(CATALOG_QUESTION_FIRST, |slow| slow.limit);
        let answer = self.asker.ask(limit, question);
        match &answer {
            Err(TailError::Silent { .. }) => self.hung(key, limit),
            _ => self.took(key, began.elapsed()),
        }
        answer
    }

    fn hung(&mut self, key: &str, limit: Duration) {
        let rested = self.slow.get(key).and_then(|slow| slow.again);
        let rest = match rested {
            Some(Again { rest, .. }) => (rest * 2).min(CATALOG_HANG_AGAIN_MAX),
            None => CATALOG_HANG_AGAIN,
        };
        let slow = Slow {
            limit: (limit * 2).min(self.max),
            again: Some(Again {
                at: Instant::now() + rest,
                rest,
                waited: limit,
            }),
        };
        self.slow.insert(key.to_string(), slow);
    }

    fn took(&mut self, key: &str, time: Duration) {
        let limit = (time * 4).min(self.max);
        if limit > CATALOG_QUESTION_FIRST {
            let slow = Slow { limit, again: None };
            self.slow.insert(key.to_string(), slow);
        } else {
            self.slow.remove(key);
        }
    }
}
