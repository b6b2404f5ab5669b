//! Holds a view's rows, and turns a tail's events into frames in the shared
//! log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{debug, error};

use crate::model::delta::Delta;
use crate::model::event::{Description, Heard, TailEvent};
use crate::model::now::Now;
use crate::model::position::Timestamp;
use crate::model::reason::{Cause, Why};
use crate::model::retention::RetentionLimits;
use crate::model::upstream::Event;
use crate::model::view::View;
use crate::relay::publish::published_view::{Keeping, PublishedView};
use crate::relay::publish::replay::Replay;
use crate::relay::shared_view::SharedView;

mod gathering;
mod history;
mod snapshots;
mod upstream;
mod windows;

/// What a publisher is set up with.
pub struct Settings {
    /// Silence after which an empty delta is published.
    pub heartbeat: Duration,
    /// The shortest time between two deltas with changes.
    pub min_interval: Duration,
    /// What is kept for resume.
    pub retention: RetentionLimits,
    /// Bytes of JSON the view may have.
    pub view_bytes_max: u64,
    /// How long the continuation of a stream that was interrupted may take
    /// before what is held counts as stale.
    pub upstream_timeout: Duration,
}

/// The tail is to start again from a snapshot, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// What it told makes no sense to who stands at this time.
    Inconsistent {
        /// In words, for the log.
        reason: String,
        /// Where the publisher stands.
        held: Option<Timestamp>,
    },
    /// The view is larger than it may be.
    TooLarge,
}

/// What moves a view forward.
enum Step<'a> {
    /// All changes of one timestamp.
    Delta(&'a Delta),
    /// Nothing changed up to here.
    Progress(Timestamp),
}

/// Holds the view's rows and publishes their changes.
pub struct Publisher {
    shared: Arc<SharedView>,
    settings: Settings,
    /// The moment at which it was called.
    now: Now,
    /// When the line came that it is called for.
    heard: Instant,
    /// What the tail is to be told when the call is over.
    again: Option<Again>,
    described: Option<Description>,
    held: Option<PublishedView>,
    /// A snapshot of a time before what was already published.
    behind: Option<View>,
    /// Positions of the incarnation up to here are not believed: they are from
    /// before time went back, or of final contents that have changed.
    distrusted: Option<Timestamp>,
    /// Where incarnations come from that no other log has.
    rng: fastrand::Rng,
    /// The upstream contradicted itself: events are ignored until a snapshot.
    out_of_step: bool,
    /// How the view comes from the past to the present, if it does.
    replay: Option<Replay>,
    /// Since when what is held is in doubt, if it is.
    doubted: Option<Instant>,
    last_frame: Instant,
}

impl Publisher {
    /// A publisher of the view, which nothing is known of yet.
    pub fn new(shared: Arc<SharedView>, settings: Settings, rng: fastrand::Rng, now: Now) -> Self {
        Publisher {
            shared,
            settings,
            now,
            heard: now.instant,
            again: None,
            described: None,
            held: None,
            behind: None,
            distrusted: None,
            rng,
            out_of_step: false,
            replay: None,
            doubted: None,
            last_frame: now.instant,
        }
    }

    /// Takes an event of the tail; what the tail is to be told, if anything.
    /// Behind one event or several comes a `look`.
    #[must_use = "the tail has to be told"]
    pub fn hear(&mut self, heard: Heard, now: Now) -> Option<Again> {
        (self.now, self.heard) = (now, heard.at);
        self.take(heard.event);
        self.again.take()
    }

    /// The same of an event that has just been told.
    #[must_use = "the tail has to be told"]
    pub fn handle(&mut self, event: TailEvent, now: Now) -> Option<Again> {
        let at = now.instant;
        self.hear(Heard { at, event }, now)
    }

    /// Does what is due: publishes what was held back, takes a base if one is
    /// wanted, breaks a silence. Then it wakes the threads that serve the view.
    pub fn look(&mut self, now: Now) {
        self.now = now;
        self.settle(false);
        self.settle_in_the_past();
        self.provide_bases();
        self.provide_windows();
        self.end_doubt();
        self.beat();
        self.shared.wake_relays();
    }

