//! A view's past, which becomes its log before anybody is shown the view: each
//! of its timestamps is an entry, so that a client of before a restart can go
//! on from any of them. Rows of the past are not shown as if they were fresh.

use std::sync::Arc;
use std::time::Instant;

use log::info;

use super::Publisher;
use crate::model::delta::Delta;
use crate::model::position::Timestamp;
use crate::relay::log::shared_log::Log;
use crate::relay::publish::published_view::Keeping;
use crate::relay::publish::replay::Replay;

impl Publisher {
    /// The connection is another one, or its word does not count any more: that
    /// the next one tells the past is told then.
    pub(super) fn leave_past(&mut self) {
        if let Some(replay) = &mut self.replay {
            replay.leave();
        }
        self.replay.take_if(|replay| !replay.has_log());
    }

    /// What comes is of the past, unless the view is shown already.
    pub(super) fn expect_history(&mut self, until: Timestamp) {
        if self.held.is_none() || self.is_replaying() {
            self.replay = Some(Replay::new(until, self.replay.take()));
        }
    }

    /// Whether the view is held, and not shown yet.
    pub(super) fn is_replaying(&self) -> bool {
        self.replay.as_ref().is_some_and(Replay::has_log)
    }

    /// Whether what comes is of the past.
    pub(super) fn is_of_the_past(&self) -> bool {
        self.replay.is_some()
    }

    /// The first snapshot is of the past where this returns true: its log is
    /// kept back.
    pub(super) fn keep_back(&mut self, log: &Arc<Log>, at: Timestamp) -> bool {
        let replay = self.replay.as_mut();
        let is_past = replay.is_some_and(|replay| replay.keep_back(log, at));
        if !is_past {
            self.replay = None;
        }
        is_past
    }

    /// Appends a delta of the past, which is as old as it is.
    pub(super) fn record(&mut self, delta: Delta) {
        let replay = self.replay.as_ref();
        let age_ms = replay.map_or(0, |replay| replay.age_ms(delta.timestamp()));
        let keeping = self.keeping();
        let keeping = Keeping {
            now_ms: keeping.now_ms.saturating_sub(age_ms),
            ..keeping
        };
        let after = delta.timestamp().closed_below().unwrap_or(Timestamp::MIN);
        if let Some(held) = &mut self.held {
            held.publish(delta, after, keeping);
        }
    }

    /// Shows the view, if it is in the present by now.
    pub(super) fn come_forward(&mut self) {
        let (Some(replay), Some(held)) = (&mut self.replay, &self.held) else {
            return;
        };
        if replay.is_over(held.view.timestamp(), self.now.instant) {
            self.show();
        }
    }

    /// Shows the view, if it has not come forward for long.
    pub(super) fn settle_in_the_past(&mut self) {
        let now = self.now.instant;
        if self.settled_at().is_some_and(|at| at <= now) {
            self.come_forward();
        }
    }

    /// Shows the view.
    pub(super) fn show(&mut self) {
        let log = self.replay.take().and_then(Replay::into_log);
        let (Some(log), Some(held)) = (log, &self.held) else {
            return;
        };
        let (position, changed) = (held.position(), held.changed());
        info!(
            "view {:?}: {} rows at {position}, with changes since {}",
            self.shared.name,
            held.view.copies(),
            log.lock().retention.start()
        );
        self.show_log(log, changed);
    }

    /// When it is to be looked whether the view comes forward any more.
    pub(super) fn settled_at(&self) -> Option<Instant> {
        self.replay.as_ref().and_then(Replay::settled_at)
    }
}

#[cfg(test)]
mod tests;
