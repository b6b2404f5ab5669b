//! Changes that are not published at once: after an outage, and within the
//! shortest time between two deltas.

use std::time::Instant;

use super::Publisher;
use crate::model::position::Timestamp;
use crate::model::upstream::{Event, Word};
use crate::relay::publish::published_view::PublishedView;

impl Publisher {
    /// The first word after an outage: from now on changes are gathered, until
    /// the upstream has told what was missed.
    pub(super) fn welcome_back(&mut self) {
        if self.shared.upstream().word() == Word::Lost
            && let Some(held) = &mut self.held
        {
            held.gather(self.now.instant);
        }
    }

    /// Publishes what is held back, if what comes now is of another round.
    pub(super) fn end_round(&mut self, timestamp: Timestamp) {
        let interval = self.settings.min_interval;
        let is_over = |held: &PublishedView| held.is_round_over(timestamp, interval);
        if self.held.as_ref().is_some_and(is_over) {
            self.settle(true);
        }
    }

    /// Publishes what was gathered, if it is time.
    pub(super) fn settle(&mut self, at_once: bool) {
        let now = self.now.instant;
        let is_time = |due| at_once || due <= now;
        if !self.gathered_until().is_some_and(is_time) {
            return;
        }
        let keeping = self.keeping();
        let Some(held) = &mut self.held else { return };
        let is_published = held.settle(keeping);
        self.note(is_published);
        if self.shared.upstream().word() == Word::Lost {
            self.stands(Event::Current);
        }
    }

    /// When what is gathered is to be published, if anything is.
    pub(super) fn gathered_until(&self) -> Option<Instant> {
        self.held.as_ref().and_then(PublishedView::due)
    }
}