    /// When the next `look` is due, if nothing happens before.
    pub fn wake_at(&self) -> Option<Instant> {
        let gathered = self.gathered_until();
        // What was missed in an outage is gathered first: no heartbeat meanwhile.
        let held = self.held.as_ref();
        let is_beating = gathered.is_none() || held.is_some_and(PublishedView::is_held_back);
        let beat = is_beating.then(|| self.beat_at());
        let all = [gathered, beat, self.doubted_until(), self.settled_at()];
        all.into_iter().flatten().min()
    }

    fn take(&mut self, event: TailEvent) {
        if let Some(reason) = self.failure(&event) {
            self.shared.counters.count_failure(reason);
        }
        match event {
            TailEvent::Described(description) => self.describe(description),
            TailEvent::Moved(description) => self.go_over(description),
            TailEvent::History(until) => self.expect_history(until),
            TailEvent::Distrusted(until) => self.distrusted = self.distrusted.max(Some(until)),
            TailEvent::Snapshot(view) => self.snapshot(view),
            TailEvent::Delta(delta) if !self.out_of_step => self.delta(delta),
            TailEvent::Progress(timestamp) if !self.out_of_step => self.progress(timestamp),
            TailEvent::Complete if !self.out_of_step => self.complete(),
            TailEvent::Delta(_) | TailEvent::Progress(_) | TailEvent::Complete => {}
            TailEvent::Interrupted(reason) => {
                self.leave_past();
                self.stands(Event::Interrupted(reason));
            }
            TailEvent::Failed(reason) => {
                self.leave_past();
                self.settle(true);
                self.stands(Event::Failed(reason));
            }
            TailEvent::Gone(why) => self.gone(why),
        }
    }

    fn describe(&mut self, description: Description) {
        let other = |known: &Description| known.incarnation != description.incarnation;
        let is_other = self.described.as_ref().is_some_and(other);
        if is_other && self.held.is_some() {
            self.gone(Why::Recreated);
        }
        self.found(description, is_other);
    }

    /// The view was found, or another of its name.
    fn found(&mut self, description: Description, is_other: bool) {
        if is_other {
            // Which positions of this one are not to be believed is told next.
            self.distrusted = None;
        }
        self.leave_past();
        self.shared.counters.count_connection();
        self.shared.set_steady(description.is_steady);
        let columns = description.columns.clone();
        let sql = description.sql.as_deref().map(Arc::from);
        self.shared.update_status(|status| {
            status.columns = columns;
            status.sql = sql;
        });
        self.described = Some(description);
        self.stands(Event::Found);
    }

    fn delta(&mut self, delta: Delta) {
        if self.bring_forward(Step::Delta(&delta)) {
            return;
        }
        self.welcome_back();
        self.end_round(delta.timestamp());
        let (keeping, is_replaying) = (self.keeping(), self.is_replaying());
        let Some(held) = &mut self.held else {
            return self.fall_out_of_step("changes came before a snapshot");
        };
        if let Err(error) = held.view.apply(&delta) {
            return self.fall_out_of_step(&error.to_string());
        }
        // Before anything is encoded: every copy of a row is written out.
        let bytes = held.view.listed_bytes();
        if bytes > self.settings.view_bytes_max {
            return self.refuse(bytes);
        }
        if is_replaying {
            self.record(delta);
            return self.come_forward();
        }
        let is_published = held.follow(delta, keeping);
        self.note(is_published);
        self.is_current();
    }

    fn progress(&mut self, timestamp: Timestamp) {
        if self.bring_forward(Step::Progress(timestamp)) {
            return;
        }
        self.welcome_back();
        self.end_round(timestamp);
        if let Some(held) = &mut self.held {
            held.advance(timestamp);
        }
        if self.is_replaying() {
            return self.come_forward();
        }
        self.report();
        self.is_current();
    }

    /// An upstream that contradicts itself: what is held stays, and nothing
    /// counts until a snapshot has come, from which one delta corrects it.
    fn fall_out_of_step(&mut self, reason: &str) {
        let held = self.held.as_ref().map(|held| held.view.timestamp());
        // The tail says so, once for all that follow.
        debug!(
            "view {:?} at {}: {reason}; starting again from a snapshot",
            self.shared.name,
            held.map_or_else(|| "no position".into(), |held| held.to_string()),
        );
        self.out_of_step = true;
        self.behind = None;
        self.leave_past();
        self.stands(Event::Interrupted(Cause::BadData.into()));
        let reason = reason.to_owned();
        self.again = Some(Again::Inconsistent { reason, held });
    }

