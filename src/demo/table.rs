//! A result: columns and rows.

use super::column::Column;
use super::value::Row;

/// A result: columns and rows.
#[derive(Debug)]
pub(super) struct Table {
    /// Columns in output order.
    pub(super) columns: Vec<Column>,
    /// Rows, each once per multiplicity.
    pub(super) rows: Vec<Row>,
}
