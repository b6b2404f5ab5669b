//! Errors of SQL statements, as a client sees them.

use pgwire::error::{ErrorInfo, PgWireError};

use super::catalog::Unknown;
use super::dialect::DemoDialect;
use super::kind::Kind;
use super::relation::Relation;
use crate::limits;

/// An error with its SQLSTATE. The texts are those of the real servers, so that
/// whoever matches on them meets nothing new there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct SqlError {
    /// SQLSTATE.
    pub(super) code: &'static str,
    /// Primary message.
    pub(super) message: String,
    /// Detail, full sentences.
    pub(super) detail: Option<String>,
    /// What to do about it, a full sentence.
    pub(super) hint: Option<String>,
    /// Where in the text, in characters from 1.
    pub(super) position: Option<usize>,
}

impl SqlError {
    pub(super) fn new(code: &'static str, message: String) -> Self {
        Self {
            code,
            message,
            detail: None,
            hint: None,
            position: None,
        }
    }

    /// 42601.
    pub(super) fn syntax(message: String, position: usize) -> Self {
        Self {
            position: Some(position),
            ..Self::new("42601", message)
        }
    }

    /// 0A000: the real server may know it, the stand-in does not.
    pub(super) fn unsupported(message: String) -> Self {
        Self::new("0A000", message)
    }

    /// 0A000: a statement that the real server knows.
    pub(super) fn unsupported_statement(keywords: &str) -> Self {
        let keywords = keywords.to_uppercase();
        Self::unsupported(format!(
            "{keywords} statements are not supported by the demo's stand-in"
        ))
    }

    /// XX000: what the real servers give for most errors of meaning.
    pub(super) fn internal(message: String) -> Self {
        Self::new("XX000", message)
    }

    /// 54000.
    pub(super) fn too_long() -> Self {
        Self::new("54000", "statement is too long".to_owned())
    }

    /// 42703.
    pub(super) fn unknown_column(name: &str) -> Self {
        Self::new("42703", format!("column \"{name}\" does not exist"))
    }

    /// 42704.
    pub(super) fn unknown_parameter(name: &str) -> Self {
        Self::new(
            "42704",
            format!("unrecognized configuration parameter \"{name}\""),
        )
    }

    /// 42883, on old servers XX000.
    pub(super) fn unknown_function(dialect: DemoDialect, name: &str) -> Self {
        match dialect {
            DemoDialect::Subscribe => {
                Self::new("42883", format!("function \"{name}\" does not exist"))
            }
            DemoDialect::Tail => Self::internal(format!("function {name}() does not exist")),
        }
    }

    /// 25P02.
    pub(super) fn transaction_failed() -> Self {
        let message =
            "current transaction is aborted, commands ignored until end of transaction block";
        Self::new("25P02", message.to_owned())
    }

    /// 57P01: the stand-in is stopping.
    pub(super) fn shutdown() -> Self {
        Self::new(
            "57P01",
            "terminating connection because the server is shutting down".to_owned(),
        )
    }

    /// A name without a relation.
    pub(super) fn unknown_relation(unknown: Unknown) -> Self {
        Self::internal(match unknown {
            Unknown::Item(name) => format!("unknown catalog item '{name}'"),
            Unknown::Schema(name) => format!("unknown schema '{name}'"),
            Unknown::Database(name) => format!("unknown database '{name}'"),
            Unknown::Id(id) => format!("invalid id {id}"),
            Unknown::Bracket(position) => {
                let message = "Expected identifier, found left square bracket";
                return Self::syntax(message.to_owned(), position);
            }
        })
    }

    /// AS OF before the history kept.
    pub(super) fn compacted(
        dialect: DemoDialect,
        relation: &Relation,
        at: u64,
        since: u64,
    ) -> Self {
        let id = &relation.id;
        match dialect {
            DemoDialect::Subscribe => Self {
                detail: Some(format!(
                    "Constraints:\nlower:\n  (Storage inputs: [{id}]): [{since}]\nupper:\n  \
                     (Query's AS OF): [{at}]\n"
                )),
                ..Self::new(
                    "22000",
                    "could not find a valid timestamp for the query".to_owned(),
                )
            },
            DemoDialect::Tail => {
                let number = id.trim_start_matches(|c: char| !c.is_ascii_digit());
                let owner = if id.starts_with('u') {
                    "User"
                } else {
                    "System"
                };
                Self::internal(format!(
                    "Timestamp ({at}) is not valid for all inputs: [({owner}({number}), \
                     Some(Antichain {{ elements: [{since}] }}))]"
                ))
            }
        }
    }

