//! What a publisher holds of a view: its rows, and the log that it appends to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits::{BASE_SURPLUS_BYTES_MIN, LONG_EVENT_BYTES, TERMS_MAX};
use crate::model::delta::Delta;
use crate::model::now::Now;
use crate::model::position::{Incarnation, Position, Timestamp};
use crate::model::retention::{Entry, RetentionLimits};
use crate::model::terms::Twice;
use crate::model::view::View;
use crate::relay::event::frame::{Frame, Kind};
use crate::relay::latency::Came;
use crate::relay::log::bases::Base;
use crate::relay::log::shared_log::{Log, LogState};
use crate::relay::log::window_request::WindowRequest;
use crate::relay::publish::conflation::Conflation;

/// The clock and the limits of the moment, for everything that is appended.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// The moment.
    pub now: Now,
    /// When the line came that it is appended for.
    pub heard: Instant,
    /// The same in milliseconds since the view was set up.
    pub now_ms: u64,
    /// What the log keeps.
    pub limits: RetentionLimits,
    /// The shortest time between two deltas with changes.
    pub min_interval: Duration,
}

/// The rows, and the log of their changes.
#[derive(Debug)]
pub struct PublishedView {
    /// The rows, at the last closed timestamp.
    pub view: View,
    log: Arc<Log>,
    /// The id of the last frame that had one.
    sent: Timestamp,
    /// When the last changes were that were published.
    changed_at: Timestamp,
    /// Bytes of frames since the current base.
    surplus: u64,
    /// Bytes of memory that views before this one had, or gave up.
    retired: u64,
    /// What is gathered: since the upstream is back after an outage, or since a
    /// change came too soon after the last delta.
    conflation: Option<Conflation>,
    /// When changes were published last.
    changed: Option<Instant>,
}

impl PublishedView {
    /// PublishedView that begin with a whole view, and a log that begins there.
    pub fn new(view: View, log: Arc<Log>) -> Self {
        PublishedView {
            sent: view.timestamp(),
            changed_at: view.timestamp(),
            view,
            log,
            surplus: 0,
            retired: 0,
            conflation: None,
            changed: None,
        }
    }

    /// Where they stand.
    pub fn position(&self) -> Position {
        self.at(self.view.timestamp())
    }

    /// Where they stood at the last changes that were published.
    pub fn changed(&self) -> Position {
        self.at(self.changed_at)
    }

    fn at(&self, timestamp: Timestamp) -> Position {
        let incarnation = self.log.lock().terms.at(timestamp);
        Position {
            timestamp,
            incarnation,
        }
    }

    /// Everything up to here is closed and nothing changed.
    pub fn advance(&mut self, timestamp: Timestamp) {
        self.view.advance(timestamp);
        // What is still gathered is not in the log, which may not say so.
        if self.conflation.is_none() {
            self.log.lock().retention.advance(self.view.timestamp());
        }
    }

    /// Of what they are, but for times that come twice.
    pub fn incarnation(&self) -> Incarnation {
        self.log.lock().terms.current()
    }

    /// Publishes the difference to another view, which takes the place of this one:
    /// changes in `(from, delta.timestamp()]` that the view already includes.
    pub fn turn(
        &mut self,
        (incarnation, twice): (Incarnation, Option<Twice>),
        delta: Delta,
        from: Timestamp,
        keeping: Keeping,
    ) -> bool {
        let to = Position {
            timestamp: delta.timestamp(),
            incarnation,
        };
        {
            // Until the log's head moves, what it is there is what it was.
            let mut log = self.log.lock();
            let until = log.retention.head();
            log.terms.turn(until, to, twice, TERMS_MAX);
        }
        self.log.shelf.close();
        self.publish(delta, from, keeping)
    }

    /// Publishes a delta of one timestamp that the view already includes,
    /// unless it is gathered with others; whether it was published.
    pub fn follow(&mut self, delta: Delta, keeping: Keeping) -> bool {
        let now = keeping.now.instant;
        // Of one timestamp, so nothing changed before it.
        let after = delta.timestamp().closed_below().unwrap_or(Timestamp::MIN);
        if self.conflation.is_none() {
            // After a quiet time the first change goes out at once.
            let due = self.changed.map(|changed| changed + keeping.min_interval);
            match due.filter(|due| now < *due) {
                Some(due) => self.conflation = Some(Conflation::until(after, due)),
                None => return self.publish(delta, after, keeping),
            }
        }
        if let Some(conflation) = &mut self.conflation {
            conflation.push(delta, now, keeping.heard);
        }
        false
    }

