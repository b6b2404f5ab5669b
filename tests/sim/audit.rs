//! What has to hold at every moment, whatever happens: what is said of a view is
//! true, who listens is told it, and no more is held than may be.

use std::sync::{Arc, Weak};

use viewcast::limits::BASES_MAX;
use viewcast::model::position::Position;
use viewcast::model::reason::Why;
use viewcast::model::upstream::{State, Word};
use viewcast::relay::log::shared_log::Log;
use viewcast::tail::object::Found;

use crate::gateway::{Gateway, Life, Slot, Stage, WORKERS};
use crate::script::Op;
use crate::serve::Stream;
use crate::upstream::Generation;
use crate::world::{World, micros};

mod clients;

/// So much longer than the timeout may a view be in doubt.
const DOUBT_US: u64 = 5_000_000;

/// So long after the last thing that anybody did nothing is lost any more.
const QUIET_US: u64 = 60_000_000;

/// So many steps hold a burst, or several.
const MANY_STEPS: usize = 150;

/// What a view was at its last look.
#[derive(Default)]
pub struct Kept {
    word: Option<Word>,
    /// Since when, and as it says itself.
    since_us: u64,
    since_ms: u64,
    /// Since when it is in doubt.
    doubted_us: Option<u64>,
    /// Where the view stood then.
    doubted_at: Option<Position>,
    /// How often it was told to be gone, since it is not what it was.
    other: usize,
    /// The same, since time went back.
    back: usize,
    /// When it was begun, how often its name had changed its meaning by then, and
    /// how often time had gone back when its gateway was.
    begun: Option<(u64, usize, usize)>,
    /// The catalog has said what its name means, or refused to at first.
    has_meaning: bool,
    is_coarse: bool,
    /// The object that its name stood for when the catalog was asked last.
    found: Option<String>,
    /// The object that was shown last.
    pub object: Option<String>,
    /// What everybody is shown it by, and how often time had gone back when that
    /// began.
    pub log: Option<(Weak<Log>, usize)>,
    logs: Vec<Weak<Log>>,
}

impl Kept {
    /// Its reader was told what the view is.
    pub fn note_found(&mut self, found: &Found) {
        match &found.object.meaning {
            Some(meaning) => {
                self.has_meaning = true;
                self.found = meaning.ids.first().cloned();
            }
            None => self.is_coarse |= !self.has_meaning,
        }
    }

    /// That is what is shown from now on.
    pub fn note_described(&mut self) {
        self.object.clone_from(&self.found);
    }

    /// When it was begun.
    pub fn begun_us(&self) -> u64 {
        self.begun.map_or(0, |it| it.0)
    }

    /// Whether only its columns tell it from others.
    pub fn is_coarse(&self) -> bool {
        self.is_coarse
    }
}

impl World {
    /// Notes what the views' names mean, and how often that has changed.
    pub fn note_meanings(&mut self) {
        for view in 0..self.names.len() {
            let parts = self.setup.parts_of(&self.names[view]);
            let now = self.upstream.named(&parts);
            let (before, changes) = &mut self.meanings[view];
            if *before != now {
                (*before, *changes) = (now, *changes + 1);
            }
        }
    }

    /// What the name of a gateway's view is called by clients.
    fn view_of(&self, slot: &Slot) -> Option<usize> {
        let mut names = self.names.iter();
        names.position(|name| self.setup.name_of(name) == slot.name)
    }

