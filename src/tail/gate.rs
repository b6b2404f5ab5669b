//! The one door from a tail to its publisher.
//!
//! A reader that hangs on a dead connection cannot be ended from outside, so
//! it is abandoned: the generation moves on and another thread takes its
//! place. Everything a reader wants to tell passes through here, under one
//! lock and only while its generation is the current one; so an abandoned
//! thread that wakes up after an hour can never put an old word among new ones.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::limits::WATCH_TICK;
use crate::model::event::{Description, TailEvent};
use crate::model::reason::{Cause, Why};

use super::clock::Clock;
use super::error::TailError;
use super::held::Held;

/// The caller's generation is over: it must end without another word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale;

type Wake = Box<dyn Fn() + Send + Sync>;

/// The door: the lock, the generation and the channel behind it.
pub(super) struct Gate {
    /// The view, for logs.
    view: String,
    held: Mutex<Held>,
    generation: AtomicU64,
    /// A reader waits for room in the channel: it is not the upstream that is
    /// silent then.
    is_full: AtomicBool,
    out: Sender<TailEvent>,
    wake: Wake,
}

impl Gate {
    pub fn new(view: &str, out: Sender<TailEvent>, wake: Wake) -> Self {
        Gate {
            view: view.to_owned(),
            held: Mutex::default(),
            generation: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            out,
            wake,
        }
    }

    /// The current generation.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Makes way for another reader, unless somebody else has done so since
    /// the caller looked; the new generation.
    pub fn supersede(&self, generation: u64) -> Option<u64> {
        let next = generation.wrapping_add(1);
        self.generation
            .compare_exchange(generation, next, Ordering::SeqCst, Ordering::SeqCst)
            .ok()
            .map(|_| next)
    }

    /// Makes way whatever the generation is; the new one.
    pub fn supersede_any(&self) -> u64 {
        self.generation
            .fetch_add(1, Ordering::SeqCst)
            .wrapping_add(1)
    }

    /// Whether a reader waits for the publisher rather than the upstream.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Enters, if the generation is the current one.
    pub fn enter(&self, generation: u64) -> Result<Entered<'_>, Stale> {
        // A panic in a holder leaves facts that were true one by one; the next
        // reader starts a connection anew from them.
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let entered = Entered {
            gate: self,
            generation,
            held,
        };
        entered.check()?;
        Ok(entered)
    }

    /// Enters at once, or not at all.
    pub fn try_enter(&self, generation: u64) -> Option<Entered<'_>> {
        let held = match self.held.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let entered = Entered {
            gate: self,
            generation,
            held,
        };
        entered.check().is_ok().then_some(entered)
    }
}

/// The right to speak for the current generation.
pub(super) struct Entered<'a> {
    gate: &'a Gate,
    generation: u64,
    pub held: MutexGuard<'a, Held>,
}

