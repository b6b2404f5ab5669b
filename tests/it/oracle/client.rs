//! A client that compares what it holds with the truth at every id, and comes
//! back with positions of all sorts.

use std::thread;
use std::time::{Duration, Instant};

use super::arena::Arena;
use super::changes::{Changes, base_of};
use super::history::differences;
use super::rows::copies_of;
use super::script::ClientScript;
use super::tally::{DIVERGENCE, FORMAT, NEEDLESS_BASE, ORDER, SECOND_BASE, WORDS, count};
use super::windows::Window;
use super::wire::{Event, How, Read, Wire};
use crate::support::dice::Dice;

mod positions;

use positions::Brought;
pub use positions::Held;

/// What is wrong, and the kind of wrong it is.
pub type Wrong = (&'static str, String);

pub struct Client<'a> {
    arena: &'a Arena<'a>,
    place: usize,
    view: usize,
    /// The rows that it asks for, if not all.
    window: Option<Window>,
    dice: Dice,
    held: Option<Held>,
}

/// One connection.
#[derive(Debug)]
struct Session {
    brought: Brought,
    /// What was held when it began.
    id: Option<String>,
    held: Option<Held>,
    gateway: (usize, u64),
    bases: usize,
    is_answered: bool,
    word: Option<String>,
    is_gone: bool,
}

impl<'a> Client<'a> {
    pub fn new(arena: &'a Arena<'a>, place: usize, script: ClientScript) -> Self {
        Client {
            arena,
            place,
            view: script.view,
            // By dice of its own: older seeds keep their scripts.
            window: Window::draw(&mut Dice::new(script.seed ^ 1)),
            dice: Dice::new(script.seed),
            held: None,
        }
    }

    /// Comes and goes until the end of the view is reached.
    pub fn run(mut self) {
        while !self.arena.is_over() && !self.is_at_end(self.held.as_ref()) {
            self.connect();
        }
        self.arena.waiting.lock().unwrap().remove(&self.place);
    }

    fn is_at_end(&self, held: Option<&Held>) -> bool {
        let (Some(held), Some(end)) = (held, self.arena.end_of(self.view)) else {
            return false;
        };
        // A time before it went back is no end.
        let last = self.arena.histories.read().unwrap().last_of(self.view);
        held.timestamp >= end && last.is_some_and(|last| held.candidates.contains(&last))
    }

    fn connect(&mut self) {
        let (brought, id, held) = self.choose();
        let gateway = match self.dice.percent(70) {
            true => self.place % 2,
            false => (self.place + 1) % 2,
        };
        let (address, life) = self.arena.slot(gateway);
        let how = How {
            in_query: self.dice.percent(20),
            is_narrow: self.dice.percent(40),
        };
        let path = self.path();
        let Some(mut wire) = Wire::open(address, &path, id.as_deref(), how) else {
            thread::sleep(Duration::from_millis(20));
            return;
        };
        count(&self.arena.tally.connections);
        let mut session = Session {
            brought,
            id,
            held,
            gateway: (gateway, life),
            bases: 0,
            is_answered: false,
            word: None,
            is_gone: false,
        };
        if let Err((kind, text)) = self.follow(&mut wire, &mut session) {
            let text = format!(
                "client {} of {path}, gateway {:?}, brought {:?} {:?}: {text}",
                self.place, session.gateway, session.brought, session.id
            );
            self.arena.fail(kind, text);
        }
        if session.is_answered {
            self.held = session.held;
        }
    }

    fn path(&self) -> String {
        let path = format!("/v{}/stream", self.view);
        let Some(window) = &self.window else {
            return path;
        };
        let histories = self.arena.histories.read().unwrap();
        let column = histories.column_of(self.view).unwrap_or_default();
        path + "?" + &window.query(column)
    }

    /// Whether a gateway that has yet to hear of new columns refuses the old ones,
    /// or the other way round.
    fn is_of_other_columns(&self, text: &str) -> bool {
        self.window.is_some() && text.starts_with("not a stream: http/1.1 400")
    }

