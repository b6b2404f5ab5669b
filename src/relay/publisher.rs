//! One actor per view: holds the contents, and turns a tail's events into
//! frames in the shared log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use crossbeam_channel::{Receiver, TryRecvError};
use log::{error, info, warn};

use crate::limits::{BASE_SURPLUS_BYTES_MIN, PUBLISH_RUN_EVENTS, SNAPSHOT_BEHIND_MS_MAX};
use crate::model::delta::Delta;
use crate::model::event::{Description, TailEvent};
use crate::model::position::{Position, Timestamp};
use crate::model::retention::{Entry, RetentionLimits};
use crate::model::view::View;

use super::frame::{Base, Frame};
use super::relay::RelayAddr;
use super::shared::{Log, SharedView, Upstream, WakeFlag};

/// There are events in the channel, or a base is wanted, or it is time to
/// close: look at everything.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// A relay that wants to be woken.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attach(pub RelayAddr);

/// What a publisher is set up with.
pub struct Settings {
    /// Silence after which an empty delta is published.
    pub heartbeat: Duration,
    /// What is kept for resume.
    pub retention: RetentionLimits,
    /// Bytes of JSON the view may have.
    pub view_bytes_max: u64,
}

/// Asks the tail to start again from a snapshot, for the reason given.
pub type Resync = Box<dyn Fn(&str) + Send>;

/// Holds the view's contents and publishes their changes.
pub struct Publisher {
    shared: Arc<SharedView>,
    settings: Settings,
    events: Receiver<TailEvent>,
    /// Lowered before the channel is looked at.
    pending: Arc<WakeFlag>,
    resync: Resync,
    relays: Vec<RelayAddr>,
    described: Option<Description>,
    held: Option<Held>,
    /// A snapshot that does not reach what was already published.
    behind: Option<View>,
    /// An error was found: nothing counts until the next snapshot.
    out_of_step: bool,
    last_frame: Instant,
}

/// What moves a view forward.
enum Step<'a> {
    Delta(&'a Delta),
    Progress(Timestamp),
}

/// The contents and the log that goes with them.
struct Held {
    view: View,
    log: Arc<Log>,
    /// The id of the last frame that had one.
    sent: Timestamp,
    /// Bytes of frames since the cached base.
    surplus: u64,
}

impl Publisher {
    /// A publisher of the view, fed by the channel.
    pub fn new(
        shared: Arc<SharedView>,
        settings: Settings,
        events: Receiver<TailEvent>,
        pending: Arc<WakeFlag>,
        resync: Resync,
    ) -> Self {
        Publisher {
            shared,
            settings,
            events,
            pending,
            resync,
            relays: Vec::new(),
            described: None,
            held: None,
            behind: None,
            out_of_step: false,
            last_frame: Instant::now(),
        }
    }

    fn handle_event(&mut self, event: TailEvent) {
        match event {
            TailEvent::Described(description) => self.describe(description),
            TailEvent::Snapshot(view) => self.snapshot(view),
            TailEvent::Delta(delta) if !self.out_of_step => self.delta(delta),
            TailEvent::Progress(timestamp) if !self.out_of_step => self.progress(timestamp),
            TailEvent::Complete if !self.out_of_step => self.set_upstream(Upstream::Complete),
            TailEvent::Delta(_) | TailEvent::Progress(_) | TailEvent::Complete => {}
            TailEvent::Lost { reason } => {
                warn!("view {:?}: upstream lost: {reason}", self.shared.name);
                self.set_upstream(Upstream::Lost);
            }
            TailEvent::Gone { reason } => self.gone(&reason),
        }
    }

    fn describe(&mut self, description: Description) {
        let other = |known: &Description| known.incarnation != description.incarnation;
        if self.described.as_ref().is_some_and(other) && self.held.is_some() {
            self.gone("the view was created anew or its columns changed");
        }
        let columns = description.columns.clone();
        self.shared.update_status(|status| status.columns = columns);
        self.described = Some(description);
    }

    fn snapshot(&mut self, view: View) {
        self.out_of_step = false;
        self.behind = None;
        if let Some(bytes) = self.excess(&view) {
            return self.refuse(bytes);
        }
        let Some(held) = &self.held else {
            return self.begin(view);
        };
        let (from, to) = (held.view.timestamp(), view.timestamp());
        let reach = Timestamp::new(to.get().saturating_add(SNAPSHOT_BEHIND_MS_MAX));
        if reach < from {
            // Far back: positions already given out mean nothing here.
            self.gone("the upstream's time went back");
            return self.begin(view);
        }
        let delta = held.view.difference(&view);
        if to > from || (to == from && delta.is_empty()) {
            if let Some(held) = &mut self.held {
                held.view = view;
            }
            self.publish_changes(delta, from);
            return self.set_upstream(Upstream::Live);
        }
        if from == Timestamp::MAX {
            self.gone("the upstream's contents changed without its time");
            return self.begin(view);
        }
        // A little behind what was already published: kept aside and brought
        // forward by what follows, until it can be subtracted.
        self.behind = Some(view);
    }

