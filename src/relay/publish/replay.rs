//! A view on its way from the past to the present, which nobody is shown.

use std::sync::Arc;
use std::time::Instant;

use crate::limits::{HISTORY_SETTLED, HISTORY_STEP_MS};
use crate::model::position::Timestamp;
use crate::relay::log::shared_log::Log;

/// How a view comes from the past to the present.
#[derive(Debug)]
pub struct Replay {
    /// Until when the current connection tells the past; `None` if it tells
    /// the present.
    until: Option<Timestamp>,
    /// The log, once there is one. Nobody else has it.
    log: Option<Arc<Log>>,
    /// Where the view stood when it came forward faster than time itself, and
    /// the moment.
    moved: Option<(Timestamp, Instant)>,
}

impl Replay {
    /// A connection tells the past until this time. `before` is what was held
    /// of it already.
    pub fn new(until: Timestamp, before: Option<Replay>) -> Self {
        Replay {
            until: Some(until),
            log: before.and_then(|replay| replay.log),
            moved: None,
        }
    }

    /// That connection is over, or its word does not count any more.
    pub fn leave(&mut self) {
        (self.until, self.moved) = (None, None);
    }

    /// Keeps the log back, which begins at this time, if that is in the past.
    pub fn keep_back(&mut self, log: &Arc<Log>, at: Timestamp) -> bool {
        let is_past = self.until.is_some_and(|until| at < until);
        if is_past {
            self.log = Some(Arc::clone(log));
        }
        is_past
    }

    /// Whether there is a log.
    pub fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// The log, for everybody.
    pub fn into_log(self) -> Option<Arc<Log>> {
        self.log
    }

    /// How long before the present this time is, in milliseconds.
    pub fn age_ms(&self, at: Timestamp) -> u64 {
        let until = self.until.map_or(0, Timestamp::get);
        until.saturating_sub(at.get())
    }

    /// Whether the view, which stands at a time, is in the present: where the
    /// upstream's time was when it was asked, or as far as its source lets it.
    pub fn is_over(&mut self, at: Timestamp, now: Instant) -> bool {
        if self.until.is_none_or(|until| at >= until) {
            return true;
        }
        let (from, since) = *self.moved.get_or_insert((at, now));
        let elapsed = now.saturating_duration_since(since);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if at.get().saturating_sub(from.get()) > elapsed_ms.saturating_add(HISTORY_STEP_MS) {
            self.moved = Some((at, now));
            return false;
        }
        elapsed >= HISTORY_SETTLED
    }

    /// When it is to be looked whether the view comes forward any more.
    pub fn settled_at(&self) -> Option<Instant> {
        self.moved.map(|(_, since)| since + HISTORY_SETTLED)
    }
}