    /// Reads one connection for as long as it suits.
    fn follow(&mut self, wire: &mut Wire, session: &mut Session) -> Result<(), Wrong> {
        let mut events_left = if self.dice.percent(20) {
            self.dice.below(6)
        } else {
            self.dice.between(5, 300).try_into().unwrap()
        };
        let leave = Instant::now() + Duration::from_millis(self.dice.between(300, 7_000));
        let mut stall_in = if self.dice.percent(12) {
            self.dice.below(40)
        } else {
            usize::MAX
        };
        loop {
            let is_ending = self.arena.end_of(self.view).is_some();
            let has_enough = !is_ending && (events_left == 0 || Instant::now() > leave);
            if self.arena.is_over()
                || (session.is_answered && self.is_at_end(session.held.as_ref()))
            {
                return Ok(());
            }
            if has_enough {
                self.arena.tally.fault("client left in the middle");
                return Ok(());
            }
            let read = wire.read();
            if is_ending {
                let text = format!("{session:?} reads {read:.300?}");
                self.arena.waiting.lock().unwrap().insert(self.place, text);
            }
            match read {
                Read::Event(event) => {
                    self.event(session, &event)?;
                    events_left = events_left.saturating_sub(1);
                    stall_in = stall_in.saturating_sub(1);
                }
                Read::Nothing => {}
                Read::Ended | Read::Broken => return Ok(()),
                Read::Wrong(text) if self.is_of_other_columns(&text) => {
                    self.arena.tally.fault("window refused meanwhile");
                    thread::sleep(Duration::from_millis(20));
                    return Ok(());
                }
                Read::Wrong(text) => return Err((FORMAT, text)),
            }
            if stall_in == 0 && !is_ending {
                self.arena.tally.fault("client stalled");
                stall_in = usize::MAX;
                self.stall();
            }
        }
    }

