//! Whole views: the first of an incarnation, and those that come later and
//! are shown as a difference.

use std::sync::Arc;

use log::{error, info};

use crate::model::delta::Delta;
use crate::model::event::Description;
use crate::model::position::{Incarnation, Position, Timestamp};
use crate::model::reason::Why;
use crate::model::terms::Twice;
use crate::model::upstream::Event;
use crate::model::view::View;
use crate::model::window::Layout;

use super::{Publisher, Step};
use crate::relay::log::shared_log::Log;
use crate::relay::publish::published_view::PublishedView;

impl Publisher {
    pub(super) fn snapshot(&mut self, view: View) {
        self.out_of_step = false;
        self.behind = None;
        if view.listed_bytes() > self.settings.view_bytes_max {
            return self.refuse(view.listed_bytes());
        }
        let Some(held) = &self.held else {
            return self.begin(view);
        };
        let (from, to) = (held.view.timestamp(), view.timestamp());
        self.settle(true);
        let Some(held) = &self.held else { return };
        let delta = held.view.difference(&view);
        if to > from || (to == from && delta.is_empty()) {
            if let Some(held) = &mut self.held {
                held.replace(view);
            }
            self.publish_difference(delta, from);
            return match self.is_replaying() {
                true => self.come_forward(),
                false => self.stands(Event::Current),
            };
        }
        if from == Timestamp::MAX {
            // Positions at the end of time are of what it was, and would look good
            // as soon as it is final again.
            self.distrusted = Some(Timestamp::MAX);
            self.gone(Why::FinalChanged);
            return self.begin(view);
        }
        // Of a time before what was published already, as after a restart of the
        // server: kept aside, and brought forward by the events that follow until
        // the held view can be subtracted from it.
        self.behind = Some(view);
    }

    /// The name means another view, whose rows follow.
    pub(super) fn go_over(&mut self, description: Description) {
        match self.is_replaying() {
            // Nobody was shown it.
            true => self.describe(description),
            false => self.found(description, true),
        }
    }

    /// Publishes how a snapshot differs from what was held before, which may have been
    /// another view.
    fn publish_difference(&mut self, delta: Delta, from: Timestamp) {
        let keeping = self.keeping();
        let held = self.held.as_ref().map(PublishedView::incarnation);
        let of = self.described.as_ref().map(|it| it.incarnation);
        let other = of.filter(|_| of != held);
        let to = other.map(|of| (of, self.twice()));
        let Some(held) = &mut self.held else { return };
        let is_published = match to {
            None => held.publish(delta, from, keeping),
            Some(to) => {
                let name = &self.shared.name;
                let changes = delta.changes().len();
                info!("view {name:?} is another one now, by {changes} changes");
                held.turn(to, delta, from, keeping)
            }
        };
        self.note(is_published);
    }

    /// What was told is final, and the same at all times to come.
    pub(super) fn complete(&mut self) {
        if let (Some(mut view), Some(held)) = (self.behind.take(), &self.held) {
            view.advance(held.view.timestamp().next());
            self.snapshot(view);
        }
        self.settle(true);
        self.show();
        self.stands(Event::Final);
    }

    /// Applies an event to a snapshot that is behind what was published. Returns
    /// whether there is one: then the event is not for the held view.
    pub(super) fn bring_forward(&mut self, step: Step<'_>) -> bool {
        let (Some(view), Some(held)) = (&mut self.behind, &self.held) else {
            return false;
        };
        match step {
            Step::Delta(delta) => {
                if let Err(error) = view.apply(delta) {
                    let reason = error.to_string();
                    self.fall_out_of_step(&reason);
                    return true;
                }
            }
            // Only as far as it takes to pass the held view: the difference between
            // the two is published at this time, and progress may be far ahead.
            Step::Progress(timestamp) => view.advance(timestamp.min(held.view.timestamp().next())),
        }
        if view.timestamp() >= held.view.timestamp()
            && let Some(view) = self.behind.take()
        {
            let reached = view.timestamp();
            self.snapshot(view);
            if let Step::Progress(timestamp) = step
                && timestamp > reached
                && self.behind.is_none()
                && !self.out_of_step
            {
                self.progress(timestamp);
            }
        }
        true
    }

    /// Which times come twice in what begins now. No other log has its incarnation.
    fn twice(&mut self) -> Option<Twice> {
        let until = self.distrusted?;
        let own = Incarnation::of([self.rng.u64(..).to_string().as_str()]);
        Some(Twice { until, own })
    }

    /// The first snapshot of an incarnation.
    fn begin(&mut self, view: View) {
        let twice = self.twice();
        let Some(description) = &self.described else {
            error!(
                "view {:?}: a snapshot came without a description",
                self.shared.name
            );
            return;
        };
        let position = Position {
            timestamp: view.timestamp(),
            incarnation: description.incarnation,
        };
        let log = Arc::new(Log::new(
            position,
            twice,
            Arc::new(Layout::new(&description.columns)),
            self.settings.heartbeat,
            Arc::clone(&self.shared.jobs),
        ));
        let (is_past, rows) = (self.keep_back(&log, position.timestamp), view.copies());
        self.held = Some(PublishedView::new(view, Arc::clone(&log)));
        if is_past {
            return self.come_forward();
        }
        info!("view {:?}: {rows} rows at {position}", self.shared.name);
        self.show_log(log, position);
    }

    /// From now on everybody is shown the view by this log.
    pub(super) fn show_log(&mut self, log: Arc<Log>, changed: Position) {
        self.shared.replace_log(Some(log));
        self.last_frame = self.now.instant;
        self.shared
            .update_status(|status| status.changed = Some(changed));
        self.report();
        self.stands(Event::Current);
    }
}
