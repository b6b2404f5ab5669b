//! A SELECT whose names have become numbers: for a query, and for a view that
//! was created from it.

use std::cmp::Ordering;

use super::ast::{Filter, Operand};
use super::column::Column;
use super::value::Row;

/// What a SELECT does with the rows of its relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SelectPlan {
    /// The relation that is read.
    pub(super) source: usize,
    /// What comes out.
    pub(super) columns: Vec<Column>,
    /// Rows at the most.
    pub(super) limit: Option<usize>,
    /// Whether rows are counted and not given out.
    pub(super) counts: bool,
    /// The relation's columns that are given out.
    pub(super) output: Vec<usize>,
    /// The relation's columns to sort by, and whether descending.
    pub(super) order: Vec<(usize, bool)>,
    /// Conditions, each on a column of the relation.
    pub(super) filters: Vec<(usize, Filter)>,
}

impl SelectPlan {
    /// Whether a row of the relation fulfils all conditions.
    pub(super) fn passes(&self, row: &Row, parameters: &[Option<String>]) -> bool {
        self.filters.iter().all(|(column, filter)| {
            // The plan's indexes are those of the relation's columns. A
            // comparison with NULL holds neither way.
            let Some(value) = row[*column].as_text() else {
                return false;
            };
            filter.operands.iter().any(|operand| {
                let operand = match operand {
                    Operand::Literal(text) => Some(text),
                    Operand::Parameter(index) => parameters.get(*index).and_then(Option::as_ref),
                };
                operand.is_some_and(|operand| (value == operand.as_str()) == filter.equal)
            })
        })
    }

    /// The columns that are given out of a row of the relation.
    pub(super) fn project(&self, row: &Row) -> Row {
        // The plan's indexes are those of the relation's columns.
        self.output
            .iter()
            .map(|index| row[*index].clone())
            .collect()
    }

    /// The order of two rows of the relation; equal ones may differ.
    pub(super) fn compare(&self, a: &Row, b: &Row) -> Ordering {
        for (index, descending) in &self.order {
            // The plan's indexes are those of the relation's columns.
            let ordering = a[*index].cmp(&b[*index]);
            if ordering != Ordering::Equal {
                return if *descending {
                    ordering.reverse()
                } else {
                    ordering
                };
            }
        }
        Ordering::Equal
    }

    /// Whether rows are to be sorted at all.
    pub(super) fn sorts(&self) -> bool {
        !self.order.is_empty()
    }
}
