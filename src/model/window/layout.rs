//! How a view's columns stand in the JSON of its rows, and where a value is.

use foldhash::fast::RandomState;
use memchr::memchr2;

use super::canonical::Comparison;
use crate::model::row::Column;
use crate::model::value::{distinct_names, push_string};

/// The columns of a view as they stand in its rows' JSON.
///
/// It also has what keys are hashed with: a value of its own for each layout,
/// so that nobody can choose values that all have one hash. So keys of
/// different layouts are not comparable, and nothing that leaves the process
/// may depend on their order.
#[derive(Debug)]
pub struct Layout {
    columns: Box<[Placed]>,
    pub(super) hasher: RandomState,
}

#[derive(Debug)]
struct Placed {
    name: Box<str>,
    sql_type: Box<str>,
    comparison: Option<Comparison>,
    /// Bytes of `,"name":`, or of `{"name":` before the first.
    head: usize,
}

impl Layout {
    /// How rows with these columns are laid out by `model::value::Encoder`.
    pub fn new(columns: &[Column]) -> Self {
        let placed = |(name, column): (String, &Column)| {
            let mut head = String::from(",");
            push_string(&name, &mut head);
            Placed {
                name: name.into(),
                sql_type: column.sql_type.as_str().into(),
                comparison: Comparison::of(&column.sql_type),
                head: head.len() + 1,
            }
        };
        let names = distinct_names(columns).into_iter();
        Layout {
            columns: names.zip(columns).map(placed).collect(),
            hasher: RandomState::default(),
        }
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Which column has this name in the JSON.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| *column.name == *name)
    }

    /// The name of a column in the JSON.
    pub fn name(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", |column| &column.name)
    }

    /// The SQL type of a column.
    pub(super) fn sql_type(&self, column: usize) -> &str {
        let column = self.columns.get(column);
        column.map_or("", |column| &column.sql_type)
    }

    /// Whether values of the column can be compared, so that it can be filtered
    /// by.
    pub fn is_comparable(&self, column: usize) -> bool {
        self.comparison(column).is_some()
    }

    /// How values of the column are compared.
    pub(super) fn comparison(&self, column: usize) -> Option<Comparison> {
        self.columns.get(column)?.comparison
    }

    /// The JSON text of one value of a row.
    pub fn field<'a>(&self, row: &'a str, column: usize) -> &'a str {
        Fields::new(self, row).value(column)
    }
}

/// Reads values of one row, from left to right.
pub(super) struct Fields<'l, 'r> {
    layout: &'l Layout,
    row: &'r str,
    /// The column that comes next, and where what belongs to it begins.
    next: usize,
    at: usize,
}

impl<'l, 'r> Fields<'l, 'r> {
    /// The values of a row, of which none was read.
    pub(super) fn new(layout: &'l Layout, row: &'r str) -> Self {
        Fields {
            layout,
            row,
            next: 0,
            at: 0,
        }
    }

    /// The JSON text of a value. The column must not stand before one that was
    /// read.
    pub(super) fn value(&mut self, column: usize) -> &'r str {
        let (_, value, end) = self.seek(column);
        self.row.get(value..end).unwrap_or_default()
    }

    /// The same with its name before it.
    pub(super) fn named(&mut self, column: usize) -> &'r str {
        let (name, _, end) = self.seek(column);
        // Without the brace or the comma that stands first.
        self.row.get(name + 1..end).unwrap_or_default()
    }

    /// Where a column's name begins, where its value does, and where that ends.
    fn seek(&mut self, column: usize) -> (usize, usize, usize) {
        let bytes = self.row.as_bytes();
        let passed = self.layout.columns.get(self.next..column);
        for placed in passed.unwrap_or_default() {
            self.at = value_end(bytes, self.at + placed.head);
        }
        let Some(placed) = self.layout.columns.get(column) else {
            return (self.at, self.at, self.at);
        };
        let (name, value) = (self.at, self.at + placed.head);
        self.at = value_end(bytes, value);
        self.next = column + 1;
        (name, value, self.at)
    }
}

/// Where the value ends that begins at a place of a row.
fn value_end(row: &[u8], start: usize) -> usize {
    match row.get(start) {
        Some(b'"') => string_end(row, start),
        Some(b'{' | b'[') => nested_end(row, start),
        _ => {
            let rest = row.get(start..).unwrap_or_default();
            let ends = |byte: &u8| matches!(byte, b',' | b'}');
            start + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

/// Where the string ends whose opening quote stands at a place.
fn string_end(row: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        let rest = row.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            Some(mark) if rest.get(mark) == Some(&b'"') => return at + mark + 1,
            Some(mark) => at += mark + 2,
            None => return row.len(),
        }
    }
}

/// Where the array or object ends that begins at a place.
fn nested_end(row: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(byte) = row.get(at) {
        at = match byte {
            b'"' => string_end(row, at),
            _ => at + 1,
        };
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests;