    /// When what is gathered is to be published, if anything is.
    pub fn due(&self) -> Option<Instant> {
        self.conflation.as_ref().map(Conflation::due)
    }

    /// Whether changes are held back, of an upstream that is there.
    pub fn is_held_back(&self) -> bool {
        self.conflation
            .as_ref()
            .is_some_and(Conflation::is_conflation)
    }

    /// Whether something is held back that this time must not be added to.
    pub fn is_round_over(&self, timestamp: Timestamp, interval: Duration) -> bool {
        let conflation = self.conflation.as_ref().filter(|it| it.is_conflation());
        conflation.is_some_and(|conflation| conflation.is_round_over(timestamp, interval))
    }

    /// The upstream is back: what it tells from now on is gathered.
    pub fn gather(&mut self, now: Instant) {
        let from = self.view.timestamp();
        self.conflation
            .get_or_insert_with(|| Conflation::new(from, now));
    }

    /// Forgets what was gathered.
    pub fn forget_gathered(&mut self) {
        self.conflation = None;
    }

    /// Publishes what was gathered; whether there were changes.
    pub fn settle(&mut self, keeping: Keeping) -> bool {
        let Some(conflation) = self.conflation.take() else {
            return false;
        };
        let heard = conflation.heard().unwrap_or(keeping.heard);
        let (delta, from) = conflation.finish();
        let is_published = self.publish(delta, from, Keeping { heard, ..keeping });
        self.advance(self.view.timestamp());
        is_published
    }

    /// Publishes changes in `(from, delta.timestamp()]` that the view already
    /// includes; whether there were any.
    ///
    /// Changes over several timestamps that cancel out are an entry of the log
    /// like others: what was there in between is not known, and who stands
    /// there, by the word of another gateway, must not go on from it.
    pub fn publish(&mut self, delta: Delta, from: Timestamp, keeping: Keeping) -> bool {
        let has_changes = !delta.is_empty();
        let nobody_between = Some(from) >= delta.timestamp().closed_below();
        if !has_changes && nobody_between {
            self.advance(delta.timestamp());
            return false;
        }
        // The log's head moves with the frame, under one lock: who resumed
        // between the two would be sent what it has.
        let at = delta.timestamp();
        self.view.advance(at);
        self.sent = at;
        if has_changes {
            self.changed = Some(keeping.now.instant);
            self.changed_at = at;
        }
        let mut frame = Frame::delta(delta, self.at(at).incarnation);
        frame.came = has_changes.then(|| Came::new(keeping.heard, at, keeping.now));
        // Here, where no stream waits for it.
        for shape in self.log.shapes.all() {
            frame.part(&shape, &self.log.layout);
        }
        self.surplus = self.surplus.saturating_add(frame.bytes_kept());
        self.push(frame, (from, at), keeping);
        has_changes
    }

    /// Publishes whether the upstream is live or lost.
    pub fn publish_upstream(&mut self, live: bool, keeping: Keeping) {
        let here = self.view.timestamp();
        self.push(Frame::upstream(live), (here, here), keeping);
    }

    /// Publishes that nothing changed: with the position if it has moved.
    pub fn publish_heartbeat(&mut self, keeping: Keeping) {
        let timestamp = self.view.timestamp();
        // One lock, so that nobody goes on from here between the look and the
        // frame: an id is never sent to who has it.
        let shared = Arc::clone(&self.log);
        let mut log = shared.lock();
        let frame = if timestamp > self.sent.max(log.resumed) {
            self.sent = timestamp;
            let of = log.terms.at(timestamp);
            Frame::delta(Delta::new(timestamp, Vec::new()), of)
        } else {
            Frame::heartbeat_in_place(timestamp)
        };
        self.push_into(&mut log, frame, (timestamp, timestamp), keeping);
    }

    /// Publishes the last frame of all.
    pub fn end(self, reason: &str, keeping: Keeping) {
        self.log.end(Frame::gone(reason), keeping.now_ms);
    }

    /// Appends a frame; its changes are later than one time and not later than
    /// the other.
    fn push(&mut self, frame: Frame, between: (Timestamp, Timestamp), keeping: Keeping) {
        let shared = Arc::clone(&self.log);
        self.push_into(&mut shared.lock(), frame, between, keeping);
    }

