//! The few statements that the stand-in understands, parsed.

use super::column::Column;
use super::kind::Kind;
use super::refresh::Every;

/// A literal, or a parameter of a prepared statement by its index from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// Text or number as written.
    Literal(String),
    /// `$1` is 0.
    Parameter(usize),
}

/// How a statement names a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// By its name, one to three parts.
    Name(Vec<String>),
    /// `[id AS name]`, as newer servers take it whatever the name is by now.
    Id {
        /// The catalog's id.
        id: String,
        /// Where the bracket stands.
        position: usize,
    },
}

impl Reference {
    /// The name as it was written, or the id.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Name(parts) => parts.join("."),
            Self::Id { id, .. } => id.clone(),
        }
    }
}

/// What a SELECT gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Items {
    /// `*`.
    All,
    /// `count(*)`.
    Count,
    /// Columns by name, each with its alias if it has one.
    Columns(Vec<(String, Option<String>)>),
}

/// `column = operand`, `column <> operand` or `column IN (operand, ...)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// The column's name.
    pub(super) column: String,
    /// Whether it is `=` or IN and not `<>`.
    pub(super) equal: bool,
    /// What the column is compared with: any of them.
    pub(super) operands: Vec<Operand>,
}

/// What ORDER BY names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SortKey {
    /// A column of the relation.
    Name(String),
    /// A place in the output, from 1.
    Position(usize),
}

/// `AS OF [AT LEAST] t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AsOf {
    /// The timestamp.
    pub(super) timestamp: u64,
    /// Whether a later one will do.
    pub(super) at_least: bool,
}

/// A SELECT over one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Select {
    /// What it gives out.
    pub(super) items: Items,
    /// The relation.
    pub(super) relation: Reference,
    /// All of them must hold.
    pub(super) filters: Vec<Filter>,
    /// Keys, each with whether it is descending.
    pub(super) order: Vec<(SortKey, bool)>,
    /// Rows at the most.
    pub(super) limit: Option<usize>,
    /// When to read.
    pub(super) as_of: Option<AsOf>,
}

/// TAIL or SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscribe {
    /// The relation.
    pub(super) relation: Reference,
    /// Whether the contents at the start are sent.
    pub(super) snapshot: bool,
    /// Whether progress rows are sent.
    pub(super) progress: bool,
    /// When to start.
    pub(super) as_of: Option<AsOf>,
    /// When to end; the timestamp itself is left out.
    pub(super) up_to: Option<u64>,
    /// Whether it was written TAIL.
    pub(super) tail: bool,
}

/// A constant or function call in a SELECT without FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// `name()` or a name that is a call in SQL.
    Call(String),
    /// A whole number.
    Number(i64),
    /// A string.
    Text(String),
}

/// What SHOW shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// `SHOW VIEWS`.
    Views,
    /// `SHOW MATERIALIZED VIEWS`.
    MaterializedViews,
    /// `SHOW TABLES`.
    Tables,
    /// `SHOW OBJECTS`.
    Objects,
    /// `SHOW DATABASES`.
    Databases,
    /// `SHOW SCHEMAS`.
    Schemas,
    /// `SHOW COLUMNS FROM relation`.
    Columns(Reference),
    /// `SHOW CREATE VIEW relation` and `SHOW CREATE MATERIALIZED VIEW relation`.
    Create {
        /// Whether it was asked for as a materialized view.
        materialized: bool,
        /// The relation.
        relation: Reference,
    },
    /// `SHOW parameter`.
    Parameter(String),
}

/// CREATE [MATERIALIZED] VIEW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CreateView {
    /// The view's name, one to three parts.
    pub(super) name: Vec<String>,
    /// Whether it was written MATERIALIZED.
    pub(super) materialized: bool,
    /// Whether it takes the place of a view of that name.
    pub(super) or_replace: bool,
    /// Whether a relation of that name is no error.
    pub(super) if_not_exists: bool,
    /// How often it is refreshed, if not at every change.
    pub(super) refresh: Option<Every>,
    /// The query as written.
    pub(super) definition: String,
    /// The query.
    pub(super) query: Select,
}

/// DROP [MATERIALIZED] VIEW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DropView {
    /// The views' names, one to three parts each.
    pub(super) names: Vec<Vec<String>>,
    /// Whether it was written MATERIALIZED.
    pub(super) materialized: bool,
    /// Whether a missing view is no error.
    pub(super) if_exists: bool,
    /// Whether the views that read it go with it.
    pub(super) cascade: bool,
}

/// A name of one to three parts.
pub(super) type Name = Vec<String>;