impl Entered<'_> {
    fn check(&self) -> Result<(), Stale> {
        match self.gate.generation() == self.generation {
            true => Ok(()),
            false => Err(Stale),
        }
    }

    /// Whether it is certain what the current stream is of.
    pub fn is_confirmed(&self) -> bool {
        self.held.withheld.is_none()
    }

    /// Whether something waits for that.
    pub fn withholds(&self) -> bool {
        let withheld = self.held.withheld.as_ref();
        withheld.is_some_and(|events| !events.is_empty())
    }

    /// Tells an event of the stream, or keeps it until that is certain.
    pub fn say(&mut self, event: TailEvent) -> Result<(), Stale> {
        match &mut self.held.withheld {
            Some(events) => {
                events.push(event);
                Ok(())
            }
            None => self.tell(event),
        }
    }

    /// The stream is of the view: tells what was kept.
    pub fn confirm(&mut self) -> Result<(), Stale> {
        for event in self.held.withheld.take().unwrap_or_default() {
            self.tell(event)?;
        }
        Ok(())
    }

    /// Tells an event, waiting for room as long as the generation lasts.
    pub fn tell(&mut self, event: TailEvent) -> Result<(), Stale> {
        let closed = match &event {
            TailEvent::Snapshot(view) => Some(view.timestamp()),
            TailEvent::Delta(delta) => Some(delta.timestamp()),
            TailEvent::Progress(timestamp) => Some(*timestamp),
            _ => None,
        };
        let is_snapshot = matches!(event, TailEvent::Snapshot(_));
        let went_back = event == TailEvent::Gone(Why::TimeWentBack);
        let told = self.wait_for_room(event);
        self.gate.is_full.store(false, Ordering::Relaxed);
        told?;
        if let Some(closed) = closed {
            self.held.closed = Some(closed);
            self.held.is_current = true;
            self.held.recover(&self.gate.view);
        }
        // Not before it is told: what is withheld may never be.
        if went_back {
            self.held.closed = None;
            self.held.clock = Clock::default();
        }
        if let Some(began) = closed.filter(|_| is_snapshot) {
            self.held.must_snapshot = false;
            if self.held.clock.reached().is_none() {
                self.held.clock.set(began, Instant::now());
            }
        }
        (self.gate.wake)();
        Ok(())
    }

    fn wait_for_room(&self, mut event: TailEvent) -> Result<(), Stale> {
        loop {
            self.check()?;
            match self.gate.out.send_timeout(event, WATCH_TICK) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => event = back,
                // Without a publisher there is nobody to tell.
                Err(SendTimeoutError::Disconnected(_)) => return Err(Stale),
            }
            self.gate.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Takes what a view is at the beginning of a connection, and tells it;
    /// `became` is what became of the one before it, if it is another.
    pub fn describe(&mut self, found: Description, became: Why) -> Result<(), Stale> {
        self.held.was_found = true;
        self.held.assembler = None;
        self.held.withheld = None;
        match &self.held.description {
            Some(known) if known.incarnation == found.incarnation => {}
            Some(_) => self.gone(became)?,
            None => {}
        }
        self.held.description = Some(found.clone());
        self.tell(TailEvent::Described(found))
    }

    /// Tells that the view is gone; the next one of its name is another.
    pub fn gone(&mut self, why: Why) -> Result<(), Stale> {
        self.held.assembler = None;
        self.held.withheld = None;
        self.held.looked_constant = false;
        self.held.closed = None;
        self.held.description = None;
        // Times of one view say nothing about another.
        self.held.clock = Clock::default();
        self.tell(TailEvent::Gone(why))
    }

    /// Tells that a view that was there is not any more.
    pub fn vanished(&mut self, error: &TailError) -> Result<(), Stale> {
        self.gone(match error {
            TailError::UnknownColumn { .. } => Why::ColumnsChanged,
            TailError::Renamed { .. } => Why::Renamed,
            _ => Why::Dropped,
        })?;
        self.held.failures = self.held.failures.saturating_add(1);
        self.held.note(&self.gate.view, error, log::Level::Info);
        Ok(())
    }

    /// Tells that the upstream's time has gone back: what follows is of before
    /// what was told. The publisher may hold something even where nothing is
    /// known as told any more.
    pub fn went_back(&mut self) -> Result<(), Stale> {
        self.say(TailEvent::Gone(Why::TimeWentBack))
    }

    /// Tells that the view is larger than it may be; how often in a row.
    pub fn too_large(&mut self, error: &TailError) -> Result<u32, Stale> {
        self.held.assembler = None;
        self.held.withheld = None;
        self.held.looked_constant = false;
        self.held.closed = None;
        self.held.must_snapshot = true;
        self.held.too_large = self.held.too_large.saturating_add(1);
        match error {
            // The publisher has said so, once.
            TailError::TooLarge => log::debug!("view \"{}\": {error}", self.gate.view),
            _ => self.held.note(&self.gate.view, error, log::Level::Error),
        }
        self.tell(TailEvent::Gone(Why::TooLarge))?;
        Ok(self.held.too_large)
    }

    /// Tells that the stream has ended, and that the next connection is to
    /// show at once what that means.
    pub fn interrupted(&mut self) -> Result<(), Stale> {
        self.tell(TailEvent::Interrupted(Cause::Changing.into()))
    }

    /// Counts a failure, logs it unless it is known, and tells it.
    pub fn failed(&mut self, error: &TailError) -> Result<(), Stale> {
        self.held.assembler = None;
        self.held.withheld = None;
        self.held.looked_constant = false;
        self.held.failures = self.held.failures.saturating_add(1);
        self.held.note(&self.gate.view, error, log::Level::Error);
        let reason = error.reason();
        if let TailError::Resync { held, .. } = error {
            // The publisher has not taken in all that was told as closed.
            self.held.closed = *held;
        }
        if error.is_bad_data() {
            self.held.must_snapshot = true;
            // The connection is well: the next snapshot comes within the
            // second, unless this goes on.
            if self.held.failures < 2 {
                return self.tell(TailEvent::Interrupted(reason));
            }
        }
        if let TailError::Silent { .. } | TailError::WentBack = error {
            // Resumed after a time that a server has gone back behind, the
            // stream would be silent until that time comes again.
            self.held.must_snapshot = true;
        }
        self.tell(TailEvent::Failed(reason))
    }
}

#[cfg(test)]
mod tests;
