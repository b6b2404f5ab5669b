//! A client of several views on one stream: whenever it is told that they stand
//! together, it compares each with the truth of that one time [M2].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::arena::Arena;
use super::changes::{Changes, base_of};
use super::client::Wrong;
use super::history::differences;
use super::rows::copies_of;
use super::tally::{DIVERGENCE, FORMAT, NEEDLESS_BASE, ORDER, SECOND_BASE, count};
use super::windows::Window;
use super::wire::{Event, How, Read, Wire};
use crate::support::dice::Dice;

/// What is held of one view.
#[derive(Clone)]
struct Held {
    rows: HashMap<u128, i64>,
    sum: u128,
    /// The histories that it may be in; `None` until the views stand together.
    candidates: Option<Vec<usize>>,
    /// Where it stood then.
    position: Option<(u64, String)>,
}

/// What can be gone on from.
#[derive(Clone)]
struct Shown {
    id: String,
    time: u64,
    views: BTreeMap<usize, Held>,
    /// Which process said so.
    from: (usize, u64),
}

pub struct JointClient<'a> {
    arena: &'a Arena<'a>,
    place: usize,
    /// In the order of their names.
    views: Vec<usize>,
    /// Of those of which it does not ask for all rows, which.
    windows: BTreeMap<usize, Window>,
    dice: Dice,
    shown: Option<Shown>,
}

/// One connection.
struct Session {
    gateway: (usize, u64),
    /// What was brought along.
    brought: Option<Shown>,
    held: BTreeMap<usize, Held>,
    time: Option<u64>,
    id: Option<String>,
    based: BTreeSet<usize>,
    gone: BTreeSet<usize>,
    is_abandoned: bool,
}

impl<'a> JointClient<'a> {
    /// A client of two or more of the arena's views.
    pub fn new(arena: &'a Arena<'a>, place: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut views: Vec<usize> = (0..arena.seen.len()).collect();
        while views.len() > 2 && dice.percent(50) {
            views.remove(dice.below(views.len()));
        }
        // By dice of its own: older seeds keep their scripts.
        let mut of_windows = Dice::new(seed ^ 1);
        let window = |view: &usize| Some((*view, Window::draw(&mut of_windows)?));
        JointClient {
            arena,
            place,
            windows: views.iter().filter_map(window).collect(),
            views,
            dice,
            shown: None,
        }
    }

    /// Comes and goes until all views have reached their ends.
    pub fn run(mut self) {
        while !self.arena.is_over() && !self.is_at_end() {
            self.connect();
        }
    }

    fn is_at_end(&self) -> bool {
        let Some(shown) = &self.shown else {
            return false;
        };
        let histories = self.arena.histories.read().unwrap();
        self.views.iter().all(|view| {
            let last = histories.last_of(*view);
            let held = shown.views.get(view);
            let candidates = held.and_then(|held| held.candidates.as_ref());
            self.arena
                .end_of(*view)
                .is_some_and(|end| shown.time >= end)
                && last.is_some_and(|last| candidates.is_some_and(|all| all.contains(&last)))
        })
    }

    fn connect(&mut self) {
        let is_ending = self.arena.end_of(self.views[0]).is_some();
        let throw = if is_ending { 0 } else { self.dice.below(100) };
        let (id, brought) = match (throw, &self.shown) {
            (0..80, Some(shown)) => (Some(shown.id.clone()), Some(shown.clone())),
            (80..85, Some(shown)) => (Some(format!("{}.1-abcdefabcdef", shown.id)), None),
            (85..90, _) => (Some("garbage".to_owned()), None),
            _ => (None, None),
        };
        let gateway = self.dice.below(2);
        let (address, life) = self.arena.slot(gateway);
        let how = How {
            in_query: self.dice.percent(20),
            is_narrow: self.dice.percent(40),
        };
        let path = self.path();
        let Some(mut wire) = Wire::open(address, &path, id.as_deref(), how) else {
            return thread::sleep(Duration::from_millis(20));
        };
        count(&self.arena.tally.connections);
        let mut session = Session {
            gateway: (gateway, life),
            held: brought
                .as_ref()
                .map_or_else(BTreeMap::new, |it| it.views.clone()),
            id: brought.as_ref().map(|it| it.id.clone()),
            brought,
            time: None,
            based: BTreeSet::new(),
            gone: BTreeSet::new(),
            is_abandoned: false,
        };
        if let Err((kind, text)) = self.follow(&mut wire, &mut session) {
            let text = format!(
                "joint client {} of {path}, gateway {:?}, brought {id:?}: {text}",
                self.place, session.gateway
            );
            self.arena.fail(kind, text);
        }
    }

