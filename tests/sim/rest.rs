//! Whether everybody has come to rest in the right state, once nothing happens
//! any more: nobody waits for ever, and nobody is told what is not so.

use viewcast::model::upstream::Word;

use crate::script::Op;
use crate::truth::Flow;
use crate::world::{Heal, Task, World};

/// How often it is looked again, before what is wrong counts.
const LOOKS: usize = 8;

impl World {
    /// Looks, and again after a while if something is not right yet.
    pub fn look_at_rest(&mut self, is_last: bool) {
        self.troubles += 1;
        match self.not_at_rest() {
            None => {
                self.rest_looks = 0;
                self.troubles -= 1;
                self.rests += 1;
            }
            Some(text) if self.rest_looks >= LOOKS => self.fail(format!("NOT AT REST: {text}")),
            Some(text) => {
                self.note(format_args!("not at rest yet: {text}"));
                self.note_logs();
                self.rest_looks += 1;
                if !is_last {
                    self.after(5_000_000, Task::Heal(Heal::Rested));
                }
            }
        }
    }

    /// Plays the end of a history: every trouble is over.
    pub fn come_to_rest(&mut self) {
        let last = self.script.steps.iter().map(|step| match step.op {
            Op::Rest { ms } => step.at_us + ms * 1_000 + 45_000_000,
            _ => step.at_us,
        });
        // The longest trouble lasts thirty seconds, and the longest wait for
        // the next attempt at a view that was too large ten times the longest.
        let until = last.max().unwrap_or(0) + 150_000_000;
        self.run(until);
        self.upstream.copy_errors.clear();
        self.upstream.breaks.clear();
        self.rest_looks = 0;
        for _ in 0..=LOOKS {
            if self.wrong.is_some() {
                return;
            }
            self.run(self.now_us + 5_000_000);
            self.look_at_rest(true);
            if self.rest_looks == 0 {
                return;
            }
        }
    }

    /// What there is of each view's log, for whoever reads the trace.
    fn note_logs(&mut self) {
        let mut lines = Vec::new();
        for gateway in self.gateways.iter().flatten() {
            for slot in &gateway.slots {
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
        self.views_not_at_rest()
            .or_else(|| self.clients_not_at_rest())
            .or_else(|| self.places_not_at_rest())
    }

    fn views_not_at_rest(&self) -> Option<String> {
        for gateway in self.gateways.iter().flatten() {
            for slot in &gateway.slots {
                let upstream = slot.shared.upstream();
                let (life, name, word) = (gateway.life, &slot.name, upstream.word());
                let wrong = |expected: &str| {
                    Some(format!(
                        "{life} {name} is {:?}, not {expected}",
                        upstream.state()
                    ))
                };
                let Some(object) = self.upstream.meaning(name) else {
                    if upstream.why_gone().is_none() {
                        return wrong("gone");
                    }
                    continue;
                };
                let it = &self.upstream.truth.objects[object];
                let is_final = it.flow == Flow::Constant || it.ended.is_some();
                let is_right = match word {
                    Word::Live => !is_final,
                    Word::Complete => is_final,
                    _ => false,
                };
                if !is_right {
                    return wrong(if is_final { "complete" } else { "live" });
                }
            }
        }
        None
    }

    fn clients_not_at_rest(&self) -> Option<String> {
        let is_any_up = self.gateways.iter().flatten().any(|it| it.drain.is_none());
        for client in &self.clients {
            let place = client.place;
            let Some(link) = &client.link else {
                if is_any_up && self.now_us - client.lost_us > 40_000_000 {
                    return Some(format!("client {place} has no connection"));
                }
                continue;
            };
            if link.pipe.len() > 0 || client.stalled_until > self.now_us {
                // It is slow, and on its way.
                continue;
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
                match (self.upstream.meaning(name), table) {
                    (None, None) => {}
                    // Whoever is told so on a stream of its own keeps what it has
                    // until there is something else.
                    (None, Some(_)) if !client.is_joint => {}
                    (None, Some(_)) => return wrong("has rows, and is gone"),
                    (Some(_), None) => return wrong("has no rows"),
                    (Some(object), Some(table)) => {
                        if table.sum != self.upstream.truth.sum(object) {
                            return wrong("has not the rows of now");
                        }
                        if word == Some("lost") {
                            return wrong("is called lost");
                        }
                    }
                }
            }
        }
        None
    }

    /// Whether places were given back: of streams and of sessions.
    fn places_not_at_rest(&self) -> Option<String> {
        for gateway in self.gateways.iter().flatten() {
            for (place, slot) in gateway.slots.iter().enumerate() {
                let served = self.clients.iter().filter(|client| {
                    let link = client.link.as_ref();
                    let link = link.filter(|it| it.life == gateway.life && it.served.is_some());
                    link.is_some() && client.views.contains(&place)
                });
                let (served, counted) = (served.count(), slot.shared.subscriber_count());
                if served != counted {
                    let name = &slot.name;
                    return Some(format!("{name} counts {counted} streams, not {served}"));
                }
            }
        }
        let slots: usize = self
            .gateways
            .iter()
            .flatten()
            .map(|it| it.slots.len())
            .sum();
        let sessions = self.upstream.sessions.len();
        if sessions > slots * 2 + self.gateways.len() {
            return Some(format!("{sessions} sessions for {slots} views"));
        }
        None
    }
}
