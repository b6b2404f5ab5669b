//! Conversations of gateways with the upstream, and the network in between.

use viewcast::model::event::TailEvent;
use viewcast::tail::catalog::{CatalogEffect, CatalogReply, CatalogRequest};
use viewcast::tail::conversation::{Answer, Question, Reply, Request};
use viewcast::tail::error::TailError;
use viewcast::tail::failure::Failure;
use viewcast::tail::probe::Probe;
use viewcast::tail::reader::Reader;
use viewcast::tail::view_tail::Effect;

use crate::gateway::{CHANNEL, Life, Woken};
use crate::world::{Task, World};

mod asking;
mod network;
mod words;

use words::Words;

/// What a conversation is told.
#[derive(Debug)]
pub enum Told {
    Begin,
    Woken,
    Connected(Result<(), TailError>),
    Answered(Result<Answer, TailError>),
    Copying(Result<(), Failure>),
    Chunk(Vec<u8>),
    CopyEnded(Result<(), Failure>),
    /// The catalog took too long to answer.
    Silent,
    /// The tails have judged what the catalog says.
    Judged(bool),
}

enum Who {
    Reader { slot: usize, reader: Box<Reader> },
    Probe { slot: usize, probe: Box<Probe> },
    Catalog,
}

/// What a conversation waits for.
#[derive(Debug)]
enum Waits {
    Nothing,
    /// Room in the publisher's channel; then this is asked for.
    Room,
    /// The next bytes of its COPY.
    Bytes,
    /// A change, or a moment.
    Change,
    /// An answer.
    Server,
}

#[derive(Debug)]
enum Asked {
    Tail(Request),
    Catalog(CatalogRequest),
}

/// One conversation.
pub struct Talk {
    life: Life,
    who: Who,
    session: Option<u64>,
    /// The other end has gone without a word.
    is_half_open: bool,
    /// Moves with each request, so that what comes too late is known.
    turn: u64,
    asked: Option<Asked>,
    since_us: u64,
    waits: Waits,
}

impl Talk {
    /// What it asks, if that is a question.
    fn question(&self) -> Option<&Question> {
        match &self.asked {
            Some(Asked::Tail(Request::Ask(question)))
            | Some(Asked::Catalog(CatalogRequest::Ask { question, .. })) => Some(question),
            _ => None,
        }
    }

    /// The connection that it leaves for another one.
    fn take_session(&mut self) -> Option<u64> {
        self.is_half_open = false;
        self.session.take()
    }
}

impl World {
    fn talk(&mut self, life: Life, who: Who) -> u64 {
        self.next += 1;
        let talk = Box::new(Talk {
            life,
            who,
            session: None,
            is_half_open: false,
            turn: 0,
            asked: None,
            since_us: self.now_us,
            waits: Waits::Nothing,
        });
        self.talks.insert(self.next, talk);
        let soon = self.dice.between(10, 2_000);
        self.tell_after(soon, self.next, 0, Told::Begin);
        self.next
    }

    /// Tells a conversation something after a while, if it still waits for it.
    fn tell_after(&mut self, delay_us: u64, talk: u64, turn: u64, told: Told) {
        self.after(delay_us, Task::Tell { talk, turn, told });
    }

    pub fn begin_catalog(&mut self, life: Life) {
        self.talk(life, Who::Catalog);
    }

