//! Whether everybody has come to rest in the right state, once nothing happens
//! any more: nobody waits for ever, and nobody is told what is not so.

use viewcast::model::reason::Why;
use viewcast::model::upstream::Word;

use crate::acts::healing::Heal;
use crate::client::Client;
use crate::gateway::{Gateway, Slot};
use crate::script::{Op, rest_us};
use crate::truth::{Flow, Object};
use crate::world::World;

/// How often it is looked again, before what is wrong counts.
const LOOKS: usize = 8;

/// How long after the last trouble everybody has come to rest: the longest wait
/// for the next attempt at a view that was too large is ten times the longest,
/// and a question of the catalog that hung rests for some time.
const SETTLED_US: u64 = 100_000_000;

/// So long after jobs were held up all of them are done.
const JOBS_US: u64 = 15_000_000;

/// So long after a privilege was revoked everybody knows.
const DENIED_US: u64 = 15_000_000;

/// So long after a view answers again that was refused it has been asked.
const GRANTED_US: u64 = 30_000_000;

/// What a view has to be.
enum Expected {
    /// Nobody can tell, since something of it is amiss.
    Anything,
    Gone(Option<Why>),
    Live,
    Complete,
}

impl World {
    /// Looks, and again after a while if something is not right yet.
    pub fn look_at_rest(&mut self, is_last: bool) {
        match self.not_at_rest() {
            None => {
                self.rest_looks = 0;
                self.rests += 1;
            }
            Some(text) if self.rest_looks >= LOOKS => self.fail(format!("NOT AT REST: {text}")),
            Some(text) => {
                self.note(format_args!("not at rest yet: {text}"));
                self.note_logs();
                self.rest_looks += 1;
                if !is_last {
                    self.heal_after(5_000, Heal::Rested);
                }
            }
        }
    }

    /// Plays the end of a history: every trouble is over.
    pub fn come_to_rest(&mut self) {
        let last = self.script.steps.iter().map(|step| match step.op {
            Op::Rest { ms } => step.at_us + rest_us(ms),
            _ => step.at_us,
        });
        let last = last.max().unwrap_or(0);
        self.run(last);
        let away = |it: &World| it.clients.iter().map(|it| it.away_until).max().unwrap_or(0);
        let rest = |it: &World| away(it).max(it.names_rest_until).max(it.jobs_held_until);
        while self.wrong.is_none() && (self.troubles > 0 || rest(self) > self.now_us) {
            self.run(self.now_us + 1_000_000);
        }
        // What was to go wrong with a later COPY is one more trouble.
        self.upstream.copy_errors.clear();
        self.upstream.breaks.clear();
        self.run(self.now_us + SETTLED_US);
        self.rest_looks = 0;
        for _ in 0..=LOOKS {
            if self.wrong.is_some() {
                return;
            }
            self.run(self.now_us + 5_000_000);
            self.look_at_rest(true);
            if self.rest_looks == 0 {
                return self.take_leave();
            }
        }
    }

    /// All clients leave, and nothing may be left of them.
    fn take_leave(&mut self) {
        for client in 0..self.clients.len() {
            self.lose(client);
            // It stays away.
            self.clients[client].stay_away();
        }
        self.run(self.now_us + 10_000_000);
        let left = self.streams.len();
        if left > 0 && self.wrong.is_none() {
            self.fail(format!("{left} streams are served to nobody"));
        }
        if let Some(text) = self.places_not_right() {
            self.fail(text);
        }
    }

    /// What there is of each view's log, for whoever reads the trace.
    fn note_logs(&mut self) {
        let mut lines = Vec::new();
        for gateway in self.gateways.iter().flatten() {
            for (_, slot) in gateway.served() {
                let Some(log) = slot.shared.log() else {
                    continue;
                };
                let log = log.lock();
                let base = log.bases.current().map(|base| base.position.timestamp);
                lines.push(format!(
                    "{} {}: log from {} to {}, {} bases, the current one at {base:?}",
                    gateway.life,
                    slot.name,
                    log.retention.start(),
                    log.retention.head(),
                    log.bases.held(),
                ));
            }
        }
        for line in lines {
            self.note(format_args!("{line}"));
        }
    }

