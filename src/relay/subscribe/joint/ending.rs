//! When a stream of several views is to end, or one view of it has.

use std::sync::Arc;
use std::time::Instant;

use super::part::Part;
use super::part::reach::Reach;
use super::{Joint, Step};
use crate::limits::RETRY_MS;
use crate::relay::counters::End;
use crate::relay::event::notices::{REASON_BACK, REASON_CLOSING, retry};
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::expiry::{Expiry, Lease};

impl Joint {
    /// Ends the stream with this lease, between two events.
    pub fn end_with(&mut self, lease: Arc<Lease>) {
        let recalls = self.recalls();
        self.expiry = Expiry::of(lease, recalls);
    }

    /// How often leases of its views' streams were recalled.
    fn recalls(&self) -> u32 {
        if let Some(cohort) = &self.cohort {
            return cohort.recalls();
        }
        let recalls = self.parts.iter().map(|part| part.shared.recalls());
        recalls.fold(0, u32::wrapping_add)
    }

    /// Whether the time is over that the stream may last.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expiry.is_over(now, || self.recalls())
    }

    /// Whether it would end if it were asked for more.
    pub fn is_due(&self, now: Instant) -> bool {
        self.is_over
            || self.is_expired(now)
            || self.is_forgotten()
            || self.parts.iter().all(|part| part.shared.ends(self.lot))
            || self.is_closing()
    }

    /// Whether a view that is still there ends its streams.
    fn is_closing(&self) -> bool {
        let ends = |part: &Part| part.shared.ends(self.lot) && !part.is_given_up(self.lot);
        self.parts.iter().any(ends)
    }

    /// Has the stream end when this says that another view is served under the
    /// name of one that was given up: who comes back is served it.
    pub fn return_when(&mut self, is_served_again: impl Fn(&SharedView) -> bool + 'static) {
        self.is_served_again = Some(Box::new(is_served_again));
    }

    /// Tells of views that were given up, and goes on without them; ends the
    /// stream where none is left, or all are to end. `None` if nothing is to be
    /// told.
    pub(super) fn leave_what_ends(&mut self, now: Instant) -> Option<Step> {
        if !self.parts.iter().any(|part| part.shared.ends(self.lot)) {
            return None;
        }
        if self.is_closing() {
            // Another gateway may answer whoever comes back, but not all of
            // them at once.
            self.say_farewell(REASON_CLOSING);
            return Some(Step::End(End::Shutdown));
        }
        let (mut is_told, mut is_any_left, mut is_back) = (false, false, false);
        let is_look_due = self.look_at <= now;
        for part in &mut self.parts {
            if !part.is_given_up(self.lot) {
                is_any_left = true;
                continue;
            }
            is_told |= part.give_up(&mut self.out);
            if is_look_due && let Some(is_served_again) = &self.is_served_again {
                is_back |= is_served_again(&part.shared);
            }
        }
        if is_look_due {
            self.look_at = now + self.heartbeat;
        }
        if !is_any_left {
            let retry_ms = self.rng.u64(RETRY_MS);
            self.own(&retry(retry_ms));
            return Some(Step::End(End::Gone));
        }
        if is_back {
            self.say_farewell(REASON_BACK);
            return Some(Step::End(End::Gone));
        }
        self.is_owed |= is_told;
        is_told.then_some(Step::More)
    }

    /// Ends the stream between two events as soon as it has said what there is
    /// now: its client has closed its side. It may still read, or have left.
    pub fn end_soon(&mut self) {
        self.is_last = true;
    }

    /// Lets the rest of a log be sent that has ended before any time that the views
    /// can have in common: the others are beyond its end already, so nothing
    /// that they wait for would bring it there. Nor would an idle view of an old
    /// server, of which nothing is told.
    pub(super) fn let_one_leave(&mut self, now: Instant) -> Step {
        let quiet_at = |part: &Part| part.quiet_at(self.held_since?);
        // A constant view stands at any time.
        let moving = self.parts.iter().filter_map(|part| match part.reach()? {
            Reach::Constant(_) => None,
            Reach::Closed(_) if quiet_at(part).is_some_and(|at| at <= now) => None,
            reach => Some(reach.head()),
        });
        let Some(earliest) = moving.min() else {
            return Step::Wait;
        };
        let is_it = |part: &&mut Part| part.ended_at() == Some(earliest);
        match self.parts.iter_mut().find(is_it) {
            Some(part) if !part.is_leaving => {
                part.is_leaving = true;
                Step::More
            }
            _ => Step::Wait,
        }
    }

    /// Whether the views stood at one time, or will not for now: one is not known yet,
    /// or all are gone.
    pub(super) fn has_said_all(&self, now: Instant) -> bool {
        let is_loading = |part: &Part| part.is_loading(now);
        let will_not = self.parts.iter().any(is_loading) || self.parts.iter().all(Part::is_absent);
        self.time.is_some() || self.is_silent || will_not
    }
}