    /// Tells a conversation something, if it still waits for it.
    pub fn tell(&mut self, id: u64, turn: u64, told: Told) {
        let Some(mut talk) = self.talks.remove(&id) else {
            return;
        };
        if talk.turn != turn {
            self.talks.insert(id, talk);
            return;
        }
        let life = talk.life;
        if self.gateway(life).is_none() {
            self.leave(talk.session);
            return;
        }
        let now = self.now();
        talk.turn += 1;
        talk.since_us = self.now_us;
        let (slot, is_reader) = match &talk.who {
            Who::Reader { slot, .. } => (*slot, true),
            Who::Probe { slot, .. } => (*slot, false),
            Who::Catalog => {
                self.note(format_args!("{life} catalog told {}", Words(&told)));
                let Some(gateway) = self.gateway(life) else {
                    return;
                };
                let reply = match told {
                    Told::Begin => CatalogReply::Begin,
                    Told::Answered(answer) => CatalogReply::Answered(answer),
                    Told::Silent => CatalogReply::Silent,
                    Told::Judged(is_other) => CatalogReply::Judged { is_other },
                    _ => {
                        let watched = gateway
                            .slots
                            .iter()
                            .filter_map(|slot| slot.tail.watched_name());
                        CatalogReply::Woken {
                            watched: watched.map(<[String]>::to_vec).collect(),
                            inquiries: std::mem::take(&mut gateway.inquiries),
                        }
                    }
                };
                if matches!(reply, CatalogReply::Silent) {
                    self.leave(talk.session.take());
                }
                let Some(gateway) = self.gateway(life) else {
                    return;
                };
                let request = gateway.catalog.next(reply, now.instant);
                talk.asked = Some(Asked::Catalog(request));
                self.talks.insert(id, talk);
                self.catalog_effects(life);
                self.ask(id);
                return;
            }
        };
        let who = if is_reader { "reader" } else { "probe" };
        self.note(format_args!(
            "{life} v{slot} {who} {id} told {}",
            Words(&told)
        ));
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let of = &mut gateway.slots[slot];
        if let (true, Told::Answered(Ok(Answer::Found(found)))) = (is_reader, &told) {
            of.kept.note_found(found);
        }
        let tail = &mut of.tail;
        let reply = match &told {
            Told::Connected(result) => Reply::Connected(result.clone()),
            Told::Answered(answer) => Reply::Answered(answer.clone()),
            Told::Copying(result) => Reply::Copying(result.clone()),
            Told::Chunk(bytes) => Reply::Chunk(bytes),
            Told::CopyEnded(result) => Reply::CopyEnded(result.clone()),
            Told::Begin => Reply::Begin,
            Told::Woken | Told::Silent | Told::Judged(_) => Reply::Woken,
        };
        let request = match &mut talk.who {
            Who::Reader { reader, .. } => reader.next(tail, reply, now.instant),
            Who::Probe { probe, .. } => probe.next(tail, reply, now.instant),
            Who::Catalog => return,
        };
        self.note(format_args!("  asks {}", Words(&request)));
        talk.asked = Some(Asked::Tail(request));
        talk.waits = if is_reader {
            Waits::Room
        } else {
            Waits::Nothing
        };
        self.talks.insert(id, talk);
        self.heed(life, slot, Some(id));
        match is_reader {
            // `heed` has asked, if there was room.
            true => {}
            false => self.ask(id),
        }
    }

    /// Does what a tail wants done, and hands on what it has told.
    pub fn heed(&mut self, life: Life, slot: usize, by: Option<u64>) {
        let mut is_news = false;
        loop {
            let Some(gateway) = self.gateway(life) else {
                return;
            };
            let it = &mut gateway.slots[slot];
            if let Some(effect) = it.tail.take_effect() {
                self.effect(life, slot, effect);
                continue;
            }
            if it.channel.len() >= CHANNEL {
                break;
            }
            let Some(event) = it.tail.take_told() else {
                break;
            };
            self.note(format_args!("{life} v{slot} tells {}", Words(&event)));
            if let Some(gateway) = self.gateway(life) {
                let it = &mut gateway.slots[slot];
                if let TailEvent::Described(_) | TailEvent::Moved(_) = event {
                    it.kept.note_described();
                }
                it.channel.push_back(event);
            }
            is_news = true;
        }
        if is_news {
            self.bell.ring(Woken::Publisher { life, slot });
        }
        let Some(gateway) = self.gateway(life) else {
            return;
        };
        let is_backed_up = gateway.slots[slot].tail.is_backed_up();
        let of_slot: Vec<u64> = self.talks_of(life, slot).collect();
        for id in of_slot {
            let waits = self.talks.get(&id).map(|talk| (&talk.waits, talk.turn));
            match waits {
                Some((Waits::Room, _)) if !is_backed_up => self.ask(id),
                Some((Waits::Change, turn)) if Some(id) != by => {
                    let soon = self.dice.between(10, 2_000);
                    self.tell_after(soon, id, turn, Told::Woken);
                }
                _ => {}
            }
        }
    }