    /// Brings a snapshot that is behind what was published forward; whether
    /// there was one, so that the event is used up.
    fn bring_forward(&mut self, step: Step<'_>) -> bool {
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
            Step::Progress(timestamp) => view.advance(timestamp),
        }
        if view.timestamp() > held.view.timestamp()
            && let Some(view) = self.behind.take()
        {
            self.snapshot(view);
        }
        true
    }

    /// The first snapshot of an incarnation.
    fn begin(&mut self, view: View) {
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
        info!(
            "view {:?}: {} rows at {position}",
            self.shared.name,
            view.copies()
        );
        let log = Arc::new(Log::new(position));
        self.shared.replace_log(Some(Arc::clone(&log)));
        self.held = Some(Held {
            sent: view.timestamp(),
            view,
            log,
            surplus: 0,
        });
        self.last_frame = Instant::now();
        self.shared.update_status(|status| {
            status.upstream = Upstream::Live;
            status.changed = Some(position);
        });
        self.report();
    }

    fn delta(&mut self, delta: Delta) {
        if self.bring_forward(Step::Delta(&delta)) {
            return;
        }
        let Some(held) = &mut self.held else {
            return self.fall_out_of_step("changes came before a snapshot");
        };
        if let Err(error) = held.view.apply(&delta) {
            return self.fall_out_of_step(&error.to_string());
        }
        if let Some(bytes) = self.excess_held() {
            return self.refuse(bytes);
        }
        // A tail's delta is of one timestamp: nothing changed before it.
        let after = delta.timestamp().closed_below().unwrap_or(Timestamp::MIN);
        self.publish_changes(delta, after);
        self.set_upstream(Upstream::Live);
    }

    fn progress(&mut self, timestamp: Timestamp) {
        if self.bring_forward(Step::Progress(timestamp)) {
            return;
        }
        let Some(held) = &mut self.held else { return };
        held.view.advance(timestamp);
        held.log.lock().retention.advance(held.view.timestamp());
        self.set_upstream(Upstream::Live);
        self.report();
    }

    /// An upstream that contradicts itself: what is held stays, and nothing
    /// counts until a snapshot has come, from which one delta corrects it.
    fn fall_out_of_step(&mut self, reason: &str) {
        let held = self.held.as_ref().map(|held| held.view.timestamp());
        error!(
            "view {:?} at {}: {reason}; starting again from a snapshot",
            self.shared.name,
            held.map_or_else(|| "no position".into(), |held| held.to_string()),
        );
        self.out_of_step = true;
        self.behind = None;
        (self.resync)(reason);
    }

    /// The bytes of JSON of a view that has too many.
    fn excess(&self, view: &View) -> Option<u64> {
        let bytes = view.bytes().saturating_add(view.copies());
        (bytes > self.settings.view_bytes_max).then_some(bytes)
    }

    fn excess_held(&self) -> Option<u64> {
        self.excess(&self.held.as_ref()?.view)
    }

    /// A view over the limit is not served, rather than take the process down.
    fn refuse(&mut self, bytes: u64) {
        error!(
            "view {:?} has {bytes} bytes of JSON, more than the {} allowed; it is not served",
            self.shared.name, self.settings.view_bytes_max
        );
        self.gone("the view is larger than this gateway serves");
        self.out_of_step = true;
        (self.resync)("the view is too large");
    }

    /// Appends a delta of changes in `(from, delta.timestamp()]`.
    fn publish_changes(&mut self, delta: Delta, from: Timestamp) {
        let Some(held) = &mut self.held else { return };
        held.view.advance(delta.timestamp());
        if delta.is_empty() {
            held.log.lock().retention.advance(held.view.timestamp());
            return self.report();
        }
        held.sent = delta.timestamp();
        let position = Position {
            timestamp: delta.timestamp(),
            incarnation: held.log.incarnation,
        };
        let frame = Frame::delta(delta, held.log.incarnation);
        held.surplus = held.surplus.saturating_add(frame.bytes_kept());
        self.shared
            .update_status(|status| status.changed = Some(position));
        self.push(frame, from);
        self.report();
    }

    /// Appends a frame; `after` is the time its changes are later than.
    fn push(&mut self, frame: Frame, after: Timestamp) {
        let now_ms = self.shared.now_ms();
        let Some(held) = &mut self.held else { return };
        let mut log = held.log.lock();
        let entry = Entry {
            after,
            timestamp: held.view.timestamp(),
            bytes: frame.bytes_kept(),
            at_ms: now_ms,
            frame: Arc::new(frame),
        };
        log.retention.push(entry);
        log.retention.prune(self.settings.retention, now_ms);
        // A base that the log no longer continues is of no use, and one that
        // is outgrown by what follows it costs joiners more than a new one.
        let outgrown = |base: &Arc<Base>| {
            let length = u64::try_from(base.bytes.len()).unwrap_or(u64::MAX);
            held.surplus > length.max(BASE_SURPLUS_BYTES_MIN)
                || base.position.timestamp < log.retention.start()
        };
        if log.base.as_ref().is_some_and(outgrown) {
            log.base = None;
        }
        drop(log);
        self.last_frame = Instant::now();
    }

    fn set_upstream(&mut self, upstream: Upstream) {
        let before = self.shared.status().upstream;
        if before == upstream {
            return;
        }
        let Some(held) = &self.held else {
            if upstream == Upstream::Lost && before == Upstream::Loading {
                return;
            }
            return self
                .shared
                .update_status(|status| status.upstream = upstream);
        };
        self.shared
            .update_status(|status| status.upstream = upstream);
        let live = upstream != Upstream::Lost;
        let timestamp = held.view.timestamp();
        let changed = {
            let mut log = held.log.lock();
            std::mem::replace(&mut log.live, live) != live
        };
        if changed {
            info!("view {:?}: upstream {}", self.shared.name, upstream.word());
            self.push(Frame::upstream(live), timestamp);
        }
    }

    /// Ends the log: the last frame says why.
    fn gone(&mut self, reason: &str) {
        warn!("view {:?} is gone: {reason}", self.shared.name);
        if let Some(held) = &self.held {
            let timestamp = held.view.timestamp();
            self.push(Frame::gone(reason), timestamp);
        }
        if let Some(held) = self.held.take() {
            held.log.lock().ended = true;
        }
        self.shared.replace_log(None);
        self.shared.update_status(|status| {
            status.upstream = Upstream::Gone;
            status.position = None;
            status.changed = None;
            status.rows = 0;
            status.bytes = 0;
        });
    }

    fn report(&mut self) {
        let Some(held) = &self.held else { return };
        let position = Position {
            timestamp: held.view.timestamp(),
            incarnation: held.log.incarnation,
        };
        let (rows, bytes) = (held.view.copies(), held.view.bytes());
        self.shared.update_status(|status| {
            status.rows = rows;
            status.bytes = bytes;
            status.position = Some(position);
        });
    }

    /// Encodes the base if a subscriber lacks one.
    fn provide_base(&mut self) {
        let Some(held) = &mut self.held else { return };
        if !self.shared.base_wanted.swap(false, Ordering::AcqRel) {
            return;
        }
        let stands_at = held
            .log
            .lock()
            .base
            .as_ref()
            .map(|base| base.position.timestamp);
        if stands_at == Some(held.view.timestamp()) {
            return;
        }
        let base = Arc::new(Base::encode(&held.view, held.log.incarnation));
        held.sent = held.sent.max(held.view.timestamp());
        held.surplus = 0;
        held.log.lock().base = Some(base);
    }

    /// An empty delta after silence: with the position if it has moved.
    fn beat(&mut self) {
        if self.last_frame.elapsed() < self.settings.heartbeat {
            return;
        }
        let now_ms = self.shared.now_ms();
        let limits = self.settings.retention;
        match &mut self.held {
            None => {
                self.shared.silences.fetch_add(1, Ordering::Relaxed);
                self.last_frame = Instant::now();
            }
            Some(held) => {
                held.log.lock().retention.prune(limits, now_ms);
                let timestamp = held.view.timestamp();
                let frame = if timestamp > held.sent {
                    held.sent = timestamp;
                    Frame::delta(Delta::new(timestamp, Vec::new()), held.log.incarnation)
                } else {
                    Frame::heartbeat_in_place(timestamp)
                };
                self.push(frame, timestamp);
            }
        }
        self.wake_relays();
    }

    fn wake_relays(&mut self) {
        self.relays.retain(RelayAddr::wake);
    }
}

impl Actor for Publisher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Four looks an interval: a heartbeat is late by a quarter at the most.
        context.run_interval(self.settings.heartbeat / 4, |publisher, _| publisher.beat());
    }
}

impl Handler<Wake> for Publisher {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        // Lowered before looking: what comes meanwhile wakes us again.
        self.pending.lower();
        let mut handled = 0;
        loop {
            match self.events.try_recv() {
                Ok(event) => self.handle_event(event),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            handled += 1;
            if handled >= PUBLISH_RUN_EVENTS {
                if self.pending.raise() {
                    context.notify(Wake);
                }
                break;
            }
        }
        self.provide_base();
        self.wake_relays();
    }
}

impl Handler<Attach> for Publisher {
    type Result = ();

    fn handle(&mut self, Attach(relay): Attach, _: &mut Self::Context) {
        relay.wake();
        self.relays.push(relay);
    }
}
