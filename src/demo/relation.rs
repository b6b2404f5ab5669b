//! A relation: its names, its columns, and what it is made from.

use std::sync::Arc;

use super::column::Column;
use super::kind::Kind;
use super::plan::SelectPlan;
use super::refresh::Every;

/// The one database.
pub(super) const DATABASE: &str = "materialize";

/// A relation.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// The catalog's id, `u1` or `s1`.
    pub(super) id: String,
    /// PostgreSQL's id.
    pub(super) oid: u32,
    /// The ids that it had before its definition was replaced.
    pub(super) former: Vec<String>,
    /// Schema in [`DATABASE`].
    pub(super) schema: String,
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
    /// How often it is refreshed, if not at every change.
    pub(super) refresh: Option<Every>,
    /// The view whose replacement it is.
    pub(super) replaces: Option<usize>,
    /// Roles that may not read it.
    pub(super) denied: Vec<String>,
}

impl Relation {
    /// A view that is still to have columns, and to get its ids.
    pub(super) fn new(schema: String, name: String) -> Self {
        Self {
            id: String::new(),
            oid: 0,
            former: Vec::new(),
            schema,
            name,
            kind: Kind::View,
            columns: Vec::new(),
            definition: String::new(),
            plan: None,
            refresh: None,
            replaces: None,
            denied: Vec::new(),
        }
    }

    /// The full name, as error messages give it.
    pub(super) fn full_name(&self) -> String {
        format!("{DATABASE}.{}.{}", self.schema, self.name)
    }
}