    fn talks_of(&self, life: Life, slot: usize) -> impl Iterator<Item = u64> {
        self.talks
            .iter()
            .filter_map(move |(id, talk)| match &talk.who {
                Who::Reader { slot: of, .. } | Who::Probe { slot: of, .. }
                    if talk.life == life && *of == slot =>
                {
                    Some(*id)
                }
                _ => None,
            })
    }

    fn effect(&mut self, life: Life, slot: usize, effect: Effect) {
        self.note(format_args!("{life} v{slot} wants {}", Words(&effect)));
        let is_first = matches!(effect, Effect::StartReader { generation: 0, .. });
        let is_thread = !matches!(effect, Effect::Inquire(_));
        if self.has_no_threads && is_thread && !is_first {
            let now = self.now().instant;
            let reason = "resource temporarily unavailable".to_owned();
            if let Some(gateway) = self.gateway(life) {
                let tail = &mut gateway.slots[slot].tail;
                tail.not_started(&effect, &TailError::Thread { reason }, now);
            }
            return;
        }
        match effect {
            Effect::StartReader { generation, cause } => {
                let now = self.now().instant;
                let before: Vec<u64> = self.talks_of(life, slot).collect();
                for id in before {
                    let talk = &self.talks[&id];
                    let soon = self.dice.between(1_000, 50_000);
                    if let (Who::Reader { .. }, Some(session)) = (&talk.who, talk.session) {
                        self.after(soon, Task::Cancel { session });
                    }
                    let later = soon + self.dice.between(1_000, 50_000);
                    self.after(later, Task::HangUp { talk: id });
                }
                let reader = Box::new(Reader::new(generation, cause, now));
                self.talk(life, Who::Reader { slot, reader });
            }
            Effect::StartProbe { generation } => {
                let probe = Box::new(Probe::new(generation));
                self.talk(life, Who::Probe { slot, probe });
            }
            Effect::Inquire(inquiry) => {
                if let Some(gateway) = self.gateway(life) {
                    gateway.inquiries.push(inquiry);
                }
                self.wake_catalog(life);
            }
        }
    }

    /// Nothing of a view's conversations is waited for any more.
    pub fn hang_up(&mut self, life: Life, slot: usize) {
        let of_slot: Vec<u64> = self.talks_of(life, slot).collect();
        for id in of_slot {
            let talk = self.talks.remove(&id);
            self.leave(talk.and_then(|talk| talk.session));
        }
        if let Some(gateway) = self.gateway(life) {
            gateway.slots[slot].channel.clear();
        }
    }

    fn wake_catalog(&mut self, life: Life) {
        let found = self.talks.iter().find(|(_, talk)| {
            talk.life == life && matches!((&talk.who, &talk.waits), (Who::Catalog, Waits::Change))
        });
        if let Some((id, talk)) = found {
            let (talk, turn) = (*id, talk.turn);
            let soon = self.dice.between(10, 2_000);
            self.tell_after(soon, talk, turn, Told::Woken);
        }
    }

    fn catalog_effects(&mut self, life: Life) {
        loop {
            let Some(gateway) = self.gateway(life) else {
                return;
            };
            let Some(effect) = gateway.catalog.take_effect() else {
                return;
            };
            let (tail, stream, verdict) = match effect {
                CatalogEffect::Verdict {
                    tail,
                    stream,
                    verdict,
                } => (tail, stream, verdict),
                CatalogEffect::Listed(listed) => {
                    gateway.listed = Some(listed);
                    let soon = self.dice.between(10, 50_000);
                    self.after(soon, Task::Follow(life));
                    continue;
                }
                CatalogEffect::Denied { name, error, asked } => {
                    let slots = gateway.slots.iter_mut().enumerate();
                    let of_name = slots.filter(|(_, slot)| slot.parts == name);
                    let of_name = of_name.map(|(at, slot)| {
                        slot.tail.revoked(&error, asked);
                        at
                    });
                    for slot in of_name.collect::<Vec<_>>() {
                        self.heed(life, slot, None);
                    }
                    continue;
                }
                CatalogEffect::Unlisted(_) => continue,
            };
            let slot = usize::try_from(tail).unwrap();
            gateway.slots[slot].tail.take_verdict(stream, verdict);
            self.heed(life, slot, None);
        }
    }
}
