//! CREATE VIEW and DROP VIEW: a catalog that became another one.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::ast::{CreateView, Definition, DropView};
use super::catalog::{Catalog, Unknown};
use super::dialect::DemoDialect;
use super::plan::SelectPlan;
use super::relation::{DATABASE, Kind, Relation};
use super::relations::USER_OID_START;
use super::sql_error::SqlError;
use crate::limits;

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
        let materialized = match self {
            Self::Create(create) => create.materialized,
            Self::Drop(drop) => drop.materialized,
        };
        match (self, materialized && dialect == DemoDialect::Subscribe) {
            (Self::Create(_), false) => "CREATE VIEW",
            (Self::Create(_), true) => "CREATE MATERIALIZED VIEW",
            (Self::Drop(_), false) => "DROP VIEW",
            (Self::Drop(_), true) => "DROP MATERIALIZED VIEW",
        }
    }
}

impl Catalog {
    /// Carries a definition out, whole or not at all.
    pub(super) fn define(&mut self, definition: &Definition) -> Result<(), SqlError> {
        match definition {
            Definition::Create(create) => self.create(create),
            Definition::Drop(drop) => {
                let mut after = self.clone();
                for name in &drop.names {
                    after.drop_view(name, drop)?;
                }
                *self = after;
                Ok(())
            }
        }
    }

    fn create(&mut self, create: &CreateView) -> Result<(), SqlError> {
        let name = self.name_to_create(&create.name)?;
        let plan = SelectPlan::new(self, &create.query)?;
        let full_name = [DATABASE.to_owned(), "public".to_owned(), name.clone()];
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
        let created = after.relations.values().filter(|it| it.plan.is_some());
        if created.count() >= limits::DEMO_CREATED_VIEWS_MAX {
            return Err(SqlError::too_many_views());
        }
        if !after.relations.contains_key(&plan.source) {
            // It reads the view that it was to replace.
            return Err(SqlError::unknown_relation(Unknown::Item(
                create.query.relation.text(),
            )));
        }
        after.add(name, create, plan);
        *self = after;
        Ok(())
    }

    fn add(&mut self, name: String, create: &CreateView, plan: SelectPlan) {
        let number = self.next_number;
        self.next_number += 1;
        // Built-in relations are a dozen and views are created one by one, so
        // four billion are far away.
        let id = u32::try_from(number).unwrap_or(u32::MAX);
        let kind = if create.materialized {
            Kind::MaterializedView
        } else {
            Kind::View
        };
        let relation = Relation {
            id: format!("u{id}"),
            oid: USER_OID_START.saturating_add(id),
            schema: "public",
            name,
            kind,
            columns: plan.columns.clone(),
            definition: create.definition.clone(),
            plan: Some(Arc::new(plan)),
        };
        self.relations.insert(number, Arc::new(relation));
    }

    /// The last part of a name, if what is before it is where views can be.
    fn name_to_create(&self, parts: &[String]) -> Result<String, SqlError> {
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
        match schema {
            "public" => Ok(name.clone()),
            system if super::catalog::SCHEMAS.iter().any(|it| it.1 == system) => {
                Err(SqlError::system_schema(system))
            }
            _ => unknown(Unknown::Schema(schema.to_owned())),
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
        if relation.plan.is_none() {
            return Err(SqlError::built_in(relation));
        }
        if let Some(reader) = self.readers_of(number).first()
            && !drop.cascade
            // A number that the catalog itself gave.
            && let Some(reader) = self.relations.get(reader)
        {
            return Err(SqlError::depended_upon(self.dialect, relation, reader));
        }
        let mut dropped = vec![number];
        while let Some(number) = dropped.pop() {
            self.relations.remove(&number);
            dropped.extend(self.readers_of(number));
        }
        Ok(())
    }

    /// The views that read a relation.
    fn readers_of(&self, number: usize) -> Vec<usize> {
        let reads = |relation: &Relation| {
            let plan = relation.plan.as_ref();
            plan.is_some_and(|plan| plan.source == number)
        };
        let relations = self.relations.iter();
        let readers = relations.filter(|(_, relation)| reads(relation));
        readers.map(|(number, _)| *number).collect()
    }
}
