//! SQL values as JSON: the table of docs/PROTOCOL.md, "Values".
//!
//! Each value comes as the text that Materialize prints and leaves as JSON
//! that keeps its digits. Nothing that a server prints can break a frame: what
//! does not look like its type is sent as a string with the same text.

mod encode;
mod kind;
mod number;
mod text;

pub use kind::ColumnKind;
pub use number::EXACT_MAX;
pub(super) use number::Parts;
pub use text::{COPY_NULL, copy_letter, push_string};

use super::row::Column;

/// Turns rows of one view into JSON objects, columns in the view's order.
#[derive(Clone, Debug)]
pub struct Encoder {
    columns: Vec<EncodedColumn>,
}

#[derive(Clone, Debug)]
struct EncodedColumn {
    /// `{"name":` of the first column, `,"name":` of the others: a row pays
    /// for a column's name with one copy.
    prefix: String,
    kind: ColumnKind,
}

impl Encoder {
    /// The encoder of rows with these columns.
    pub fn new(columns: &[Column]) -> Self {
        let names = distinct_names(columns);
        let encoded = |(at, (column, name)): (usize, (&Column, String))| {
            let mut prefix = String::from(if at == 0 { "{" } else { "," });
            push_string(&name, &mut prefix);
            prefix.push(':');
            EncodedColumn {
                prefix,
                kind: ColumnKind::of(&column.sql_type),
            }
        };
        let columns = columns.iter().zip(names).enumerate().map(encoded).collect();
        Encoder { columns }
    }

    /// How many columns a row has.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Appends the value of column `at`; the columns must come in order, all
    /// of them, then `end`. `None` is NULL.
    pub fn value(&self, at: usize, text: Option<&str>, out: &mut String) {
        let Some(column) = self.columns.get(at) else {
            return;
        };
        out.push_str(&column.prefix);
        match text {
            Some(text) => column.kind.push(text, out),
            None => out.push_str("null"),
        }
    }

    /// Appends the value of column `at`, which begins `rest`, raw COPY text of
    /// one line, in one pass that also finds its end. Hands back what follows:
    /// a tab and the next values, or nothing. `None`, with nothing appended,
    /// where the value must be cut out, unescaped and given to `value`.
    pub fn raw_value<'a>(&self, at: usize, rest: &'a str, out: &mut String) -> Option<&'a str> {
        let column = self.columns.get(at)?;
        let start = out.len();
        out.push_str(&column.prefix);
        let left = encode::push_raw(&column.kind, rest, out);
        if left.is_none() {
            out.truncate(start);
        }
        left
    }

    /// Closes the row.
    pub fn end(&self, out: &mut String) {
        // A view without columns still has rows.
        out.push_str(if self.columns.is_empty() { "{}" } else { "}" });
    }
}

/// The names under which the columns stand in a JSON object: a name that
/// stood before gets the first free suffix `_2`, `_3`, so that no value hides
/// another and equal views get equal names in every gateway.
pub fn distinct_names(columns: &[Column]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let taken = |name: &str, names: &[String]| {
            names.iter().any(|other| other == name)
                // A later column's own name is not taken from it either.
                || columns.iter().skip(at + 1).any(|other| other.name == name)
        };
        let mut name = column.name.clone();
        if names.contains(&name) {
            let mut suffix = 2u64;
            while taken(&name, &names) || name == column.name {
                name = format!("{}_{suffix}", column.name);
                suffix += 1;
            }
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests;
