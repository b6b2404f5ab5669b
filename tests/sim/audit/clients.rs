//! What has to hold of who listens: whoever reads on is told what is so, is not
//! held up, and hears something.

use viewcast::model::upstream::Word;

use super::Kept;
use crate::client::{Client, Served};
use crate::upstream::Generation;
use crate::windows::WHOLE;
use crate::world::{World, micros};

/// So long a word has to stand until everybody who reads on was told it.
const TOLD_US: u64 = 15_000_000;

/// A view that is so far behind the upstream's time is not heard of any more.
const STANDS_MS: u64 = 5_000;

impl World {
    /// Whether a client of several views has stood at a time that is known ahead,
    /// or had not come so long ago: it waits until that has come, a gap that
    /// docs/ARCHITECTURE.md names.
    pub fn is_ahead(&self, client: &Client, since_ms: u64) -> bool {
        let now = self.upstream.time(self.now_us);
        let id = client.kept.id.as_deref().unwrap_or_default();
        let mut known = id.split(['.', '-']).step_by(2);
        known.any(|time| {
            time.parse()
                .is_ok_and(|time: u64| time.saturating_add(since_ms) > now)
        })
    }

    /// A client of several views that stand at a time of long ago, though each of
    /// them goes on.
    pub(super) fn held_up(&self, client: usize) -> Option<String> {
        let it = &self.clients[client];
        let link = it.link.as_ref().filter(|_| it.is_joint)?;
        let gateway = self.gateways[link.life.gateway].as_ref()?;
        let longest_ms = self.longest_silence_ms();
        let long_ago = self.now_us.checked_sub(longest_ms * 1_000)?;
        let is_slow =
            link.is_reading(self.now_us) || it.stalled_until > long_ago || link.is_refused;
        let is_held = self.jobs_held_until > long_ago || gateway.drain.is_some();
        let is_told = self.upstream.generation == Generation::Modern;
        // How far all have come is said with changes, and at a heartbeat. What it was told
        // last may be of long ago, if it has only now read all of that.
        let beat_us = micros(self.setup.heartbeat) + TOLD_US;
        let has_moved = link.moved_us + beat_us > self.now_us;
        if is_slow || is_held || has_moved || !is_told || link.since_us > long_ago {
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
            // The view has no such window, perhaps.
            let is_refused = it.kinds[view] != WHOLE && !it.tables.contains_key(view);
            is_any_live |= kept.word == Some(Word::Live) && !is_refused;
        }
        let now = self.upstream.time(self.now_us);
        let is_old = it
            .time
            .is_none_or(|time| time.saturating_add(longest_ms) < now);
        let is_held_up = is_any_live && is_old && !self.is_ahead(it, longest_ms);
        let life = gateway.life;
        is_held_up.then(|| {
            format!(
                "client {client} of {life} is held up at {:?}, long before {now}",
                it.time
            )
        })
    }

    /// A client that hears nothing at all, not even a heartbeat.
    pub(super) fn unheard(&self, client: usize) -> Option<String> {
        let it = &self.clients[client];
        let link = it.link.as_ref().filter(|link| !link.is_refused)?;
        let life = link.life;
        let gateway = self.gateways[life.gateway].as_ref()?;
        let beat_us = micros(self.setup.heartbeat);
        let long_ago = self.now_us.checked_sub(beat_us + TOLD_US)?;
        let is_slow = link.is_reading(self.now_us) || it.stalled_until > long_ago;
        let is_held = self.jobs_held_until > long_ago || gateway.drain.is_some();
        let is_silent = link.heard_us < long_ago && !is_slow && !is_held;
        is_silent.then(|| format!("client {client} of {life} hears nothing"))
    }

    /// A client that was not told what has been so for long.
    pub(super) fn untold(&self, client: usize) -> Option<String> {
        let it = &self.clients[client];
        let link = it.link.as_ref()?;
        let stream = self.streams.get(&(client, link.epoch))?;
        let gateway = self.gateways[link.life.gateway].as_ref()?;
        let long_ago = self.now_us.checked_sub(TOLD_US)?;
        let is_slow = link.is_reading(self.now_us) || it.stalled_until > long_ago;
        let is_held = self.jobs_held_until > long_ago || gateway.drain.is_some();
        let is_short = matches!(stream.served, Served::Short(_));
        if is_slow || is_held || is_short || link.since_us > long_ago {
            return None;
        }
        let slot = |view: &usize| {
            let place = gateway.find(&self.setup.name_of(&self.names[*view]));
            let is_shown = |place: &usize| stream.slots.iter().any(|it| it.0 == *place);
            let place = place.filter(is_shown);
            place.map(|it| &gateway.slots[it])
        };
        let is_told = self.upstream.generation == Generation::Modern;
        let now = self.upstream.time(self.now_us);
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
                let stands = slot(other).and_then(|it| it.shared.status().position);
                let stands = stands.map_or(u64::MAX, |at| at.timestamp.get());
                if is_told && stands.saturating_add(STANDS_MS) < now {
                    // Its connection is broken, and nobody has noticed yet.
                    return false;
                }
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
            if told == Some("gone") && it.kinds[view] != WHOLE {
                // The view has no such window, perhaps.
                continue;
            }
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
