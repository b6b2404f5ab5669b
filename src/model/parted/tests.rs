//! Changes by key.

use std::sync::Arc;

use super::*;
use crate::model::position::Timestamp;
use crate::model::row::{Column, Row};
use crate::model::value::Encoder;
use crate::model::window::{Test, Wanted, What};

fn columns(list: &[(&str, &str)]) -> Vec<Column> {
    let column = |(name, sql_type): &(&str, &str)| Column::new(*name, *sql_type);
    list.iter().map(column).collect()
}

/// The JSON of a row as it is made of what a server prints.
fn row(columns: &[Column], values: &[Option<&str>]) -> String {
    let (encoder, mut out) = (Encoder::new(columns), String::new());
    for (at, value) in values.iter().enumerate() {
        encoder.value(at, *value, &mut out);
    }
    encoder.end(&mut out);
    out
}

#[test]
fn parted_delta_has_a_windows_changes_and_no_others() {
    let columns = columns(&[("id", "integer"), ("customer", "text")]);
    let layout = Arc::new(Layout::new(&columns));
    let change = |id: i32, customer: &str, diff| Change {
        row: Row::from(row(&columns, &[Some(&id.to_string()), Some(customer)]).as_str()),
        diff,
    };
    let delta = Delta::new(
        Timestamp::new(7),
        vec![
            change(1, "a", -1),
            change(1, "b", 1),
            change(2, "a", 2),
            change(3, "c", -1),
            change(4, "a", -1),
        ],
    );
    let (not, values) = (false, vec!["a".to_owned(), "none".to_owned()]);
    let what = What::In(values);
    let mut wanted = Wanted::default();
    wanted.require("customer", Test { not, what });
    wanted.select(vec!["customer".to_owned()]);
    let window = wanted.resolve(&layout, &[]).unwrap();
    let parted = Parted::of(&delta, window.shape(), &layout);
    let listed = |delta: &Delta| {
        let changes = delta.changes().iter();
        Vec::from_iter(changes.map(|it| (it.row.text().to_owned(), it.diff)))
    };
    let mut changes = Vec::new();
    parted.narrow(&delta, &window, &mut changes);
    assert_eq!(changes.len(), 3);
    let narrow = Delta::new(delta.timestamp(), changes);
    assert_eq!(listed(&narrow), [], "two rows of one look go, and two come");
    let mut seen: Vec<_> = parted
        .groups()
        .flat_map(|(key, group)| {
            assert_eq!(parted.find(key), group);
            group
                .iter()
                .map(|part| part.change(&delta).unwrap().clone())
        })
        .collect();
    assert_eq!(seen.len(), 5);
    seen = Delta::new(delta.timestamp(), seen).changes().to_vec();
    assert_eq!(seen, delta.changes());
    assert_eq!(parted.groups().count(), 3);
    // Of all rows, there is one key.
    let all = Parted::of(&delta, &Shape::default(), &layout);
    assert_eq!(all.groups().count(), 1);
}
