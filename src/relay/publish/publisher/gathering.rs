//! Changes that are not published at once: after an outage, and within the
//! shortest time between two deltas.

use std::time::Instant;

use actix::{AsyncContext, Context, Handler};

use super::{Publisher, Wake};
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
            self.settle_in = Some(held.gather());
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
        if self.settle_in.is_none() {
            return;
        }
        let keeping = self.keeping();
        let Some(held) = &mut self.held else { return };
        let wait = held.gather();
        if !at_once && !wait.is_zero() {
            self.settle_in = Some(wait);
            return;
        }
        self.settle_in = None;
        let is_published = held.settle(keeping);
        self.note(is_published);
        if self.shared.upstream().word() == Word::Lost {
            self.stands(Event::Current);
        }
    }

    /// Sees to it that what is gathered is looked at when it is time.
    pub(super) fn set_timer(&mut self, context: &mut Context<Self>) {
        let Some(wait) = self.settle_in else { return };
        let due = Instant::now() + wait;
        if self.timer.as_ref().is_some_and(|(_, at)| *at <= due) {
            return;
        }
        if let Some((later, _)) = self.timer.take() {
            context.cancel_future(later);
        }
        let timer = context.run_later(wait, |publisher, context| {
            publisher.timer = None;
            publisher.handle(Wake, context);
        });
        self.timer = Some((timer, due));
    }
}
