//! A SELECT whose names have become numbers: for a query, and for a view that
//! was created from it.

use std::cmp::Ordering;

use super::ast::{Filter, Items, Operand, Select, SortKey};
use super::catalog::{Catalog, Column};
use super::sql_error::SqlError;
use super::value::{ColumnType, Row};

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
    output: Vec<usize>,
    /// The relation's columns to sort by, and whether descending.
    order: Vec<(usize, bool)>,
    /// Conditions, each on a column of the relation.
    filters: Vec<(usize, Filter)>,
}

impl SelectPlan {
    /// The plan of a SELECT over the relations of a catalog.
    pub(super) fn new(catalog: &Catalog, select: &Select) -> Result<Self, SqlError> {
        let (source, relation) = catalog
            .find(&select.relation)
            .map_err(SqlError::unknown_relation)?;
        let find = |name: &str| {
            relation
                .columns
                .iter()
                .position(|column| column.name == name)
                .ok_or_else(|| SqlError::unknown_column(name))
        };
        let mut columns = relation.columns.clone();
        let mut output: Vec<usize> = (0..columns.len()).collect();
        match &select.items {
            Items::All => {}
            Items::Count => columns = vec![Column::new("count", ColumnType::BigInt)],
            Items::Columns(names) => {
                output = names
                    .iter()
                    .map(|(name, _)| find(name))
                    .collect::<Result<_, _>>()?;
                columns = output
                    .iter()
                    .zip(names)
                    .map(|(index, (_, alias))| {
                        // `find` gave the index.
                        let mut column = relation.columns[*index].clone();
                        column.name = alias.clone().unwrap_or(column.name);
                        column
                    })
                    .collect();
            }
        }
        let mut order = Vec::new();
        for (key, descending) in &select.order {
            let index = match key {
                SortKey::Name(name) => find(name)?,
                SortKey::Position(position) => *output
                    .get(position.wrapping_sub(1))
                    .ok_or_else(|| SqlError::unknown_column(&position.to_string()))?,
            };
            order.push((index, *descending));
        }
        let filters = select
            .filters
            .iter()
            .map(|filter| Ok((find(&filter.column)?, filter.clone())));
        Ok(Self {
            source,
            columns,
            limit: select.limit,
            counts: select.items == Items::Count,
            filters: filters.collect::<Result<_, SqlError>>()?,
            output,
            order,
        })
    }

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