    /// A view may have become something else: whether that is true.
    pub fn note_state(&mut self, life: Life, place: usize) {
        let (now_us, backs) = (self.now_us, self.upstream.truth.backs);
        if std::mem::replace(&mut self.broken, self.upstream.broken) != self.broken {
            self.quiet_since_us = now_us;
        }
        let Some(gateway) = &self.gateways[life.gateway] else {
            return;
        };
        let slot = &gateway.slots[place];
        let changes = self.view_of(slot).map(|view| self.meanings[view].1);
        let upstream = slot.shared.upstream();
        let is_quiet = self.troubles == 0 && now_us > self.quiet_since_us + QUIET_US;
        let (state, word) = (upstream.state().clone(), upstream.word());
        let is_large = |op: &Op| matches!(op, Op::Grow { .. } | Op::Rewrite { .. });
        let may_be_large = self.script.steps.iter().any(|step| is_large(&step.op)) || self.script.shape.is_wide
            // Each of very many changes counts until it is told.
            || self.script.steps.len() > MANY_STEPS;
        let is_old = self.upstream.generation.is_old();
        let begun_backs = gateway.begun_backs;
        let Some(slot) = self.gateway(life).map(|it| &mut it.slots[place]) else {
            return;
        };
        let kept = &mut slot.kept;
        let now = (now_us, changes.unwrap_or(0), begun_backs);
        let begun = *kept.begun.get_or_insert(now);
        let before = kept.word;
        // It may have been another for a moment.
        if before == Some(word) && kept.since_ms != upstream.since_ms() {
            kept.since_us = now_us;
        }
        kept.since_ms = upstream.since_ms();
        if before == Some(word) {
            return;
        }
        (kept.word, kept.since_us) = (Some(word), now_us);
        let mut wrong = None;
        match (before, word) {
            (Some(Word::Gone), Word::Lost) => wrong = Some("was gone, and is lost"),
            (Some(_), Word::Loading) => wrong = Some("is loading again"),
            (Some(_), Word::Lost) if is_quiet => wrong = Some("is lost, though all is well"),
            _ => {}
        }
        let changes = changes.filter(|_| !kept.is_coarse);
        let why = match state {
            State::Gone { why, .. } => Some(why),
            _ => None,
        };
        match why {
            Some(
                Why::Dropped | Why::Recreated | Why::Moved | Why::Renamed | Why::ColumnsChanged,
            ) => {
                kept.other += 1;
                // An old server may have told the columns of another.
                let most = |changes: usize| (changes - begun.1) * 2;
                if changes.is_some_and(|changes| kept.other > most(changes)) {
                    wrong = Some("is gone, though its name means what it meant");
                }
            }
            Some(Why::TimeWentBack) => {
                kept.back += 1;
                if kept.back > backs - begun.2 || is_old {
                    wrong = Some("is gone since time went back, which it did not");
                }
            }
            Some(Why::TooLarge) if !may_be_large => wrong = Some("is not too large"),
            _ => {}
        }
        let name = slot.name.clone();
        if let Some(at) = slot.shared.status().position
            && let Some(gateway) = self.gateway(life)
        {
            let of = (name.clone(), at.incarnation.to_string());
            gateway.seen.entry(of).or_insert(backs);
        }
        self.note(format_args!("{life} v{place} {state:?}"));
        if let Some(text) = wrong {
            self.fail(format!("{life} {name} {text}: {before:?}, then {state:?}"));
        }
    }

