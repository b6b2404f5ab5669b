//! What is true: the objects of the upstream, and what each held at any time.

use std::collections::{BTreeMap, HashMap};

use viewcast::model::row::Column;

use crate::dice::Dice;

/// A row of any view here: a number, and a text where the view has that column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub n: i64,
    pub s: Option<String>,
}

/// Rows from this number on make a view too large.
pub const LARGE_FROM: i64 = 1_000;

/// The hash of a row. The hash of a table is the sum over its copies of rows:
/// equal sums are equal tables but for a collision of 128 bits.
pub fn hash(n: i64, s: Option<&str>) -> u128 {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let prime: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = n.to_le_bytes();
    for byte in bytes.iter().chain(s.unwrap_or("\u{0}").as_bytes()) {
        hash = (hash ^ u128::from(*byte)).wrapping_mul(prime);
    }
    // Sums of plain FNV values of small numbers would collide.
    hash ^= hash >> 61;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// So many copies in the hash of a table.
pub fn copies_of(row: u128, copies: i64) -> u128 {
    row.wrapping_mul(i128::from(copies).cast_unsigned())
}

pub type Changes = Vec<(Row, i64)>;

/// What an object held over a stretch in which its time only went forward.
#[derive(Debug)]
pub struct History {
    pub object: usize,
    /// Nothing is known of it before.
    pub from: u64,
    /// From each of these times on, the hash of what it held.
    sums: Vec<(u64, u128)>,
    /// What changed at each of these times.
    pub log: Vec<(u64, Changes)>,
    /// From here on this history is not true any more: time went back to
    /// before it, or the rows were lost.
    pub until: Option<u64>,
}

impl History {
    /// The hash of the contents at this time; `None` before it begins.
    pub fn sum_at(&self, time: u64) -> Option<u128> {
        if time < self.from {
            return None;
        }
        let known = self.sums.partition_point(|(at, _)| *at <= time);
        Some(known.checked_sub(1).map_or(0, |last| self.sums[last].1))
    }

    /// The rows at this time.
    pub fn rows_at(&self, time: u64) -> BTreeMap<Row, i64> {
        let mut rows = BTreeMap::new();
        for (_, changes) in self.log.iter().take_while(|(at, _)| *at <= time) {
            for (row, diff) in changes {
                *rows.entry(row.clone()).or_insert(0) += diff;
            }
        }
        rows.retain(|_, copies| *copies != 0);
        rows
    }
}

/// How an object's time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It may change at any time.
    Steady,
    /// Only at whole multiples of so many milliseconds, and is known up to the
    /// next one.
    Refreshed(u64),
    /// Never: it was made of constants.
    Constant,
}

/// A view of the upstream, under whatever name.
#[derive(Debug)]
pub struct Object {
    pub id: String,
    /// Schema and name; `None` once it was dropped.
    pub place: Option<(&'static str, String)>,
    pub columns: Vec<Column>,
    pub flow: Flow,
    /// Nothing will change after this time any more.
    pub ended: Option<u64>,
    /// Changes that wait for the next refresh, and since when.
    staged: Vec<(u64, Changes)>,
    /// The role may not read it.
    pub is_denied: bool,
    /// Why it cannot be read at all, e.g. a division by zero.
    pub error: Option<String>,
    /// What it holds now.
    pub rows: BTreeMap<Row, i64>,
    sum: u128,
    pub history: usize,
    /// The time of the last change.
    pub last: u64,
}

impl Object {
    /// Whether rows have a text.
    pub fn has_text(&self) -> bool {
        self.columns.len() > 1
    }

