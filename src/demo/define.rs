//! CREATE VIEW and DROP VIEW: a catalog that became another one.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::ast::{CreateView, Definition, DropView};
use super::catalog::{Catalog, Unknown, number};
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::plan::SelectPlan;
use super::relation::{DATABASE, Relation};
use super::relations::USER_OID_START;
use super::sql_error::SqlError;
use super::value::Row;
use crate::limits;

/// Rows for tables, each with the table's number.
pub(super) type Inserted = Vec<(usize, Row)>;

/// A definition on its way to the thread that owns the catalog.
pub(super) struct Request {
    /// What is asked for.
    pub(super) definition: Definition,
    /// Where the answer goes, once the change can be read.
    pub(super) reply: oneshot::Sender<Result<(), SqlError>>,
}

impl Definition {
    /// The command tag; the old servers' says nothing of MATERIALIZED.
    pub(super) fn tag(&self, dialect: DemoDialect) -> &'static str {
        let is_told = dialect == DemoDialect::Subscribe;
        match self {
            Self::Create(create) if create.materialized && is_told => "CREATE MATERIALIZED VIEW",
            Self::Create(_) => "CREATE VIEW",
            Self::Drop(drop) if drop.materialized && is_told => "DROP MATERIALIZED VIEW",
            Self::Drop(_) => "DROP VIEW",
            Self::Change(change) => change.tag(),
        }
    }
}

impl Catalog {
    /// Carries a definition out, whole or not at all; the rows that it brings.
    pub(super) fn define(&mut self, definition: &Definition) -> Result<Inserted, SqlError> {
        match definition {
            Definition::Create(create) => self.create(create).map(|()| Inserted::new()),
            Definition::Change(change) => self.change(change),
            Definition::Drop(drop) => {
                let mut after = self.clone();
                for name in &drop.names {
                    after.drop_view(name, drop)?;
                }
                *self = after;
                Ok(Inserted::new())
            }
        }
    }

    fn create(&mut self, create: &CreateView) -> Result<(), SqlError> {
        let (schema, name) = self.name_to_create(&create.name)?;
        let plan = SelectPlan::new(self, &create.query)?;
        let full_name = [DATABASE.to_owned(), schema.clone(), name.clone()];
        let mut after = self.clone();
        if let Ok((_, held)) = self.resolve(&full_name) {
            if create.if_not_exists {
                return Ok(());
            }
            if !create.or_replace || held.kind == Kind::Table {
                return Err(SqlError::already_exists(self.dialect, held));
            }
            after.drop_view(
                &full_name,
                &DropView {
                    names: Vec::new(),
                    materialized: create.materialized && self.dialect == DemoDialect::Subscribe,
                    if_exists: false,
                    cascade: false,
                },
            )?;
        }
        if !after.relations.contains_key(&plan.source) {
            // It reads the view that it was to replace.
            return Err(SqlError::unknown_relation(Unknown::Item(
                create.query.relation.text(),
            )));
        }
        after.changes_at_once(plan.source)?;
        let kind = if create.materialized {
            Kind::MaterializedView
        } else {
            Kind::View
        };
        after.add(Relation {
            kind,
            columns: plan.columns.clone(),
            definition: create.definition.clone(),
            plan: Some(Arc::new(plan)),
            refresh: create.refresh.clone(),
            ..Relation::new(schema, name)
        })?;
        *self = after;
        Ok(())
    }

    /// Takes in a relation of a client's, which gets its ids here.
    pub(super) fn add(&mut self, relation: Relation) -> Result<(), SqlError> {
        let name = [relation.schema.clone(), relation.name.clone()];
        if let Ok((_, held)) = self.resolve(&name) {
            return Err(SqlError::already_exists(self.dialect, held));
        }
        let created = self.relations.range(number::BUILT_IN..);
        if created.count() >= limits::DEMO_CREATED_VIEWS_MAX {
            return Err(SqlError::too_many_views());
        }
        let number = self.next_number;
        self.next_number += 1;
        // Built-in relations are a dozen and views are created one by one, so
        // four billion are far away.
        let id = u32::try_from(number).unwrap_or(u32::MAX);
        let relation = Relation {
            id: format!("u{id}"),
            oid: USER_OID_START.saturating_add(id),
            ..relation
        };
        self.relations.insert(number, Arc::new(relation));
        Ok(())
    }

    /// The schema and the name, if that is where relations can be created.
    pub(super) fn name_to_create(&self, parts: &[String]) -> Result<(String, String), SqlError> {
        let unknown = |unknown| Err(SqlError::unknown_relation(unknown));
        let (database, schema, name) = match parts {
            [name] => (DATABASE, "public", name),
            [schema, name] => (DATABASE, schema.as_str(), name),
            [database, schema, name] => (database.as_str(), schema.as_str(), name),
            _ => return unknown(Unknown::Item(parts.join("."))),
        };
        if database != DATABASE {
            return unknown(Unknown::Database(database.to_owned()));
        }
        let mut schemas = self.schemas.iter();
        match schemas.find(|(_, held)| held == schema) {
            Some((id, _)) if id.starts_with('u') => Ok((schema.to_owned(), name.clone())),
            Some(_) => Err(SqlError::system_schema(schema)),
            None => unknown(Unknown::Schema(schema.to_owned())),
        }
    }

    /// Takes out a view and, if asked to, all that read it.
    fn drop_view(&mut self, name: &[String], drop: &DropView) -> Result<(), SqlError> {
        let (number, relation) = match self.resolve(name) {
            Ok(found) => found,
            Err(Unknown::Item(_)) if drop.if_exists => return Ok(()),
            Err(unknown) => return Err(SqlError::unknown_relation(unknown)),
        };
        let right_kind = match (self.dialect, relation.kind) {
            (_, Kind::Table) => false,
            (DemoDialect::Tail, _) => !drop.materialized,
            (_, kind) => (kind == Kind::MaterializedView) == drop.materialized,
        };
        if !right_kind {
            return Err(SqlError::not_a_view(relation, drop.materialized));
        }
        if number < number::BUILT_IN {
            return Err(SqlError::built_in(relation));
        }
        if let Some(reader) = self.readers_of(number).first()
            && !drop.cascade
            // A number that the catalog itself gave.
            && let Some(reader) = self.relations.get(reader)
        {
            return Err(SqlError::depended_upon(self.dialect, relation, reader));
        }
        self.drop_all(vec![number]);
        Ok(())
    }

    /// Refuses a relation with refreshes, whose changes are on their way before they show.
    pub(super) fn changes_at_once(&self, number: usize) -> Result<(), SqlError> {
        let relation = self.relations.get(&number);
        if relation.is_some_and(|relation| relation.refresh.is_some()) {
            let message = "the demo's stand-in neither reads a view with REFRESH EVERY in \
                           another view nor replaces it";
            return Err(SqlError::unsupported(message.to_owned()));
        }
        Ok(())
    }

    /// The views that read a relation.
    pub(super) fn readers_of(&self, number: usize) -> Vec<usize> {
        let reads = |relation: &Relation| {
            let plan = relation.plan.as_ref();
            plan.is_some_and(|plan| plan.source == number)
        };
        let relations = self.relations.iter();
        let readers = relations.filter(|(_, relation)| reads(relation));
        readers.map(|(number, _)| *number).collect()
    }
}
