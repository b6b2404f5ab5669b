//! Why a window that was asked for cannot be had.

use std::fmt;

use super::wanted::{CONDITIONS_MAX, VALUES_MAX};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The view has no filterable column.
    NoWindows,
    /// The view has no column of that name.
    NoSuchColumn,
    /// The operator did not declare the column filterable.
    NotFilterable,
    /// Values of the column's type cannot be compared.
    NotComparable,
    /// A value is none of the column's type.
    NotOfType,
    /// `is.true` or `is.false` of a column that is not boolean.
    NotBoolean,
    /// More values in one condition than are taken.
    TooManyValues,
    /// More conditions than are taken.
    TooManyConditions,
    /// The view has no column of a name to be shown.
    ShowsUnknown,
    /// A column is to be shown twice.
    ShowsTwice,
    /// No column is to be shown.
    ShowsNothing,
}

/// Why a window that was asked for cannot be had. Its words hold nothing of
/// what was asked for but names of columns that the view has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowError {
    /// What is wrong.
    pub fault: Fault,
    /// Whether it is a rule's condition that is wrong.
    pub is_rule: bool,
    /// The column and its type, where the view has it.
    pub(super) column: Option<(String, String)>,
    /// The columns that the hint names.
    pub(super) columns: Vec<String>,
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, sql_type) = match &self.column {
            Some((name, sql_type)) => (name.as_str(), sql_type.as_str()),
            None => ("", ""),
        };
        let whose = if self.is_rule {
            "a rule"
        } else {
            "a condition"
        };
        match self.fault {
            Fault::NoWindows => write!(f, "the rows and columns of this view cannot be chosen"),
            Fault::NoSuchColumn => write!(f, "{whose} is on a column that the view does not have"),
            Fault::NotFilterable => write!(f, "column \"{name}\" is not filterable"),
            Fault::NotComparable => write!(
                f,
                "column \"{name}\" is of type {sql_type}, whose values cannot be compared"
            ),
            Fault::NotOfType => write!(f, "a value for column \"{name}\" is no {sql_type}"),
            Fault::NotBoolean => write!(
                f,
                "column \"{name}\" is of type {sql_type}, so no value of it is true or false"
            ),
            Fault::TooManyValues => write!(
                f,
                "{whose} on column \"{name}\" has more than {VALUES_MAX} values"
            ),
            Fault::TooManyConditions => {
                write!(f, "there are more than {CONDITIONS_MAX} conditions")
            }
            Fault::ShowsUnknown => write!(f, "select names a column that the view does not have"),
            Fault::ShowsTwice => write!(f, "select names column \"{name}\" twice"),
            Fault::ShowsNothing => write!(f, "select names no column"),
        }
    }
}

impl std::error::Error for WindowError {}

impl WindowError {
    /// What there is to choose from, as a full sentence.
    pub fn hint(&self) -> String {
        let shows = matches!(
            self.fault,
            Fault::ShowsUnknown | Fault::ShowsTwice | Fault::ShowsNothing
        );
        match self.columns.as_slice() {
            [] => "The view has no filterable columns.".to_owned(),
            columns if shows => format!("The view's columns are: {}.", columns.join(", ")),
            columns => format!("Filterable columns: {}.", columns.join(", ")),
        }
    }
}
