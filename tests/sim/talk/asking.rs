//! What conversations ask for, on its way.

use std::time::Instant;

use viewcast::limits::WATCH_TICK;
use viewcast::tail::catalog::CatalogRequest;
use viewcast::tail::conversation::{Over, Request};

use super::{Asked, Told, Waits, Who};
use crate::acts::healing::Heal;
use crate::gateway::Life;
use crate::world::{Task, World, micros};

impl World {
    /// Sends what a conversation asks for on its way.
    pub(super) fn ask(&mut self, id: u64) {
        let Some(talk) = self.talks.get_mut(&id) else {
            return;
        };
        let turn = talk.turn;
        talk.waits = Waits::Server;
        let there = self.dice.between(100, 15_000);
        match &talk.asked {
            Some(Asked::Tail(Request::Connect)) => {
                let before = talk.take_session();
                self.leave(before);
                self.after(there, Task::Serve { talk: id, turn });
            }
            Some(Asked::Tail(Request::Ask(_) | Request::Copy(_))) => {
                self.after(there, Task::Serve { talk: id, turn });
            }
            Some(Asked::Tail(Request::Read)) => talk.waits = Waits::Bytes,
            Some(Asked::Tail(Request::Wait(until))) => {
                talk.waits = Waits::Change;
                let until = *until;
                self.wake_at(until, id, turn);
            }
            Some(Asked::Tail(Request::Over(over))) => {
                let fatal = match over {
                    Over::Fatal(error) => Some(error.to_string()),
                    _ => None,
                };
                let (life, session) = (talk.life, talk.session);
                let slot = match talk.who {
                    Who::Reader { slot, .. } if self.setup.is_pattern => Some(slot),
                    _ => None,
                };
                self.talks.remove(&id);
                self.leave(session);
                if let (Some(_), Some(slot)) = (&fatal, slot) {
                    if let Some(gateway) = self.gateway(life) {
                        gateway.slots[slot].has_given_up = true;
                    }
                } else if let Some(error) = fatal {
                    self.note(format_args!("{life} exits: {error}"));
                    self.stop(life.gateway, 1_000_000);
                }
            }
            Some(Asked::Catalog(CatalogRequest::Rest { until })) => {
                talk.waits = Waits::Change;
                let (until, life) = (*until, talk.life);
                if let Some(until) = until {
                    self.wake_at(until, id, turn);
                }
                if self
                    .gateway(life)
                    .is_some_and(|it| !it.inquiries.is_empty())
                {
                    self.wake_catalog(life);
                }
            }
            Some(Asked::Catalog(CatalogRequest::Ask { limit, anew, .. })) => {
                let (limit, anew) = (*limit, *anew);
                if anew {
                    let before = talk.take_session();
                    self.leave(before);
                }
                self.after(there, Task::Serve { talk: id, turn });
                let told = Told::Silent;
                self.tell_after(micros(limit), id, turn, told);
            }
            Some(Asked::Catalog(CatalogRequest::Judge {
                names,
                facts,
                asked,
            })) => {
                let (names, facts, asked, life) = (names.clone(), facts.clone(), *asked, talk.life);
                let mut is_other = false;
                let slots = self.gateway(life).map_or(0, |it| it.slots.len());
                for slot in 0..slots {
                    let Some(gateway) = self.gateway(life) else {
                        return;
                    };
                    let tail = &mut gateway.slots[slot].tail;
                    let is_named = |parts: &[String]| names.iter().any(|it| it == parts);
                    if tail.watched_name().is_some_and(is_named) {
                        is_other |= tail.judge(&facts, asked);
                        self.heed(life, slot, None);
                    }
                }
                self.tell_after(10, id, turn, Told::Judged(is_other));
            }
            None => {}
        }
    }

    fn wake_at(&mut self, instant: Instant, talk: u64, turn: u64) {
        let told = Told::Woken;
        self.at(self.moment(instant), Task::Tell { talk, turn, told });
    }

    /// The process ends, and is started again after so long.
    pub fn stop(&mut self, gateway: usize, for_us: u64) {
        let Some(it) = self.gateways[gateway].take() else {
            return;
        };
        self.note(format_args!("{} ends", it.life));
        let talks: Vec<u64> = self
            .talks
            .iter()
            .filter(|(_, talk)| talk.life == it.life)
            .map(|(id, _)| *id)
            .collect();
        for id in talks {
            let talk = self.talks.remove(&id);
            self.leave(talk.and_then(|talk| talk.session));
        }
        self.reset_clients(it.life);
        self.troubles += 1;
        self.after(for_us, Task::Heal(Heal::Start { gateway }));
    }

    /// A gateway's watch looks at its tails.
    pub fn watch(&mut self, life: Life) {
        let now = self.now();
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        for slot in 0..gateway.slots.len() {
            let Some(gateway) = self.gateway(life) else {
                return;
            };
            let it = &mut gateway.slots[slot];
            if it.is_watched {
                it.is_watched = it.tail.look(now.instant);
                self.heed(life, slot, None);
            }
        }
        self.after(micros(WATCH_TICK), Task::Watch(life));
    }
}
