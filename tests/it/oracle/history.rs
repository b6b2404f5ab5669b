//! What is true: every history that a view has had, at any timestamp, and the
//! model that makes the next change.

use std::collections::{BTreeMap, HashMap};

use super::rows::{PoolRow, columns, copies_of, pool};
use super::windows::Window;
use crate::support::dice::Dice;
use crate::support::materialize::Values;

/// A change by the hash of its row.
type Change = (u128, i64);

/// What a view held over a stretch of time in which time went forward and the
/// view was the same one. Another one begins when the view is created anew or
/// time goes back.
#[derive(Debug)]
struct History {
    view: usize,
    /// The same for all histories between two creations of the view.
    life: usize,
    /// Nothing is known of it before.
    from: u64,
    /// The name of the first column.
    column: String,
    /// Hash of the contents from this time on, and the changes that made it.
    points: Vec<(u64, u128, Vec<Change>)>,
}

impl History {
    fn sum_at(&self, timestamp: u64) -> Option<u128> {
        if timestamp < self.from {
            return None;
        }
        let known = self.points.partition_point(|(at, _, _)| *at <= timestamp);
        Some(known.checked_sub(1).map_or(0, |last| self.points[last].1))
    }
}

/// All histories so far.
#[derive(Debug, Default)]
pub struct Histories {
    all: Vec<History>,
    /// The number of each row, by its hash.
    numbers: HashMap<u128, usize>,
}

impl Histories {
    /// A new one, empty until a change is recorded.
    fn begin(&mut self, view: usize, life: Option<usize>, from: u64, column: &str) -> usize {
        let place = self.all.len();
        self.all.push(History {
            view,
            life: life.unwrap_or(place),
            from,
            column: column.to_owned(),
            points: Vec::new(),
        });
        place
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// What the histories between two creations of a view have in common.
    pub fn life(&self, history: usize) -> usize {
        self.all[history].life
    }

    fn record(&mut self, history: usize, at: u64, sum: u128, changes: Vec<Change>) {
        self.all[history].points.push((at, sum, changes));
    }

    /// The hash of the contents at a time; `None` before the history's start.
    pub fn sum_at(&self, history: usize, timestamp: u64, window: Option<&Window>) -> Option<u128> {
        let it = self.all.get(history)?;
        let sum = it.sum_at(timestamp)?;
        if window.is_none() {
            return Some(sum);
        }
        let rows = self.rows_at(history, timestamp, window);
        let rows = rows.into_iter().map(|(row, copies)| copies_of(row, copies));
        Some(rows.fold(0, u128::wrapping_add))
    }

    /// The histories of a view, or of a window of it, that hold these contents
    /// at this time.
    pub fn of_view(
        &self,
        view: usize,
        timestamp: u64,
        sum: u128,
        window: Option<&Window>,
    ) -> Vec<usize> {
        let all = self.all.iter().enumerate();
        all.filter(|(_, one)| one.view == view)
            .map(|(at, _)| at)
            .filter(|at| self.sum_at(*at, timestamp, window) == Some(sum))
            .collect()
    }

    /// The name of a view's first column, as it was created last.
    pub fn column_of(&self, view: usize) -> Option<&str> {
        let last = self.last_of(view)?;
        Some(&self.all[last].column)
    }

    /// The latest history of a view.
    pub fn last_of(&self, view: usize) -> Option<usize> {
        self.all.iter().rposition(|one| one.view == view)
    }

    /// When the history began.
    pub fn from(&self, history: usize) -> u64 {
        self.all[history].from
    }

    /// All rows at a time, or those of a window, each by its hash.
    pub fn rows_at(
        &self,
        history: usize,
        timestamp: u64,
        window: Option<&Window>,
    ) -> HashMap<u128, i64> {
        let mut rows = HashMap::new();
        for (at, _, changes) in &self.all[history].points {
            if *at <= timestamp {
                for (row, diff) in changes {
                    *rows.entry(*row).or_insert(0) += diff;
                }
            }
        }
        let has = |row: &u128| window.is_none_or(|window| window.has(self.numbers[row]));
        rows.retain(|row, copies| *copies != 0 && has(row));
        rows
    }
}

/// A view as the driver changes it.
#[derive(Debug)]
pub struct Model {
    pub name: String,
    pub view: usize,
    pub columns: Vec<(String, &'static str)>,
    pool: Vec<PoolRow>,
    copies: Vec<i64>,
    sum: u128,
    life: usize,
    history: usize,
}

/// Changes as the upstream is told them, and by their hashes.
pub struct Made {
    pub told: Vec<(Values, i64)>,
    hashed: Vec<Change>,
}

impl Model {
    /// A new view, created at this time.
    pub fn new(view: usize, at: u64, histories: &mut Histories, dice: &mut Dice) -> Self {
        let columns = columns(dice);
        let size = dice.below(28) + 3;
        let pool = pool(&columns, size, dice);
        let life = histories.begin(view, None, at, &columns[0].0);
        let numbered = pool.iter().enumerate();
        let numbered = numbered.map(|(number, row)| (row.hash, number));
        histories.numbers.extend(numbered);
        Model {
            name: format!("v{view}"),
            view,
            copies: vec![0; pool.len()],
            columns,
            pool,
            sum: 0,
            life,
            history: life,
        }
    }