/// A change of the catalog, or of a table's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// CREATE SCHEMA.
    CreateSchema {
        /// Its name.
        name: String,
        /// Whether one of that name is no error.
        if_not_exists: bool,
    },
    /// DROP SCHEMA.
    DropSchema {
        /// Its name.
        name: String,
        /// Whether a missing one is no error.
        if_exists: bool,
        /// Whether what is in it goes with it.
        cascade: bool,
    },
    /// ALTER SCHEMA ... SWAP WITH ...
    SwapSchemas(String, String),
    /// CREATE TABLE.
    CreateTable {
        /// Its name.
        name: Name,
        /// Its columns.
        columns: Vec<Column>,
    },
    /// DROP TABLE.
    DropTable {
        /// Its name.
        name: Name,
        /// Whether a missing one is no error.
        if_exists: bool,
        /// Whether the views that read it go with it.
        cascade: bool,
    },
    /// ALTER TABLE ... ADD COLUMN.
    AddColumn {
        /// The table.
        table: Name,
        /// The column; rows that are there hold NULL.
        column: Column,
    },
    /// INSERT INTO ... VALUES.
    Insert {
        /// The table.
        table: Name,
        /// The rows as texts.
        rows: Vec<Vec<Option<String>>>,
    },
    /// ALTER ... RENAME TO.
    Rename {
        /// The relation.
        relation: Name,
        /// What it was called in the statement.
        kind: Kind,
        /// Its new name.
        to: String,
    },
    /// CREATE REPLACEMENT MATERIALIZED VIEW ... FOR ...
    CreateReplacement {
        /// The view to be replaced.
        target: Name,
        /// The replacement.
        view: CreateView,
    },
    /// ALTER MATERIALIZED VIEW ... APPLY REPLACEMENT ...
    ApplyReplacement {
        /// The view to be replaced.
        target: Name,
        /// The replacement.
        replacement: Name,
    },
    /// GRANT or REVOKE.
    Privilege {
        /// Whether it is given.
        is_granted: bool,
        /// The relation that is not to be read; others are nobody's secret.
        relation: Option<Name>,
        /// Whose privilege.
        role: String,
    },
    /// CREATE ROLE: whoever comes is let in.
    CreateRole,
}

impl Change {
    /// The command's tag.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            Self::CreateSchema { .. } => "CREATE SCHEMA",
            Self::DropSchema { .. } => "DROP SCHEMA",
            Self::SwapSchemas(..) => "ALTER SCHEMA",
            Self::CreateTable { .. } => "CREATE TABLE",
            Self::DropTable { .. } => "DROP TABLE",
            Self::Insert { .. } => "INSERT",
            Self::Rename {
                kind: Kind::View, ..
            } => "ALTER VIEW",
            Self::AddColumn { .. }
            | Self::Rename {
                kind: Kind::Table, ..
            } => "ALTER TABLE",
            Self::CreateReplacement { .. } => "CREATE MATERIALIZED VIEW",
            Self::ApplyReplacement { .. } | Self::Rename { .. } => "ALTER MATERIALIZED VIEW",
            Self::Privilege {
                is_granted: true, ..
            } => "GRANT",
            Self::Privilege { .. } => "REVOKE",
            Self::CreateRole => "CREATE ROLE",
        }
    }
}

/// A statement that changes the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Definition {
    /// CREATE VIEW.
    Create(CreateView),
    /// DROP VIEW.
    Drop(DropView),
    /// Anything else.
    Change(Change),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// A SELECT over a relation.
    Select(Select),
    /// A SELECT of constants and functions, each with its column name.
    Constants(Vec<(Expression, Option<String>)>),
    /// SHOW.
    Show(Show),
    /// TAIL or SUBSCRIBE as a query: rows for ever.
    Subscribe(Subscribe),
    /// `COPY (SELECT ...) TO STDOUT`.
    CopySelect(Select),
    /// `COPY (SUBSCRIBE ...) TO STDOUT`.
    CopySubscribe(Subscribe),
    /// CREATE or DROP.
    Define(Box<Definition>),
    /// SET, of a known parameter.
    Set(String),
    /// DISCARD ALL.
    Discard,
    /// BEGIN.
    Begin,
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
}

impl Statement {
    /// How many parameters it needs.
    pub(super) fn parameters(&self) -> usize {
        let select = match self {
            Self::Select(select) | Self::CopySelect(select) => select,
            _ => return 0,
        };
        select.parameters()
    }
}

impl Select {
    /// How many parameters it needs.
    pub(super) fn parameters(&self) -> usize {
        let operands = self.filters.iter().flat_map(|filter| &filter.operands);
        let used = operands.map(|operand| match operand {
            Operand::Parameter(index) => index + 1,
            Operand::Literal(_) => 0,
        });
        used.max().unwrap_or(0)
    }
}