    fn not_at_rest(&self) -> Option<String> {
        let places = || {
            self.places_not_right()
                .or_else(|| self.sessions_not_right())
        };
        // What the whole server is in trouble with has not come to rest.
        if self.is_in_trouble() {
            return None;
        }
        let views = self.gateways.iter().flatten();
        let views = views.filter(|it| it.drain.is_none());
        views
            .into_iter()
            .find_map(|gateway| self.views_not_at_rest(gateway))
            .or_else(|| {
                self.clients
                    .iter()
                    .find_map(|it| self.client_not_at_rest(it))
            })
            .or_else(places)
    }

    /// Whether something is amiss that concerns everybody.
    fn is_in_trouble(&self) -> bool {
        let it = &self.upstream;
        let is_shut = it.refuses || it.refuses_login || it.room < usize::MAX;
        let is_hung = it.hangs || it.streams_hang || it.names_hang;
        is_shut
            || is_hung
            || it.refuses_catalog
            || self.has_no_threads
            || self.names_rest_until > self.now_us
            // Backlogs are merged, and whoever waited for theirs is sent them.
            || self.jobs_held_until + JOBS_US > self.now_us
    }

    /// Whether the view is served by gateways that have come so far. One that was
    /// refused is so again once it is answered that it may be read.
    pub fn is_to_be_served(&self, view: usize) -> bool {
        let object = self.object(view).map(|it| &self.upstream.truth.objects[it]);
        let is_unanswered =
            |it: &Object| it.denied_us > 0 && self.now_us < it.unanswered_until_us + GRANTED_US;
        let is_known = object.is_some_and(|it| !it.is_denied && !is_unanswered(it));
        !self.setup.is_pattern || is_known
    }

    /// Whether a pattern has named it though it might not be read, long before. Of
    /// one that answers nothing nobody can know.
    fn is_not_to_be_served(&self, slot: &Slot) -> bool {
        let object = self.upstream.named(&slot.parts);
        let object = object.map(|it| &self.upstream.truth.objects[it]);
        object.is_some_and(|it| {
            let since_us = it.denied_us.max(it.unanswered_until_us);
            it.is_denied && slot.kept.begun_us() > since_us + DENIED_US
        })
    }

    /// What the view of this gateway has to be.
    fn expected(&self, slot: &Slot) -> Expected {
        let name = slot.parts.last();
        let is_hung = name.is_some_and(|name| self.upstream.hung_names.contains(name));
        let Some(object) = self.upstream.named(&slot.parts) else {
            // One that it has never found is looked for in vain.
            let is_unknown = slot.kept.is_coarse() || is_hung || slot.shared.given_up().is_some();
            return match is_unknown || slot.shared.upstream().word() == Word::Loading {
                true => Expected::Anything,
                false => Expected::Gone(self.why_gone(slot)),
            };
        };
        let it = &self.upstream.truth.objects[object];
        let is_ill = it.is_denied || it.error.is_some() || it.has_no_replica;
        let is_ill = is_ill || it.hangs || it.breaks;
        if is_ill || is_hung || slot.kept.is_coarse() {
            return Expected::Anything;
        }
        let (bytes, most) = (json_bytes(it), self.setup.view_bytes_max);
        if bytes > most {
            return Expected::Gone(Some(Why::TooLarge));
        }
        if bytes > most - most / 10 {
            return Expected::Anything;
        }
        match it.flow == Flow::Constant || it.ended.is_some() {
            true => Expected::Complete,
            false => Expected::Live,
        }
    }

    /// What is told of a name that means nothing: whether the object that it
    /// stood for last is still there.
    fn why_gone(&self, slot: &Slot) -> Option<Why> {
        let id = slot.kept.object.as_ref()?;
        Some(match self.upstream.by_id(id) {
            Some(_) => Why::Renamed,
            None => Why::Dropped,
        })
    }

    fn views_not_at_rest(&self, gateway: &Gateway) -> Option<String> {
        let life = gateway.life;
        for (_, slot) in gateway.served() {
            let upstream = slot.shared.upstream();
            let word = upstream.word();
            if self.setup.is_pattern && self.is_not_to_be_served(slot) {
                return Some(format!(
                    "{life} serves {}, which it may not read",
                    slot.name
                ));
            }
            let (is_right, expected) = match self.expected(slot) {
                Expected::Anything => continue,
                Expected::Gone(why) => {
                    let is_it = why.is_none() || upstream.why_gone() == why;
                    (word == Word::Gone && is_it, format!("gone, {why:?}"))
                }
                Expected::Live => (word == Word::Live, "live".to_owned()),
                Expected::Complete => (word == Word::Complete, "complete".to_owned()),
            };
            if !is_right {
                let state = upstream.state();
                return Some(format!("{life} {} is {state:?}, not {expected}", slot.name));
            }
            if self.setup.is_pattern && self.upstream.named(&slot.parts).is_none() {
                return Some(format!("{life} serves {}, which is not there", slot.name));
            }
        }
        let missing = (0..self.names.len()).find(|view| {
            let name = self.setup.name_of(&self.names[*view]);
            self.is_to_be_served(*view) && gateway.find(&name).is_none()
        });
        missing.map(|view| format!("{life} does not serve {}", self.names[view]))
    }

