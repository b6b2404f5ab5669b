//! A row as its JSON text, built once and shared by everything that holds it.

use std::fmt;
use std::sync::Arc;

/// One column of a view.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name, as Materialize has it.
    pub name: String,
    /// Its SQL type as Materialize prints it, e.g. `timestamp with time zone`.
    pub sql_type: String,
    /// Whether a value may be NULL, as far as the catalog tells. Materialize
    /// works that out of the view's query, another version of it perhaps better.
    pub is_nullable: bool,
}

impl Column {
    /// A column of which nothing but name and type is known.
    pub fn new(name: impl Into<String>, sql_type: impl Into<String>) -> Self {
        Column {
            name: name.into(),
            sql_type: sql_type.into(),
            is_nullable: true,
        }
    }
}

/// Columns are compared to find out whether a view is still the same one. What
/// is known of NULL makes it no other: its rows would not be written otherwise.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.sql_type == other.sql_type
    }
}

impl Eq for Column {}

/// A row: the text of one JSON object, columns in the view's order.
///
/// The text is the row's identity: two equal rows have byte-equal text. It is
/// shared, so all deltas and frames hold it once in memory; a view has its own
/// copy, without the allocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(Arc<str>);

impl Row {
    /// The row's JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Row {
    fn from(text: &str) -> Self {
        Row(text.into())
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