    fn stall(&mut self) {
        let until = Instant::now() + Duration::from_millis(self.dice.between(100, 2_500));
        while Instant::now() < until && !self.arena.is_over() {
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn event(&mut self, session: &mut Session, event: &Event) -> Result<(), Wrong> {
        if session.is_gone {
            return Err((FORMAT, format!("{event:.300?} after the last event")));
        }
        match event.name.as_str() {
            "base" => self.base(session, event)?,
            "delta" => self.delta(session, event)?,
            "upstream" => {
                count(&self.arena.tally.upstream_words);
                let is_known = matches!(event.data.as_str(), "\"lost\"" | "\"live\"");
                if !is_known || session.word.as_ref() == Some(&event.data) {
                    return Err((WORDS, format!("{:?} after {:?}", event.data, session.word)));
                }
                session.word = Some(event.data.clone());
            }
            "gone" => session.is_gone = true,
            // What was sent of a base or a large delta that is kept no longer:
            // nothing follows but the end.
            "abandoned" => session.is_gone = true,
            other => return Err((FORMAT, format!("an event called {other:?}"))),
        }
        if let Some(held) = session.held.as_ref().filter(|_| session.is_answered)
            && self.dice.percent(10)
        {
            let light = Held {
                rows: None,
                from: None,
                ..held.clone()
            };
            *self.arena.published[self.place].lock().unwrap() = Some((self.view, light));
        }
        Ok(())
    }

    fn base(&mut self, session: &mut Session, event: &Event) -> Result<(), Wrong> {
        count(&self.arena.tally.bases);
        session.bases += 1;
        let id = event.id.as_deref().unwrap_or_default();
        let (timestamp, incarnation) = position(id)?;
        if session.bases > 1 || session.is_answered {
            return Err((SECOND_BASE, format!("at {id}")));
        }
        session.is_answered = true;
        if session.brought != Brought::Nothing {
            self.arena.tally.resume(match session.brought {
                Brought::Own => "own position, base",
                Brought::Foreign => "another client's position, base",
                Brought::Past => "forged past position, base",
                Brought::Future => "forged future position, base",
                _ => "malformed or of no incarnation, base",
            });
        }
        let before = session.held.take();
        let (rows, sum) = {
            let mut seen = self.arena.seen[self.view].lock().unwrap();
            base_of(&event.data, &mut seen)?
        };
        let candidates = self.arena.histories.read().unwrap().of_view(
            self.view,
            timestamp,
            sum,
            self.window.as_ref(),
        );
        let held = Held {
            timestamp,
            incarnation,
            sum: Some(sum),
            candidates,
            rows: Some(rows),
            from: Some(session.gateway),
        };
        self.check(&held)?;
        if !self.arena.is_one_life(&held.incarnation, &held.candidates) {
            return Err((DIVERGENCE, format!("{id} is of another view than before")));
        }
        // Nothing was forgotten, the process is the same and time went on: it
        // could have gone on from there.
        if let Some(before) = before
            && session.brought == Brought::Own
            && self.arena.keeps_all
            && before.from == Some(session.gateway)
            && self.arena.slot(session.gateway.0).1 == session.gateway.1
            && before.incarnation == held.incarnation
            && before.timestamp <= timestamp
            // After time went back a gateway believes no position until time
            // has come as far again: it may be of either history.
            && self.arena.is_first_of_life(&held.candidates)
        {
            let had = before.id();
            return Err((
                NEEDLESS_BASE,
                format!("{id}, though this process gave {had}"),
            ));
        }
        session.held = Some(held);
        Ok(())
    }

    fn delta(&mut self, session: &mut Session, event: &Event) -> Result<(), Wrong> {
        let changes = Changes::of(&event.data)?;
        let Some(id) = &event.id else {
            // Before a base only on a resumed stream: what was brought along
            // is still where the view stands.
            session.is_answered |= session.held.is_some();
            return match changes.is_empty() {
                true => Ok(()),
                false => Err((FORMAT, "changes without an id".to_owned())),
            };
        };
        let (timestamp, incarnation) = position(id)?;
        let Some(held) = &mut session.held else {
            return Err((FORMAT, format!("a delta at {id} before a base")));
        };
        if incarnation != held.incarnation || timestamp <= held.timestamp {
            return Err((ORDER, format!("{id} after {}", held.id())));
        }
        if !session.is_answered {
            session.is_answered = true;
            self.arena.tally.resume(match session.brought {
                Brought::Own => "own position, went on",
                Brought::Foreign => "another client's position, went on",
                Brought::Past => "forged past position, went on",
                Brought::Future => "forged future position, went on",
                Brought::Nothing | Brought::Malformed => "nothing, went on",
            });
        }
        let window = self.window.as_ref();
        let known = || {
            self.arena.histories.read().unwrap().sum_at(
                *held.candidates.first()?,
                held.timestamp,
                window,
            )
        };
        let mut sum = match held.sum.or_else(known) {
            Some(sum) => sum,
            None => {
                return Err((
                    DIVERGENCE,
                    format!("{} went on from a time before the view", held.id()),
                ));
            }
        };
        let mut seen = self.arena.seen[self.view].lock().unwrap();
        changes.each(&mut seen, |hash, diff| {
            sum = sum.wrapping_add(copies_of(hash, diff));
            if let Some(rows) = &mut held.rows {
                *rows.entry(hash).or_insert(0) += diff;
            }
        })?;
        drop(seen);
        held.sum = Some(sum);
        held.timestamp = timestamp;
        held.from = Some(session.gateway);
        {
            let histories = self.arena.histories.read().unwrap();
            held.candidates
                .retain(|one| histories.sum_at(*one, timestamp, window) == Some(sum));
        }
        let held = &*held;
        self.check(held)
    }

    /// Compares with the truth, most often by the hash alone.
    fn check(&self, held: &Held) -> Result<(), Wrong> {
        count(&self.arena.tally.comparisons);
        let is_wrong = held.candidates.is_empty();
        let look_close = is_wrong || held.timestamp.is_multiple_of(97);
        let Some(rows) = held.rows.as_ref().filter(|_| look_close) else {
            return match is_wrong {
                true => Err((DIVERGENCE, format!("at {}, rows not known", held.id()))),
                false => Ok(()),
            };
        };
        let histories = self.arena.histories.read().unwrap();
        let Some(history) = held
            .candidates
            .first()
            .copied()
            .or(histories.last_of(self.view))
        else {
            return Err((
                DIVERGENCE,
                format!("at {}: there is no such view", held.id()),
            ));
        };
        let truth = histories.rows_at(history, held.timestamp, self.window.as_ref());
        count(&self.arena.tally.full);
        let seen = self.arena.seen[self.view].lock().unwrap();
        let found = differences(rows, &truth, |row| seen.text(row));
        match is_wrong || !found.is_empty() {
            true => Err((
                DIVERGENCE,
                format!("at {} against history {history}: {found}", held.id()),
            )),
            false => Ok(()),
        }
    }
}

fn position(id: &str) -> Result<(u64, String), Wrong> {
    let parts = id.split_once('-');
    let parts =
        parts.and_then(|(timestamp, rest)| Some((timestamp.parse().ok()?, rest.to_owned())));
    parts.ok_or_else(|| (FORMAT, format!("an id that is no position: {id:?}")))
}
