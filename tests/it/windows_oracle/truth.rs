//! What the views hold at every time, and what each window of them is, worked out
//! from scratch.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;
use viewcast::model::delta::{Change, Delta};
use viewcast::model::event::{Description, Kept};
use viewcast::model::position::{Incarnation, Timestamp};
use viewcast::model::row::{Column, Row};
use viewcast::model::view::{View, ViewBuilder};
use viewcast::model::window::{Layout, Wanted, What};
use viewcast::relay::thread::seat::Choose;

use super::wanted::{is, wanted};

/// A row as the test knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    pub id: u64,
    pub customer: Option<&'static str>,
    pub status: &'static str,
    pub n: u64,
}

pub type Rows = BTreeMap<Order, i64>;

const CUSTOMERS: [Option<&str>; 7] = [
    Some("a"),
    Some("b"),
    Some("c"),
    Some("d"),
    Some(""),
    Some("é \"x\"\\"),
    None,
];
const STATUSES: [&str; 3] = ["open", "paid", "closed"];

thread_local! {
    /// Bytes of each row beside its values: with many of them, a window is read in
    /// slices.
    pub static PAD: Cell<usize> = const { Cell::new(0) };
}

impl Order {
    fn draw(rng: &mut Rng) -> Order {
        Order {
            id: rng.u64(0..60),
            customer: CUSTOMERS[rng.usize(..CUSTOMERS.len())],
            status: STATUSES[rng.usize(..STATUSES.len())],
            n: rng.u64(0..5),
        }
    }

