//! What a view's publisher, its relays and the HTTP side have in common.
//!
//! Everything here is short-lived locking of small things: pointers are copied
//! out and the lock is dropped before any byte is encoded or written.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits::RETENTION_AGE_MAX;
use crate::model::now::Now;
use crate::model::position::Position;
use crate::model::reason::Why;
use crate::model::row::Column;
use crate::model::upstream::{Event, Told, Upstream};
use crate::relay::counters::{StreamCounters, StreamTotals, ViewCounters};
use crate::relay::event::frame::Frame;
use crate::relay::log::jobs::Jobs;
use crate::relay::log::shared_log::Log;
use crate::relay::log::window_request::WindowRequests;

/// A poisoned lock only says that a thread panicked elsewhere; every state in
/// this module is valid between any two statements, so it can be used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `/views` tells of a view.
#[derive(Clone, Debug)]
pub struct Status {
    /// The columns in order; empty until the view was described.
    pub columns: Vec<Column>,
    /// The SQL that the view is computed by, if the operator shows it.
    pub sql: Option<Arc<str>>,
    /// Rows, copies counted.
    pub rows: u64,
    /// Bytes of the rows' JSON.
    pub bytes: u64,
    /// Where it stands; `None` until there is a base.
    pub position: Option<Position>,
    /// The position of the last change, for `If-None-Match`.
    pub changed: Option<Position>,
    /// Bytes of the indexes that find windows' rows.
    pub index_bytes: u64,
    /// What is known of its upstream.
    pub upstream: Upstream,
}

/// Has a thread look after its copy of the view; whether it is still there.
///
/// It is called under a lock: it sends a message or sets a flag, and does not
/// call back.
pub type Wake = Box<dyn Fn() -> bool + Send>;

/// What there is one of for each view in the process.
pub struct SharedView {
    /// The name given by the operator, and the path of its streams.
    pub name: String,
    /// The current log; `None` until there is a base.
    log: Mutex<Option<Arc<Log>>>,
    status: Mutex<Status>,
    /// Whether the upstream tells how far it is also when nothing changes.
    is_steady: AtomicBool,
    /// Set by a subscriber that lacks a base, cleared by the publisher.
    pub base_wanted: AtomicBool,
    /// The same of who asks for the rows as they are now.
    pub latest_wanted: AtomicBool,
    /// Windows whose rows somebody waits for.
    pub windows_wanted: WindowRequests,
    /// Windows that are open, on all threads together.
    windows: AtomicUsize,
    /// Set once, at its end: no stream begins any more.
    closing: AtomicBool,
    /// Of a thousand streams, those that are to end; grows during a shutdown.
    ending: AtomicU16,
    /// How often leases of its streams were recalled.
    recalls: AtomicU32,
    /// Who is woken at news. Here and not with the publisher, so that whoever
    /// ends the view can wake them, whether or not the publisher still runs.
    relays: Mutex<Vec<Wake>>,
    /// Streams that are being served.
    subscribers: AtomicUsize,
    /// Silent intervals, for streams without a base.
    silences: AtomicU64,
    /// What the publisher counts.
    pub counters: ViewCounters,
    /// What the workers count, one entry each.
    stream_counters: Mutex<Vec<Arc<StreamCounters>>>,
    /// Who does what would keep a thread from its streams.
    pub jobs: Arc<dyn Jobs>,
    started: Instant,
}

impl fmt::Debug for SharedView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SharedView")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What streams draw their lot from: who ends when at a shutdown.
pub const LOTS: std::ops::Range<u16> = 0..1_000;

impl SharedView {
    /// A view nothing is known of yet.
    pub fn new(name: String, jobs: Arc<dyn Jobs>, now: Now) -> Self {
        SharedView {
            name,
            log: Mutex::new(None),
            status: Mutex::new(Status {
                columns: Vec::new(),
                sql: None,
                rows: 0,
                bytes: 0,
                position: None,
                changed: None,
                index_bytes: 0,
                upstream: Upstream::new(now.wall_ms),
            }),
            is_steady: AtomicBool::new(true),
            base_wanted: AtomicBool::new(false),
            latest_wanted: AtomicBool::new(false),
            windows_wanted: WindowRequests::default(),
            windows: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            ending: AtomicU16::new(0),
            recalls: AtomicU32::new(0),
            relays: Mutex::default(),
            subscribers: AtomicUsize::new(0),
            silences: AtomicU64::new(0),
            counters: ViewCounters::default(),
            stream_counters: Mutex::default(),
            jobs,
            started: now.instant,
        }
    }

    /// The current log, if there is one.
    pub fn log(&self) -> Option<Arc<Log>> {
        lock(&self.log).clone()
    }

    /// Puts another log in place of the current one, or none. One that is
    /// given up keeps none.
    pub fn replace_log(&self, log: Option<Arc<Log>>) {
        let mut current = lock(&self.log);
        *current = log.filter(|_| !self.upstream().is_given_up());
    }