    fn push_into(
        &self,
        log: &mut LogState,
        frame: Frame,
        (after, timestamp): (Timestamp, Timestamp),
        keeping: Keeping,
    ) {
        // Given up meanwhile: nothing follows the last frame.
        if log.ended {
            return;
        }
        // One lock, so that nobody sees the one without the other: who begins
        // between the two would be told the same twice.
        if let Kind::Upstream { live } = frame.kind {
            log.live = live;
        }
        let is_alone = Some(after) >= timestamp.closed_below();
        if frame.changes().is_some_and(|delta| !delta.is_empty()) {
            log.bases.outdate();
        }
        log.retention.push(Entry {
            after,
            timestamp,
            has_changes: !is_alone || frame.changes().is_some_and(|it| !it.is_empty()),
            bytes: frame.bytes_kept(),
            at_ms: keeping.now_ms,
            frame: Arc::new(frame),
        });
        log.retention.prune(keeping.limits, keeping.now_ms);
        log.runs.forget_before(log.retention.first());
        log.long_backlogs.tidy(keeping.limits.bytes_max);
        log.bases.forget_before(log.retention.start());
        log.terms.forget_before(log.retention.start());
        // One that is outgrown by what follows it costs joiners more than a new
        // one.
        let is_outgrown = |base: &Arc<Base>| self.surplus > base.bytes.max(BASE_SURPLUS_BYTES_MIN);
        if log.bases.current().is_some_and(is_outgrown) {
            log.bases.drop_current();
        }
        self.tidy(log);
    }

    fn tidy(&self, log: &mut LogState) {
        let retired = self.retired.saturating_add(self.view.retired());
        log.bases.tidy(self.view.listed_bytes(), retired);
    }

    /// Puts another view in the place of this one.
    pub fn replace(&mut self, mut view: View) {
        view.index_like(&self.view);
        let old = std::mem::replace(&mut self.view, view);
        let held = old.retired().saturating_add(old.listed_bytes());
        self.retired = self.retired.saturating_add(held);
    }

    /// The rows as they are now, as a base.
    fn take_base(&self, of: Incarnation) -> Arc<Base> {
        let retired = self.retired.saturating_add(self.view.retired());
        Arc::new(Base::of(&self.view, of, retired))
    }

    /// The rows of a window as they are now; `None` where they are of another log.
    pub fn window_base(&mut self, request: &WindowRequest) -> Option<Arc<Base>> {
        if !Arc::ptr_eq(&request.log, &self.log) {
            return None;
        }
        let (window, layout) = (&request.window, &self.log.layout);
        // Where there is no room for one more index, another one may do.
        self.view.index(window.shape(), layout);
        let position = Position {
            timestamp: self.view.timestamp(),
            incarnation: window.incarnation(self.position().incarnation),
        };
        let pick = self.view.pick(window, LONG_EVENT_BYTES);
        let retired = self.retired.saturating_add(self.view.retired());
        let base = Arc::new(Base::of_window(pick, position, retired));
        if base.short.is_none() {
            let mut log = self.log.lock();
            log.bases.keep_of_window(Arc::clone(&base));
            self.tidy(&mut log);
        }
        Some(base)
    }

    /// Bases taken so far.
    pub fn bases_taken(&self) -> u64 {
        self.log.lock().bases.taken()
    }

    /// Sees to it that there is a base for who joins.
    pub fn provide_base(&mut self) {
        let shared = Arc::clone(&self.log);
        let mut log = shared.lock();
        let of = log.terms.at(self.view.timestamp());
        if let Some(base) = log.bases.provide_current(|| self.take_base(of)) {
            self.sent = self.sent.max(base.position.timestamp);
            self.surplus = 0;
            self.tidy(&mut log);
        }
    }

    /// Sees to it that there is a base of the rows as they are now.
    pub fn provide_latest(&mut self) {
        let shared = Arc::clone(&self.log);
        let mut log = shared.lock();
        let current = log.bases.current();
        let is_current = current.is_some_and(|base| base.position.timestamp >= self.changed_at);
        let of = log.terms.at(self.view.timestamp());
        log.bases.provide_latest(is_current, || self.take_base(of));
        self.tidy(&mut log);
    }
}
