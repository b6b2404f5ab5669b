//! Schemas, tables, names, replacements and privileges: a catalog that became
//! another one.

use std::sync::Arc;

use super::ast::{Change, CreateView, Name};
use super::catalog::{Catalog, SCHEMAS, Unknown, number};
use super::column::Column;
use super::define::Inserted;
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::plan::SelectPlan;
use super::relation::Relation;
use super::sql_error::SqlError;
use super::value::{ColumnType, Row, Value};

impl Catalog {
    /// Carries a change out, whole or not at all; the rows that it brings.
    pub(super) fn change(&mut self, change: &Change) -> Result<Inserted, SqlError> {
        self.is_known(change)?;
        let mut after = self.clone();
        let mut inserted = Inserted::new();
        match change {
            Change::CreateSchema {
                name,
                if_not_exists,
            } => after.create_schema(name, *if_not_exists)?,
            Change::DropSchema {
                name,
                if_exists,
                cascade,
            } => after.drop_schema(name, *if_exists, *cascade)?,
            Change::SwapSchemas(one, other) => after.swap_schemas(one, other)?,
            Change::CreateTable { name, columns } => after.create_table(name, columns)?,
            Change::DropTable {
                name,
                if_exists,
                cascade,
            } => after.drop_table(name, *if_exists, *cascade)?,
            Change::AddColumn { table, column } => {
                let (_, table) = after.table(table)?;
                table.columns.push(column.clone());
            }
            Change::Insert { table, rows } => inserted = after.rows_of(table, rows)?,
            Change::Rename { relation, kind, to } => after.rename(relation, *kind, to)?,
            Change::CreateReplacement { target, view } => after.create_replacement(target, view)?,
            Change::ApplyReplacement {
                target,
                replacement,
            } => after.apply_replacement(target, replacement)?,
            Change::Privilege {
                is_granted,
                relation,
                role,
            } => {
                if let Some(relation) = relation {
                    let number = after.number_of(relation)?;
                    let relation = after.changed(number)?;
                    relation.denied.retain(|it| it != role);
                    relation.denied.extend((!is_granted).then(|| role.clone()));
                }
            }
            Change::CreateRole => {}
        }
        *self = after;
        Ok(inserted)
    }

    /// Whether a server of this generation knows such a statement.
    fn is_known(&self, change: &Change) -> Result<(), SqlError> {
        let is_new = matches!(
            change,
            Change::SwapSchemas(..)
                | Change::AddColumn { .. }
                | Change::CreateReplacement { .. }
                | Change::ApplyReplacement { .. }
                | Change::Privilege { .. }
        );
        match self.dialect {
            DemoDialect::Tail if is_new => Err(SqlError::unsupported_statement(change.tag())),
            _ => Ok(()),
        }
    }

    fn number_of(&self, name: &[String]) -> Result<usize, SqlError> {
        let found = self.resolve(name).map_err(SqlError::unknown_relation)?;
        Ok(found.0)
    }

    /// A relation that is going to be another one.
    fn changed(&mut self, number: usize) -> Result<&mut Relation, SqlError> {
        // A number that the catalog itself gave.
        let relation = self.relations.get_mut(&number);
        let relation = relation.ok_or_else(SqlError::shutdown)?;
        Ok(Arc::make_mut(relation))
    }

    fn create_schema(&mut self, name: &str, if_not_exists: bool) -> Result<(), SqlError> {
        if self.schemas.iter().any(|(_, held)| held == name) {
            return match if_not_exists {
                true => Ok(()),
                false => Err(SqlError::schema_exists(name)),
            };
        }
        let id = format!("u{}", self.next_schema);
        self.next_schema += 1;
        self.schemas.push((id, name.to_owned()));
        Ok(())
    }

    /// The place of a schema that clients may change.
    fn schema(&self, name: &str) -> Result<usize, SqlError> {
        if SCHEMAS.iter().any(|(_, held)| *held == name) {
            return Err(SqlError::system_schema(name));
        }
        let place = self.schemas.iter().position(|(_, held)| held == name);
        place.ok_or_else(|| SqlError::unknown_relation(Unknown::Schema(name.to_owned())))
    }

    fn drop_schema(&mut self, name: &str, if_exists: bool, cascade: bool) -> Result<(), SqlError> {
        let is_there = self.schemas.iter().any(|(_, held)| held == name);
        if if_exists && !is_there {
            return Ok(());
        }
        let place = self.schema(name)?;
        let relations = self.relations.iter();
        let inside = relations.filter(|(_, relation)| relation.schema == name);
        let inside: Vec<usize> = inside.map(|(number, _)| *number).collect();
        if !inside.is_empty() && !cascade {
            return Err(SqlError::schema_not_empty(name));
        }
        self.schemas.remove(place);
        self.drop_all(inside);
        Ok(())
    }

    /// Objects keep their schema's id, and the ids change names.
    fn swap_schemas(&mut self, one: &str, other: &str) -> Result<(), SqlError> {
        let places = (self.schema(one)?, self.schema(other)?);
        // Both places were found just now.
        self.schemas[places.0].1 = other.to_owned();
        self.schemas[places.1].1 = one.to_owned();
        for relation in self.relations.values_mut() {
            let name = match relation.schema.as_str() {
                held if held == one => other,
                held if held == other => one,
                _ => continue,
            };
            Arc::make_mut(relation).schema = name.to_owned();
        }
        Ok(())
    }

    fn create_table(&mut self, name: &Name, columns: &[Column]) -> Result<(), SqlError> {
        let (schema, name) = self.name_to_create(name)?;
        self.add(Relation {
            kind: Kind::Table,
            columns: columns.to_vec(),
            ..Relation::new(schema, name)
        })
    }

