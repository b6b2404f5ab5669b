//! What has to hold at every moment, whatever happens: what is said of a view is
//! true, who listens is told it, and no more is held than may be.

use std::sync::{Arc, Weak};

use viewcast::limits::BASES_MAX;
use viewcast::model::reason::Why;
use viewcast::model::upstream::{State, Word};
use viewcast::relay::log::shared_log::Log;
use viewcast::tail::object::Found;

use crate::client::{Client, Served};
use crate::gateway::{Gateway, Life, Slot, WORKERS};
use crate::script::Op;
use crate::upstream::Generation;
use crate::world::World;

/// So long a word has to stand until everybody who reads on was told it.
const TOLD_US: u64 = 15_000_000;

/// So long after the last thing that anybody did nothing is lost any more.
const QUIET_US: u64 = 60_000_000;

/// What a view was at its last look.
#[derive(Default)]
pub struct Kept {
    word: Option<Word>,
    /// Since when, and as it says itself.
    since_us: u64,
    since_ms: u64,
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
    /// The object that its name stood for last.
    pub object: Option<String>,
    logs: Vec<Weak<Log>>,
}

impl Kept {
    /// Its reader was told what the view is.
    pub fn note_found(&mut self, found: &Found) {
        match &found.object.meaning {
            Some(meaning) => {
                self.has_meaning = true;
                self.object = meaning.ids.first().cloned();
            }
            None => self.is_coarse |= !self.has_meaning,
        }
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
        let may_be_large =
            self.script.steps.iter().any(|step| is_large(&step.op)) || self.script.shape.is_wide;
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

    /// Looks at everybody, about once a second.
    pub fn audit(&mut self) {
        let mut wrong = None;
        for gateway in 0..self.gateways.len() {
            let Some(it) = &mut self.gateways[gateway] else {
                continue;
            };
            let bytes_max = self.setup.retention.bytes_max;
            for slot in &mut it.slots {
                wrong = wrong.or_else(|| too_much(slot, bytes_max));
            }
            let it = self.gateways[gateway].as_ref();
            wrong = wrong.or_else(|| it.and_then(|it| self.not_true(it)));
        }
        let kept = self.streams.iter().find(|(_, it)| it.is_left(self.now_us));
        let kept = kept.map(|((client, _), _)| format!("client {client} has left, and is served"));
        wrong = wrong.or(kept);
        let mut clients = 0..self.clients.len();
        let untold = clients.find_map(|it| self.untold(it).or_else(|| self.held_up(it)));
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

    /// Whether a client of several views has stood at a time that is known ahead,
    /// or had not come so long ago: it waits until that has come, a gap that
    /// docs/ARCHITECTURE.md names.
    pub fn is_ahead(&self, client: &Client, since_ms: u64) -> bool {
        let now = self.upstream.time(self.now_us);
        let id = client.kept.id.as_deref().unwrap_or_default();
        let mut known = id.split(['.', '-']).step_by(2);
        known.any(|time| time.parse().is_ok_and(|time: u64| time + since_ms > now))
    }

    /// A client of several views that stand at a time of long ago, though each of
    /// them goes on.
    fn held_up(&self, client: usize) -> Option<String> {
        let it = &self.clients[client];
        let link = it.link.as_ref().filter(|_| it.is_joint)?;
        let gateway = self.gateways[link.life.gateway].as_ref()?;
        let longest_ms = self.longest_silence_ms();
        let long_ago = self.now_us.checked_sub(longest_ms * 1_000)?;
        let is_slow = link.is_reading() || it.stalled_until > long_ago || link.is_refused;
        let is_held = self.jobs_held_until > long_ago || gateway.drain.is_some();
        let is_told = self.upstream.generation == Generation::Modern;
        if is_slow || is_held || !is_told || link.since_us > long_ago {
            return None;
        }
        let mut is_any_live = false;
        for view in &it.views {
            let place = gateway.find(&self.setup.name_of(&self.names[*view]))?;
            let kept = &gateway.slots[place].kept;
            let is_well = matches!(kept.word, Some(Word::Live | Word::Complete | Word::Gone));
            if !is_well || kept.since_us > long_ago {
                return None;
            }
            is_any_live |= kept.word == Some(Word::Live);
        }
        let now = self.upstream.time(self.now_us);
        let is_old = it.time.is_none_or(|time| time + longest_ms < now);
        let is_held_up = is_any_live && is_old && !self.is_ahead(it, longest_ms);
        let life = gateway.life;
        is_held_up.then(|| {
            format!(
                "client {client} of {life} is held up at {:?}, long before {now}",
                it.time
            )
        })
    }

    /// A client that was not told what has been so for long.
    fn untold(&self, client: usize) -> Option<String> {
        let it = &self.clients[client];
        let link = it.link.as_ref()?;
        let stream = self.streams.get(&(client, link.epoch))?;
        let gateway = self.gateways[link.life.gateway].as_ref()?;
        let long_ago = self.now_us.checked_sub(TOLD_US)?;
        let is_slow = link.is_reading() || it.stalled_until > long_ago;
        let is_held = self.jobs_held_until > long_ago || gateway.drain.is_some();
        let is_short = matches!(stream.served, Served::Short(_));
        if is_slow || is_held || is_short || link.since_us > long_ago {
            return None;
        }
        let slot = |view: &usize| {
            let place = gateway.find(&self.setup.name_of(&self.names[*view]));
            let place = place.filter(|it| stream.slots.contains(it));
            place.map(|it| &gateway.slots[it])
        };
        for view in &it.views {
            let Some(of) = slot(view) else {
                continue;
            };
            // What is told of a view stands behind its changes, and these are held
            // back until the others have come as far.
            let is_well = |other: &usize| {
                let kept = slot(other).map(|it| &it.kept);
                let well = [Word::Live, Word::Complete, Word::Gone].map(Some);
                let is_any = |it: &Kept| well.contains(&it.word);
                kept.is_none_or(|it| is_any(it) && it.since_us + TOLD_US < of.kept.since_us)
            };
            let mut others = it.views.iter().filter(|other| *other != view);
            let at = of.shared.status().position.map(|at| at.timestamp.get());
            let is_elsewhere = it.is_joint && at.is_some_and(|at| it.time != Some(at));
            if !others.all(is_well) || is_elsewhere {
                continue;
            }
            let (kept, name) = (&of.kept, &of.name);
            let told = it.words.get(view).map(String::as_str);
            let has_rows = it.tables.contains_key(view);
            let is_right = match kept.word.filter(|_| kept.since_us < long_ago) {
                // Whoever has no rows has none that may be stale.
                Some(Word::Lost) => told == Some("lost") || !has_rows && !it.is_joint,
                Some(Word::Live | Word::Complete) => told != Some("lost"),
                Some(Word::Gone) if it.is_joint => told == Some("gone") && !has_rows,
                _ => true,
            };
            if !is_right {
                let (life, word) = (gateway.life, kept.word);
                return Some(format!(
                    "client {client} of {life}: {name} is {word:?}, and the client was told {told:?}"
                ));
            }
        }
        None
    }
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