    fn client_not_at_rest(&self, client: &Client) -> Option<String> {
        let place = client.place;
        let Some(link) = &client.link else {
            let is_any_up = self.gateways.iter().flatten().any(|it| it.drain.is_none());
            let is_lost = self.now_us > client.lost_us + 40_000_000;
            let is_left_out = is_any_up && is_lost;
            return is_left_out.then(|| format!("client {place} has no connection"));
        };
        let gateway = self.gateways[link.life.gateway].as_ref()?;
        if link.is_reading(self.now_us) || client.stalled_until > self.now_us || link.is_refused {
            // It is slow, and on its way.
            return None;
        }
        // One that does not come forward may hold up the others.
        let slot = |view: &usize| gateway.find(&self.setup.name_of(&self.names[*view]));
        let is_any = |view: &usize| {
            let slot = slot(view).map(|it| &gateway.slots[it]);
            slot.is_some_and(|it| matches!(self.expected(it), Expected::Anything))
                || !self.is_to_be_served(*view) && self.object(*view).is_some()
        };
        if client.views.iter().any(is_any) || client.is_joint && self.is_ahead(client, 0) {
            return None;
        }
        for view in &client.views {
            let name = &self.names[*view];
            let table = client.tables.get(view);
            let word = client.words.get(view).map(String::as_str);
            let wrong = |text: &str| {
                let at = table.and_then(|table| table.position.clone());
                Some(format!(
                    "client {place} of {}: {name} {text}; it stands at {at:?}, word {word:?}",
                    link.life
                ))
            };
            let object = self.object(*view).filter(|_| {
                let slot = slot(view).map(|it| &gateway.slots[it]);
                slot.is_none_or(|it| !matches!(self.expected(it), Expected::Gone(_)))
            });
            let kind = client.kinds[view];
            let has_text = object.map(|it| self.upstream.truth.objects[it].has_text());
            if has_text.is_some_and(|has_text| !kind.is_of(has_text)) {
                // The view has no such window.
                match table.is_some() && client.is_joint {
                    true => return wrong("has rows of no window"),
                    false => continue,
                }
            }
            match (object, table) {
                (None, None) if client.is_joint && word != Some("gone") => {
                    return wrong("is gone, and it was not told");
                }
                (None, None) => {}
                // Whoever is told so on a stream of its own keeps what it has
                // until there is something else.
                (None, Some(_)) if !client.is_joint => {}
                (None, Some(_)) => return wrong("has rows, and is gone"),
                (Some(_), None) => return wrong("has no rows"),
                (Some(object), Some(table)) => {
                    if table.kind != kind || table.sum != self.upstream.truth.sum(object, kind) {
                        return wrong("has not the rows of now");
                    }
                    if word == Some("lost") {
                        return wrong("is called lost");
                    }
                }
            }
        }
        None
    }

    /// Whether the sessions of the upstream were given back.
    fn sessions_not_right(&self) -> Option<String> {
        let gateways = self.gateways.iter().flatten();
        let slots: usize = gateways.map(|it| it.served().count()).sum();
        let sessions = self.upstream.sessions.len();
        let is_too_many = sessions > slots * 2 + self.gateways.len();
        is_too_many.then(|| format!("{sessions} sessions for {slots} views"))
    }
}

/// Bytes of an object's rows as JSON.
fn json_bytes(object: &Object) -> u64 {
    let bytes = object.rows.iter().map(|(row, copies)| {
        let s = match object.has_text() {
            true => serde_json::json!({ "n": row.n, "s": row.s }),
            false => serde_json::json!({ "n": row.n }),
        };
        u64::try_from(s.to_string().len()).unwrap() * copies.unsigned_abs()
    });
    bytes.sum()
}
