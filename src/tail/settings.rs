//! What is tailed, and how.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{RECONNECT_MAX_DEFAULT, UNCLOSED_BYTES_DEFAULT, UPSTREAM_TIMEOUT_DEFAULT};

use super::dialect::Dialect;
use super::error::TailError;
use super::past::Past;

/// The relation to tail, as the catalog knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailView {
    /// As it was given, for logs and thread names.
    pub name: String,
    /// The query that is tailed in place of a relation, without a semicolon.
    pub query: Option<String>,
    /// The columns that are shown, by name; all, if `None`.
    pub columns: Option<Vec<String>>,
    /// What else tells what is tailed from another; part of the incarnation.
    pub facts: Vec<String>,
    /// Stands in the incarnation for the object's id where the catalog does not
    /// tell it. Another gateway may stream another object of that name, so this is
    /// a random word, of this gateway alone.
    pub unnamed: String,
    /// As an identifier path in SQL, quoted.
    pub sql: String,
    /// Its parts, unquoted: name, or schema and name, or database, schema and
    /// name.
    pub parts: Vec<String>,
    /// Whether it is asked what SQL the view is computed by.
    pub wants_sql: bool,
}

impl TailView {
    /// What stands after TAIL or SUBSCRIBE.
    pub fn tailed_sql(&self) -> String {
        match &self.query {
            // On a line of its own: the query may end in a comment.
            Some(query) => format!("({query}\n)"),
            None => self.sql.clone(),
        }
    }

    /// Refuses what a server of this dialect cannot stream: TAIL takes relations.
    pub fn streamed_by(&self, dialect: Dialect) -> Result<(), TailError> {
        match (dialect, &self.query) {
            (Dialect::Tail, Some(_)) => Err(TailError::QueryOnOldServer {
                name: self.name.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Whether each replica of a cluster has contents of its own for the relation.
pub fn is_of_one_replica(view: &TailView) -> bool {
    let schema = view.parts.iter().rev().nth(1);
    schema.is_some_and(|schema| schema == "mz_introspection")
}

/// What a tail needs to know.
#[derive(Clone, Debug)]
pub struct TailSettings {
    /// What to tail.
    pub view: Arc<TailView>,
    /// `None` asks the server.
    pub dialect: Option<Dialect>,
    /// Silence after which the upstream is asked on a second connection.
    pub upstream_timeout: Duration,
    /// The longest wait between two attempts to connect.
    pub reconnect_max: Duration,
    /// Bytes of rows held before their timestamp is closed.
    pub unclosed_bytes_max: u64,
    /// Whether a view that the role may not read any more is gone; else what is
    /// streamed goes on, and is lost at the next connection.
    pub is_gone_when_revoked: bool,
    /// How far in the past a log begins where nothing is held, if the server
    /// retains as much; not at all, if zero.
    pub history: Duration,
    /// What is remembered of the view by a tail that it had before.
    pub past: Past,
}

impl TailSettings {
    /// The defaults for a view.
    pub fn new(view: TailView) -> Self {
        TailSettings {
            view: Arc::new(view),
            dialect: None,
            upstream_timeout: UPSTREAM_TIMEOUT_DEFAULT,
            reconnect_max: RECONNECT_MAX_DEFAULT,
            unclosed_bytes_max: UNCLOSED_BYTES_DEFAULT,
            is_gone_when_revoked: true,
            history: Duration::ZERO,
            past: Past::default(),
        }
    }
}
