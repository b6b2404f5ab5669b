//! What a reader, a probe or the catalog's watch wants of the upstream, and
//! what it is told: the two sides of a conversation that somebody else carries
//! on, a thread with a real connection or a simulated server.

use std::sync::Arc;
use std::time::Instant;

use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;
use crate::model::position::Timestamp;

use super::dialect::{Dialect, From};
use super::error::TailError;
use super::failure::Failure;
use super::names::Facts;
use super::object::{Found, Object};
use super::settings::TailView;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Open a connection. The one before, if any, is left, whatever it does.
    Connect,
    /// Ask this on the connection.
    Ask(Question),
    /// Begin a COPY on the connection.
    Copy(Subscription),
    /// Read the next chunk of the COPY.
    Read,
    /// Wait until then, or until something about this tail has changed. The
    /// COPY, if there is one, is not read meanwhile. Coming back early does no
    /// harm.
    Wait(Instant),
    /// The conversation is over.
    Over(Over),
}

/// How a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// Another reader has taken over, or a probe has asked what it had to.
    Left,
    /// The view is constant and told whole; the connection is at rest.
    Complete,
    /// The tail cannot ever begin: what was chosen is at fault.
    Fatal(TailError),
}

/// What came of a request.
#[derive(Debug)]
pub enum Reply<'a> {
    /// Nothing was requested yet.
    Begin,
    /// To `Request::Connect`.
    Connected(Result<(), TailError>),
    /// To `Request::Ask`.
    Answered(Result<Answer, TailError>),
    /// To `Request::Copy`: whether it has begun.
    Copying(Result<(), Failure>),
    /// To `Request::Read`: some bytes of COPY text, cut anywhere.
    Chunk(&'a [u8]),
    /// To `Request::Read`: the server has ended the COPY, or it broke.
    CopyEnded(Result<(), Failure>),
    /// To `Request::Wait`.
    Woken,
}

/// A stream of a view's changes, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What the server speaks.
    pub dialect: Dialect,
    /// What is streamed, as it stands in SQL.
    pub relation: String,
    /// Where it begins.
    pub from: From,
}

impl Subscription {
    /// The statement.
    pub fn sql(&self) -> String {
        self.dialect.copy_sql(&self.relation, self.from)
    }
}

/// A question to a server. Each may take several statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What it speaks.
    Dialect,
    /// What the view is.
    Describe(Arc<TailView>),
    /// Whether an object of this id still is in the catalog.
    StillExists(String),
    /// What time it is there.
    Now,
    /// How many rows there are, now or at a time.
    Count {
        /// The view, as it stands in SQL.
        relation: String,
        /// When; now, if `None`.
        as_of: Option<Timestamp>,
    },
    /// What the view's name means, and its columns.
    Object(Arc<TailView>),
    /// What the catalog says of many names at once.
    Names(Vec<Vec<String>>),
    /// What the catalog says of one name, given by its parts.
    Name(Vec<String>),
    /// Which relations a pattern names.
    Relations {
        /// The pattern.
        pattern: ViewPattern,
        /// What the server speaks; it is asked, if `None`.
        dialect: Option<Dialect>,
    },
    /// Whether the role may read a relation.
    Readable(ViewName),
    /// Whether the role may read what a name means, given by its parts.
    Granted(Vec<String>),
    /// How large a result may be there.
    ResultLimit,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To `Question::Dialect`.
    Dialect(Dialect),
    /// To `Question::Describe`.
    Found(Box<Found>),
    /// To `Question::StillExists`; `None` if the server does not tell.
    Exists(Option<bool>),
    /// To `Question::Now`; `None` if the server does not tell.
    Now(Option<Timestamp>),
    /// To `Question::Count`: the rows, and when they were counted.
    Count(i128, Timestamp),
    /// To `Question::Object`.
    Object(Object),
    /// To `Question::Names`; `None` if the server takes no such list.
    Names(Option<Facts>),
    /// To `Question::Name`.
    Name(Facts),
    /// To `Question::Relations`, in the order of their names.
    Relations(Vec<ViewName>),
    /// To `Question::Readable` and `Question::Granted`: it may.
    Readable,
    /// To `Question::ResultLimit`: its setting, in its words; `None` if it has
    /// none.
    ResultLimit(Option<String>),
}

/// The error of an answer that answers something else.
pub(super) fn mismatch() -> TailError {
    TailError::Answer {
        what: "what was asked",
    }
}
