//! What is known of the view's upstream, and the frames that tell it.

use std::time::Instant;

use log::{info, warn};

use super::Publisher;
use crate::model::event::TailEvent;
use crate::model::reason::{Cause, Why};
use crate::model::upstream::{Event, State, Told, Word};

impl Publisher {
    /// Something happened to the upstream: appends a frame if the streams are to
    /// be told.
    pub(super) fn stands(&mut self, event: Event) {
        let told = self.shared.happens(event, self.now);
        let upstream = self.shared.upstream();
        self.doubted = match upstream.state() {
            State::Doubted(_) => self.doubted.or(Some(self.now.instant)),
            _ => None,
        };
        let live = match told {
            Told::Lost => false,
            Told::Live => true,
            // `gone` itself appends the last frame of the log.
            Told::Nothing | Told::Gone(_) => return,
        };
        let name = &self.shared.name;
        match upstream.reason() {
            Some(reason) => warn!("view {name:?}: upstream lost: {reason}"),
            None => info!("view {name:?}: upstream {}", upstream.word().text()),
        }
        let keeping = self.keeping();
        if let Some(held) = &mut self.held {
            held.publish_upstream(live, keeping);
            self.last_frame = self.now.instant;
        }
    }

    /// The reason in a word, if an attempt to stream the view has failed by this, or
    /// a stream: what the log counts as one.
    pub(super) fn failure(&self, event: &TailEvent) -> Option<&'static str> {
        match event {
            TailEvent::Failed(reason) => Some(reason.cause.word()),
            // What is begun anew at once has not failed.
            TailEvent::Interrupted(reason) => {
                let has_failed = reason.cause != Cause::Changing;
                has_failed.then_some(reason.cause.word())
            }
            TailEvent::Gone(why) => {
                let has_failed = match why {
                    Why::Dropped | Why::Renamed | Why::Revoked | Why::TooLarge => true,
                    // Told of a view that is found again, too, and then once.
                    Why::ColumnsChanged => self.shared.upstream().is_gone(),
                    _ => false,
                };
                has_failed.then_some(why.word())
            }
            _ => None,
        }
    }

    /// The upstream has just told more, so the held rows are current, unless what
    /// was missed in an outage is still being gathered.
    pub(super) fn is_current(&mut self) {
        let is_held = self.held.is_some();
        let word = self.shared.upstream().word();
        let is_news = self.doubted.is_some() || word == Word::Complete;
        if is_held && word != Word::Lost && is_news {
            self.stands(Event::Current);
        }
    }

    /// Ends the log: the last frame says why.
    pub(super) fn gone(&mut self, why: Why) {
        self.settle(true);
        if self.shared.upstream().why_gone() != Some(why) {
            let name = &self.shared.name;
            warn!("view {name:?} is gone: {}", why.words());
        }
        let keeping = self.keeping();
        let held = self.held.take();
        (self.behind, self.replay) = (None, None);
        self.stands(Event::Gone(why));
        if let Some(held) = held {
            held.end(why.words(), keeping);
        }
        self.shared.replace_log(None);
        self.shared.update_status(|status| {
            status.position = None;
            status.changed = None;
            status.rows = 0;
            status.bytes = 0;
            status.index_bytes = 0;
        });
    }

    /// A doubt does not last: rows of long ago are not live.
    pub(super) fn end_doubt(&mut self) {
        let now = self.now.instant;
        if self.doubted_until().is_some_and(|until| until <= now) {
            self.settle(true);
            self.stands(Event::Overdue);
        }
    }

    /// When what is held counts as stale, if it is in doubt.
    pub(super) fn doubted_until(&self) -> Option<Instant> {
        self.doubted
            .map(|since| since + self.settings.upstream_timeout)
    }
}