    /// The time below which all is known, once the server is at this time.
    pub fn frontier(&self, now: u64) -> u64 {
        match (self.flow, self.ended) {
            (Flow::Constant, _) => u64::MAX,
            (_, Some(at)) if at < now => u64::MAX,
            (Flow::Refreshed(every), _) => (now / every + 1) * every,
            (Flow::Steady, _) => now + 1,
        }
    }
}

/// Every object and every history there ever was.
#[derive(Debug, Default)]
pub struct Truth {
    pub objects: Vec<Object>,
    pub histories: Vec<History>,
    /// What each incarnation that was described is.
    incarnations: HashMap<String, usize>,
}

impl Truth {
    /// A new object, empty unless it is constant.
    pub fn create(
        &mut self,
        place: (&'static str, String),
        has_text: bool,
        flow: Flow,
        at: u64,
    ) -> usize {
        let column = |name: &str, sql_type: &str| Column {
            name: name.to_owned(),
            sql_type: sql_type.to_owned(),
        };
        let mut columns = vec![column("n", "bigint")];
        columns.extend(has_text.then(|| column("s", "text")));
        let object = self.objects.len();
        let from = match flow {
            Flow::Constant => 0,
            Flow::Steady | Flow::Refreshed(_) => at,
        };
        self.objects.push(Object {
            id: format!("u{}", object + 1),
            place: Some(place),
            columns,
            flow,
            ended: None,
            staged: Vec::new(),
            is_denied: false,
            error: None,
            rows: BTreeMap::new(),
            sum: 0,
            history: self.histories.len(),
            last: from,
        });
        self.begin(object, from);
        object
    }

    fn begin(&mut self, object: usize, from: u64) {
        self.objects[object].history = self.histories.len();
        self.histories.push(History {
            object,
            from,
            sums: Vec::new(),
            log: Vec::new(),
            until: None,
        });
    }

    /// A change of an object, at this time or with its next refresh.
    pub fn change(&mut self, object: usize, at: u64, changes: Changes) {
        match self.objects[object].flow {
            // What it is created with is there at once.
            Flow::Refreshed(_) if !self.is_new(object) => {
                self.objects[object].staged.push((at, changes));
            }
            _ => self.record(object, at, changes),
        }
    }

    /// Whether nothing was ever put into it.
    pub fn is_new(&self, object: usize) -> bool {
        self.histories[self.objects[object].history].log.is_empty()
    }

    /// Brings what was staged into force, where a refresh is due at this time;
    /// the refresh's time and changes.
    pub fn refresh(&mut self, object: usize, now: u64) -> Option<(u64, Changes)> {
        let Flow::Refreshed(every) = self.objects[object].flow else {
            return None;
        };
        let due = now / every * every;
        let staged = &mut self.objects[object].staged;
        let is_due = |(since, _): &mut (u64, Changes)| *since < due;
        let changes: Changes = staged.extract_if(.., is_due).flat_map(|it| it.1).collect();
        if changes.is_empty() {
            return None;
        }
        self.record(object, due, changes.clone());
        Some((due, changes))
    }

    fn record(&mut self, object: usize, at: u64, changes: Changes) {
        let it = &mut self.objects[object];
        for (row, diff) in &changes {
            let copies = it.rows.entry(row.clone()).or_insert(0);
            *copies += diff;
            assert!(*copies >= 0, "the model takes away what is not there");
            let hash = hash(row.n, row.s.as_deref());
            it.sum = it.sum.wrapping_add(copies_of(hash, *diff));
        }
        it.rows.retain(|_, copies| *copies != 0);
        it.last = it.last.max(at);
        let (sum, history) = (it.sum, it.history);
        let history = &mut self.histories[history];
        history.sums.push((at, sum));
        history.log.push((at, changes));
    }

    /// The rows are lost, as those of an old server's tables at a restart.
    pub fn lose(&mut self, object: usize, at: u64) {
        let it = &mut self.objects[object];
        it.staged.clear();
        let gone = it.rows.iter().map(|(row, copies)| (row.clone(), -copies));
        let gone: Changes = gone.collect();
        if gone.is_empty() || it.flow == Flow::Constant {
            return;
        }
        // The same history goes on: they went at the restart.
        self.record(object, at, gone);
    }

    /// Time goes back to this moment: what was later never was.
    pub fn go_back(&mut self, object: usize, to: u64) {
        if self.objects[object].flow == Flow::Constant {
            return;
        }
        let old = self.objects[object].history;
        let from = self.histories[old].from.min(to);
        let rows = self.histories[old].rows_at(to);
        self.histories[old].until = Some(to);
        self.begin(object, from);
        let history = self.objects[object].history;
        let kept: Vec<_> = {
            let old = &self.histories[old];
            let sums = old.sums.iter().filter(|(at, _)| *at <= to);
            let log = old.log.iter().filter(|(at, _)| *at <= to);
            sums.copied().zip(log.cloned()).collect()
        };
        let it = &mut self.objects[object];
        (it.rows, it.sum, it.last) = (rows, 0, from);
        it.staged.clear();
        it.ended = it.ended.filter(|at| *at < to);
        for (sum, log) in kept {
            (it.sum, it.last) = (sum.1, sum.0);
            self.histories[history].sums.push(sum);
            self.histories[history].log.push(log);
        }
    }

    /// The object that the incarnation was computed for.
    pub fn describe(&mut self, incarnation: String, object: usize) {
        self.incarnations.insert(incarnation, object);
    }

    /// What object an incarnation is.
    pub fn object_of(&self, incarnation: &str) -> Option<usize> {
        self.incarnations.get(incarnation).copied()
    }

    /// The histories of an object that had this hash at this time.
    pub fn matching(&self, object: usize, time: u64, sum: u128) -> Vec<usize> {
        let all = self.histories.iter().enumerate();
        all.filter(|(_, it)| it.object == object && it.sum_at(time) == Some(sum))
            .map(|(at, _)| at)
            .collect()
    }

    /// The contents now, as a hash.
    pub fn sum(&self, object: usize) -> u128 {
        self.objects[object].sum
    }
}

/// Changes that can be made to an object with these rows.
pub fn changes(object: &Object, dice: &mut Dice) -> Changes {
    let count = match dice.below(20) {
        0 => dice.below(40),
        _ => dice.below(5) + 1,
    };
    let mut rows = object.rows.clone();
    for (row, diff) in object.staged.iter().flat_map(|it| &it.1) {
        *rows.entry(row.clone()).or_insert(0) += diff;
    }
    let mut changes: Changes = Vec::new();
    for _ in 0..count {
        let n = i64::try_from(dice.below(12)).unwrap_or_default();
        let s = object.has_text().then(|| text(dice));
        let row = Row { n, s };
        let here = rows.get(&row).copied().unwrap_or(0);
        let present: Vec<_> = rows.iter().filter(|(_, copies)| **copies > 0).collect();
        let (row, diff) = match dice.below(10) {
            0..4 => (row, 1),
            4..8 if !present.is_empty() => {
                let (row, copies) = dice.pick(&present);
                let all = dice.percent(30);
                ((*row).clone(), if all { -**copies } else { -1 })
            }
            8 => (row, 3),
            _ if here > 0 => (row, -here),
            _ => (row, 1),
        };
        *rows.entry(row.clone()).or_insert(0) += diff;
        changes.push((row, diff));
    }
    changes
}

/// Texts with what COPY, JSON and SSE treat in their own ways.
fn text(dice: &mut Dice) -> String {
    let texts = [
        "a",
        "",
        "\\",
        "\t\n",
        "\r",
        "\"x\"",
        "data: x\n\n",
        "é\u{2028}",
        "id: 1-1",
    ];
    (*dice.pick(&texts)).to_owned()
}
