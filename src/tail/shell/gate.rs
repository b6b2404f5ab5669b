//! What only some threads of the process do at once; the others wait here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::limits::{ASIDE_MAX, CONNECTING_MAX, GATE_LOOK_EVERY, TURN_LONGEST};
use crate::tail::turns::Turns;

/// Readers that connect and ask what their view is.
pub static CONNECTING: Gate = Gate::new(CONNECTING_MAX);

/// Connections beside those of readers: of probes, and of those who cancel.
pub static ASIDE: Gate = Gate::new(ASIDE_MAX);

/// How many views are being connected, and how many wait for their turn.
pub fn connecting() -> (usize, usize) {
    CONNECTING.counts()
}

/// Lets in so many at once.
pub struct Gate(Mutex<State>);

struct State {
    turns: Turns,
    /// Those who wait.
    threads: BTreeMap<u64, Thread>,
}

/// Given back when this is dropped.
pub struct Turn {
    gate: &'static Gate,
    place: u64,
}

impl Gate {
    const fn new(most: usize) -> Self {
        Gate(Mutex::new(State {
            turns: Turns::new(most, TURN_LONGEST),
            threads: BTreeMap::new(),
        }))
    }

    /// A turn, if nobody has to be waited for.
    pub fn try_enter(&'static self) -> Option<Turn> {
        let mut state = self.lock();
        let turn = Turn {
            gate: self,
            place: state.turns.ask(),
        };
        let is_in = state.turns.take(turn.place, Instant::now());
        // Dropped with the lock held, the turn could not be given back.
        drop(state);
        is_in.then_some(turn)
    }

    /// Waits for a turn for as long as it is wanted.
    pub fn enter(&'static self, is_wanted: impl Fn() -> bool) -> Option<Turn> {
        let turn = Turn {
            gate: self,
            place: self.lock().turns.ask(),
        };
        loop {
            let now = Instant::now();
            let until = {
                let mut state = self.lock();
                if state.turns.take(turn.place, now) {
                    state.threads.remove(&turn.place);
                    // There may be room for one more.
                    state.wake_first();
                    return Some(turn);
                }
                state.threads.insert(turn.place, thread::current());
                state.turns.wake_at(now)
            };
            if !is_wanted() {
                return None;
            }
            let rest = until.map(|until| until.saturating_duration_since(now));
            thread::park_timeout(rest.unwrap_or(GATE_LOOK_EVERY).min(GATE_LOOK_EVERY));
        }
    }

    /// How many are in, and how many wait.
    fn counts(&self) -> (usize, usize) {
        self.lock().turns.counts()
    }

    /// Each step leaves the queue whole, so it is good even if a thread panicked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_first(&self) {
        let first = self.turns.first();
        if let Some(thread) = first.and_then(|first| self.threads.get(&first)) {
            thread.unpark();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.turns.leave(self.place);
        state.threads.remove(&self.place);
        state.wake_first();
    }
}
