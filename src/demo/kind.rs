//! What kinds of objects there are.

use super::dialect::DemoDialect;

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
