//! A relation: its names, its columns, and what it is made from.

use std::sync::Arc;

use super::column::Column;
use super::dialect::DemoDialect;
use super::plan::SelectPlan;

/// The one database.
pub(super) const DATABASE: &str = "materialize";

/// What kind of object a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table, filled by the stand-in.
    Table,
    /// A view that was created plain.
    View,
    /// A view that is maintained whether or not it is read. The stand-in
    /// maintains all.
    MaterializedView,
}

impl Kind {
    /// The kind as error messages name it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
        }
    }

    /// The kind as the catalog names it.
    pub(super) fn name(self, dialect: DemoDialect) -> &'static str {
        match (self, dialect) {
            (Self::Table, _) => "table",
            (Self::MaterializedView, DemoDialect::Subscribe) => "materialized-view",
            (Self::View | Self::MaterializedView, _) => "view",
        }
    }
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
    pub(super) name: String,
    /// Table or view.
    pub(super) kind: Kind,
    /// Columns in their true order.
    pub(super) columns: Vec<Column>,
    /// The view's query, empty for a table.
    pub(super) definition: String,
    /// How a created view follows from what it reads; none for what is built in.
    pub(super) plan: Option<Arc<SelectPlan>>,
}

impl Relation {
    /// The full name, as error messages give it.
    pub(super) fn full_name(&self) -> String {
        format!("{DATABASE}.{}.{}", self.schema, self.name)
    }
}
