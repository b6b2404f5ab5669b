//! What the readers of one view hand on to each other.

use std::time::Instant;

use crate::limits::{GO_OVER_WAIT_MS_MAX, HISTORY_TRIES_MAX};
use crate::model::event::{Description, TailEvent};
use crate::model::position::{Position, Timestamp};

use super::assembler::{Assembler, Start};
use super::dialect::Dialect;
use super::error::TailError;
use super::inquiry::Verdict;
use super::outage::Outage;
use super::past::{Past, Reach};

/// How far a view's past was told.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What is told is of the past until this time has been reached.
    until: Option<Timestamp>,
    /// Streams of the past that began.
    tries: u32,
}

impl History {
    /// Whether a stream of the past may begin once more.
    pub fn is_worth_a_try(&self) -> bool {
        self.tries < HISTORY_TRIES_MAX
    }

    /// A stream of the past begins, with a snapshot or where the one before it
    /// broke; until when it is one. `present` is the upstream's time, if known.
    pub fn begin(&mut self, is_new: bool, present: Option<Timestamp>) -> Option<Timestamp> {
        self.tries = self.tries.saturating_add(u32::from(is_new));
        self.until = self.until.max(present);
        self.until
    }

    /// Whether what is told is of the past.
    pub fn is_read(&self) -> bool {
        self.until.is_some()
    }

    /// This time was told as closed.
    pub fn reach(&mut self, closed: Timestamp) {
        self.until = self.until.filter(|until| closed < *until);
    }

    /// What is told from now on is of the present.
    pub fn end(&mut self) {
        self.until = None;
    }
}

/// What the readers of one view hand on to each other.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What was found last; `None` before the first connection and once the
    /// view is gone.
    pub description: Option<Description>,
    /// Whether the view was ever found.
    pub was_found: bool,
    /// The last timestamp told as closed of that description's incarnation.
    pub closed: Option<Timestamp>,
    /// The first one that was told of the log that goes on with it.
    pub began: Option<Timestamp>,
    /// The messages of the current connection; `None` between connections.
    pub assembler: Option<Assembler>,
    /// What the current connection would have told, had it been certain of
    /// what the stream is; `None` once it is.
    pub withheld: Option<Vec<TailEvent>>,
    /// What the catalog has answered, asked whether the current stream is of
    /// the view; `None` until it has.
    pub verdict: Option<Verdict>,
    /// Counts the streams that began: what was asked before is of another one.
    pub streams: u64,
    /// What the server speaks, once known.
    pub dialect: Option<Dialect>,
    /// The current connection has told how the view stands.
    pub is_current: bool,
    /// How far that description's incarnation has come.
    pub reach: Reach,
    /// The same of incarnations before it, for when one of them is back.
    pub past: Past,
    /// What is told is of the past, perhaps.
    pub history: History,
    /// The next connection must start with a snapshot of the present, since
    /// what the publisher holds is in doubt, or the past cannot be read.
    pub must_snapshot: bool,
    /// The connection before this one ended as that of a constant view does.
    pub looked_constant: bool,
    /// Failures in a row.
    pub failures: u32,
    /// Times in a row that the view was too large.
    pub too_large: u32,
    /// What was logged since the last data.
    pub outage: Option<Outage>,
}

impl Held {
    /// Where the next connection starts.
    pub fn start(&self, dialect: Dialect) -> Start {
        match self.closed {
            Some(closed) if dialect.can_resume() && !self.must_snapshot => Start::Resume(closed),
            floor => Start::Snapshot {
                floor,
                reached: self.reach.clock.reached(),
            },
        }
    }

