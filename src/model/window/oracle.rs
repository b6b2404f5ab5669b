//! Windows of a view that changes at random, against a filter that looks at
//! every row and knows by itself which values are one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::*;
use crate::model::delta::{Change, Delta};
use crate::model::parted::Parted;
use crate::model::picked::{Pick, Progress};
use crate::model::position::Timestamp;
use crate::model::row::{Column, Row};
use crate::model::value::{Encoder, distinct_names};
use crate::model::view::{View, ViewBuilder};

use sorts::{SORTS, Sort};

mod sorts;

/// A value: which it is, and how it is printed. `None` is NULL.
type Cell = Option<(usize, &'static str)>;

/// The rows by their JSON, each with its copies.
type Rows = BTreeMap<String, (Vec<Cell>, i64)>;

/// What a window shows, each with its copies.
type Contents = BTreeMap<String, i64>;

/// Some columns under the names that they have in the view.
struct Shown {
    columns: Vec<usize>,
    encoder: Encoder,
}

impl Shown {
    fn new(columns: Vec<usize>) -> Self {
        let names = distinct_names(&declared());
        let named = columns
            .iter()
            .map(|it| Column::new(names[*it].clone(), SORTS[*it].sql_type));
        let encoder = Encoder::new(&Vec::from_iter(named));
        Shown { columns, encoder }
    }

    fn of(&self, row: &[Cell]) -> String {
        let mut out = String::new();
        for (at, column) in self.columns.iter().enumerate() {
            let text = row[*column].map(|(_, printed)| printed);
            self.encoder.value(at, text, &mut out);
        }
        self.encoder.end(&mut out);
        out
    }
}

fn declared() -> Vec<Column> {
    let column = |sort: &Sort| Column::new(sort.name, sort.sql_type);
    SORTS.iter().map(column).collect()
}

fn all() -> Vec<usize> {
    (0..SORTS.len()).collect()
}

/// One condition, told by which values are meant.
enum Meant {
    In(Vec<usize>),
    Null,
    Is(usize),
}

/// A window, and the same as the filter has it.
struct Pair {
    window: Arc<Window>,
    tests: Vec<(usize, bool, Meant)>,
    shown: Shown,
    /// What it shows, by its changes.
    followed: Contents,
}

impl Pair {
    fn has(&self, row: &[Cell]) -> bool {
        self.tests.iter().all(|(column, not, meant)| {
            let value = row[*column].map(|(value, _)| value);
            match meant {
                Meant::In(values) => value.is_some_and(|it| values.contains(&it) != *not),
                Meant::Null => value.is_none() != *not,
                Meant::Is(one) => (value == Some(*one)) != *not,
            }
        })
    }

    fn contents(&self, rows: &Rows) -> Contents {
        let mut contents = Contents::new();
        for (row, copies) in rows.values().filter(|(row, _)| self.has(row)) {
            *contents.entry(self.shown.of(row)).or_default() += copies;
        }
        contents
    }

    fn follow(&mut self, delta: &Delta) {
        let parted = Parted::of(delta, self.window.shape(), self.window.layout());
        let mut changes = Vec::new();
        parted.narrow(delta, &self.window, &mut changes);
        for change in Delta::new(delta.timestamp(), changes).changes() {
            let row = change.row.text().to_owned();
            let copies = self.followed.remove(&row).unwrap_or(0) + change.diff;
            if copies != 0 {
                self.followed.insert(row, copies);
            }
        }
    }
}

/// Random rows and windows.
struct Chance(fastrand::Rng);

impl Chance {
    fn cell(&mut self, column: usize) -> Cell {
        let values = SORTS[column].values;
        let value = self.0.usize(..values.len());
        let printed = self.0.choice(values[value].0)?;
        (self.0.u32(..6) > 0).then_some((value, *printed))
    }

    fn row(&mut self) -> Vec<Cell> {
        (0..SORTS.len()).map(|column| self.cell(column)).collect()
    }

    fn test(&mut self) -> (usize, Test, Meant) {
        let mut filterable = all();
        filterable.retain(|it| !SORTS[*it].values[0].1.is_empty());
        let column = self.0.choice(filterable).unwrap();
        let values = SORTS[column].values;
        let is_boolean = SORTS[column].sql_type == "boolean";
        let (what, meant) = match self.0.usize(..10) {
            0 => (What::Null, Meant::Null),
            1 | 2 if is_boolean => (What::True, Meant::Is(0)),
            3 | 4 if is_boolean => (What::False, Meant::Is(1)),
            some => {
                let count = [0, 1, 1, 1, 2, 3, 4, 1, 2, 1][some];
                let meant: Vec<usize> = (0..count).map(|_| self.0.usize(..values.len())).collect();
                let spelled = meant.iter().map(|it| self.0.choice(values[*it].1).unwrap());
                let texts = spelled.map(|text| (*text).to_owned()).collect();
                (What::In(texts), Meant::In(meant))
            }
        };
        let not = self.0.u32(..4) == 0;
        (column, Test { not, what }, meant)
    }

    fn pair(&mut self, layout: &Arc<Layout>) -> Pair {
        let (mut wanted, mut tests, mut shown) = (Wanted::default(), Vec::new(), all());
        for _ in 0..self.0.usize(..4) {
            let (column, test, meant) = self.test();
            tests.push((column, test.not, meant));
            match self.0.bool() {
                true => wanted.and(layout.name(column), test),
                false => wanted.require(layout.name(column), test),
            }
        }
        if self.0.u32(..3) == 0 {
            let first = self.0.usize(..SORTS.len());
            shown.retain(|it| *it == first || self.0.u32(..3) == 0);
            let names = shown.iter().map(|it| layout.name(*it).to_owned());
            let mut names: Vec<String> = names.collect();
            self.0.shuffle(&mut names);
            wanted.select(names);
        }
        let filterable: Vec<String> = all().iter().map(|it| layout.name(*it).to_owned()).collect();
        Pair {
            window: Arc::new(wanted.resolve(layout, &filterable).unwrap()),
            tests,
            shown: Shown::new(shown),
            followed: Contents::new(),
        }
    }

    /// What one change does to one row or two.
    fn change(&mut self, rows: &Rows, grows: bool) -> Vec<(Vec<Cell>, i64)> {
        let Some((row, copies)) = self.0.choice(rows.values()).cloned() else {
            return vec![(self.row(), 1)];
        };
        match self.0.u32(..10) {
            0 | 1 => {
                let (mut other, column) = (row.clone(), self.0.usize(..SORTS.len()));
                other[column] = self.cell(column);
                vec![(row, -copies), (other, copies)]
            }
            2 => vec![(row, 1)],
            3 => vec![(row, -1)],
            4 => vec![(row, -copies)],
            _ if grows => vec![(self.row(), self.0.i64(1..3))],
            _ => vec![(row, -copies)],
        }
    }

    /// The rows of a window as it writes them, however few bytes at a time.
    fn written(&mut self, pick: Pick) -> (Vec<u8>, bool) {
        let picked = match pick {
            Pick::Short { listed, .. } => return (listed, true),
            Pick::Long(picked) => picked,
        };
        let (mut out, mut progress) = (Vec::new(), Progress::default());
        loop {
            let (full, mut part) = (self.0.usize(4..2_000), Vec::new());
            let is_all = picked.write(&mut progress, full, &mut part);
            assert!(part.len() <= full);
            std::str::from_utf8(&part).expect("whole characters");
            out.append(&mut part);
            if is_all {
                break;
            }
        }
        assert!(u64::try_from(out.len()).unwrap() <= picked.bytes_max());
        (out, false)
    }
}

fn listed(bytes: &[u8]) -> Contents {
    let text = std::str::from_utf8(bytes).unwrap();
    let array = format!("[{}]", text.strip_suffix(',').unwrap_or(text));
    let rows: Vec<Box<RawValue>> = serde_json::from_str(&array).expect("an array");
    let mut contents = Contents::new();
    for row in rows {
        *contents.entry(row.get().to_owned()).or_default() += 1;
    }
    contents
}

/// A view, a twin of it with other hashes and no index, and its rows.
struct World {
    chance: Chance,
    whole: Shown,
    rows: Rows,
    layout: Arc<Layout>,
    view: View,
    twin: View,
    pairs: Vec<Pair>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(fastrand::Rng::with_seed(seed));
        let layout = Arc::new(Layout::new(&declared()));
        World {
            pairs: (0..24).map(|_| chance.pair(&layout)).collect(),
            chance,
            whole: Shown::new(all()),
            rows: Rows::new(),
            layout,
            view: View::empty(Timestamp::MIN),
            twin: View::empty(Timestamp::MIN),
        }
    }

    /// One delta, which everybody follows.
    fn change(&mut self, step: u64) {
        // Now and then most of the rows go.
        let goes = self.chance.0.u32(..200) == 0;
        let count = match goes {
            true => self.rows.len() * 3 / 4,
            false => self.chance.0.usize(1..12),
        };
        let mut changes = Vec::new();
        for _ in 0..count {
            let grows = !goes && (step / 300).is_multiple_of(2);
            for (row, diff) in self.chance.change(&self.rows, grows) {
                let text = self.whole.of(&row);
                let row = self.rows.entry(text.clone()).or_insert((row, 0));
                row.1 += diff;
                if row.1 == 0 {
                    self.rows.remove(&text);
                }
                let row = Row::from(text.as_str());
                changes.push(Change { row, diff });
            }
        }
        let delta = Delta::new(Timestamp::new(step), changes);
        self.view.apply(&delta).unwrap();
        self.twin.apply(&delta).unwrap();
        assert!(self.view.is_indexed(), "an index holds what is not there");
        self.pairs.iter_mut().for_each(|pair| pair.follow(&delta));
    }

    /// A new snapshot in place of the view, with the same indexes.
    fn replace(&mut self, step: u64) {
        let mut builder = ViewBuilder::new();
        for (text, (_, copies)) in &self.rows {
            builder.add(text, copies + 3);
        }
        for text in self.rows.keys() {
            builder.add(text, -3);
        }
        let mut view = builder.finish(Timestamp::new(step)).unwrap();
        assert!(self.view.difference(&view).is_empty());
        self.twin = view.clone();
        view.index_like(&self.view);
        assert_eq!(view.index_bytes() == 0, self.view.index_bytes() == 0);
        self.view = view;
    }

    fn check(&mut self, pair: usize) {
        let pair = &self.pairs[pair];
        let expected = pair.contents(&self.rows);
        assert_eq!(pair.followed, expected, "by changes: {:?}", pair.window);
        let full = self.chance.0.choice([0, 40, 3_000, usize::MAX]).unwrap();
        let pick = self.view.pick(&pair.window, full);
        let count: i64 = expected.values().sum();
        if let Pick::Short { rows, listed } = &pick {
            assert!(listed.len() <= full);
            assert_eq!(i64::try_from(*rows), Ok(count));
        }
        let (bytes, is_short) = self.chance.written(pick);
        assert!(
            is_short || bytes.len() > full,
            "{full} bytes would have had room"
        );
        assert_eq!(listed(&bytes), expected, "by rows: {:?}", pair.window);
        // Nothing that leaves shows a hash, or whether there is an index.
        let other = self.chance.written(self.twin.pick(&pair.window, full));
        assert!(other.0 == bytes, "{:?}", pair.window);
    }
}

