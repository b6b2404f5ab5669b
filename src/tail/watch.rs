//! The watch: one thread for the process that notices silence.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::limits::{
    CATALOG_PROBE_EVERY, EMPTY_PROBE_AFTER, SETUP_SILENCES, SILENT_PROBES_MAX, WATCH_TICK,
};

use super::dialect::Dialect;
use super::error::TailError;
use super::probe;
use super::shared::{Phase, Shared};

/// The tails to look at; `None` until the thread was started.
static TAILS: Mutex<Option<Vec<Watched>>> = Mutex::new(None);

/// Begins watching a tail, until it is dropped.
pub(super) fn register(shared: &Arc<Shared>) -> Result<(), TailError> {
    let mut tails = TAILS.lock().unwrap_or_else(PoisonError::into_inner);
    if tails.is_none() {
        thread::Builder::new()
            .name("tail-watch".to_string())
            .spawn(run)
            .map_err(TailError::Thread)?;
    }
    tails.get_or_insert_default().push(Watched::new(shared));
    Ok(())
}

fn run() {
    loop {
        thread::sleep(WATCH_TICK);
        let mut tails = TAILS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tails) = tails.as_mut() {
            tails.retain_mut(Watched::look);
        }
    }
}

/// What there is to know of a stream before it is looked after.
struct Streamed {
    /// The server is one of those that say nothing when idle.
    is_old: bool,
    /// Rows of a snapshot or emptiness wait to be settled by a count.
    unsettled: bool,
    /// The snapshot is still to come.
    awaits_snapshot: bool,
    /// Changes came whose timestamp was not closed.
    has_unclosed_changes: bool,
    /// The view is known ahead of the upstream's time: it is rightly silent.
    is_ahead: bool,
}

/// One tail, and since when things are as they are.
struct Watched {
    shared: Weak<Shared>,
    /// Phase changes and received messages when last looked.
    phases: u64,
    received: u64,
    /// Since when the phase is what it is.
    phase_since: Instant,
    /// Since when nothing came.
    silent_since: Instant,
    /// Since when something was to be expected that did not come.
    due_since: Instant,
    /// When a probe was last started.
    asked: Instant,
}

impl Watched {
    fn new(shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        Watched {
            shared: Arc::downgrade(shared),
            phases: shared.phases(),
            received: 0,
            phase_since: now,
            silent_since: now,
            due_since: now,
            asked: now,
        }
    }

    /// Looks once; false if there is nothing left to watch.
    fn look(&mut self) -> bool {
        let Some(shared) = self.shared.upgrade() else {
            return false;
        };
        if shared.is_stopped() {
            return false;
        }
        // Before all else, so that what is read next is of this generation or
        // a later one; acting on an old one does nothing.
        let generation = shared.gate.generation();
        let now = Instant::now();
        let (phases, received) = (shared.phases(), shared.received.load(Ordering::Relaxed));
        if phases != self.phases {
            self.phase_since = now;
            self.asked = now;
        }
        if phases != self.phases || received != self.received || shared.gate.is_full() {
            self.silent_since = now;
            self.due_since = now;
            shared.probing.found_well.store(0, Ordering::SeqCst);
        }
        (self.phases, self.received) = (phases, received);
        let timeout = shared.settings.upstream_timeout;
        if let Some(mut entered) = shared.gate.try_enter(generation) {
            entered.held.remind(shared.name(), now);
        }
        match shared.phase() {
            Phase::Waiting => {}
            Phase::Over => return false,
            Phase::Setup => {
                if now - self.phase_since >= timeout * SETUP_SILENCES {
                    shared.replace(generation, silent(now - self.phase_since));
                }
            }
            Phase::Streaming => self.look_at_stream(&shared, generation, now),
            Phase::Complete => {
                if now - self.asked >= CATALOG_PROBE_EVERY {
                    self.ask(&shared, generation, now);
                }
            }
        }
        true
    }

    fn look_at_stream(&mut self, shared: &Arc<Shared>, generation: u64, now: Instant) {
        let timeout = shared.settings.upstream_timeout;
        let silence = now - self.silent_since;
        if shared.gate.is_full() {
            return;
        }
        if shared.probing.is_running.load(Ordering::SeqCst) {
            // A probe that gets no answer while the stream is silent too: the
            // server is not well.
            if silence >= timeout && now - self.asked >= timeout {
                shared.replace(generation, silent(silence));
            }
            return;
        }
        // A reader that is inside holds something it is telling right now.
        let Some(Streamed {
            is_old: old,
            unsettled,
            awaits_snapshot,
            has_unclosed_changes,
            is_ahead,
        }) = self.state(shared, generation, now)
        else {
            return;
        };
        if is_ahead {
            // What is asked meanwhile says nothing about the stream: only
            // whether the server lives, and the view.
            self.due_since = now;
            shared.probing.found_well.store(0, Ordering::SeqCst);
        }
        let overdue = now - self.due_since;
        let well = shared.probing.found_well.load(Ordering::SeqCst);
        let is_late = !old && !awaits_snapshot && well >= SILENT_PROBES_MAX;
        if (is_late || old && has_unclosed_changes) && overdue >= timeout {
            // A snapshot may take long to compute; the changes after it may
            // not, since progress comes without them. An old server is silent
            // when idle, but never in the middle of a timestamp.
            return shared.replace(generation, silent(silence));
        }
        let every = match (old, unsettled) {
            (true, true) => EMPTY_PROBE_AFTER,
            (true, false) => CATALOG_PROBE_EVERY.min(timeout),
            (false, _) => timeout,
        };
        let due = now - self.asked >= every;
        if due && (old || silence >= timeout) {
            self.ask(shared, generation, now);
        }
    }

    /// How the stream stands; `None` if a reader is inside the gate.
    fn state(&self, shared: &Shared, generation: u64, now: Instant) -> Option<Streamed> {
        let entered = shared.gate.try_enter(generation)?;
        let assembler = entered.held.assembler.as_ref()?;
        let promised = assembler.progressed();
        Some(Streamed {
            is_old: entered.held.dialect == Some(Dialect::Tail),
            unsettled: assembler.is_untouched() || assembler.unclosed().is_some(),
            awaits_snapshot: assembler.awaits_snapshot(),
            has_unclosed_changes: assembler.has_unclosed_changes(),
            is_ahead: promised.is_some_and(|it| entered.held.is_ahead(it, now)),
        })
    }

    fn ask(&mut self, shared: &Arc<Shared>, generation: u64, now: Instant) {
        if probe::start(shared, generation) {
            self.asked = now;
        }
    }
}

fn silent(silence: Duration) -> TailError {
    TailError::Silent {
        seconds: silence.as_secs(),
    }
}