    /// Whether what was told goes on with another view that has the name now: with the
    /// same columns, and at a time that has come for this one. Servers that tell no
    /// progress leave open what that is.
    pub fn goes_on_with(&self, found: &Description, now: Instant) -> bool {
        let is_as_before = self.description.as_ref().is_some_and(|known| {
            known.is_steady && found.is_steady && known.has_same_columns(found)
        });
        let clock = &self.reach.clock;
        let latest = clock.now(now).max(clock.reached());
        // What is read anew is told when this time has come: that is waited for.
        let until = latest.map(|at| at.get().saturating_add(GO_OVER_WAIT_MS_MAX));
        let both = self.closed.zip(until);
        let has_come = both.is_some_and(|(closed, until)| closed.get() <= until);
        is_as_before && has_come && !self.history.is_read()
    }

    /// Whether the view never changes any more, but was told to be something else at
    /// times before.
    pub fn has_become_final(&self) -> bool {
        let end = Some(Timestamp::MAX);
        self.closed == end && self.began < end
    }

    /// Another view has the name, and what was told goes on with it: all of it is read,
    /// and then the difference is told.
    pub fn go_over(&mut self) {
        self.looked_constant = false;
        self.must_snapshot = true;
        self.put_aside();
    }

    /// The view is not there, or is another: what is known of it is put aside.
    pub fn put_aside(&mut self) {
        let reach = std::mem::take(&mut self.reach);
        if let Some(before) = self.description.take() {
            self.past.put(before.incarnation, reach);
        }
    }

    /// Whether this progress promises what is still to come.
    pub fn is_ahead(&self, progress: Timestamp, now: Instant) -> bool {
        self.reach.clock.is_ahead(progress, now)
    }

    /// Counts a failure of an outage, which it may begin, and logs it unless
    /// one of its kind was.
    pub fn note(&mut self, view: &str, error: &TailError, level: log::Level, now: Instant) {
        let reason = error.chain();
        let outage = self.outage.get_or_insert_with(|| Outage::new(now));
        outage.is_contradiction = error.is_bad_data();
        if outage.fail(&reason) {
            let position = self.position();
            let hint = error.hint().unwrap_or_default();
            log::log!(
                level,
                "view \"{view}\" at position {position}: {reason}. {hint}"
            );
        } else {
            log::debug!("view \"{view}\": {reason}");
        }
    }

    /// Logs an outage that lasts, at growing intervals, and forgets
    /// contradictions that have not come back.
    pub fn remind(&mut self, view: &str, now: Instant) {
        let outage = self.outage.take_if(|it| it.is_forgotten(now));
        if let Some(report) = outage.map(|it| it.report(now))
            && report.attempts > 1
        {
            log::info!(
                "view \"{view}\": no contradictions any more, failed attempts: {}",
                report.attempts
            );
        }
        let Some(report) = self.outage.as_mut().and_then(|it| it.remind(now)) else {
            return;
        };
        if self.outage.as_ref().is_some_and(|it| it.is_contradiction) {
            log::warn!(
                "view \"{view}\": contradictions again and again for {}, failed attempts: {}, the \
                 last one: {}",
                humantime::format_duration(report.length),
                report.attempts,
                report.last
            );
            return;
        }
        log::warn!(
            "view \"{view}\": no data for {}, failed attempts: {}, the last one: {}",
            humantime::format_duration(report.length),
            report.attempts,
            report.last
        );
    }

    /// Data came.
    pub fn recover(&mut self, view: &str, now: Instant) {
        let is_known = self.outage.as_mut().is_some_and(|it| it.recover(now));
        let outage = match &self.outage {
            Some(outage) if outage.is_contradiction => {
                Some(outage.report(now)).filter(|_| !is_known)
            }
            _ => self.outage.take().map(|it| it.report(now)),
        };
        if let Some(report) = outage {
            log::info!(
                "view \"{view}\": data again after {}, failed attempts: {}",
                humantime::format_duration(report.length),
                report.attempts
            );
        }
    }

    /// Where the view stands, for logs.
    pub fn position(&self) -> String {
        match (&self.description, self.closed) {
            (Some(description), Some(timestamp)) => Position {
                timestamp,
                incarnation: description.incarnation,
            }
            .to_string(),
            _ => "none".to_string(),
        }
    }
}
