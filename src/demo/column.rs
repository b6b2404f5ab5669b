//! A column of a relation.

use super::value::ColumnType;

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its type.
    pub(super) kind: ColumnType,
    /// Whether it can hold NULL.
    pub(super) nullable: bool,
}

impl Column {
    /// A column that holds no NULL.
    pub(super) fn new(name: &str, kind: ColumnType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            nullable: false,
        }
    }
}
