//! How the view stands with its upstream, and what of that is told.

use std::time::Instant;

use actix::{AsyncContext, Context};
use log::{info, warn};

use super::Publisher;
use crate::limits::SNAPSHOT_BEHIND_MS_MAX;
use crate::model::position::Timestamp;
use crate::model::reason::Why;
use crate::model::upstream::{Event, State, Told, Word};

impl Publisher {
    /// Something happened: what the streams are to be told is appended.
    pub(super) fn stands(&mut self, event: Event) {
        let told = self.shared.happens(event, crate::process::now());
        let upstream = self.shared.upstream();
        self.doubted = match upstream.state() {
            State::Doubted(_) => self.doubted.or_else(|| Some(Instant::now())),
            _ => None,
        };
        let live = match told {
            Told::Lost => false,
            Told::Live => true,
            // Told by the end of the log, which `gone` sees to.
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
            self.last_frame = Instant::now();
        }
    }

    /// What is held is what the upstream has told right now, unless that is
    /// still being gathered.
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
        self.behind = None;
        if let Some(held) = &held
            && why == Why::TimeWentBack
        {
            // Positions already given out mean nothing here, and will look as
            // if they did once time has come so far again. Those of another
            // gateway may be a little ahead of ours.
            let stood = held.view.timestamp().get();
            let others = stood.saturating_add(SNAPSHOT_BEHIND_MS_MAX);
            self.distrusted = self.distrusted.max(Some(Timestamp::new(others)));
        }
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
        });
    }

    /// Sees to it that a doubt does not last: rows of long ago are not live.
    pub(super) fn set_doubt_timer(&mut self, context: &mut Context<Self>) {
        let patience = self.settings.upstream_timeout;
        let Some(since) = self.doubted.filter(|_| self.doubt_timer.is_none()) else {
            return;
        };
        let left = (since + patience).saturating_duration_since(Instant::now());
        let timer = context.run_later(left, move |publisher, context| {
            publisher.doubt_timer = None;
            let is_over = |since: Instant| since.elapsed() >= patience;
            if publisher.doubted.is_some_and(is_over) {
                publisher.settle(true);
                publisher.stands(Event::Overdue);
                publisher.shared.wake_relays();
            }
            publisher.set_doubt_timer(context);
        });
        self.doubt_timer = Some(timer);
    }
}