    /// A view over the limit is not served, rather than take the process down.
    fn refuse(&mut self, bytes: u64) {
        if self.is_of_the_past() {
            // Nobody was shown it, and it may be smaller by now.
            (self.held, self.replay) = (None, None);
            self.out_of_step = true;
            self.again = Some(Again::TooLarge);
            return;
        }
        if self.shared.upstream().why_gone() != Some(Why::TooLarge) {
            error!(
                "view {:?} has {bytes} bytes of JSON, more than the {} allowed; it is not served",
                self.shared.name, self.settings.view_bytes_max
            );
        }
        // What was gathered is part of what is too large.
        if let Some(held) = &mut self.held {
            held.forget_gathered();
        }
        self.gone(Why::TooLarge);
        self.out_of_step = true;
        self.again = Some(Again::TooLarge);
    }

    /// The clock and the limits for what is appended now.
    fn keeping(&self) -> Keeping {
        Keeping {
            now: self.now,
            heard: self.heard,
            now_ms: self.shared.now_ms(self.now.instant),
            limits: self.settings.retention,
            min_interval: self.settings.min_interval,
        }
    }

    /// Keeps the status after a change of the contents, published or not.
    fn note(&mut self, is_published: bool) {
        let held = self.held.as_ref();
        let is_shown = is_published && !self.is_replaying();
        let changed = held.filter(|_| is_shown).map(PublishedView::position);
        if changed.is_some() {
            self.shared.counters.count_delta();
            self.last_frame = self.now.instant;
            self.shared.update_status(|status| status.changed = changed);
        }
        self.report();
    }

    fn report(&mut self) {
        let is_shown = !self.is_replaying();
        let Some(held) = self.held.as_ref().filter(|_| is_shown) else {
            return;
        };
        let position = held.position();
        let (rows, bytes) = (held.view.copies(), held.view.bytes());
        let index_bytes = held.view.index_bytes();
        self.shared.update_status(|status| {
            status.rows = rows;
            status.bytes = bytes;
            status.index_bytes = index_bytes;
            status.position = Some(position);
        });
    }

    /// Takes a base if somebody lacks one.
    fn provide_bases(&mut self) {
        if self.held.is_none() || self.is_replaying() {
            return;
        }
        let is_base_wanted = self.shared.base_wanted.swap(false, Ordering::AcqRel);
        let is_latest_wanted = self.shared.latest_wanted.swap(false, Ordering::AcqRel);
        if !is_base_wanted && !is_latest_wanted {
            return;
        }
        // The log must reach the base, or nobody could continue from it.
        self.settle(true);
        let Some(held) = &mut self.held else { return };
        let before = held.bases_taken();
        if is_latest_wanted {
            held.provide_latest();
        }
        if is_base_wanted {
            held.provide_base();
        }
        let taken = held.bases_taken().saturating_sub(before);
        self.shared.counters.count_bases(taken);
    }

    /// Breaks a silence: with an empty delta, or a comment if there is no base.
    fn beat(&mut self) {
        if !self.is_silent() {
            return;
        }
        // While changes are gathered the view is ahead of the log: an empty delta
        // at the view's time would deny them. Changes that are held back for
        // `--min-interval` are published instead.
        if self.held.as_ref().is_some_and(PublishedView::is_held_back) {
            self.settle(true);
        }
        if !self.is_silent() || self.gathered_until().is_some() {
            return;
        }
        let (keeping, is_shown) = (self.keeping(), !self.is_replaying());
        match &mut self.held {
            Some(held) if is_shown => held.publish_heartbeat(keeping),
            _ => self.shared.count_silence(),
        }
        self.last_frame = self.now.instant;
    }

    fn is_silent(&self) -> bool {
        self.beat_at() <= self.now.instant
    }

    /// When the silence has lasted long enough.
    fn beat_at(&self) -> Instant {
        self.last_frame + self.settings.heartbeat
    }
}

#[cfg(test)]
mod tests;
