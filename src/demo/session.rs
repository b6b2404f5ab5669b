//! What each statement answers: tables, made from the catalog and the store.

use std::cmp::Ordering;
use std::sync::Arc;

use super::DemoDialect;
use super::ast::{AsOf, Filter, Items, Operand, Select, SortKey, Statement, Subscribe};
use super::catalog::{Catalog, Column, Relation};
use super::sql_error::SqlError;
use super::store::Store;
use super::subscription::Subscription;
use super::value::{ColumnType, Row, Value};

/// A result: columns and rows.
#[derive(Debug)]
pub(super) struct Table {
    /// Columns in output order.
    pub(super) columns: Vec<Column>,
    /// Rows, each once per multiplicity.
    pub(super) rows: Vec<Row>,
}

/// What a statement answers.
pub(super) enum Reply {
    /// Rows of a query.
    Rows(Table),
    /// Rows of a COPY.
    CopyRows(Table),
    /// The endless COPY.
    CopySubscription(Box<Subscription>),
    /// A command without rows, by its tag.
    Command(&'static str),
    /// BEGIN.
    Begin,
    /// COMMIT or ROLLBACK.
    End(&'static str),
}

/// What all connections share.
pub(super) struct Database {
    /// The relations.
    pub(super) catalog: Arc<Catalog>,
    /// Their histories.
    pub(super) store: Arc<Store>,
    /// Stable for one run, new with each start.
    pub(super) environment_id: String,
}

impl Database {
    /// Which generation of servers this is.
    pub(super) fn dialect(&self) -> DemoDialect {
        self.catalog.dialect
    }

    /// `SELECT mz_version()`.
    pub(super) fn version(&self) -> String {
        match self.dialect() {
            DemoDialect::Subscribe => {
                format!(
                    "v26.17.0-viewcast-demo.{} (stand-in)",
                    env!("CARGO_PKG_VERSION_MINOR")
                )
            }
            DemoDialect::Tail => "v0.7.0 (viewcast-demo)".to_owned(),
        }
    }

    /// The columns that a statement will answer; none if it answers no rows.
    pub(super) fn columns(&self, statement: &Statement) -> Result<Vec<Column>, SqlError> {
        match statement {
            Statement::Select(select) => Ok(self.plan(select)?.columns),
            Statement::Constants(items) => Ok(self.constants(items)?.columns),
            Statement::Show(show) => Ok(self.show(show)?.columns),
            _ => Ok(Vec::new()),
        }
    }

    /// Carries a statement out. Waits if it asks for a timestamp still to come.
    pub(super) async fn answer(
        &self,
        statement: &Statement,
        parameters: &[Option<String>],
    ) -> Result<Reply, SqlError> {
        Ok(match statement {
            Statement::Select(select) => Reply::Rows(self.select(select, parameters).await?),
            Statement::CopySelect(select) => {
                Reply::CopyRows(self.select(select, parameters).await?)
            }
            Statement::Constants(items) => Reply::Rows(self.constants(items)?),
            Statement::Show(show) => Reply::Rows(self.show(show)?),
            Statement::CopySubscribe(subscribe) => {
                Reply::CopySubscription(Box::new(self.subscription(subscribe)?))
            }
            Statement::Subscribe(subscribe) => {
                self.subscription(subscribe)?;
                return Err(SqlError::unsupported(
                    "the demo's stand-in streams through COPY (...) TO STDOUT only".to_owned(),
                ));
            }
            Statement::Set(name) => {
                self.parameter(name)?;
                Reply::Command("SET")
            }
            Statement::Discard => Reply::Command("DISCARD ALL"),
            Statement::Begin => Reply::Begin,
            Statement::Commit => Reply::End("COMMIT"),
            Statement::Rollback => Reply::End("ROLLBACK"),
        })
    }

    /// The relation of a name.
    pub(super) fn resolve(&self, name: &[String]) -> Result<(usize, &Relation), SqlError> {
        let number = self
            .catalog
            .resolve(name)
            .map_err(SqlError::unknown_relation)?;
        Ok((number, self.catalog.relation(number)))
    }

    /// The timestamp to read at: the last closed one unless asked otherwise.
    fn read_timestamp(&self, number: usize, as_of: Option<AsOf>) -> Result<u64, SqlError> {
        let Some(as_of) = as_of else {
            return Ok(self.store.frontier().saturating_sub(1));
        };
        let since = self.store.since(number);
        if as_of.timestamp >= since {
            return Ok(as_of.timestamp);
        }
        if as_of.at_least {
            return Ok(since);
        }
        let relation = self.catalog.relation(number);
        Err(SqlError::compacted(
            self.dialect(),
            relation,
            as_of.timestamp,
            since,
        ))
    }

    fn subscription(&self, subscribe: &Subscribe) -> Result<Subscription, SqlError> {
        match (self.dialect(), subscribe.tail) {
            (DemoDialect::Subscribe, true) => {
                let message = "TAIL has been renamed to SUBSCRIBE".to_owned();
                return Err(SqlError::syntax(message, 1));
            }
            (DemoDialect::Tail, false) => {
                let message =
                    "Expected a keyword at the beginning of a statement, found identifier";
                return Err(SqlError::syntax(message.to_owned(), 1));
            }
            _ => {}
        }
        let (number, relation) = self.resolve(&subscribe.relation)?;
        let as_of = self.read_timestamp(number, subscribe.as_of)?;
        if let Some(up_to) = subscribe.up_to.filter(|up_to| *up_to < as_of) {
            return Err(SqlError::empty_range(as_of, up_to));
        }
        Ok(Subscription {
            store: Arc::clone(&self.store),
            dialect: self.dialect(),
            number,
            relation: relation.clone(),
            snapshot: subscribe.snapshot,
            progress: subscribe.progress,
            as_of,
            up_to: subscribe.up_to,
        })
    }

    fn plan(&self, select: &Select) -> Result<SelectPlan, SqlError> {
        let (number, relation) = self.resolve(&select.relation)?;
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
        let filters = select.filters.iter().map(|filter| find(&filter.column));
        let filters = filters.collect::<Result<_, _>>()?;
        Ok(SelectPlan {
            number,
            columns,
            output,
            order,
            filters,
        })
    }

    async fn select(
        &self,
        select: &Select,
        parameters: &[Option<String>],
    ) -> Result<Table, SqlError> {
        let plan = self.plan(select)?;
        let at = self.read_timestamp(plan.number, select.as_of)?;
        let mut frontier = self.store.watch();
        if frontier.wait_for(|frontier| *frontier > at).await.is_err() {
            return Err(SqlError::shutdown());
        }
        let contents = self.store.contents(plan.number, at).map_err(|compacted| {
            let relation = self.catalog.relation(plan.number);
            SqlError::compacted(self.dialect(), relation, at, compacted.since)
        })?;
        let mut rows: Vec<Row> = Vec::new();
        for (row, count) in contents {
            if passes(&row, &plan.filters, &select.filters, parameters) {
                // A view's multiplicities are positive.
                rows.extend(std::iter::repeat_n(
                    row,
                    usize::try_from(count).unwrap_or(0),
                ));
            }
        }
        if select.items == Items::Count {
            let count = Value::BigInt(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            return Ok(Table {
                columns: plan.columns,
                rows: vec![Arc::from([count])],
            });
        }
        if !plan.order.is_empty() {
            rows.sort_by(|a, b| compare(a, b, &plan.order));
        }
        rows.truncate(select.limit.unwrap_or(usize::MAX));
        if select.items != Items::All {
            // The plan's indexes are those of the relation's columns.
            let project = |row: &Row| {
                plan.output
                    .iter()
                    .map(|index| row[*index].clone())
                    .collect()
            };
            rows = rows.iter().map(project).collect();
        }
        Ok(Table {
            columns: plan.columns,
            rows,
        })
    }
}

/// A SELECT whose names have become numbers.
struct SelectPlan {
    number: usize,
    columns: Vec<Column>,
    /// The relation's columns that are given out.
    output: Vec<usize>,
    /// The relation's columns to sort by, and whether descending.
    order: Vec<(usize, bool)>,
    /// The relation's column of each filter.
    filters: Vec<usize>,
}

fn passes(row: &Row, columns: &[usize], filters: &[Filter], parameters: &[Option<String>]) -> bool {
    columns.iter().zip(filters).all(|(column, filter)| {
        let operand = match &filter.operand {
            Operand::Literal(text) => Some(text),
            Operand::Parameter(index) => parameters.get(*index).and_then(Option::as_ref),
        };
        // The plan's indexes are those of the relation's columns. A comparison
        // with NULL holds neither way.
        match (row[*column].as_text(), operand) {
            (Some(value), Some(operand)) => (value == operand.as_str()) == filter.equal,
            _ => false,
        }
    })
}

fn compare(a: &Row, b: &Row, order: &[(usize, bool)]) -> Ordering {
    for (index, descending) in order {
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