    /// UP TO before AS OF.
    pub(super) fn empty_range(as_of: u64, up_to: u64) -> Self {
        let message = format!(
            "subscription lower bound (`AS OF`) is greater than its upper bound (`UP TO`): \
             {as_of} > {up_to}"
        );
        Self::new("22000", message)
    }

    /// A reader that stood still until the history had moved on.
    pub(super) fn fell_behind(relation: &Relation, at: u64, since: u64) -> Self {
        Self {
            detail: Some(format!(
                "The reader stands at {at}, the history begins at {since}."
            )),
            ..Self::new(
                "53000",
                format!(
                    "subscribe to \"{}\" fell behind the history kept",
                    relation.full_name()
                ),
            )
        }
    }
}

/// Errors of statements that change the catalog.
impl SqlError {
    /// 42P02: a view outlives the statement that made it.
    pub(super) fn parameter_in_view() -> Self {
        Self::new("42P02", "views cannot have parameters".to_owned())
    }

    /// 25001.
    pub(super) fn in_transaction(statement: &str) -> Self {
        let message = format!("{statement} cannot be run inside a transaction block");
        Self::new("25001", message)
    }

    /// 42501: a schema of the system.
    pub(super) fn system_schema(schema: &str) -> Self {
        let message = format!("system schema '{schema}' cannot be modified");
        Self::new("42501", message)
    }

    /// 42710, on old servers XX000.
    pub(super) fn already_exists(dialect: DemoDialect, relation: &Relation) -> Self {
        match dialect {
            DemoDialect::Subscribe => {
                let (kind, name) = (relation.kind.words(), relation.full_name());
                Self::new("42710", format!("{kind} \"{name}\" already exists"))
            }
            DemoDialect::Tail => {
                Self::internal(format!("catalog item '{}' already exists", relation.name))
            }
        }
    }

    /// DROP of another kind of thing.
    pub(super) fn not_a_view(relation: &Relation, materialized: bool) -> Self {
        let wanted = if materialized {
            Kind::MaterializedView
        } else {
            Kind::View
        };
        let (name, kind) = (&relation.name, relation.kind.words());
        Self {
            hint: Some(format!(
                "Use DROP {} to remove a {kind}.",
                kind.to_uppercase()
            )),
            ..Self::internal(format!("{name} is not a {}", wanted.words()))
        }
    }

    /// 0A000: what the stand-in's own dataflow computes stays.
    pub(super) fn built_in(relation: &Relation) -> Self {
        Self {
            hint: Some("Create a view over it, and drop that.".to_owned()),
            ..Self::unsupported(format!(
                "\"{}\" is built into the demo's stand-in and cannot be dropped",
                relation.full_name()
            ))
        }
    }

    /// DROP without CASCADE of what a view reads.
    pub(super) fn depended_upon(dialect: DemoDialect, relation: &Relation, by: &Relation) -> Self {
        match dialect {
            DemoDialect::Subscribe => Self {
                hint: Some("Use DROP ... CASCADE to drop the dependent objects too.".to_owned()),
                ..Self::internal(format!(
                    "cannot drop {} \"{}\": still depended upon by {} \"{}\"",
                    relation.kind.words(),
                    relation.name,
                    by.kind.words(),
                    by.name
                ))
            },
            DemoDialect::Tail => Self::internal(format!(
                "cannot drop {}: still depended upon by catalog item '{}'",
                relation.full_name(),
                by.full_name()
            )),
        }
    }

    /// 53000.
    pub(super) fn too_many_views() -> Self {
        let max = limits::DEMO_CREATED_VIEWS_MAX;
        let message = format!("creating view would violate max_objects_per_schema limit ({max})");
        Self::new("53000", message)
    }

    /// How a modern server ends the streams of what was dropped.
    pub(super) fn dropped(relation: &Relation) -> Self {
        Self::internal(format!(
            "subscribe has been terminated because underlying relation \"{}\" was dropped",
            relation.full_name()
        ))
    }
}

impl From<SqlError> for PgWireError {
    fn from(error: SqlError) -> Self {
        let mut info = ErrorInfo::new("ERROR".to_owned(), error.code.to_owned(), error.message);
        info.detail = error.detail;
        info.hint = error.hint;
        info.position = error.position.map(|position| position.to_string());
        Self::UserError(Box::new(info))
    }
}
