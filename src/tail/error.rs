//! What ends a tail or one of its connections.

use std::error::Error as _;
use std::fmt::Write as _;

use crate::model::position::Timestamp;
use crate::model::reason::Cause;

use super::assembler::AssemblerError;
use super::dialect::DialectError;
use super::failure::{ConnectFailure, Failure};
use super::message::MessageError;

/// Why a tail, or one connection of it, has ended. For the operator; browsers
/// never see it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// No connection.
    #[error(transparent)]
    Connect(ConnectFailure),
    /// A question was refused or the connection broke during it.
    #[error("asking Materialize for {what} failed")]
    Query {
        /// What was asked.
        what: &'static str,
        /// What came instead of the answer.
        #[source]
        failure: Failure,
    },
    /// An answer without what was asked for.
    #[error("Materialize did not tell {what}")]
    Answer {
        /// What was asked.
        what: &'static str,
    },
    /// The catalog has no such view.
    #[error("unknown view \"{name}\"")]
    UnknownView {
        /// As given.
        name: String,
        /// Names the catalog has that look like it, best first.
        near: Vec<String>,
    },
    /// The catalog has it under another name.
    #[error("view \"{name}\" was renamed")]
    Renamed {
        /// As given.
        name: String,
    },
    /// Nobody answers whether the stream is of the view.
    #[error("it is not certain that the stream is of the view: {reason}")]
    Unproven {
        /// Why not.
        reason: String,
    },
    /// The view lacks a column that is to be shown.
    #[error("view \"{name}\" has no column \"{column}\"")]
    UnknownColumn {
        /// The view, as given.
        name: String,
        /// The column, as given.
        column: String,
        /// Its columns that look like it, best first.
        near: Vec<String>,
    },
    /// The server does not take the query.
    #[error("the query of view \"{name}\" was refused")]
    BadQuery {
        /// The view, as given.
        name: String,
        /// What the server says.
        #[source]
        failure: Failure,
    },
    /// TAIL takes relations.
    #[error("view \"{name}\" is a query, and this Materialize streams relations only")]
    QueryOnOldServer {
        /// The view, as given.
        name: String,
    },
    /// The server's version.
    #[error(transparent)]
    Dialect(#[from] DialectError),
    /// The server refused to stream the view.
    #[error("Materialize refused to stream the view")]
    Refused(#[source] Failure),
    /// The stream broke.
    #[error("the stream from Materialize broke")]
    Stream(#[source] Failure),
    /// The stream ended as if it was finished, but the view was not final.
    #[error("the stream from Materialize ended though the view still stands")]
    Ended,
    /// The view was dropped and created anew, or its columns have changed.
    #[error("the view was replaced")]
    Replaced,
    /// Nothing came, and a second connection did not help to understand it.
    #[error("Materialize was silent for {seconds} s")]
    Silent {
        /// Seconds.
        seconds: u64,
    },
    /// The server's clock shows a time long before what its stream has shown.
    #[error("Materialize's time went back")]
    WentBack,
    /// A line that cannot be.
    #[error("Materialize sent malformed data")]
    Message(#[from] MessageError),
    /// A sequence of lines that cannot be.
    #[error("Materialize sent inconsistent data")]
    Assembler(#[from] AssemblerError),
    /// The publisher has found the view inconsistent.
    #[error("the view's contents became inconsistent: {reason}")]
    Resync {
        /// What the publisher saw.
        reason: String,
        /// Where it stands.
        held: Option<Timestamp>,
    },
    /// The publisher has found the view larger than it may be.
    #[error("the view is larger than the gateway serves")]
    TooLarge,
    /// The gateway has no file left for a connection.
    #[error("{reason}")]
    Files {
        /// What happened.
        reason: String,
        /// What the operator can do.
        hint: String,
    },
    /// The operating system gave no thread.
    #[error("starting a thread failed: {reason}")]
    Thread {
        /// What it says.
        reason: String,
    },
}

impl TailError {
    /// What the operator can do, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            TailError::Connect(error) => Some(error.hint.clone()),
            TailError::Files { hint, .. } => Some(hint.clone()),
            TailError::UnknownView { near, .. } if near.is_empty() => Some(
                "Check the name, its schema and database, and your privileges on it.".to_string(),
            ),
            TailError::UnknownView { near, .. } => {
                let quoted: Vec<_> = near.iter().map(|name| format!("\"{name}\"")).collect();
                Some(format!("Similar names are {}.", quoted.join(", ")))
            }
            TailError::UnknownColumn { near, .. } if near.is_empty() => {
                Some("Name columns as they are; upper and lower case count.".to_string())
            }
            TailError::UnknownColumn { near, .. } => {
                let quoted: Vec<_> = near.iter().map(|name| format!("\"{name}\"")).collect();
                Some(format!("Similar columns are {}.", quoted.join(", ")))
            }
            TailError::BadQuery { .. } => {
                Some("Try it in psql as the same user, and correct it in the file.".to_string())
            }
            TailError::QueryOnOldServer { .. } => Some(
                "Queries can be streamed since 0.27: create a materialized view of it here."
                    .to_string(),
            ),
            error if error.is_denied() => Some(
                "Grant the role SELECT on it, and USAGE on its schema and on the cluster."
                    .to_string(),
            ),
            error if error.reason().cause == Cause::ResultTooLarge => Some(
                "Raise max_result_size there (ALTER SYSTEM SET max_result_size), or stream a \
                smaller view."
                    .to_string(),
            ),
            TailError::Refused(failure) if failure.says_replica() => {
                Some("Name the replica by --cluster-replica.".to_string())
            }
            TailError::Dialect(_) => {
                Some("Set the dialect to \"tail\" or \"subscribe\" if you know it.".to_string())
            }
            TailError::Refused(_) => {
                Some("Try a SUBSCRIBE of the view in psql as the same user.".to_string())
            }
            TailError::TooLarge | TailError::Assembler(AssemblerError::TooLarge { .. }) => {
                Some("Raise --max-view-bytes, or stream a smaller view.".to_string())
            }
            _ => None,
        }
    }

    /// Whether the server knows what is asked for, and the role may not have it.
    pub(super) fn is_denied(&self) -> bool {
        match self {
            TailError::Query { failure, .. } | TailError::Refused(failure) => failure.is_denied(),
            _ => false,
        }
    }

    /// Whether it is an answer of the server, and the connection goes on.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            TailError::Query { failure, .. } => failure.answer.is_some(),
            error => error.is_of_the_choice() || matches!(error, TailError::Answer { .. }),
        }
    }

    /// Whether there is no connection to ask anything on.
    pub(super) fn is_without_connection(&self) -> bool {
        matches!(self, TailError::Connect(_) | TailError::Files { .. })
    }

    /// Whether a server that is well has no room for one more connection.
    pub(super) fn is_no_room(&self) -> bool {
        matches!(self, TailError::Connect(error) if error.is_no_room)
    }

    /// Whether what was chosen to be streamed is at fault: not there, or not
    /// what the operator thinks.
    pub(super) fn is_of_the_choice(&self) -> bool {
        matches!(
            self,
            TailError::UnknownView { .. }
                | TailError::Renamed { .. }
                | TailError::UnknownColumn { .. }
                | TailError::BadQuery { .. }
                | TailError::QueryOnOldServer { .. }
        )
    }

    /// Whether the whole view is larger than the gateway may hold.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(
            self,
            TailError::TooLarge
                | TailError::Assembler(AssemblerError::TooLarge {
                    is_snapshot: true,
                    ..
                })
        )
    }

    /// Whether the data was at fault, not the connection.
    pub(super) fn is_bad_data(&self) -> bool {
        matches!(
            self,
            TailError::Message(_) | TailError::Assembler(_) | TailError::Resync { .. }
        )
    }

    /// The error and its causes on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        // A server's text may have line breaks; a log line has none.
        text.replace(['\n', '\r'], " ")
    }
}