    /// The JSON of some of its columns.
    fn text(&self, columns: &[&str]) -> String {
        let value = |column: &&str| match *column {
            "id" => self.id.to_string(),
            "customer" => serde_json::to_string(&self.customer).unwrap(),
            "status" => serde_json::to_string(self.status).unwrap(),
            "note" => format!("\"{}\"", "x".repeat(PAD.get())),
            _ => self.n.to_string(),
        };
        let fields = columns
            .iter()
            .map(|name| format!("\"{name}\":{}", value(name)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

const COLUMNS: [(&str, &str); 5] = [
    ("id", "bigint"),
    ("customer", "text"),
    ("status", "character varying(10)"),
    ("n", "integer"),
    ("note", "text"),
];
const ALL: [&str; 5] = ["id", "customer", "status", "n", "note"];

fn columns() -> Vec<Column> {
    let column = |(name, sql_type): &(&str, &str)| Column::new(*name, *sql_type);
    COLUMNS.iter().map(column).collect()
}

/// A window: how it is asked for, and which rows it has.
pub struct Kind {
    wanted: fn() -> Wanted,
    has: fn(&Order) -> bool,
    shows: &'static [&'static str],
}

pub const KINDS: &[Kind] = &[
    Kind {
        wanted: || wanted(&[("customer", false, is(&["a"]))], &[]),
        has: |row| row.customer == Some("a"),
        shows: &ALL,
    },
    Kind {
        wanted: || wanted(&[("customer", false, is(&["é \"x\"\\", "b"]))], &[]),
        has: |row| matches!(row.customer, Some("b" | "é \"x\"\\")),
        shows: &ALL,
    },
    Kind {
        wanted: || {
            let open = ("status", false, is(&["paid", "open"]));
            wanted(&[open, ("customer", false, is(&["c", "d", "", "zz"]))], &[])
        },
        has: |row| row.status != "closed" && matches!(row.customer, Some("c" | "d" | "")),
        shows: &ALL,
    },
    Kind {
        wanted: || wanted(&[("status", true, is(&["closed"]))], &["status", "n"]),
        has: |row| row.status != "closed",
        shows: &["status", "n"],
    },
    Kind {
        wanted: || wanted(&[("customer", false, What::Null)], &["id", "n"]),
        has: |row| row.customer.is_none(),
        shows: &["id", "n"],
    },
    Kind {
        wanted: || wanted(&[("id", false, is(&["007"]))], &[]),
        has: |row| row.id == 7,
        shows: &ALL,
    },
    Kind {
        wanted: || wanted(&[], &["status"]),
        has: |_| true,
        shows: &["status"],
    },
    Kind {
        wanted: || wanted(&[("customer", true, is(&["a", "b"]))], &[]),
        has: |row| row.customer.is_some_and(|it| !matches!(it, "a" | "b")),
        shows: &ALL,
    },
    Kind {
        wanted: || {
            let not = ("n", true, is(&["1", "2"]));
            wanted(&[not, ("n", false, is(&["1", "2", "3"]))], &["id"])
        },
        has: |row| row.n == 3,
        shows: &["id"],
    },
    Kind {
        wanted: || wanted(&[("status", false, is(&["lost"]))], &[]),
        has: |_| false,
        shows: &ALL,
    },
    // The whole view, beside its windows.
    Kind {
        wanted: || wanted(&[], &[]),
        has: |_| true,
        shows: &ALL,
    },
];

impl Kind {
    pub fn choose(&self) -> Choose {
        let wanted = (self.wanted)();
        let filterable: Vec<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
        Rc::new(move |layout| {
            let window = wanted.resolve(layout, &filterable);
            window.map_err(|error| error.to_string())
        })
    }

    /// Of what the ids of its streams are.
    pub fn incarnation(&self, view: Incarnation) -> Incarnation {
        let layout = Arc::new(Layout::new(&columns()));
        let window = (self.choose())(&layout).unwrap();
        window.incarnation(view)
    }

    pub fn rows(&self, rows: &Rows) -> BTreeMap<String, i64> {
        let mut shown = BTreeMap::new();
        for (row, copies) in rows.iter().filter(|(row, _)| (self.has)(row)) {
            *shown.entry(row.text(self.shows)).or_default() += copies;
        }
        shown
    }
}

/// One view in all its lives: what it holds after each change.
pub struct Truth {
    pub name: &'static str,
    pub lives: Vec<BTreeMap<u64, Rows>>,
    pub time: u64,
}

impl Truth {
    pub fn new(name: &'static str, rng: &mut Rng) -> Truth {
        let mut truth = Truth {
            name,
            lives: Vec::new(),
            time: 10,
        };
        truth.begin(rng);
        truth
    }

    pub fn incarnation(&self, life: usize) -> Incarnation {
        Incarnation::of([self.name, &life.to_string()])
    }

    /// The view is created anew, with other rows.
    pub fn begin(&mut self, rng: &mut Rng) {
        let mut rows = Rows::new();
        for _ in 0..rng.usize(0..150) {
            *rows.entry(Order::draw(rng)).or_default() += 1;
        }
        self.time += 1;
        self.lives.push(BTreeMap::from([(self.time, rows)]));
    }

    pub fn now(&self) -> &Rows {
        self.lives.last().unwrap().last_key_value().unwrap().1
    }

    pub fn at(&self, life: usize, time: u64) -> Option<&Rows> {
        self.lives[life].range(..=time).next_back().map(|it| it.1)
    }

    pub fn description(&self) -> Description {
        Description {
            columns: columns(),
            kept: Kept::all(COLUMNS.len()),
            incarnation: self.incarnation(self.lives.len() - 1),
            is_steady: true,
            sql: None,
        }
    }

    pub fn snapshot(&self) -> View {
        let mut builder = ViewBuilder::new();
        for (row, copies) in self.now() {
            builder.add(&row.text(&ALL), *copies);
        }
        builder.finish(Timestamp::new(self.time)).unwrap()
    }

    /// The view moves on by some changes.
    pub fn change(&mut self, count: usize, rng: &mut Rng) -> Delta {
        self.time += rng.u64(1..4);
        let mut rows = self.now().clone();
        let mut changes: BTreeMap<Order, i64> = BTreeMap::new();
        let mut add = |rows: &mut Rows, row: Order, diff: i64| {
            let copies = rows.entry(row.clone()).or_default();
            *copies += diff;
            if *copies == 0 {
                rows.remove(&row);
            }
            *changes.entry(row).or_default() += diff;
        };
        for _ in 0..count {
            let old = rows.keys().nth(rng.usize(..rows.len().max(1))).cloned();
            match (old, rng.u32(..4)) {
                (Some(old), 0) => add(&mut rows, old, -1),
                (Some(old), 1 | 2) => {
                    // It moves to another customer or status, perhaps.
                    let mut new = old.clone();
                    let other = Order::draw(rng);
                    match rng.bool() {
                        true => new.customer = other.customer,
                        false => (new.status, new.n) = (other.status, other.n),
                    }
                    add(&mut rows, old, -1);
                    add(&mut rows, new, 1);
                }
                _ => add(&mut rows, Order::draw(rng), 1),
            }
        }
        self.lives.last_mut().unwrap().insert(self.time, rows);
        let change = |(row, diff): (Order, i64)| Change {
            row: Row::from(row.text(&ALL).as_str()),
            diff,
        };
        let changes = changes.into_iter().map(change).collect();
        Delta::new(Timestamp::new(self.time), changes)
    }
}