    /// The view is not served any more: its streams are told so and end, whether
    /// its publisher still runs or not.
    pub fn give_up(&self, why: Why, now: Now) {
        // Held to the end, so that no other log takes its place meanwhile.
        let mut current = lock(&self.log);
        if let Told::Gone(why) = self.happens(Event::GivenUp(why), now)
            && let Some(log) = current.take()
        {
            log.end(Frame::gone(why.words()), self.now_ms(now.instant));
        }
        drop(current);
        self.close(LOTS.end);
        // There is no news after that: a thread has no reason to hold the view.
        for wake in lock(&self.relays).drain(..) {
            wake();
        }
    }

    /// A copy of the status.
    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// What is known of its upstream.
    pub fn upstream(&self) -> Upstream {
        lock(&self.status).upstream.clone()
    }

    /// Something happened to it; what those who hold the view are to be told.
    #[must_use = "it has to be told"]
    pub fn happens(&self, event: Event, now: Now) -> Told {
        lock(&self.status).upstream.handle(event, now.wall_ms)
    }

    /// Whether the upstream tells how far it is also when nothing changes.
    pub fn is_steady(&self) -> bool {
        self.is_steady.load(Ordering::Acquire)
    }

    /// The upstream was found to be so.
    pub fn set_steady(&self, is_steady: bool) {
        self.is_steady.store(is_steady, Ordering::Release);
    }

    /// Changes the status, but for what is known of the upstream, which changes
    /// by events.
    pub fn update_status(&self, change: impl FnOnce(&mut Status)) {
        change(&mut lock(&self.status));
    }

    /// No stream begins any more, and this many of a thousand end at the end of
    /// the frame they are sending; those of an earlier call stay ended.
    pub fn close(&self, per_mille: u16) {
        self.closing.store(true, Ordering::Release);
        self.ending.fetch_max(per_mille, Ordering::AcqRel);
        self.wake_relays();
    }

    /// Why the view is not served any more, if it was given up: fit for
    /// browsers.
    pub fn given_up(&self) -> Option<&'static str> {
        let upstream = self.upstream();
        let why = upstream.why_gone().filter(|_| upstream.is_given_up());
        why.map(Why::words)
    }

    /// From now on this thread is woken at news, for the first time at once.
    pub fn attach(&self, wake: Wake) {
        wake();
        let mut relays = lock(&self.relays);
        // Else it was told all there is to tell.
        if !self.upstream().is_given_up() {
            relays.push(wake);
        }
    }

    /// There is news: for each thread that is left.
    pub fn wake_relays(&self) {
        lock(&self.relays).retain(|wake| wake());
    }

    /// Whether `close` was called.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Whether the stream with this lot, drawn from `LOTS`, is to end.
    pub fn ends(&self, lot: u16) -> bool {
        lot < self.ending()
    }

    /// Of a thousand streams, those that are to end; it only grows.
    pub fn ending(&self) -> u16 {
        self.ending.load(Ordering::Acquire)
    }

    /// Leases were recalled, perhaps of streams of the view: each looks at its own.
    pub fn recall(&self) {
        self.recalls.fetch_add(1, Ordering::AcqRel);
        self.wake_relays();
    }

    /// How often that was so.
    pub fn recalls(&self) -> u32 {
        self.recalls.load(Ordering::Acquire)
    }

    /// A worker's counters, which from now on are part of `stream_totals`.
    pub fn new_counters(&self) -> Arc<StreamCounters> {
        let counters = Arc::new(StreamCounters::default());
        lock(&self.stream_counters).push(Arc::clone(&counters));
        counters
    }

    /// What was counted of the view's streams, by all workers.
    pub fn stream_totals(&self) -> StreamTotals {
        let mut totals = StreamTotals::default();
        for counters in lock(&self.stream_counters).iter() {
            totals.add(counters);
        }
        totals
    }

    /// Silent intervals without a base so far.
    pub fn silences(&self) -> u64 {
        self.silences.load(Ordering::Relaxed)
    }

    /// One silent interval more.
    pub fn count_silence(&self) {
        self.silences.fetch_add(1, Ordering::Relaxed);
    }

    /// Streams that are being served.
    pub fn subscriber_count(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }

    /// One stream more.
    pub fn subscribe(&self) {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
    }

    /// One stream less.
    pub fn unsubscribe(&self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Windows that are open: one that is open on two threads counts twice.
    pub fn windows_open(&self) -> usize {
        self.windows.load(Ordering::Relaxed)
    }

    /// A window was opened.
    pub fn open_window(&self) {
        self.windows.fetch_add(1, Ordering::Relaxed);
    }

    /// A window was closed.
    pub fn close_window(&self) {
        self.windows.fetch_sub(1, Ordering::Relaxed);
    }

    /// Milliseconds since a moment before the view was set up, so long before
    /// that whatever may be in its log has happened since: the clock of its
    /// retention.
    pub fn now_ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started) + RETENTION_AGE_MAX;
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
