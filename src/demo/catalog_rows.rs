//! The rows of the catalog's own relations.

use std::sync::Arc;

use super::catalog::{Catalog, SCHEMAS, number};
use super::dialect::DemoDialect;
use super::relation::{DATABASE, Kind, Relation};
use super::value::{Row, Value};

fn schema_id(schema: &str) -> &'static str {
    SCHEMAS
        .iter()
        .find(|(_, name)| *name == schema)
        .map_or("u3", |(id, _)| id)
}

/// The row of `mz_views` of a view.
pub(super) fn view_row(relation: &Relation) -> Option<Row> {
    let row = [
        Value::text(&relation.id),
        Value::Oid(relation.oid),
        Value::text(schema_id(relation.schema)),
        Value::text(&relation.name),
        Value::text(&relation.definition),
    ];
    (relation.kind != Kind::Table).then(|| Arc::from(row))
}

/// The rows of a relation in `mz_objects` and `mz_columns`, each with the
/// number of the one it belongs to.
pub(super) fn object_rows(relation: &Relation, dialect: DemoDialect) -> Vec<(usize, Row)> {
    let position: fn(u64) -> Value = match dialect {
        DemoDialect::Subscribe => Value::Unsigned,
        DemoDialect::Tail => |n| Value::BigInt(i64::try_from(n).unwrap_or(i64::MAX)),
    };
    let object = [
        Value::text(&relation.id),
        Value::Oid(relation.oid),
        Value::text(schema_id(relation.schema)),
        Value::text(&relation.name),
        Value::text(relation.kind.name(dialect)),
    ];
    let columns = relation.columns.iter().zip(1_u64..).map(|(column, at)| {
        let row = [
            Value::text(&relation.id),
            Value::text(&column.name),
            position(at),
            Value::Bool(column.nullable),
            Value::text(column.kind.name()),
            Value::Oid(column.kind.oid()),
        ];
        (number::MZ_COLUMNS, Arc::from(row))
    });
    let object: (usize, Row) = (number::MZ_OBJECTS, Arc::from(object));
    std::iter::once(object).chain(columns).collect()
}

/// The rows of the catalog relations that never change.
pub(super) fn fixed_rows() -> Vec<(usize, Row)> {
    let schema = |(id, name): (&str, &str)| {
        let database = if name == "public" {
            Value::text("u1")
        } else {
            Value::Null
        };
        let row: Row = Arc::from([Value::text(id), database, Value::text(name)]);
        (number::MZ_SCHEMAS, row)
    };
    let database: Row = Arc::from([Value::text("u1"), Value::text(DATABASE)]);
    let databases = std::iter::once((number::MZ_DATABASES, database));
    SCHEMAS.into_iter().map(schema).chain(databases).collect()
}

/// The relations that are in one catalog and not in another.
pub(super) fn missing<'a>(
    from: &'a Catalog,
    than: &'a Catalog,
) -> impl Iterator<Item = (usize, &'a Arc<Relation>)> {
    let relations = from.relations.iter();
    let missing = relations.filter(|(number, _)| !than.relations.contains_key(number));
    missing.map(|(number, relation)| (*number, relation))
}