    fn path(&self) -> String {
        let histories = self.arena.histories.read().unwrap();
        let views = self.views.iter().map(|view| format!("view=v{view}"));
        let windows = self.windows.iter().map(|(view, window)| {
            let column = histories.column_of(*view).unwrap_or_default();
            format!("v{view}.{}", window.query(column))
        });
        let all: Vec<String> = views.chain(windows).collect();
        format!("/stream?{}", all.join("&"))
    }

    /// Whether a gateway has other columns than this client knows of.
    fn is_of_other_columns(&self, text: &str) -> bool {
        !self.windows.is_empty() && text.starts_with("not a stream: http/1.1 400")
    }

    /// Reads one connection for as long as it suits.
    fn follow(&mut self, wire: &mut Wire, session: &mut Session) -> Result<(), Wrong> {
        let leave = Instant::now() + Duration::from_millis(self.dice.between(300, 7_000));
        let mut stall_in = match self.dice.percent(15) {
            true => self.dice.below(60),
            false => usize::MAX,
        };
        loop {
            let is_ending = self.arena.end_of(self.views[0]).is_some();
            if self.arena.is_over() || self.is_at_end() {
                return Ok(());
            }
            if !is_ending && Instant::now() > leave {
                self.arena.tally.fault("client left in the middle");
                return Ok(());
            }
            match wire.read() {
                Read::Event(event) => {
                    self.event(session, &event)?;
                    stall_in = stall_in.saturating_sub(1);
                    // The next view of this name may have other columns.
                    if session
                        .gone
                        .iter()
                        .any(|view| self.windows.contains_key(view))
                    {
                        return Ok(());
                    }
                }
                Read::Nothing => {}
                Read::Wrong(text) if self.is_of_other_columns(&text) => {
                    self.arena.tally.fault("window refused meanwhile");
                    thread::sleep(Duration::from_millis(20));
                    return Ok(());
                }
                Read::Ended | Read::Broken => return Ok(()),
                Read::Wrong(text) => return Err((FORMAT, text)),
            }
            if stall_in == 0 && !is_ending {
                self.arena.tally.fault("client stalled");
                stall_in = usize::MAX;
                thread::sleep(Duration::from_millis(self.dice.between(100, 1_500)));
            }
        }
    }

    fn event(&mut self, session: &mut Session, event: &Event) -> Result<(), Wrong> {
        let wrong = |text: &str| Err((FORMAT, format!("{text}: {event:.300?}")));
        if session.is_abandoned {
            return wrong("an event after the last one");
        }
        match event.name.as_str() {
            "consistent" => return self.stand(session, event),
            // What was sent of a large event: nothing follows but the end.
            "abandoned" => {
                session.is_abandoned = true;
                return Ok(());
            }
            _ => {}
        }
        let name = event
            .name
            .strip_prefix('v')
            .and_then(|name| name.split_once('.'));
        let Some((Ok(view), kind)) = name.map(|(view, kind)| (view.parse::<usize>(), kind)) else {
            return wrong("an event of no view");
        };
        if event.id.is_some() || !self.views.contains(&view) {
            return wrong("an id, or a view that was not asked for");
        }
        match kind {
            "base" => {
                count(&self.arena.tally.bases);
                if !session.based.insert(view) {
                    return Err((SECOND_BASE, format!("of v{view}")));
                }
                let (rows, sum) = {
                    let mut seen = self.arena.seen[view].lock().unwrap();
                    base_of(&event.data, &mut seen)?
                };
                let held = Held {
                    rows,
                    sum,
                    candidates: None,
                    position: None,
                };
                session.held.insert(view, held);
            }
            "delta" => {
                let Some(held) = session.held.get_mut(&view) else {
                    return wrong("a delta before a base");
                };
                let changes = Changes::of(&event.data)?;
                let mut seen = self.arena.seen[view].lock().unwrap();
                changes.each(&mut seen, |hash, diff| {
                    held.sum = held.sum.wrapping_add(copies_of(hash, diff));
                    *held.rows.entry(hash).or_insert(0) += diff;
                })?;
            }
            "upstream" => count(&self.arena.tally.upstream_words),
            "gone" => {
                session.held.remove(&view);
                session.based.remove(&view);
                session.gone.insert(view);
            }
            _ => return wrong("an event of an unknown kind"),
        }
        Ok(())
    }

