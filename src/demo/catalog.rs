//! The relations of the stand-in by their names.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::ast::Reference;
use super::dialect::DemoDialect;
use super::relation::{DATABASE, Relation};
use super::relations::relations;

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
    /// `page_edits`.
    pub(in super::super) const PAGE_EDITS: usize = 6;
    /// `wikis`.
    pub(in super::super) const WIKIS: usize = 7;
    /// `mz_catalog.mz_views`.
    pub(in super::super) const MZ_VIEWS: usize = 8;
    /// `mz_internal.mz_frontiers`.
    pub(in super::super) const MZ_FRONTIERS: usize = 9;
    /// `mz_catalog.mz_objects`.
    pub(in super::super) const MZ_OBJECTS: usize = 10;
    /// `mz_catalog.mz_columns`.
    pub(in super::super) const MZ_COLUMNS: usize = 11;
    /// `mz_catalog.mz_schemas`.
    pub(in super::super) const MZ_SCHEMAS: usize = 12;
    /// `mz_catalog.mz_databases`.
    pub(in super::super) const MZ_DATABASES: usize = 13;
    /// `mz_internal.mz_object_global_ids`.
    pub(in super::super) const MZ_GLOBAL_IDS: usize = 14;
    /// How many there are; clients' own begin here.
    pub(in super::super) const BUILT_IN: usize = 15;
}

/// The schemas that are there from the start, by id.
pub(super) const SCHEMAS: [(&str, &str); 4] = [
    ("s1", "mz_catalog"),
    ("s2", "pg_catalog"),
    ("s3", "mz_internal"),
    ("u3", "public"),
];

/// The number in the id of a client's first schema.
const FIRST_SCHEMA: usize = 10;

/// All relations by number; those that are built in at the places that
/// [`number`] gives.
#[derive(Clone, Debug)]
pub(super) struct Catalog {
    /// The relations. A number is never given twice.
    pub(super) relations: BTreeMap<usize, Arc<Relation>>,
    /// The schemas, ids and names.
    pub(super) schemas: Vec<(String, String)>,
    /// The number of the next schema of a client's.
    pub(super) next_schema: usize,
    /// Which generation of servers is imitated.
    pub(super) dialect: DemoDialect,
    /// The number of the next relation.
    pub(super) next_number: usize,
}

/// The catalog at present, which one thread changes and all read.
#[derive(Debug)]
pub(super) struct SharedCatalog(RwLock<Arc<Catalog>>);

impl SharedCatalog {
    /// Shares a catalog.
    pub(super) fn new(catalog: Catalog) -> Self {
        Self(RwLock::new(Arc::new(catalog)))
    }

    /// The catalog as it is now.
    pub(super) fn current(&self) -> Arc<Catalog> {
        // Nothing can panic while it is held.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows readers another catalog from now on.
    pub(super) fn replace(&self, catalog: Arc<Catalog>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }
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
    /// No relation of this id.
    Id(String),
    /// A bracket, which old servers do not know, at this place.
    Bracket(usize),
}

impl Catalog {
    /// The catalog of one generation of servers.
    pub(super) fn new(dialect: DemoDialect) -> Self {
        let relations = relations(dialect).into_iter().map(Arc::new);
        let relations: BTreeMap<_, _> = relations.enumerate().collect();
        Self {
            next_number: relations.len(),
            relations,
            schemas: SCHEMAS
                .map(|(id, name)| (id.to_owned(), name.to_owned()))
                .to_vec(),
            next_schema: FIRST_SCHEMA,
            dialect,
        }
    }

    /// The number of the relation that a statement names, and the relation.
    pub(super) fn find(&self, named: &Reference) -> Result<(usize, &Arc<Relation>), Unknown> {
        let (id, position) = match named {
            Reference::Name(parts) => return self.resolve(parts),
            Reference::Id { id, position } => (id, *position),
        };
        if self.dialect == DemoDialect::Tail {
            return Err(Unknown::Bracket(position));
        }
        let mut relations = self.relations.iter();
        let found = relations.find(|(_, it)| it.id == *id || it.former.contains(id));
        let found = found.map(|(number, relation)| (*number, relation));
        found.ok_or_else(|| Unknown::Id(id.clone()))
    }

    /// The number of the relation that a name of one to three parts stands for,
    /// and the relation.
    pub(super) fn resolve(&self, parts: &[String]) -> Result<(usize, &Arc<Relation>), Unknown> {
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
            let known = self.schemas.iter().any(|(_, known)| known == schema);
            if !known && self.dialect == DemoDialect::Subscribe {
                return Err(Unknown::Schema(schema.clone()));
            }
        }
        let reached = |relation: &&Arc<Relation>| match schema {
            Some(schema) => relation.schema == *schema,
            // The search path of both generations leaves mz_internal out.
            None => matches!(relation.schema.as_str(), "public" | "mz_catalog"),
        };
        self.relations
            .iter()
            .find(|(_, relation)| relation.name == *name && reached(relation))
            .map(|(number, relation)| (*number, relation))
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
            (number::PAGE_EDITS, "page_edits"),
            (number::WIKIS, "wikis"),
            (number::MZ_VIEWS, "mz_views"),
            (number::MZ_FRONTIERS, "mz_internal.mz_frontiers"),
            (number::MZ_OBJECTS, "mz_catalog.mz_objects"),
            (number::MZ_COLUMNS, "mz_columns"),
            (number::MZ_SCHEMAS, "mz_schemas"),
            (number::MZ_DATABASES, "mz_databases"),
        ] {
            assert_eq!(catalog.resolve(&parts(name)).unwrap().0, number, "{name}");
        }
    }

    #[test]
    fn ids_are_taken_as_newer_servers_do() {
        let named = |id: &str| Reference::Id {
            id: id.to_owned(),
            position: 15,
        };
        let catalog = Catalog::new(DemoDialect::Subscribe);
        for (number, relation) in &catalog.relations {
            assert_eq!(catalog.find(&named(&relation.id)).unwrap().0, *number);
        }
        let unknown = |catalog: &Catalog, id| catalog.find(&named(id)).unwrap_err();
        assert_eq!(unknown(&catalog, "u999"), Unknown::Id("u999".to_owned()));
        let old = Catalog::new(DemoDialect::Tail);
        assert_eq!(unknown(&old, "u1"), Unknown::Bracket(15));
    }

    #[test]
    fn unknown_names_are_told_apart() {
        let catalog = Catalog::new(DemoDialect::Subscribe);
        let item = |name: &str| Unknown::Item(name.to_owned());
        let unknown = |catalog: &Catalog, name| catalog.resolve(&parts(name)).unwrap_err();
        assert_eq!(unknown(&catalog, "nosuch"), item("nosuch"));
        assert_eq!(unknown(&catalog, "mz_frontiers"), item("mz_frontiers"));
        let schema = Unknown::Schema("nosuch".to_owned());
        assert_eq!(unknown(&catalog, "nosuch.t"), schema);
        let database = Unknown::Database("nosuch".to_owned());
        assert_eq!(unknown(&catalog, "nosuch.public.t"), database);
        let old = Catalog::new(DemoDialect::Tail);
        assert_eq!(unknown(&old, "nosuch.t"), item("nosuch.t"));
    }
}