    /// Changes at a time, recorded as true; they must be told afterwards.
    pub fn change(&mut self, at: u64, histories: &mut Histories, dice: &mut Dice) -> Made {
        let count = match dice.percent(4) {
            true => dice.below(120),
            false => dice.below(6),
        };
        let mut made = Made {
            told: Vec::new(),
            hashed: Vec::new(),
        };
        for _ in 0..count {
            let place = dice.below(self.pool.len());
            let here = self.copies[place];
            let diff = match dice.below(100) {
                0..45 => 1,
                45..85 => -here.min(1),
                85..92 => -here,
                92..97 => i64::try_from(dice.below(9)).unwrap(),
                // Many copies, which go again at the next chance.
                97 if here < 9 && self.is_small(place) => 2_000,
                _ => {
                    // There and gone within the timestamp.
                    self.push(place, 3, &mut made);
                    -3
                }
            };
            self.push(place, diff, &mut made);
            if self.copies[place] > 999 {
                let all = -self.copies[place] + 1;
                if diff < 1_000 {
                    self.push(place, all, &mut made);
                }
            }
        }
        histories.record(self.history, at, self.sum, made.hashed.clone());
        made
    }

    fn is_small(&self, place: usize) -> bool {
        let values = self.pool[place].values.iter().flatten();
        values.map(String::len).sum::<usize>() < 60
    }

    fn push(&mut self, place: usize, diff: i64, made: &mut Made) {
        if diff == 0 {
            return;
        }
        let row = &self.pool[place];
        self.copies[place] += diff;
        self.sum = self.sum.wrapping_add(copies_of(row.hash, diff));
        made.told.push((row.values.clone(), diff));
        made.hashed.push((row.hash, diff));
    }

    /// Other data at a restart: most rows are gone, others are there.
    pub fn replace(&mut self, at: u64, histories: &mut Histories, dice: &mut Dice) -> Made {
        let mut made = Made {
            told: Vec::new(),
            hashed: Vec::new(),
        };
        for place in 0..self.pool.len() {
            let wanted = match dice.percent(30) {
                true => i64::try_from(dice.below(4)).unwrap(),
                false => 0,
            };
            self.push(place, wanted - self.copies[place], &mut made);
        }
        histories.record(self.history, at, self.sum, made.hashed.clone());
        made
    }

    /// Time goes back to this, with other data: another history begins. The
    /// whole contents.
    pub fn rewind(&mut self, to: u64, histories: &mut Histories, dice: &mut Dice) -> Made {
        self.history = histories.begin(self.view, Some(self.life), to, &self.columns[0].0);
        self.copies.fill(0);
        self.sum = 0;
        self.replace(to, histories, dice)
    }

    /// One row more: the last change of all.
    pub fn finale(&mut self, at: u64, histories: &mut Histories) -> Made {
        let mut made = Made {
            told: Vec::new(),
            hashed: Vec::new(),
        };
        self.push(0, 1, &mut made);
        histories.record(self.history, at, self.sum, made.hashed.clone());
        made
    }

    /// A row that the view does not hold, as values.
    pub fn absent(&self) -> Option<&Values> {
        let place = self.copies.iter().position(|copies| *copies == 0)?;
        Some(&self.pool[place].values)
    }
}

/// Where two sets of rows differ, for a message.
pub fn differences(
    held: &HashMap<u128, i64>,
    truth: &HashMap<u128, i64>,
    text: impl Fn(u128) -> String,
) -> String {
    let mut all: BTreeMap<u128, (i64, i64)> = BTreeMap::new();
    for (row, copies) in held {
        all.entry(*row).or_default().0 = *copies;
    }
    for (row, copies) in truth {
        all.entry(*row).or_default().1 = *copies;
    }
    let different = all.iter().filter(|(_, (held, truth))| held != truth);
    let lines = different
        .take(8)
        .map(|(row, (held, truth))| format!("\n    holds {held}, should {truth}: {}", text(*row)));
    lines.collect()
}