#[test]
fn oracle_windows_are_the_rows_that_meet_their_conditions() {
    let mut by_index = 0;
    for seed in 0..3 {
        let mut world = World::new(seed);
        let mut kept = Vec::new();
        for step in 1..1_000 {
            world.change(step);
            match world.chance.0.u32(..200) {
                0 => world.replace(step),
                1..4 => {
                    let pair = world.chance.0.choice(&world.pairs).unwrap();
                    by_index += u32::from(world.view.index(pair.window.shape(), &world.layout));
                }
                4 => {
                    let at = world.chance.0.usize(..world.pairs.len());
                    let pair = &world.pairs[at];
                    let pick = world.view.pick(&pair.window, 0);
                    kept.push((pick, pair.contents(&world.rows)));
                }
                _ => {}
            }
            for _ in 0..3 {
                let at = world.chance.0.usize(..world.pairs.len());
                world.check(at);
            }
            if step % 300 == 0 {
                (0..world.pairs.len()).for_each(|at| world.check(at));
            }
        }
        assert!(world.view.retired() > 0, "no chunk was ever compacted");
        // What was picked is what it was.
        for (pick, contents) in kept {
            assert_eq!(listed(&world.chance.written(pick).0), contents);
        }
    }
    assert!(by_index > 20, "{by_index} indexes");
}
