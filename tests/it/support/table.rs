//! A client's table: rules C1 to C3 of the contract, and what it may check.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::sse::{Event, Stream};

/// Rows by their JSON text, each with its multiplicity.
pub type Rows = BTreeMap<String, u64>;

/// What a client holds of a view.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub rows: Rows,
    /// The timestamp of the last id; `None` before the base.
    pub timestamp: Option<u64>,
    pub incarnation: String,
    /// Bases seen.
    pub bases: usize,
    /// Deltas with changes seen.
    pub deltas: usize,
    /// The last word of an `upstream` event.
    pub upstream: Option<String>,
}

/// A change as it stands in a delta [P3].
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change<'a> {
    #[serde(borrow)]
    Insert(&'a RawValue),
    #[serde(borrow)]
    Delete(&'a RawValue),
}

/// The two parts of an id.
pub fn position(id: &str) -> (u64, String) {
    let (timestamp, incarnation) = id.split_once('-').expect("a position");
    (
        timestamp.parse().expect("a timestamp"),
        incarnation.to_owned(),
    )
}

/// The rows of a base's data.
pub fn rows_of(data: &str) -> Rows {
    let mut rows = Rows::new();
    let list: Vec<&RawValue> = serde_json::from_str(data).expect("an array");
    for row in list {
        assert!(row.get().starts_with('{'), "a row is an object: {row}");
        *rows.entry(row.get().to_owned()).or_default() += 1;
    }
    rows
}

/// Applies a delta's data, of which all may be demanded that the contract
/// promises; whether it changes anything.
pub fn change(rows: &mut Rows, data: &str) -> bool {
    let changes: Vec<Change> = serde_json::from_str(data).expect("an array");
    let is_change = !changes.is_empty();
    let mut inserted = false;
    let mut deleted = Vec::new();
    for change in changes {
        match change {
            Change::Delete(row) => {
                assert!(!inserted, "a delete after an insert: {data}");
                deleted.push(row.get());
                let copies = rows.get_mut(row.get());
                let copies = copies.expect("only what is there is deleted");
                *copies -= 1;
                if *copies == 0 {
                    rows.remove(row.get());
                }
            }
            Change::Insert(row) => {
                inserted = true;
                assert!(!deleted.contains(&row.get()), "not consolidated: {data}");
                *rows.entry(row.get().to_owned()).or_default() += 1;
            }
        }
    }
    is_change
}

impl Table {
    /// A table that goes on from where a stream ended.
    pub fn apply(&mut self, event: &Event) {
        match event.name.as_str() {
            "base" => self.apply_base(event),
            "delta" => self.apply_delta(event),
            "upstream" => self.upstream = Some(event.data.clone()),
            "gone" => {}
            other => panic!("unknown event {other:?}"),
        }
    }

    fn apply_base(&mut self, event: &Event) {
        let (timestamp, incarnation) = position(event.id.as_deref().expect("a base has an id"));
        self.rows = rows_of(&event.data);
        self.timestamp = Some(timestamp);
        self.incarnation = incarnation;
        self.bases += 1;
    }

    fn apply_delta(&mut self, event: &Event) {
        let Some(id) = &event.id else {
            assert_eq!(event.data, "[]", "changes without an id: {event:?}");
            return;
        };
        let (timestamp, incarnation) = position(id);
        self.incarnation = incarnation;
        assert!(
            Some(timestamp) > self.timestamp,
            "ids must grow: {timestamp} after {:?}",
            self.timestamp
        );
        self.timestamp = Some(timestamp);
        self.deltas += usize::from(change(&mut self.rows, &event.data));
    }

    /// Reads events until a condition holds.
    pub fn read_until(&mut self, stream: &mut Stream, done: impl Fn(&Table) -> bool) {
        while !done(self) {
            let event = stream.next().expect("the stream goes on");
            self.apply(&event);
        }
    }
}
