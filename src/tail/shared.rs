//! What the threads of one view share: reader, probe, watch and handle.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use postgres::{CancelToken, Client};

use crate::connection::Connector;
use crate::limits::TAIL_THREADS_MAX;

use super::catalog::{Catalog, Known};
use super::error::TailError;
use super::gate::Gate;
use super::{TailSettings, reader};

/// What the reader is doing, for the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting to connect; it will wake up by itself.
    Waiting,
    /// Connecting and asking what the view is.
    Setup,
    /// Reading the stream.
    Streaming,
    /// The view is constant and told: no reader runs.
    Complete,
    /// Ended for good.
    Over,
}

impl Phase {
    /// All phases; an atomic holds the place in this list.
    const ALL: [Phase; 5] = [
        Phase::Waiting,
        Phase::Setup,
        Phase::Streaming,
        Phase::Complete,
        Phase::Over,
    ];
}

/// What a probe has found, for the watch's timers.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// One is under way.
    pub is_running: AtomicBool,
    /// So many in a row found all well since the last byte.
    pub found_well: AtomicU32,
}

/// Everything the threads of one view share.
pub(super) struct Shared {
    pub settings: TailSettings,
    /// What connects, with nothing left open.
    pub connector: Connector,
    pub gate: Gate,
    /// Where a view that does not exist at the start is told.
    pub fatal: Sender<TailError>,
    pub probing: Probing,
    /// What asks what the view's name means, and what it meant last.
    pub catalog: Catalog,
    pub known: Known,
    /// Counts what came from the stream: it moves if and only if it lives.
    pub received: AtomicU64,
    phase: AtomicUsize,
    /// Moves with every change of phase.
    phases: AtomicU64,
    /// Cancels what the current connection does.
    token: Mutex<Option<CancelToken>>,
    is_stopped: AtomicBool,
    /// Threads of this view that have not ended.
    threads: AtomicUsize,
    /// Rung when anything changes that a thread may wait for.
    bell: (Mutex<()>, Condvar),
}

impl Shared {
    pub fn new(
        settings: TailSettings,
        gate: Gate,
        fatal: Sender<TailError>,
        catalog: Catalog,
    ) -> Self {
        Shared {
            connector: settings.connector.completed(settings.upstream_timeout),
            settings,
            gate,
            fatal,
            probing: Probing::default(),
            catalog,
            known: Known::default(),
            received: AtomicU64::new(0),
            phase: AtomicUsize::new(0),
            phases: AtomicU64::new(0),
            token: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            threads: AtomicUsize::new(0),
            bell: (Mutex::default(), Condvar::new()),
        }
    }

    /// The view's name, for logs.
    pub fn name(&self) -> &str {
        &self.settings.view.name
    }

    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    pub fn phase(&self) -> Phase {
        let place = self.phase.load(Ordering::SeqCst);
        Phase::ALL.get(place).copied().unwrap_or(Phase::Waiting)
    }

    /// A number that differs after every change of phase.
    pub fn phases(&self) -> u64 {
        self.phases.load(Ordering::SeqCst)
    }

    /// Says what the reader of this generation does now; one that was
    /// abandoned has no say.
    pub fn set_phase(&self, generation: u64, phase: Phase) {
        if self.gate.generation() == generation {
            let place = Phase::ALL.iter().position(|known| *known == phase);
            self.phase.store(place.unwrap_or(0), Ordering::SeqCst);
            self.phases.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Keeps the means to cancel the current connection's work.
    pub fn set_token(&self, token: CancelToken) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    fn take_token(&self) -> Option<CancelToken> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.take()
    }

    /// Starts a thread that is counted until it ends; none beyond the bound.
    pub fn start_thread(
        self: &Arc<Self>,
        prefix: &str,
        work: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> Result<(), TailError> {
        if self.threads.fetch_add(1, Ordering::SeqCst) > TAIL_THREADS_MAX {
            self.threads.fetch_sub(1, Ordering::SeqCst);
            let full =
                std::io::Error::other("too many threads of this view wait on dead connections");
            return Err(TailError::Thread(full));
        }
        let counted = Counted(Arc::clone(self));
        // The kernel keeps 15 bytes of a thread's name.
        let full_name = format!("{prefix}-{}", self.name().replace('\0', "?"));
        let name: String = full_name.chars().take(15).collect();
        thread::Builder::new()
            .name(name)
            .spawn(move || work(&counted.0))
            .map(drop)
            .map_err(TailError::Thread)
    }

    /// Puts a new reader in the place of the one of `generation`, which may
    /// hang for ever; the new one begins by telling `cause`.
    pub fn replace(self: &Arc<Self>, generation: u64, cause: TailError) {
        let Some(next) = self.gate.supersede(generation) else {
            return;
        };
        self.start_reader(next, Some(cause));
    }

    /// Starts the reader of a generation.
    pub fn start_reader(self: &Arc<Self>, generation: u64, cause: Option<TailError>) {
        if self.is_stopped() {
            return;
        }
        self.set_phase(generation, Phase::Waiting);
        self.cancel_in_background();
        let started = self.start_thread("tail", move |shared| {
            reader::run(shared, generation, cause);
        });
        if let Err(error) = started {
            // The watch tries again when this phase has lasted too long.
            log::error!("view \"{}\": {}", self.name(), error.chain());
            self.set_phase(generation, Phase::Setup);
        }
        self.ring();
    }

    /// Asks the server to end the last connection's query, if there is one.
    pub fn cancel_in_background(self: &Arc<Self>) {
        if let Some(token) = self.take_token() {
            // Best effort: the server ends the query with its connection too.
            let _ = self.start_thread("cancel", move |shared| shared.connector.cancel(&token));
        }
    }

    /// Leaves a connection in the middle of a COPY. Dropping the client waits
    /// for the end of the COPY, so another thread does it.
    pub fn discard(self: &Arc<Self>, client: Client) {
        let token = client.cancel_token();
        let _ = self.take_token();
        if client.is_closed() {
            return;
        }
        let left = self.start_thread("leave", move |shared| {
            shared.connector.cancel(&token);
            drop(client);
        });
        if let Err(error) = left {
            log::debug!("view \"{}\": {}", self.name(), error.chain());
        }
    }

    /// Stops everything; threads end as soon as what they wait for lets them.
    pub fn stop(self: &Arc<Self>) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let generation = self.gate.supersede_any();
        self.set_phase(generation, Phase::Over);
        self.ring();
        self.cancel_in_background();
    }

    /// Waits until all threads have ended, at the most so long.
    pub fn wait_for_threads(&self, at_most: Duration) {
        self.wait_while(at_most, || self.threads.load(Ordering::SeqCst) > 0);
    }

    /// Waits so long, or until the generation is over.
    pub fn pause(&self, generation: u64, wait: Duration) {
        self.wait_while(wait, || self.gate.generation() == generation);
    }

    fn wait_while(&self, at_most: Duration, condition: impl Fn() -> bool) {
        let end = Instant::now() + at_most;
        let mut lock = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        while condition() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.bell.1.wait_timeout(lock, left);
            lock = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn ring(&self) {
        // Under the lock, so that nobody misses it between looking and waiting.
        let _lock = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.bell.1.notify_all();
    }
}

/// Counts a thread until it ends, also by a panic.
struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::SeqCst);
        self.0.ring();
    }
}