    /// A table of a client's.
    fn table(&mut self, name: &[String]) -> Result<(usize, &mut Relation), SqlError> {
        let (number, relation) = self.resolve(name).map_err(SqlError::unknown_relation)?;
        if relation.kind != Kind::Table {
            return Err(SqlError::not_a_table(relation));
        }
        if number < number::BUILT_IN {
            return Err(SqlError::built_in(relation));
        }
        Ok((number, self.changed(number)?))
    }

    fn drop_table(&mut self, name: &Name, if_exists: bool, cascade: bool) -> Result<(), SqlError> {
        if if_exists && matches!(self.resolve(name), Err(Unknown::Item(_))) {
            return Ok(());
        }
        let (number, _) = self.table(name)?;
        let readers = self.readers_of(number);
        // Numbers that the catalog itself gave.
        let (table, reader) = (self.relations.get(&number), readers.first());
        let reader = reader.and_then(|reader| self.relations.get(reader));
        if let (Some(table), Some(reader), false) = (table, reader, cascade) {
            return Err(SqlError::depended_upon(self.dialect, table, reader));
        }
        self.drop_all(vec![number]);
        Ok(())
    }

    fn rows_of(
        &mut self,
        table: &Name,
        rows: &[Vec<Option<String>>],
    ) -> Result<Inserted, SqlError> {
        let (number, table) = self.table(table)?;
        let row = |values: &Vec<Option<String>>| -> Result<(usize, Row), SqlError> {
            if values.len() > table.columns.len() {
                return Err(SqlError::too_many_values());
            }
            let mut row = vec![Value::Null; table.columns.len()];
            for ((place, value), column) in row.iter_mut().zip(values).zip(&table.columns) {
                *place = typed(value.as_deref(), column)?;
            }
            Ok((number, Row::from(row)))
        };
        rows.iter().map(row).collect()
    }

    fn rename(&mut self, relation: &Name, kind: Kind, to: &str) -> Result<(), SqlError> {
        let (number, held) = self.resolve(relation).map_err(SqlError::unknown_relation)?;
        if number < number::BUILT_IN {
            return Err(SqlError::built_in(held));
        }
        if held.kind != kind && self.dialect == DemoDialect::Subscribe {
            return Err(SqlError::not_a_view(held, kind == Kind::MaterializedView));
        }
        let taken = [held.schema.clone(), to.to_owned()];
        if let Ok((_, other)) = self.resolve(&taken) {
            return Err(SqlError::already_exists(self.dialect, other));
        }
        self.changed(number)?.name = to.to_owned();
        Ok(())
    }

    fn create_replacement(&mut self, target: &Name, view: &CreateView) -> Result<(), SqlError> {
        let number = self.number_of(target)?;
        let plan = SelectPlan::new(self, &view.query)?;
        let (schema, name) = self.name_to_create(&view.name)?;
        self.changes_at_once(number)?;
        self.changes_at_once(plan.source)?;
        let held = self.changed(number)?;
        if held.kind != Kind::MaterializedView || number < number::BUILT_IN {
            return Err(SqlError::not_a_view(held, true));
        }
        if held.columns != plan.columns {
            return Err(SqlError::other_columns(&held.columns, &plan.columns));
        }
        self.add(Relation {
            kind: Kind::MaterializedView,
            columns: plan.columns.clone(),
            definition: view.definition.clone(),
            plan: Some(Arc::new(plan)),
            replaces: Some(number),
            ..Relation::new(schema, name)
        })
    }

    /// The object keeps its oid and its name, and gets the replacement's id.
    fn apply_replacement(&mut self, target: &Name, replacement: &Name) -> Result<(), SqlError> {
        let (number, by) = (self.number_of(target)?, self.number_of(replacement)?);
        // A number that was found just now.
        let new = self.relations.get(&by).cloned();
        let new = new.filter(|it| it.replaces == Some(number));
        let Some(new) = new else {
            let message = format!("{} is no replacement of it", replacement.join("."));
            return Err(SqlError::internal(message));
        };
        let source = new.plan.as_ref().map(|plan| plan.source);
        let is_later_view = |source: usize| {
            let relation = self.relations.get(&source);
            source > number && relation.is_some_and(|it| it.plan.is_some())
        };
        if source.is_some_and(is_later_view) {
            let message = "the demo's stand-in has views read older ones only";
            return Err(SqlError::unsupported(message.to_owned()));
        }
        self.relations.remove(&by);
        let held = self.changed(number)?;
        let former = std::mem::replace(&mut held.id, new.id.clone());
        held.former.push(former);
        held.definition.clone_from(&new.definition);
        held.plan.clone_from(&new.plan);
        Ok(())
    }

    /// Takes out relations and all that read them.
    pub(super) fn drop_all(&mut self, mut dropped: Vec<usize>) {
        while let Some(number) = dropped.pop() {
            self.relations.remove(&number);
            dropped.extend(self.readers_of(number));
        }
    }
}

/// A literal as a column's value.
fn typed(text: Option<&str>, column: &Column) -> Result<Value, SqlError> {
    let Some(text) = text else {
        return Ok(Value::Null);
    };
    let wrong = || SqlError::wrong_value(text, column);
    Ok(match column.kind {
        ColumnType::Int => Value::BigInt(text.parse::<i32>().map_err(|_| wrong())?.into()),
        ColumnType::BigInt => Value::BigInt(text.parse().map_err(|_| wrong())?),
        ColumnType::Bool => match text {
            "t" | "true" => Value::Bool(true),
            "f" | "false" => Value::Bool(false),
            _ => return Err(wrong()),
        },
        _ => Value::text(text),
    })
}
