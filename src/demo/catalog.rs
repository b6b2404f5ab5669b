//! The relations of the stand-in: names, columns, definitions.

use super::DemoDialect;
use super::relations::relations;
use super::value::ColumnType;

/// The one database.
pub(super) const DATABASE: &str = "materialize";

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its type.
    pub(super) kind: ColumnType,
    /// Whether it can hold NULL.
    pub(super) nullable: bool,
}

impl Column {
    /// A column that holds no NULL.
    pub(super) fn new(name: &str, kind: ColumnType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            nullable: false,
        }
    }
}

/// What kind of object a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table, filled by the stand-in.
    Table,
    /// A view that the dataflow maintains.
    MaterializedView,
}

/// A relation.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// The catalog's id, `u1` or `s1`.
    pub(super) id: String,
    /// PostgreSQL's id.
    pub(super) oid: u32,
    /// Schema in [`DATABASE`].
    pub(super) schema: &'static str,
    /// Name in the schema.
    pub(super) name: &'static str,
    /// Table or view.
    pub(super) kind: Kind,
    /// Columns in their true order.
    pub(super) columns: Vec<Column>,
    /// The view's query, empty for a table.
    pub(super) definition: &'static str,
}

impl Relation {
    /// The full name, as error messages give it.
    pub(super) fn full_name(&self) -> String {
        format!("{DATABASE}.{}.{}", self.schema, self.name)
    }
}

/// Numbers of the relations, which are also those of their histories.
pub(super) mod number {
    /// `counter`.
    pub(in super::super) const COUNTER: usize = 0;
    /// `top10`.
    pub(in super::super) const TOP10: usize = 1;
    /// `edits_by_language`.
    pub(in super::super) const EDITS_BY_LANGUAGE: usize = 2;
    /// `edits_per_minute`.
    pub(in super::super) const EDITS_PER_MINUTE: usize = 3;
    /// `hot_pages`.
    pub(in super::super) const HOT_PAGES: usize = 4;
    /// `user_edits`.
    pub(in super::super) const USER_EDITS: usize = 5;
    /// `wikis`.
    pub(in super::super) const WIKIS: usize = 6;
    /// `mz_catalog.mz_views`.
    pub(in super::super) const MZ_VIEWS: usize = 7;
    /// `mz_internal.mz_frontiers`.
    pub(in super::super) const MZ_FRONTIERS: usize = 8;
    /// `mz_catalog.mz_objects`.
    pub(in super::super) const MZ_OBJECTS: usize = 9;
    /// `mz_catalog.mz_columns`.
    pub(in super::super) const MZ_COLUMNS: usize = 10;
    /// `mz_catalog.mz_schemas`.
    pub(in super::super) const MZ_SCHEMAS: usize = 11;
    /// `mz_catalog.mz_databases`.
    pub(in super::super) const MZ_DATABASES: usize = 12;
}

/// Schemas by id.
pub(super) const SCHEMAS: [(&str, &str); 4] = [
    ("s1", "mz_catalog"),
    ("s2", "pg_catalog"),
    ("s3", "mz_internal"),
    ("u3", "public"),
];

/// All relations, at the places that [`number`] gives.
#[derive(Debug)]
pub(super) struct Catalog {
    /// The relations.
    pub(super) relations: Vec<Relation>,
    /// Which generation of servers is imitated.
    pub(super) dialect: DemoDialect,
}

/// Why a name stands for no relation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// No such relation; the name as it was written.
    Item(String),
    /// No such schema.
    Schema(String),
    /// No such database.
    Database(String),
}

impl Catalog {
    /// The catalog of one generation of servers.
    pub(super) fn new(dialect: DemoDialect) -> Self {
        let relations = relations(dialect);
        Self { relations, dialect }
    }

    /// The relation at a number that [`Self::resolve`] or [`number`] gave.
    pub(super) fn relation(&self, number: usize) -> &Relation {
        // Relations are never removed, so such a number stays valid.
        &self.relations[number]
    }

    /// The number of the relation that a name of one to three parts stands for.
    pub(super) fn resolve(&self, parts: &[String]) -> Result<usize, Unknown> {
        let unknown = || Unknown::Item(parts.join("."));
        let (database, schema, name) = match parts {
            [name] => (None, None, name),
            [schema, name] => (None, Some(schema), name),
            [database, schema, name] => (Some(database), Some(schema), name),
            _ => return Err(unknown()),
        };
        if let Some(database) = database.filter(|database| *database != DATABASE) {
            return Err(Unknown::Database(database.clone()));
        }
        if let Some(schema) = schema {
            let known = SCHEMAS.iter().any(|(_, known)| known == schema);
            if !known && self.dialect == DemoDialect::Subscribe {
                return Err(Unknown::Schema(schema.clone()));
            }
        }
        let reached = |relation: &Relation| match schema {
            Some(schema) => relation.schema == schema,
            // The search path of both generations leaves mz_internal out.
            None => matches!(relation.schema, "public" | "mz_catalog"),
        };
        self.relations
            .iter()
            .position(|relation| relation.name == name && reached(relation))
            .ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> Vec<String> {
        name.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn numbers_and_names_agree() {
        let catalog = Catalog::new(DemoDialect::Subscribe);
        for (number, name) in [
            (number::COUNTER, "counter"),
            (number::TOP10, "public.top10"),
            (
                number::EDITS_BY_LANGUAGE,
                "materialize.public.edits_by_language",
            ),
            (number::EDITS_PER_MINUTE, "edits_per_minute"),
            (number::HOT_PAGES, "hot_pages"),
            (number::USER_EDITS, "user_edits"),
            (number::WIKIS, "wikis"),
            (number::MZ_VIEWS, "mz_views"),
            (number::MZ_FRONTIERS, "mz_internal.mz_frontiers"),
            (number::MZ_OBJECTS, "mz_catalog.mz_objects"),
            (number::MZ_COLUMNS, "mz_columns"),
            (number::MZ_SCHEMAS, "mz_schemas"),
            (number::MZ_DATABASES, "mz_databases"),
        ] {
            assert_eq!(catalog.resolve(&parts(name)), Ok(number), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_told_apart() {
        let catalog = Catalog::new(DemoDialect::Subscribe);
        let item = |name: &str| Err(Unknown::Item(name.to_owned()));
        assert_eq!(catalog.resolve(&parts("nosuch")), item("nosuch"));
        assert_eq!(
            catalog.resolve(&parts("mz_frontiers")),
            item("mz_frontiers")
        );
        let schema = Err(Unknown::Schema("nosuch".to_owned()));
        assert_eq!(catalog.resolve(&parts("nosuch.t")), schema);
        let database = Err(Unknown::Database("nosuch".to_owned()));
        assert_eq!(catalog.resolve(&parts("nosuch.public.t")), database);
        let old = Catalog::new(DemoDialect::Tail);
        assert_eq!(old.resolve(&parts("nosuch.t")), item("nosuch.t"));
    }
}
