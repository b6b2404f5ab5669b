//! SHOW CREATE VIEW and SHOW CREATE MATERIALIZED VIEW.

use std::sync::Arc;

use super::column::Column;
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::relation::{DATABASE, Relation};
use super::sql_error::SqlError;
use super::table::Table;
use super::value::{ColumnType, Value};

/// The statement that makes a view, as the servers of a generation print it,
/// but for the names in its query, which stay as they were written.
pub(super) fn show_create(
    dialect: DemoDialect,
    relation: &Relation,
    materialized: bool,
) -> Result<Table, SqlError> {
    let wanted = match (dialect, materialized) {
        (DemoDialect::Subscribe, true) => relation.kind == Kind::MaterializedView,
        (DemoDialect::Subscribe, false) => relation.kind == Kind::View,
        // To the old servers a materialized view is a view with an index.
        (DemoDialect::Tail, _) => relation.kind != Kind::Table,
    };
    if !wanted {
        let kind = if materialized {
            Kind::MaterializedView
        } else {
            Kind::View
        };
        let (name, kind) = (relation.full_name(), kind.words().to_uppercase());
        return Err(SqlError::internal(format!("{name} is not a {kind}")));
    }
    let Relation {
        schema,
        name,
        definition,
        refresh,
        ..
    } = relation;
    let refresh = match refresh {
        Some(every) => format!("EVERY '{}'", every.text),
        None => "ON COMMIT".to_owned(),
    };
    let (columns, statement) = match (dialect, materialized) {
        (DemoDialect::Tail, _) => (
            ["View", "Create View"],
            format!("CREATE VIEW \"{DATABASE}\".\"{schema}\".\"{name}\" AS {definition}"),
        ),
        (DemoDialect::Subscribe, false) => (
            ["name", "create_sql"],
            format!("CREATE VIEW {DATABASE}.{schema}.{name} AS {definition};"),
        ),
        (DemoDialect::Subscribe, true) => (
            ["name", "create_sql"],
            format!(
                "CREATE MATERIALIZED VIEW {DATABASE}.{schema}.{name}\n    \
                 IN CLUSTER quickstart\n    WITH (REFRESH = {refresh})\n    AS {definition};"
            ),
        ),
    };
    Ok(Table {
        columns: columns
            .map(|name| Column::new(name, ColumnType::Text))
            .into(),
        rows: vec![Arc::from([
            Value::text(relation.full_name()),
            Value::text(&statement),
        ])],
    })
}
