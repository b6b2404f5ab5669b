//! What the threads of one view share: reader, probe, watch and handle.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender};
use postgres::{CancelToken, Client};

use crate::connection::{Connector, Line};
use crate::limits::{TAIL_THREADS_MAX, WATCH_TICK};
use crate::model::event::{Heard, TailEvent};
use crate::tail::TailError;
use crate::tail::inquiry::Inquiry;
use crate::tail::settings::TailView;
use crate::tail::view_tail::{Effect, ViewTail};

use super::gate::{ASIDE, Turn};

/// What is called after each event that was put into the channel.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What hands inquiries over to the catalog's watch.
pub type Inquire = Box<dyn Fn(Inquiry) + Send + Sync>;

/// What starts a thread's work for a view.
type Work = fn(&Arc<ViewThreads>, Effect);

/// Everything the threads of one view share.
pub struct ViewThreads {
    /// What connects, with nothing left open.
    pub connector: Connector,
    /// Where a view that does not exist at the start is told.
    pub fatal: Sender<TailError>,
    view: Arc<TailView>,
    tail: Mutex<ViewTail>,
    /// Held by whoever empties what is told into the channel.
    delivery: Mutex<()>,
    out: Sender<Heard>,
    wake: Wake,
    inquire: Inquire,
    /// What a thread does that an effect of the tail asks for.
    work: Work,
    /// A probe that waits for its turn.
    probe: Mutex<Option<Effect>>,
    /// Cancels what the current connection does.
    token: Mutex<Option<(CancelToken, Line)>>,
    /// The last connection of each reader and probe that may still run.
    lines: Mutex<BTreeMap<(u64, Worker), Line>>,
    /// Threads of this view that have not ended.
    threads: AtomicUsize,
    /// How often the bell was rung.
    rings: AtomicU64,
    /// Rung when anything changes that a thread may wait for.
    bell: (Mutex<()>, Condvar),
}

/// Too many connections are left at once: to hang up on this one is enough.
struct HangUp;

/// A turn for asking the server to end what a connection does. Where hanging up does
/// not end it, the server is asked without one.
fn turn_to_cancel(line: &Line) -> Result<Option<Turn>, HangUp> {
    match ASIDE.try_enter() {
        None if line.is_in_reach() => Err(HangUp),
        turn => Ok(turn),
    }
}

/// What is told as soon as its line was read, so its time is the line's.
fn heard(event: TailEvent) -> Heard {
    Heard {
        at: Instant::now(),
        event,
    }
}

/// A tail is whole after each step; a panic in between leaves facts that were
/// true one by one, and the next reader starts a connection anew from them.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the tail's words and questions go.
pub struct Outlets {
    /// What is told.
    pub out: Sender<Heard>,
    /// Called after each event.
    pub wake: Wake,
    /// Where a view that does not exist at the start is told.
    pub fatal: Sender<TailError>,
    /// Where inquiries go.
    pub inquire: Inquire,
}

impl ViewThreads {
    pub fn new(tail: ViewTail, connector: Connector, outlets: Outlets, work: Work) -> Self {
        ViewThreads {
            connector: connector.completed(tail.settings().upstream_timeout),
            fatal: outlets.fatal,
            view: Arc::clone(&tail.settings().view),
            tail: Mutex::new(tail),
            delivery: Mutex::default(),
            out: outlets.out,
            wake: outlets.wake,
            inquire: outlets.inquire,
            work,
            probe: Mutex::default(),
            token: Mutex::default(),
            lines: Mutex::default(),
            threads: AtomicUsize::new(0),
            rings: AtomicU64::new(0),
            bell: (Mutex::default(), Condvar::new()),
        }
    }

    /// The view's name, for logs.
    pub fn name(&self) -> &str {
        &self.view.name
    }

