//! All that is known of one view's tail, as a value: whoever drives it (the
//! threads of `shell`, or a simulation) says what happened and what time it is,
//! and then takes out what is told to the publisher and what is to be done.
//!
//! A reader that hangs on a dead connection cannot be ended from outside, so it
//! is abandoned: the generation moves on and another reader takes its place.
//! Only the reader of the current generation changes anything here or is heard;
//! so one that wakes up after an hour can never put an old word among new ones.
//! What a reader told before it was abandoned stands, and is delivered first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::model::event::TailEvent;
use crate::model::position::Timestamp;

use super::error::TailError;
use super::held::Held;
use super::inquiry::{Inquiry, Verdict};
use super::known::Known;
use super::names::Facts;
use super::object::Object;
use super::past::Past;
use super::settings::{TailSettings, TailView};
use super::silence::Silence;

/// What the reader is doing, for the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting to connect; it will wake up by itself.
    Waiting,
    /// There is none: no thread could be had for it.
    Unstarted,
    /// Connecting and asking what the view is.
    Setup,
    /// Reading the stream.
    Streaming,
    /// The view is constant and told: no reader runs.
    Complete,
    /// Ended for good.
    Over,
}

/// What whoever drives a tail has to do for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the reader of this generation. What the connection of the reader
    /// before it is doing is cancelled; that reader is not waited for.
    StartReader {
        /// The current one.
        generation: u64,
        /// Why the reader before was given up.
        cause: Option<TailError>,
    },
    /// Start a probe, which asks on a second connection.
    StartProbe {
        /// The reader that it is asked for.
        generation: u64,
    },
    /// Hand this over to the catalog's watch and wake it.
    Inquire(Inquiry),
}

/// One view's tail.
#[derive(Debug)]
pub struct ViewTail {
    key: u64,
    settings: TailSettings,
    generation: u64,
    is_stopped: bool,
    phase: Phase,
    /// What the readers hand on to each other.
    pub(super) held: Held,
    /// What the reader that could not be started was to begin by telling.
    pub(super) unstarted: Option<TailError>,
    /// What the view's name meant last.
    pub(super) known: Known,
    /// What the watch knows of the stream's silence.
    pub(super) silence: Silence,
    chance: fastrand::Rng,
    /// What is told and was not taken out yet.
    told: VecDeque<TailEvent>,
    /// Something was taken out and may not have been delivered yet.
    is_delivering: bool,
    effects: VecDeque<Effect>,
}

impl ViewTail {
    /// A tail whose first reader is to be started. `key` tells it from the
    /// other tails that ask the same catalog.
    pub fn new(key: u64, mut settings: TailSettings, chance: fastrand::Rng, now: Instant) -> Self {
        let past = std::mem::take(&mut settings.past);
        let first = Effect::StartReader {
            generation: 0,
            cause: None,
        };
        ViewTail {
            key,
            settings,
            generation: 0,
            is_stopped: false,
            phase: Phase::Waiting,
            held: Held {
                past,
                ..Held::default()
            },
            unstarted: None,
            known: Known::default(),
            silence: Silence::new(now),
            chance,
            told: VecDeque::new(),
            is_delivering: false,
            effects: VecDeque::from([first]),
        }
    }

    /// What tells it from other tails.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// What it was started with.
    pub fn settings(&self) -> &TailSettings {
        &self.settings
    }

    /// The view.
    pub(super) fn view(&self) -> &Arc<TailView> {
        &self.settings.view
    }

    /// The view's name, for logs.
    pub fn name(&self) -> &str {
        &self.settings.view.name
    }

    /// The current generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// What the reader is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The next event that was told. `None` says too that what was taken out
    /// before has been delivered.
    pub fn take_told(&mut self) -> Option<TailEvent> {
        let event = self.told.pop_front();
        self.is_delivering = event.is_some();
        event
    }

    /// The next thing to be done.
    pub fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Whether there is something to take out.
    pub fn has_news(&self) -> bool {
        !self.told.is_empty() || !self.effects.is_empty()
    }

    /// Whether something told waits for the publisher: then it is not the
    /// upstream that is silent.
    pub fn is_backed_up(&self) -> bool {
        self.is_delivering || !self.told.is_empty()
    }

    /// Puts an event behind those that were told before.
    pub(super) fn deliver(&mut self, event: TailEvent) {
        self.told.push_back(event);
    }