    /// All views stand at one time.
    fn stand(&mut self, session: &mut Session, event: &Event) -> Result<(), Wrong> {
        let data: Value = serde_json::from_str(&event.data)
            .map_err(|error| (FORMAT, format!("consistent: {error}")))?;
        let time = data["position"].as_u64();
        let time = time.ok_or_else(|| (FORMAT, format!("no position: {data}")))?;
        if session.time > Some(time) {
            return Err((ORDER, format!("{time} after {:?}", session.time)));
        }
        session.time = Some(time);
        if let Some(id) = &event.id {
            if session.id.as_ref() == Some(id) {
                return Err((ORDER, format!("{id} twice")));
            }
            session.id = Some(id.clone());
        }
        let Some(id) = session.id.clone() else {
            return Err((FORMAT, "the first consistent has no id".to_owned()));
        };
        let positions: Vec<&str> = id.split('.').collect();
        if positions.len() != self.views.len() {
            return Err((FORMAT, format!("{id} is not of {} views", self.views.len())));
        }
        for (view, position) in self.views.iter().zip(positions) {
            if let Some(held) = session.held.get_mut(view) {
                let position = position.split_once('-');
                let parsed = position.and_then(|(at, rest)| Some((at.parse().ok()?, rest)));
                let Some((at, incarnation)) = parsed else {
                    return Err((FORMAT, format!("v{view} has no position in {id}")));
                };
                held.position = Some((at, incarnation.to_owned()));
                self.compare(*view, held, time)?;
            } else if position != "-" {
                return Err((
                    FORMAT,
                    format!("v{view} has a position in {id}, but no rows"),
                ));
            }
        }
        self.look_for_needless_bases(session)?;
        self.shown = Some(Shown {
            id,
            time,
            views: session.held.clone(),
            from: session.gateway,
        });
        // From here on nothing is new about them.
        session.brought = None;
        Ok(())
    }

    fn compare(&self, view: usize, held: &mut Held, time: u64) -> Result<(), Wrong> {
        count(&self.arena.tally.comparisons);
        let histories = self.arena.histories.read().unwrap();
        let window = self.windows.get(&view);
        let candidates = match held.candidates.take() {
            None => histories.of_view(view, time, held.sum, window),
            Some(mut all) => {
                all.retain(|one| histories.sum_at(*one, time, window) == Some(held.sum));
                all
            }
        };
        if candidates.is_empty() {
            let truth = histories.last_of(view);
            let rows_at = |last| histories.rows_at(last, time, window);
            let truth = truth.map_or_else(HashMap::new, rows_at);
            let seen = self.arena.seen[view].lock().unwrap();
            let found = differences(&held.rows, &truth, |row| seen.text(row));
            return Err((DIVERGENCE, format!("v{view} at {time}: {found}")));
        }
        drop(histories);
        if let Some((_, incarnation)) = &held.position
            && !self.arena.is_one_life(incarnation, &candidates)
        {
            let text = format!("v{view} at {time} is another view than {incarnation} was");
            return Err((DIVERGENCE, text));
        }
        held.candidates = Some(candidates);
        Ok(())
    }

    /// Nothing is forgotten and the process is the same: whatever it gave, it
    /// can go on from.
    fn look_for_needless_bases(&self, session: &Session) -> Result<(), Wrong> {
        let Some(brought) = &session.brought else {
            return Ok(());
        };
        let is_same = brought.from == session.gateway
            && self.arena.slot(session.gateway.0).1 == session.gateway.1;
        if !self.arena.keeps_all || !is_same {
            return Ok(());
        }
        for view in session.based.difference(&session.gone) {
            let (Some(held), Some(before)) = (session.held.get(view), brought.views.get(view))
            else {
                continue;
            };
            let candidates = held.candidates.as_deref().unwrap_or_default();
            if let (Some(now), Some(then)) = (&held.position, &before.position)
                && now.1 == then.1
                && then.0 <= now.0
                && self.arena.is_first_of_life(candidates)
            {
                let text = format!("v{view} at {}, though this process gave {}", now.0, then.0);
                return Err((NEEDLESS_BASE, text));
            }
        }
        Ok(())
    }
}