    /// The tail, for a moment.
    pub fn tail(&self) -> MutexGuard<'_, ViewTail> {
        lock(&self.tail)
    }

    /// Does what the tail wants done. Never waits for the publisher, which may
    /// itself be the caller.
    pub fn do_effects(self: &Arc<Self>) {
        loop {
            let effect = self.tail().take_effect();
            match effect {
                Some(Effect::Inquire(inquiry)) => (self.inquire)(inquiry),
                Some(Effect::StartReader { generation, .. }) => {
                    self.leave_connections(Some(generation));
                    self.start(effect, "tail", None);
                    self.ring();
                }
                Some(Effect::StartProbe { .. }) => {
                    *lock(&self.probe) = effect;
                    self.start_probe();
                }
                None => return,
            }
        }
    }

    /// Starts the probe that is wanted, if there is one and its turn has come; to
    /// be called again and again. No thread waits for that: where the upstream is
    /// silent, many views are.
    pub fn start_probe(self: &Arc<Self>) {
        let mut wanted = lock(&self.probe);
        if wanted.is_some()
            && let Some(turn) = ASIDE.try_enter()
        {
            let probe = wanted.take();
            drop(wanted);
            self.start(probe, "ask", Some(turn));
        }
    }

    fn start(self: &Arc<Self>, effect: Option<Effect>, prefix: &str, turn: Option<Turn>) {
        let (Some(effect), work) = (effect, self.work) else {
            return;
        };
        let asked = effect.clone();
        let started = self.start_thread(prefix, move |threads| {
            let _turn = turn;
            work(threads, asked);
        });
        if let Err(error) = started {
            self.tail().not_started(&effect, &error, Instant::now());
        }
    }

    /// Hands on what the tail has told, waiting for room; the threads of one
    /// view do so in turn. Until it is handed on, nothing more is read.
    pub fn deliver(&self) {
        let _turn = lock(&self.delivery);
        loop {
            let told = self.tail().take_told();
            match told.map(|event| self.send(heard(event))) {
                Some(Ok(())) => (self.wake)(),
                Some(Err(Unheard)) => self.tail().stop(),
                None => return,
            }
        }
    }

    /// Hands on what the tail has told, as far as there is room: for who must
    /// not wait. Needed where there is no thread that would do it.
    pub fn deliver_at_once(&self) {
        let Ok(_turn) = self.delivery.try_lock() else {
            return;
        };
        while !self.out.is_full() {
            let told = self.tail().take_told();
            // Nobody else puts anything in, so there still is room.
            match told.map(|event| self.out.try_send(heard(event)).is_ok()) {
                Some(true) => (self.wake)(),
                Some(false) => self.tail().stop(),
                None => return,
            }
        }
    }

    fn send(&self, mut event: Heard) -> Result<(), Unheard> {
        loop {
            match self.out.send_timeout(event, WATCH_TICK) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) if !self.tail().is_stopped() => event = back,
                Err(_) => return Err(Unheard),
            }
        }
    }

    /// Keeps the means to cancel the current connection's work.
    pub fn set_token(&self, token: CancelToken, line: &Line) {
        *lock(&self.token) = Some((token, line.clone()));
    }

    /// The line of a connection that is to be made; it is hung up once the
    /// generation is over.
    pub fn line(&self, generation: u64, worker: Worker) -> Line {
        let line = Line::default();
        lock(&self.lines).insert((generation, worker), line.clone());
        // Nobody else looks after one that comes so late.
        if self.tail().generation() != generation {
            line.hang_up();
        }
        line
    }

    /// Starts a thread that is counted until it ends; none beyond the bound.
    fn start_thread(
        self: &Arc<Self>,
        prefix: &str,
        work: impl FnOnce(&Arc<ViewThreads>) + Send + 'static,
    ) -> Result<(), TailError> {
        if self.threads.fetch_add(1, Ordering::SeqCst) > TAIL_THREADS_MAX {
            self.threads.fetch_sub(1, Ordering::SeqCst);
            return Err(TailError::Thread {
                reason: "too many threads of this view wait on dead connections".to_string(),
            });
        }
        let counted = Counted(Arc::clone(self));
        // The kernel keeps 15 bytes of a thread's name.
        let full_name = format!("{prefix}-{}", self.name().replace('\0', "?"));
        let name: String = full_name.chars().take(15).collect();
        let started = thread::Builder::new()
            .name(name)
            .spawn(move || work(&counted.0));
        started.map(drop).map_err(|error| TailError::Thread {
            reason: error.to_string(),
        })
    }

    /// Leaves all connections but those of this generation, so that the
    /// threads end that wait for them. The server is first asked to end the
    /// last one's query, if there is one.
    fn leave_connections(self: &Arc<Self>, kept: Option<u64>) {
        let left = {
            let mut lines = lock(&self.lines);
            let (kept, left) = mem::take(&mut *lines)
                .into_iter()
                .partition(|((generation, _), _)| Some(*generation) == kept);
            *lines = kept;
            Left(left)
        };
        let token = lock(&self.token).take();
        if let Some((token, line)) = token {
            let Ok(turn) = turn_to_cancel(&line) else {
                return;
            };
            // Best effort: the server ends the query with its connection too.
            let _ = self.start_thread("cancel", move |threads| {
                threads.connector.cancel(&token, &line);
                drop((left, turn));
            });
        }
    }

    /// Leaves a connection in the middle of a COPY. Dropping the client waits
    /// for the end of the COPY, so another thread does it.
    pub fn discard(self: &Arc<Self>, client: Client, line: Line) {
        let token = client.cancel_token();
        lock(&self.token).take();
        if client.is_closed() || line.is_hung_up() {
            return;
        }
        let turn = turn_to_cancel(&line);
        let discarded = Discarded {
            line,
            _client: client,
        };
        let Ok(turn) = turn else {
            return;
        };
        let left = self.start_thread("leave", move |threads| {
            let discarded: Discarded = discarded;
            threads.connector.cancel(&token, &discarded.line);
            drop((discarded, turn));
        });
        if let Err(error) = left {
            log::debug!("view \"{}\": {}", self.name(), error.chain());
        }
    }

    /// Stops everything; threads end as soon as what they wait for lets them.
    pub fn stop(self: &Arc<Self>) {
        self.tail().stop();
        self.ring();
        self.leave_connections(None);
    }

    /// Waits until all threads have ended, at the most so long.
    pub fn wait_for_threads(&self, at_most: Duration) {
        let end = Instant::now() + at_most;
        self.wait_while(end, || self.threads.load(Ordering::SeqCst) > 0);
    }

    /// How often the bell was rung so far.
    pub fn rings(&self) -> u64 {
        self.rings.load(Ordering::SeqCst)
    }

    /// Waits until then, or until the bell rings once more than so often.
    pub fn wait(&self, until: Instant, rings: u64) {
        self.wait_while(until, || self.rings() == rings);
    }

    fn wait_while(&self, end: Instant, condition: impl Fn() -> bool) {
        let mut held = lock(&self.bell.0);
        while condition() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.bell.1.wait_timeout(held, left);
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wakes whoever waits.
    pub fn ring(&self) {
        // Under the lock, so that nobody misses it between looking and waiting.
        let _held = lock(&self.bell.0);
        self.rings.fetch_add(1, Ordering::SeqCst);
        self.bell.1.notify_all();
    }
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worker {
    Reader,
    Probe,
}

/// Lines that are hung up when this is dropped, also by a thread that never began.
struct Left(BTreeMap<(u64, Worker), Line>);

impl Drop for Left {
    fn drop(&mut self) {
        for line in self.0.values() {
            line.hang_up();
        }
    }
}

/// A connection that is left in the middle of a COPY. It is hung up before its
/// client is dropped, which would wait for the end of the COPY, even where a
/// server does not heed what asks it to end.
struct Discarded {
    line: Line,
    /// Held for its end alone.
    _client: Client,
}

impl Drop for Discarded {
    fn drop(&mut self) {
        self.line.hang_up();
    }
}

/// There is no publisher any more, or the tail was stopped.
struct Unheard;

/// Counts a thread until it ends, also by a panic.
struct Counted(Arc<ViewThreads>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::SeqCst);
        self.0.ring();
    }
}