    /// What the reader does now.
    pub(super) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.silence.phase_changed();
    }

    /// The reader of this generation waits for its turn to connect, or has it:
    /// while it waits, it is not the upstream that is slow.
    pub fn queue(&mut self, generation: u64, is_waiting: bool) {
        if self.generation == generation {
            self.set_phase(match is_waiting {
                true => Phase::Waiting,
                false => Phase::Setup,
            });
        }
    }

    /// The random numbers.
    pub(super) fn chance(&mut self) -> &mut fastrand::Rng {
        &mut self.chance
    }

    /// Has a probe started.
    pub(super) fn start_probe(&mut self) {
        let generation = self.generation;
        self.effects.push_back(Effect::StartProbe { generation });
    }

    /// Asks the catalog whether the current stream is of the view.
    pub(super) fn inquire(&mut self, object: &Arc<Object>) {
        self.effects.push_back(Effect::Inquire(Inquiry {
            tail: self.key,
            stream: self.held.streams,
            view: Arc::clone(&self.settings.view),
            object: Arc::clone(object),
        }));
    }

    /// Puts a new reader in the place of the one of `generation`, which may
    /// hang for ever, unless somebody else has done so; the new one begins by
    /// telling `cause`.
    pub(super) fn replace(&mut self, generation: u64, cause: TailError) {
        if self.generation == generation {
            self.start_again(Some(cause));
        }
    }

    /// Has a reader started, in the place of whichever there is.
    pub(super) fn start_again(&mut self, cause: Option<TailError>) {
        if self.is_stopped {
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        self.set_phase(Phase::Waiting);
        self.effects.push_back(Effect::StartReader {
            generation: self.generation,
            cause,
        });
    }

    /// The publisher found what it was told to be inconsistent, and stands at
    /// this time: starts again with a snapshot. What was told before still
    /// comes; whoever calls this ignores it up to the next snapshot.
    pub fn resync(&mut self, reason: &str, held: Option<Timestamp>) {
        let reason = reason.to_string();
        self.start_again(Some(TailError::Resync { reason, held }));
    }

    /// The publisher found the view larger than it may be: starts again after
    /// a while, with a snapshot.
    pub fn too_large(&mut self) {
        self.start_again(Some(TailError::TooLarge));
    }

    /// Ends the tail: no reader is heard any more.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.generation = self.generation.wrapping_add(1);
        self.set_phase(Phase::Over);
        self.effects.clear();
        self.told.clear();
    }

    /// What is to be remembered of the view when this tail is over, for the
    /// next one.
    pub fn past(&mut self) -> Past {
        self.held.put_aside();
        std::mem::take(&mut self.held.past)
    }

    /// What this asked for could not be started. Both are asked for again by
    /// the watch: a reader is a failure like any other until then.
    pub fn not_started(&mut self, effect: &Effect, error: &TailError, now: Instant) {
        match effect {
            Effect::StartReader { generation, cause } if self.generation == *generation => {
                self.unstarted.clone_from(cause);
                self.failed(error, now);
                self.set_phase(Phase::Unstarted);
            }
            Effect::StartProbe { .. } => {
                self.silence.unexplained = self.silence.unexplained.saturating_add(1);
                self.probe_ended();
            }
            _ => {}
        }
    }

    /// No probe is under way any more.
    pub(super) fn probe_ended(&mut self) {
        self.silence.is_probing = false;
    }

    /// The parts of the view's name, if the catalog is to say what it means.
    pub fn watched_name(&self) -> Option<&[String]> {
        let is_watched = !self.is_stopped && self.known.meaning().is_some();
        is_watched.then_some(self.settings.view.parts.as_slice())
    }

    /// Begins anew if the view's name means another object, by what the catalog
    /// has answered to a question that began at `asked`; whether it does.
    pub fn judge(&mut self, facts: &Facts, asked: Instant) -> bool {
        let outdated = self.known.outdated(&self.settings.view.parts, facts, asked);
        let Some(generation) = outdated.filter(|_| !self.is_stopped) else {
            return false;
        };
        log::info!("view \"{}\": its name means another object", self.name());
        self.replace(generation, TailError::Replaced);
        true
    }

    /// The role may not read the view any more, by the answer to a question that
    /// began at `asked`; what is streamed goes on all the same.
    pub fn revoked(&mut self, error: &TailError, asked: Instant) {
        let is_newer = self.known.since().is_some_and(|since| since < asked);
        if self.settings.is_gone_when_revoked && is_newer {
            self.replace(self.generation, error.clone());
        }
    }

    /// The catalog's answer to an inquiry about a stream.
    pub fn take_verdict(&mut self, stream: u64, verdict: Verdict) {
        if self.held.streams == stream {
            self.held.verdict = Some(verdict);
        }
    }
}