    /// Keeps in mind when a view's log began, and of what it is alone.
    pub fn note_log_of(&mut self, life: Life, place: usize) {
        let backs = self.upstream.truth.backs;
        let Some(slot) = self.gateway(life).map(|it| &mut it.slots[place]) else {
            return;
        };
        let Some(log) = slot.shared.log() else {
            return;
        };
        let known = slot.kept.log.as_ref();
        if known.is_none_or(|(known, _)| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(&log))) {
            slot.kept.log = Some((Arc::downgrade(&log), backs));
        }
        let state = log.lock();
        let (of, own) = (
            state.terms.current(),
            state.terms.at(state.retention.head()),
        );
        if own != of {
            let truth = &mut self.upstream.truth;
            truth.is_alone(own.to_string(), &of.to_string());
        }
    }

    /// Looks at everybody, about once a second.
    pub fn audit(&mut self) {
        let mut wrong = None;
        for gateway in 0..self.gateways.len() {
            let Some(it) = &mut self.gateways[gateway] else {
                continue;
            };
            let bytes_max = self.setup.retention.bytes_max;
            let doubt_us = micros(self.setup.upstream_timeout) + DOUBT_US;
            for slot in &mut it.slots {
                wrong = wrong.or_else(|| too_much(slot, bytes_max));
                wrong = wrong.or_else(|| in_doubt(slot, doubt_us, self.now_us));
            }
            let it = self.gateways[gateway].as_ref();
            wrong = wrong.or_else(|| it.and_then(|it| self.not_true(it)));
        }
        let beat_us = micros(self.setup.heartbeat);
        let is_left = |it: &Stream| it.is_left(self.now_us, beat_us);
        let kept = self.streams.iter().find(|(_, it)| is_left(it));
        let kept = kept.map(|((client, _), _)| format!("client {client} has left, and is served"));
        wrong = wrong.or(kept);
        let mut clients = 0..self.clients.len();
        let untold = clients.find_map(|it| {
            let untold = self.untold(it).or_else(|| self.held_up(it));
            untold.or_else(|| self.unheard(it))
        });
        if let Some(text) = wrong.or(untold) {
            self.fail(text);
        }
    }

    /// How long it takes until an upstream that is silent is known to be lost.
    fn longest_silence_ms(&self) -> u64 {
        let timeout = self.setup.upstream_timeout.as_millis();
        u64::try_from(timeout).unwrap() * 6 + 15_000
    }

    /// A view that is called fresh, though its rows are of long ago.
    fn not_true(&self, gateway: &Gateway) -> Option<String> {
        // Older servers do not tell how far they are.
        if self.upstream.generation != Generation::Modern || gateway.drain.is_some() {
            return None;
        }
        let longest_ms = self.longest_silence_ms();
        for (_, slot) in gateway.served() {
            let status = slot.shared.status();
            // A stream that has come back may tell a part of what was missed, and hang.
            let is_settled = self.now_us > slot.kept.since_us + longest_ms * 1_000;
            let is_fresh = status.upstream.is_fresh() && is_settled;
            let Some(at) = status.position.filter(|_| is_fresh) else {
                continue;
            };
            let truth = &self.upstream.truth;
            let objects = truth.objects_of(&at.incarnation.to_string());
            let Some(object) = self.upstream.named(&slot.parts) else {
                continue;
            };
            if !objects.contains(&object) {
                continue;
            }
            let history = &truth.histories[truth.objects[object].history];
            let unseen = history
                .log
                .partition_point(|(time, _)| *time <= at.timestamp.get());
            let since = history.log.get(unseen).map(|(time, _)| *time);
            let now = self.upstream.time(self.now_us);
            let age = since.map(|since| now.saturating_sub(since));
            if let Some(age) = age.filter(|age| *age > longest_ms) {
                return Some(format!(
                    "{} {} is called {:?}, though it lacks what changed {age} ms ago",
                    gateway.life,
                    slot.name,
                    status.upstream.word()
                ));
            }
        }
        None
    }
}

/// A view that is called fresh though its stream was interrupted long ago.
fn in_doubt(slot: &mut Slot, longest_us: u64, now_us: u64) -> Option<String> {
    let upstream = slot.shared.upstream();
    let State::Doubted(reason) = upstream.state() else {
        slot.kept.doubted_us = None;
        return None;
    };
    // What has told more meanwhile was in no doubt for a moment.
    let at = slot.shared.status().position;
    if std::mem::replace(&mut slot.kept.doubted_at, at) != at {
        slot.kept.doubted_us = None;
    }
    let since = *slot.kept.doubted_us.get_or_insert(now_us);
    let name = &slot.name;
    let is_long = now_us > since + longest_us && slot.stage != Stage::Over;
    is_long.then(|| format!("{name} is in doubt for long: {reason:?}"))
}

/// What a view holds beyond what it may.
fn too_much(slot: &mut Slot, bytes_max: u64) -> Option<String> {
    let log = slot.shared.log();
    let logs = &mut slot.kept.logs;
    if let Some(log) = &log {
        let is_known = |one: &Weak<Log>| std::ptr::eq(one.as_ptr(), Arc::as_ptr(log));
        if !logs.iter().any(is_known) {
            logs.push(Arc::downgrade(log));
        }
    }
    logs.retain(|log| log.strong_count() > 0);
    // The current one, the publisher's, and each thread's last one.
    if logs.len() > WORKERS + 2 {
        return Some(format!("{} holds {} logs", slot.name, logs.len()));
    }
    let log = log?;
    let state = log.lock();
    let (bases, bytes) = (state.bases.held(), state.retention.bytes());
    let is_too_much = bases > BASES_MAX + 2 || bytes > bytes_max;
    is_too_much.then(|| format!("{} holds {bases} bases and {bytes} bytes", slot.name))
}
