//! Errors of statements that change schemas, tables, names and privileges.

use super::column::Column;
use super::relation::Relation;
use super::sql_error::SqlError;

impl SqlError {
    /// 42P06.
    pub(super) fn schema_exists(name: &str) -> Self {
        Self::new("42P06", format!("schema '{name}' already exists"))
    }

    /// XX000: DROP SCHEMA without CASCADE.
    pub(super) fn schema_not_empty(name: &str) -> Self {
        let message = format!(
            "schema 'materialize.{name}' cannot be dropped without CASCADE while it contains objects"
        );
        Self::internal(message)
    }

    /// XX000: INSERT into what is no table.
    pub(super) fn not_a_table(relation: &Relation) -> Self {
        let (name, kind) = (relation.full_name(), relation.kind.words());
        Self::internal(format!("{name} is a {kind} and no table"))
    }

    /// XX000: more values than columns.
    pub(super) fn too_many_values() -> Self {
        Self::internal("INSERT has more expressions than target columns".to_owned())
    }

    /// 22P02: a literal that is none of the column's type.
    pub(super) fn wrong_value(text: &str, column: &Column) -> Self {
        let kind = column.kind.name();
        let message = format!("invalid input syntax for type {kind}: \"{text}\"");
        Self::new("22P02", message)
    }

    /// 0A000: a replacement is to have the columns of what it replaces.
    pub(super) fn other_columns(target: &[Column], replacement: &[Column]) -> Self {
        let pairs = target.iter().zip(replacement).zip(1..);
        let mut different = pairs.filter(|((a, b), _)| a != b);
        let detail = match different.next() {
            Some(((a, b), at)) if a.name != b.name => format!(
                "column at position {at}: name mismatch (target: \"{}\", replacement: \"{}\")",
                a.name, b.name
            ),
            Some(((a, b), at)) => format!(
                "column \"{}\" at position {at}: type mismatch (target: {:?}, replacement: {:?})",
                a.name, a.kind, b.kind
            ),
            None => match replacement.get(target.len()) {
                Some(extra) => format!(
                    "extra column \"{}\" at position {}",
                    extra.name,
                    target.len() + 1
                ),
                None => "a column is missing".to_owned(),
            },
        };
        Self {
            detail: Some(detail),
            ..Self::unsupported("replacement schema differs from target schema".to_owned())
        }
    }

    /// 42501: SELECT was revoked.
    pub(super) fn denied(relation: &Relation, role: &str) -> Self {
        let (name, kind) = (relation.full_name(), relation.kind.words().to_uppercase());
        Self {
            detail: Some(format!(
                "The '{role}' role needs SELECT privileges on {kind} \"{name}\""
            )),
            ..Self::new("42501", format!("permission denied for {kind} \"{name}\""))
        }
    }
}
