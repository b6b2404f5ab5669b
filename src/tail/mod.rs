//! The Materialize side: from the socket to `TailEvent`s. Blocking; one named
//! OS thread per view.
//!
//! Bytes pass through, in this order and each one step in its own file:
//! `reader` (the connection's life), `copy_text` (lines and fields), `message`
//! (updates and progress), `assembler` (whole closed timestamps), `gate` (into
//! the bounded channel). `watch` and `probe` ask a second connection when the
//! first one is silent; `catalog` asks for all views what their names mean, and
//! `proof` whether a stream is of the object that was asked for.

pub mod assembler;
mod backoff;
mod catalog;
mod cause;
mod clock;
pub mod copy_text;
pub mod describe;
pub mod dialect;
mod end;
mod ending;
mod error;
mod gate;
mod handle;
mod held;
pub mod message;
mod names;
mod outage;
mod probe;
mod proof;
mod reader;
mod shared;
mod telling;
mod watch;

use std::time::Duration;

pub use catalog::{Catalog, CatalogSettings, Listed};
pub use dialect::Dialect;
pub use error::TailError;
pub use handle::{TailHandle, spawn};

use crate::connection::Connector;
use crate::limits::{RECONNECT_MAX_DEFAULT, UNCLOSED_BYTES_DEFAULT, UPSTREAM_TIMEOUT_DEFAULT};

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
    /// As an identifier path in SQL, quoted.
    pub sql: String,
    /// Its parts, unquoted: name, or schema and name, or database, schema and
    /// name.
    pub parts: Vec<String>,
}

impl TailView {
    /// What stands after TAIL or SUBSCRIBE.
    pub(crate) fn tailed_sql(&self) -> String {
        match &self.query {
            // On a line of its own: the query may end in a comment.
            Some(query) => format!("({query}\n)"),
            None => self.sql.clone(),
        }
    }
}

/// Whether each replica of a cluster has contents of its own for the relation.
pub fn is_of_one_replica(view: &TailView) -> bool {
    let schema = view.parts.iter().rev().nth(1);
    schema.is_some_and(|schema| schema == "mz_introspection")
}

/// What a tail needs to know.
#[derive(Clone)]
pub struct TailSettings {
    /// What to tail.
    pub view: TailView,
    /// Where; what it leaves open of application name, timeouts and TCP
    /// keep-alive is set by the tail.
    pub connector: Connector,
    /// `None` asks the server.
    pub dialect: Option<Dialect>,
    /// Silence after which the upstream is asked on a second connection.
    pub upstream_timeout: Duration,
    /// The longest wait between two attempts to connect.
    pub reconnect_max: Duration,
    /// Bytes of rows held before their timestamp is closed.
    pub unclosed_bytes_max: u64,
    /// What asks for all views what their names mean; `None` asks for this one
    /// alone.
    pub catalog: Option<Catalog>,
}

impl TailSettings {
    /// The defaults for a view of an upstream.
    pub fn new(view: TailView, connector: impl Into<Connector>) -> Self {
        TailSettings {
            view,
            connector: connector.into(),
            dialect: None,
            upstream_timeout: UPSTREAM_TIMEOUT_DEFAULT,
            reconnect_max: RECONNECT_MAX_DEFAULT,
            unclosed_bytes_max: UNCLOSED_BYTES_DEFAULT,
            catalog: None,
        }
    }
}
