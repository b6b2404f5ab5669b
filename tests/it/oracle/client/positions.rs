//! What a client holds, and the positions that it brings along.

use std::collections::HashMap;

use super::Client;

/// What a client has: rows at a position.
#[derive(Clone, Debug)]
pub struct Held {
    pub(super) timestamp: u64,
    pub(super) incarnation: String,
    /// `None` for a time that has not come: nobody knows the rows yet.
    pub(super) sum: Option<u128>,
    /// The histories that it may be in.
    pub(super) candidates: Vec<usize>,
    /// Row by row, where they are known.
    pub(super) rows: Option<HashMap<u128, i64>>,
    /// Which process gave the position.
    pub(super) from: Option<(usize, u64)>,
}

impl Held {
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.timestamp, self.incarnation)
    }
}

/// What a client brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    Nothing,
    /// Where it was.
    Own,
    /// Where another client is.
    Foreign,
    /// A time it has never been at, of whose rows it is told.
    Past,
    /// A time that has not come.
    Future,
    /// Nothing that makes sense.
    Malformed,
}

impl Client<'_> {
    /// A position to come back with, and the rows that belong to it.
    pub(super) fn choose(&mut self) -> (Brought, Option<String>, Option<Held>) {
        let is_ending = self.arena.end_of(self.view).is_some();
        let throw = if is_ending { 0 } else { self.dice.below(100) };
        match (throw, self.held.as_ref()) {
            (0..64, Some(held)) => (Brought::Own, Some(held.id()), self.held.clone()),
            (64..74, _) => {
                let place = self.dice.below(self.arena.published.len());
                let other = self.arena.published[place].lock().unwrap().clone();
                match other {
                    Some((view, held)) if view == self.view => {
                        (Brought::Foreign, Some(held.id()), Some(held))
                    }
                    _ => (Brought::Nothing, None, None),
                }
            }
            (74..82, Some(held)) if held.candidates.len() == 1 => {
                let histories = self.arena.histories.read().unwrap();
                let from = histories.from(held.candidates[0]);
                let timestamp = self.dice.between(from.min(held.timestamp), held.timestamp);
                let sum = histories.sum_at(held.candidates[0], timestamp, self.window.as_ref());
                let held = Held {
                    timestamp,
                    sum,
                    rows: None,
                    from: None,
                    ..held.clone()
                };
                (Brought::Past, Some(held.id()), Some(held))
            }
            (82..84, Some(held)) if held.candidates.len() == 1 => {
                let timestamp = held.timestamp + self.dice.between(1_000, 20_000);
                let held = Held {
                    timestamp,
                    sum: None,
                    rows: None,
                    from: None,
                    ..held.clone()
                };
                (Brought::Future, Some(held.id()), Some(held))
            }
            (84..92, held) => {
                let (timestamp, incarnation) = held.map_or((1, "abcdefabcdef"), |held| {
                    (held.timestamp, &held.incarnation)
                });
                let id = match self.dice.below(8) {
                    0 => "garbage".to_owned(),
                    1 => format!("{timestamp}-ffffffffffff"),
                    2 => timestamp.to_string(),
                    3 => format!("18446744073709551616-{incarnation}"),
                    4 => format!("{timestamp}-{incarnation}x"),
                    5 => format!("0-{incarnation}"),
                    6 => format!("-{timestamp}-{incarnation}"),
                    _ => "9".repeat(900),
                };
                (Brought::Malformed, Some(id), None)
            }
            _ => (Brought::Nothing, None, None),
        }
    }
}
