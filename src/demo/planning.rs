//! The plan of a SELECT: each name that it uses is looked up.

use super::ast::{Items, Select, SortKey};
use super::catalog::Catalog;
use super::column::Column;
use super::plan::SelectPlan;
use super::sql_error::SqlError;
use super::value::ColumnType;

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
}
