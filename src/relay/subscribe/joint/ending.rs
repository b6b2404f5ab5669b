//! When a stream of several views is to end.

use std::time::{Duration, Instant};

use super::Joint;
use super::part::Part;

impl Joint {
    /// Ends the stream after this time, between two events.
    pub fn end_after(&mut self, time: Duration, now: Instant) {
        // Further than the clock goes is never.
        self.expiry = now.checked_add(time);
    }

    /// Whether the time is over that the stream may last.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Whether it would end if it were asked for more.
    pub fn is_due(&self, now: Instant) -> bool {
        self.is_over
            || self.is_expired(now)
            || self
                .parts
                .iter()
                .any(|part| part.is_forgotten() || part.shared.ends(self.lot))
    }

    /// Ends the stream between two events as soon as it has said what there is
    /// now: its client has closed its side. It may still read, or have left.
    pub fn end_soon(&mut self) {
        self.is_last = true;
    }

    /// Whether the views stood at one time, or will not for now.
    pub(super) fn has_said_all(&self) -> bool {
        self.time.is_some() || self.is_silent || self.parts.iter().any(Part::is_loading)
    }
}
