//! The rows of the catalog's own relations.

use std::sync::Arc;

use super::catalog::{Catalog, number};
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::relation::{DATABASE, Relation};
use super::value::{Row, Value};

fn schema_id<'c>(catalog: &'c Catalog, schema: &str) -> &'c str {
    let mut schemas = catalog.schemas.iter();
    let found = schemas.find(|(_, name)| name == schema);
    found.map_or("u3", |(id, _)| id)
}

/// The row of `mz_views` of a view.
pub(super) fn view_row(catalog: &Catalog, relation: &Relation) -> Option<Row> {
    let row = [
        Value::text(&relation.id),
        Value::Oid(relation.oid),
        Value::text(schema_id(catalog, &relation.schema)),
        Value::text(&relation.name),
        Value::text(&relation.definition),
    ];
    (relation.kind != Kind::Table).then(|| Arc::from(row))
}

/// The rows of a relation in `mz_objects`, `mz_columns` and
/// `mz_object_global_ids`, each with the number of the one it belongs to.
pub(super) fn object_rows(catalog: &Catalog, relation: &Relation) -> Vec<(usize, Row)> {
    let dialect = catalog.dialect;
    let position: fn(u64) -> Value = match dialect {
        DemoDialect::Subscribe => Value::Unsigned,
        DemoDialect::Tail => |n| Value::BigInt(i64::try_from(n).unwrap_or(i64::MAX)),
    };
    let object = [
        Value::text(&relation.id),
        Value::Oid(relation.oid),
        Value::text(schema_id(catalog, &relation.schema)),
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
    let ids = relation.former.iter().chain([&relation.id]).map(|id| {
        let row = [Value::text(&relation.id), Value::text(id)];
        (number::MZ_GLOBAL_IDS, Arc::from(row))
    });
    std::iter::once(object).chain(columns).chain(ids).collect()
}

/// The row of the one database.
pub(super) fn database_row() -> Row {
    Arc::from([Value::text("u1"), Value::text(DATABASE)])
}

/// The rows of the schemas; the system's are in no database.
pub(super) fn schema_rows(catalog: &Catalog) -> impl Iterator<Item = Row> {
    catalog.schemas.iter().map(|(id, name)| {
        let database = match id.starts_with('u') {
            true => Value::text("u1"),
            false => Value::Null,
        };
        Arc::from([Value::text(id), database, Value::text(name)])
    })
}

/// The relations that are in both catalogs and not the same, before and after.
pub(super) fn altered<'a>(
    before: &'a Catalog,
    after: &'a Catalog,
) -> impl Iterator<Item = (usize, &'a Arc<Relation>, &'a Arc<Relation>)> {
    let both = before.relations.iter().filter_map(|(number, held)| {
        let relation = after.relations.get(number)?;
        Some((*number, held, relation))
    });
    both.filter(|(_, held, relation)| !Arc::ptr_eq(held, relation))
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
