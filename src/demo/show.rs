//! Answers that need no history: SHOW, functions, session parameters.

use std::sync::Arc;

use super::ast::{Expression, Show};
use super::column::Column;
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::relation::{DATABASE, Relation};
use super::session::Database;
use super::show_create::show_create;
use super::sql_error::SqlError;
use super::table::Table;
use super::value::{ColumnType, Value};

impl Database {
    /// SELECT without FROM.
    pub(super) fn constants(
        &self,
        items: &[(Expression, Option<String>)],
    ) -> Result<Table, SqlError> {
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
            "current_database" | "current_catalog" if modern => DATABASE.to_owned(),
            "current_schema" if modern => "public".to_owned(),
            "current_user" | "current_role" | "session_user" if modern => "materialize".to_owned(),
            "mz_now" if modern => return Ok((ColumnType::MzTimestamp, frontier)),
            "mz_logical_timestamp" if !modern => return Ok((ColumnType::Numeric, frontier)),
            _ => return Err(SqlError::unknown_function(self.dialect(), name)),
        };
        Ok((ColumnType::Text, Value::text(text)))
    }

    /// The value of a session parameter; setting one changes nothing.
    pub(super) fn parameter(&self, name: &str) -> Result<String, SqlError> {
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

    /// SHOW.
    pub(super) fn show(&self, show: &Show) -> Result<Table, SqlError> {
        let modern = self.dialect() == DemoDialect::Subscribe;
        // On the modern servers a materialized view is no view.
        let views: &[Kind] = if modern {
            &[Kind::View]
        } else {
            &[Kind::View, Kind::MaterializedView]
        };
        Ok(match show {
            Show::Columns(name) => {
                let catalog = self.catalog.current();
                self.show_columns(self.resolve(&catalog, name)?.1)
            }
            Show::Create {
                materialized,
                relation,
            } => {
                let catalog = self.catalog.current();
                let (_, relation) = self.resolve(&catalog, relation)?;
                show_create(self.dialect(), relation, *materialized)?
            }
            Show::Parameter(name) => {
                let value = Value::text(self.parameter(name)?);
                let columns = vec![Column::new(name, ColumnType::Text)];
                Table {
                    columns,
                    rows: vec![Arc::from([value])],
                }
            }
            Show::Views => self.named(&["comment"], self.rows(views, |_| &[""])),
            Show::MaterializedViews => self.named(
                &["cluster", "comment"],
                self.rows(&[Kind::MaterializedView], |_| &["quickstart", ""]),
            ),
            Show::Tables => self.named(&["comment"], self.rows(&[Kind::Table], |_| &[""])),
            Show::Objects => {
                let all = [Kind::Table, Kind::View, Kind::MaterializedView];
                let rows = self.rows(&all, |kind| match kind {
                    Kind::Table => &["table", ""],
                    Kind::View => &["view", ""],
                    Kind::MaterializedView => &["materialized-view", ""],
                });
                self.named(&["type", "comment"], rows)
            }
            Show::Databases => self.named(&["comment"], vec![vec![DATABASE, ""]]),
            Show::Schemas => {
                let catalog = self.catalog.current();
                let schemas = catalog.schemas.iter();
                let mut rows: Vec<_> = schemas
                    .map(|(_, name)| vec![name.clone(), String::new()])
                    .collect();
                rows.sort_unstable();
                self.named(&["comment"], rows)
            }
        })
    }

    /// Names of the relations of some kinds, sorted, each with what follows it.
    fn rows(&self, kinds: &[Kind], more: fn(Kind) -> &'static [&'static str]) -> Vec<Vec<String>> {
        let catalog = self.catalog.current();
        let relations = catalog.relations.values();
        let shown = relations.filter(|r| r.schema == "public" && kinds.contains(&r.kind));
        let row = |relation: &Arc<Relation>| {
            let more = more(relation.kind).iter();
            let name = std::iter::once(relation.name.clone());
            name.chain(more.map(|text| (*text).to_owned())).collect()
        };
        let mut rows: Vec<Vec<String>> = shown.map(row).collect();
        rows.sort_unstable();
        rows
    }

    /// A table of texts. The old servers show names only.
    fn named(&self, more: &[&str], rows: Vec<Vec<impl AsRef<str>>>) -> Table {
        let modern = self.dialect() == DemoDialect::Subscribe;
        let names = std::iter::once(&"name").chain(if modern { more } else { &[] });
        let columns: Vec<Column> = names
            .map(|name| Column::new(name, ColumnType::Text))
            .collect();
        let rows = rows.iter();
        let rows = rows.map(|row| row.iter().take(columns.len()).map(Value::text).collect());
        let rows = rows.collect();
        Table { columns, rows }
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
