//! A log that begins in the past.
//!
//! Where nothing is held, the snapshot is asked for of the earliest time that
//! the server can read within `--retention-age`. What has changed since follows
//! it, and clients of before a restart find their positions among that. It is
//! given up for a snapshot of the present as soon as the server has anything
//! against it: what is gained is a base that is not sent.

use std::time::{Duration, Instant};

use crate::model::event::TailEvent;
use crate::model::position::Timestamp;

use super::dialect::Dialect;
use super::error::TailError;
use super::names::Meaning;
use super::object::Object;
use super::view_tail::ViewTail;

/// So long before a time.
pub(super) fn before(time: Timestamp, by: Duration) -> Timestamp {
    let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp::new(time.get().saturating_sub(by_ms))
}

impl ViewTail {
    /// Whether the next stream is to begin in the past. Nobody was told
    /// anything, so there is nothing that the past could contradict: times of
    /// before the upstream's time went back, or rows that are in doubt.
    pub(super) fn begins_in_the_past(&self, dialect: Dialect, object: &Object) -> bool {
        let held = &self.held;
        let is_new = held.closed.is_none() && !held.must_snapshot && held.reach.is_untold();
        let is_wanted = !self.settings().history.is_zero() && dialect.can_resume();
        let has_past = object.meaning.as_ref().is_some_and(Meaning::has_past);
        is_new && is_wanted && has_past && held.history.is_worth_a_try()
    }

    /// A stream of the past begins, or goes on: tells until when it is one.
    /// `present` is the upstream's time, if it was told.
    pub(super) fn past_begins(&mut self, present: Option<Timestamp>, now: Instant) {
        let is_new = self.held.closed.is_none();
        let Some(until) = self.held.history.begin(is_new, present) else {
            return;
        };
        if let Some(present) = present {
            // The stream's own times say nothing of the present yet.
            self.held.reach.clock.set(present, now);
        }
        self.tell(TailEvent::History(until), now);
    }

    /// The server, or the publisher, has something against the past: the next
    /// stream is of the present. Whether this is so.
    pub(super) fn gives_up_history(&mut self, error: &TailError) -> bool {
        let held = &mut self.held;
        let is_read = held.history.is_read() && held.assembler.is_some();
        if !is_read || !is_against_it(error) {
            return false;
        }
        if let TailError::Resync { held: closed, .. } = error {
            // The publisher has not taken in all that was told as closed.
            held.closed = *closed;
        }
        if error.is_too_large() {
            held.closed = None;
        }
        held.must_snapshot = true;
        held.history.end();
        log::debug!("view \"{}\": no history: {}", self.name(), error.chain());
        true
    }
}

/// Whether an error may be of the past alone: all but what has nothing to do
/// with what was asked for.
fn is_against_it(error: &TailError) -> bool {
    match error {
        TailError::Stream(failure) | TailError::Refused(failure) => failure.is_of_the_question(),
        TailError::Ended | TailError::TooLarge => true,
        error => error.is_bad_data(),
    }
}
