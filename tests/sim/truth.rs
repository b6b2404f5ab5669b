//! What is true: the objects of the upstream, and what each held at any time.

use std::collections::{BTreeMap, HashMap};

use viewcast::model::event::Description;
use viewcast::model::row::Column;

use crate::windows::{Kind, WHOLE};

mod chance;
mod history;

pub use chance::{changes, rewriting};
pub use history::History;

/// A row of any view here: a number, and a text where the view has that column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub n: i64,
    pub s: Option<String>,
}

/// Rows from this number on make a view too large.
pub const LARGE_FROM: i64 = 1_000;

/// So long before it comes a time may be told.
const SLACK_MS: u64 = 2_000;

/// The hash of a row, or of a part of it. The hash of a table is the sum over its
/// copies of rows: equal sums are equal tables but for a collision of 128 bits.
pub fn hash(n: Option<i64>, s: Option<&str>) -> u128 {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let prime: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = n.unwrap_or(i64::MIN).to_le_bytes();
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
    /// Why it cannot be read at all, e.g. a division by zero, and since when.
    pub error: Option<(String, u64)>,
    /// When it could not be read before: from one time to another.
    pub errors: Vec<(u64, u64)>,
    /// Its cluster has no replica.
    pub has_no_replica: bool,
    /// What reads it waits, or breaks its connection.
    pub hangs: bool,
    pub breaks: bool,
    /// Since when it is denied or not.
    pub denied_us: u64,
    /// Until when nothing that is asked of it is answered.
    pub unanswered_until_us: u64,
    text_bytes: usize,
    has_nulls: bool,
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
    /// What each incarnation that was described is. Several, where the catalog
    /// has refused to say which.
    incarnations: HashMap<String, Vec<usize>>,
    /// The columns that each was described with.
    described: BTreeMap<String, Vec<Column>>,
    /// What incarnations stand for that one log has alone.
    own: HashMap<String, String>,
    /// Of what views windows are, by their own incarnations.
    of_windows: HashMap<(Kind, String), String>,
    /// Texts may be NULL.
    pub has_nulls: bool,
    /// Rows have texts of up to so many bytes.
    pub text_bytes: usize,
    /// How often time went back.
    pub backs: usize,
    /// What time it is.
    pub now: u64,
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
        let column = |name: &str, sql_type: &str| Column::new(name, sql_type);
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
            errors: Vec::new(),
            has_no_replica: false,
            hangs: false,
            breaks: false,
            denied_us: 0,
            unanswered_until_us: 0,
            text_bytes: self.text_bytes,
            has_nulls: self.has_nulls,
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
            backs: self.backs,
            windows: BTreeMap::new(),
            is_blurred: false,
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
            let hash = hash(Some(row.n), row.s.as_deref());
            it.sum = it.sum.wrapping_add(copies_of(hash, *diff));
        }
        it.rows.retain(|_, copies| *copies != 0);
        it.last = it.last.max(at);
        let (sum, history) = (it.sum, it.history);
        let history = &mut self.histories[history];
        history.sums.push((at, sum));
        history.log.push((at, changes));
    }

    /// When an object has become what it is now is not told.
    pub fn blur(&mut self, object: usize) {
        self.histories[self.objects[object].history].is_blurred = true;
    }

    /// The rows are lost, as those of an old server's tables at a restart.
    pub fn lose(&mut self, object: usize, at: u64) {
        let it = &mut self.objects[object];
        it.staged.clear();
        let gone = it.rows.iter().map(|(row, copies)| (row.clone(), -copies));
        let gone: Changes = gone.collect();
        if gone.is_empty() || it.flow == Flow::Constant || it.ended.is_some() {
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
    pub fn describe(&mut self, found: &Description, object: usize, is_coarse: bool) {
        let incarnation = found.incarnation.to_string();
        let columns = found.columns.clone();
        self.described.insert(incarnation.clone(), columns);
        if !is_coarse {
            self.incarnations.remove(&incarnation);
        }
        self.may_be(incarnation, object);
    }

    /// For as long as times come twice a log has an incarnation of its own.
    pub fn is_alone(&mut self, own: String, incarnation: &str) {
        if let Some(columns) = self.described.get(incarnation) {
            self.described.insert(own.clone(), columns.clone());
            self.own.insert(own, incarnation.to_owned());
        }
    }

    /// The object is one that this incarnation may be.
    pub fn may_be(&mut self, incarnation: String, object: usize) {
        let known = self.incarnations.entry(incarnation).or_default();
        if !known.contains(&object) {
            known.push(object);
        }
    }

    /// The incarnation of the view, given that of a window of it.
    pub fn view_of(&mut self, kind: Kind, incarnation: &str) -> Option<String> {
        if kind == WHOLE {
            return Some(incarnation.to_owned());
        }
        let key = (kind, incarnation.to_owned());
        if let Some(known) = self.of_windows.get(&key) {
            return Some(known.clone());
        }
        let mut views = self.described.iter();
        let is_it = |(of, columns): &(&String, &Vec<Column>)| {
            kind.incarnation(of, columns).as_deref() == Some(incarnation)
        };
        let (of, _) = views.find(is_it)?;
        self.of_windows.insert(key, of.clone());
        Some(of.clone())
    }

    /// Whether two incarnations were described by the same columns.
    pub fn have_same_columns(&self, one: &str, other: &str) -> bool {
        let (one, other) = (self.described.get(one), self.described.get(other));
        let names = |columns: &Vec<Column>| -> Vec<(String, String)> {
            let columns = columns.iter();
            columns
                .map(|it| (it.name.clone(), it.sql_type.clone()))
                .collect()
        };
        one.map(names) == other.map(names)
    }

    /// The incarnation that others have for the same.
    pub fn shared<'a>(&'a self, incarnation: &'a str) -> &'a str {
        self.own
            .get(incarnation)
            .map_or(incarnation, String::as_str)
    }

    /// What objects an incarnation may be.
    pub fn objects_of(&self, incarnation: &str) -> &[usize] {
        let known = self.incarnations.get(self.shared(incarnation));
        known.map_or(&[], Vec::as_slice)
    }

    /// Whether time went back for what an incarnation is.
    pub fn has_gone_back(&self, incarnation: &str) -> bool {
        let objects = self.objects_of(incarnation);
        let histories = self.histories.iter();
        histories.filter(|it| objects.contains(&it.object)).count() > objects.len()
    }

    /// How often time had gone back when the latest of these histories began.
    pub fn backs_of(&self, histories: &[usize]) -> usize {
        let backs = histories.iter().map(|it| self.histories[*it].backs);
        backs.max().unwrap_or(0)
    }

    /// The histories of these objects that had this hash at this time.
    pub fn matching(&mut self, objects: &[usize], time: u64, sum: u128, kind: Kind) -> Vec<usize> {
        let (all, now) = (&self.objects, self.now);
        let is_known = |it: &History| {
            let known = all[it.object].frontier(now);
            it.until.is_some() || time <= known.saturating_add(SLACK_MS)
        };
        let mut found = Vec::new();
        for (at, it) in self.histories.iter_mut().enumerate() {
            if objects.contains(&it.object) && is_known(it) && it.has(time, sum, kind) {
                found.push(at);
            }
        }
        found
    }

    /// The contents of a window now, as a hash.
    pub fn sum(&self, object: usize, kind: Kind) -> u128 {
        let rows = self.objects[object].rows.iter();
        rows.fold(0, |sum, (row, copies)| match kind.shown(row) {
            Some(hash) => sum.wrapping_add(copies_of(hash, *copies)),
            None => sum,
        })
    }
}
