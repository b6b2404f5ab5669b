//! What each statement answers: tables, made from the catalog and the store.

use std::cmp::Ordering;
use std::sync::Arc;

use super::DemoDialect;
use super::ast::{
    AsOf, Expression, Filter, Items, Operand, Select, Show, SortKey, Statement, Subscribe,
};
use super::catalog::{Catalog, Column, DATABASE, Kind, Relation, SCHEMAS};
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

    fn resolve(&self, name: &[String]) -> Result<(usize, &Relation), SqlError> {
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

    fn constants(&self, items: &[(Expression, Option<String>)]) -> Result<Table, SqlError> {
        let mut columns = Vec::new();
        let mut values = Vec::new();
        for (expression, alias) in items {
            let (name, kind, value) = match expression {
                Expression::Number(number) => {
                    let small = i32::try_from(*number).is_ok();
                    let kind = if small {
                        ColumnType::Int
                    } else {
                        ColumnType::BigInt
                    };
                    ("?column?", kind, Value::BigInt(*number))
                }
                Expression::Text(text) => ("?column?", ColumnType::Text, Value::text(text)),
                Expression::Call(name) => {
                    let (kind, value) = self.call(name)?;
                    (name.as_str(), kind, value)
                }
            };
            columns.push(Column::new(alias.as_deref().unwrap_or(name), kind));
            values.push(value);
        }
        Ok(Table {
            columns,
            rows: vec![Arc::from(values)],
        })
    }

    fn call(&self, name: &str) -> Result<(ColumnType, Value), SqlError> {
        let modern = self.dialect() == DemoDialect::Subscribe;
        let frontier = Value::Unsigned(self.store.frontier());
        let text = match name {
            "mz_version" => self.version(),
            "version" if modern => {
                "PostgreSQL 9.5 on x86_64-unknown-linux-gnu (Materialize 26.17.0-viewcast-demo)"
                    .to_owned()
            }
            "version" => {
                "PostgreSQL 9.6 on x86_64-unknown-linux-gnu (materialized 0.7.0)".to_owned()
            }
            "mz_environment_id" if modern => self.environment_id.clone(),
            "mz_cluster_id" if !modern => self.environment_id.clone(),
            "current_database" | "current_catalog" => DATABASE.to_owned(),
            "current_schema" => "public".to_owned(),
            "current_user" | "current_role" | "session_user" => "materialize".to_owned(),
            "mz_now" if modern => return Ok((ColumnType::MzTimestamp, frontier)),
            "mz_logical_timestamp" if !modern => return Ok((ColumnType::Numeric, frontier)),
            _ => return Err(SqlError::unknown_function(name)),
        };
        Ok((ColumnType::Text, Value::text(text)))
    }

    /// The value of a session parameter; setting one changes nothing.
    fn parameter(&self, name: &str) -> Result<String, SqlError> {
        Ok(match name {
            "mz_version" => self.version(),
            "server_version" => super::server::SERVER_VERSION.to_owned(),
            "client_encoding" => "UTF8".to_owned(),
            "datestyle" => "ISO, MDY".to_owned(),
            "timezone" => "UTC".to_owned(),
            "standard_conforming_strings" | "integer_datetimes" | "welcome_message" => {
                "on".to_owned()
            }
            "transaction_isolation" => "strict serializable".to_owned(),
            "database" => DATABASE.to_owned(),
            "cluster" => "quickstart".to_owned(),
            "search_path" | "schema" => "public".to_owned(),
            "application_name"
            | "client_min_messages"
            | "extra_float_digits"
            | "statement_timeout"
            | "lock_timeout"
            | "idle_in_transaction_session_timeout"
            | "names" => String::new(),
            _ => return Err(SqlError::unknown_parameter(name)),
        })
    }

    fn show(&self, show: &Show) -> Result<Table, SqlError> {
        let relations = |kinds: &[Kind]| {
            let mut found: Vec<&Relation> = self
                .catalog
                .relations
                .iter()
                .filter(|r| r.schema == "public" && kinds.contains(&r.kind))
                .collect();
            found.sort_by_key(|relation| relation.name);
            found.into_iter()
        };
        let modern = self.dialect() == DemoDialect::Subscribe;
        // The old servers show names only, the modern ones more columns.
        let table = |more: &[&str], rows: Vec<Vec<String>>| {
            let more = if modern { more } else { &[] };
            let names = std::iter::once(&"name").chain(more);
            let columns: Vec<Column> = names
                .map(|name| Column::new(name, ColumnType::Text))
                .collect();
            let row = |row: Vec<String>| row.iter().take(columns.len()).map(Value::text).collect();
            let rows = rows.into_iter().map(row).collect();
            Table { columns, rows }
        };
        let named = |name: &str, more: &[&str]| {
            std::iter::once(name)
                .chain(more.iter().copied())
                .map(str::to_owned)
                .collect()
        };
        Ok(match show {
            Show::Columns(name) => self.show_columns(self.resolve(name)?.1),
            Show::Parameter(name) => {
                let value = Value::text(self.parameter(name)?);
                let columns = vec![Column::new(name, ColumnType::Text)];
                Table {
                    columns,
                    rows: vec![Arc::from([value])],
                }
            }
            // On the modern servers a materialized view is no view.
            Show::Views => table(
                &["comment"],
                match self.dialect() {
                    DemoDialect::Subscribe => Vec::new(),
                    DemoDialect::Tail => relations(&[Kind::MaterializedView])
                        .map(|r| named(r.name, &[]))
                        .collect(),
                },
            ),
            Show::MaterializedViews => {
                let rows = relations(&[Kind::MaterializedView]);
                let rows = rows.map(|r| named(r.name, &["quickstart", ""])).collect();
                table(&["cluster", "comment"], rows)
            }
            Show::Tables => table(
                &["comment"],
                relations(&[Kind::Table])
                    .map(|r| named(r.name, &[""]))
                    .collect(),
            ),
            Show::Objects => {
                let rows = relations(&[Kind::Table, Kind::MaterializedView]).map(|r| {
                    let table = r.kind == Kind::Table;
                    named(
                        r.name,
                        &[if table { "table" } else { "materialized-view" }, ""],
                    )
                });
                table(&["type", "comment"], rows.collect())
            }
            Show::Databases => table(&["comment"], vec![named(DATABASE, &[""])]),
            Show::Schemas => {
                let mut rows: Vec<Vec<String>> =
                    SCHEMAS.iter().map(|(_, name)| named(name, &[""])).collect();
                rows.sort();
                table(&["comment"], rows)
            }
        })
    }

    /// Modern: in position order, with comments. Old: sorted by name.
    fn show_columns(&self, relation: &Relation) -> Table {
        let modern = self.dialect() == DemoDialect::Subscribe;
        let mut shown: Vec<&Column> = relation.columns.iter().collect();
        let mut columns = vec![
            Column::new("name", ColumnType::Text),
            Column::new("nullable", ColumnType::Bool),
            Column::new("type", ColumnType::Text),
        ];
        if modern {
            columns.push(Column::new("comment", ColumnType::Text));
        } else {
            shown.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let row = |column: &&Column| {
            let values = [
                Value::text(&column.name),
                Value::Bool(column.nullable),
                Value::text(column.kind.name()),
                Value::text(""),
            ];
            values.into_iter().take(columns.len()).collect()
        };
        let rows = shown.iter().map(row).collect();
        Table { columns, rows }
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
