//! The cohorts that one view of a thread belongs to, and the round through their
//! sockets that is part of the view's.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Instant;

use crate::relay::thread::cohort::Cohort;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::pulse::Pulse;
use crate::relay::thread::round::WriteNews;

/// A cohort, and where the view stands in it.
struct Entry {
    cohort: Weak<Cohort>,
    view: usize,
    /// Its sockets are to be written to in the next round.
    is_due: bool,
    /// The next socket in this round, as long as there is one.
    at: Option<usize>,
    /// They were written to in this round.
    is_written: bool,
}

/// The cohorts of a view.
#[derive(Default)]
pub(super) struct Cohorts(Vec<Entry>);

impl Cohorts {
    /// The one that this is true of, if the view is the first in it.
    pub(super) fn find(&self, is_it: impl Fn(&Cohort) -> bool) -> Option<Rc<Cohort>> {
        let first = self.0.iter().filter(|entry| entry.view == 0);
        let mut cohorts = first.filter_map(|entry| entry.cohort.upgrade());
        cohorts.find(|cohort| is_it(cohort))
    }

    /// The view is at this place in a cohort.
    pub(super) fn enter(&mut self, cohort: &Rc<Cohort>, view: usize) {
        self.0.retain(|entry| entry.cohort.strong_count() > 0);
        self.0.push(Entry {
            cohort: Rc::downgrade(cohort),
            view,
            is_due: false,
            at: None,
            is_written: false,
        });
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The view has news and is known so, in this log.
    pub(super) fn hear(&mut self, pulse: Pulse, log: Option<&Rc<RefCell<LocalLog>>>) {
        self.0.retain_mut(|entry| {
            let Some(cohort) = entry.cohort.upgrade() else {
                return false;
            };
            entry.is_due |= cohort.is_news(entry.view, pulse, log);
            true
        });
    }

    /// The view's next round begins.
    pub(super) fn begin_round(&mut self) {
        for entry in &mut self.0 {
            if std::mem::take(&mut entry.is_due) {
                (entry.at, entry.is_written) = (Some(0), true);
            }
        }
    }

    /// Whether sockets are left in this round.
    pub(super) fn is_in_round(&self) -> bool {
        self.0.iter().any(|entry| entry.at.is_some())
    }

    /// The next sockets of the round, as many as there is room for.
    pub(super) fn next_outlets(&mut self, room: usize, outlets: &mut Vec<Weak<dyn WriteNews>>) {
        let full = outlets.len().saturating_add(room);
        for entry in &mut self.0 {
            if let Some(at) = entry.at {
                let cohort = entry.cohort.upgrade();
                entry.at = cohort.and_then(|cohort| cohort.outlets(at, full, outlets));
            }
        }
    }

    /// The view's round is over.
    pub(super) fn end_round(&mut self, now: Instant) {
        for entry in &mut self.0 {
            if std::mem::take(&mut entry.is_written)
                && let Some(cohort) = entry.cohort.upgrade()
            {
                cohort.end_round(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::Timestamp;
    use crate::relay::thread::pulse::Turn;

    #[test]
    fn cohorts_without_streams_are_let_go_at_the_next_news() {
        let turn = Turn {
            logs: 0,
            word: None,
            terms: 0,
            is_final: false,
            is_steady: true,
            ending: 0,
            recalls: 0,
            is_given_up: false,
        };
        let head = Timestamp::MIN;
        let mut cohorts = Cohorts::default();
        let kept = Cohort::new(Vec::new());
        cohorts.enter(&kept, 0);
        let gone = Cohort::new(Vec::new());
        cohorts.enter(&gone, 0);
        drop(gone);
        cohorts.hear(Pulse { head, turn }, None);
        assert_eq!(cohorts.0.len(), 1);
        drop(kept);
        cohorts.hear(Pulse { head, turn }, None);
        assert!(cohorts.is_empty());
    }
}
