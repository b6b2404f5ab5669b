//! What a tail tells a publisher: the vocabulary between the two sides.

use std::time::Instant;

use super::delta::Delta;
use super::position::{Incarnation, Timestamp};
use super::reason::{Reason, Why};
use super::row::Column;
use super::view::View;

/// What is being tailed, as the catalog describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The columns in the view's order.
    pub columns: Vec<Column>,
    /// Which of the columns that the upstream sends these are.
    pub kept: Kept,
    /// Fingerprint of the view and its columns.
    pub incarnation: Incarnation,
    /// Whether the upstream tells how far it is also when nothing changes.
    pub is_steady: bool,
    /// The SQL that it is computed by, where that may be shown and is known.
    pub sql: Option<String>,
}

impl Description {
    /// Whether both show columns of the same names and types.
    pub fn has_same_columns(&self, other: &Description) -> bool {
        let mut both = self.columns.iter().zip(&other.columns);
        let is_same = |(one, other): (&Column, &Column)| {
            one.name == other.name && one.sql_type == other.sql_type
        };
        self.columns.len() == other.columns.len() && both.all(is_same)
    }
}

/// Which columns of a relation are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept(Vec<bool>);

impl Kept {
    /// For each column in the relation's order, whether it is shown.
    pub fn new(shown: Vec<bool>) -> Self {
        Kept(shown)
    }

    /// All of so many.
    pub fn all(columns: usize) -> Self {
        Kept(vec![true; columns])
    }

    /// Columns of the relation.
    pub fn sent(&self) -> usize {
        self.0.len()
    }

    /// Whether the relation's column at this place is shown.
    pub fn is_shown(&self, column: usize) -> bool {
        self.0.get(column).copied().unwrap_or(false)
    }

    /// For each column in the relation's order, whether it is shown.
    pub fn iter(&self) -> impl Iterator<Item = bool> {
        self.0.iter().copied()
    }
}

/// One step of a tail on its way to the publisher.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// When the upstream's line was read that it is told by.
    pub at: Instant,
    /// What is told.
    pub event: TailEvent,
}

/// One step of a tail, in order. Facts that once told stay true.
#[derive(Clone, Debug, PartialEq)]
pub enum TailEvent {
    /// The view was found; sent on every connection, before anything else of
    /// it. Another incarnation than the last one means another view.
    Described(Description),
    /// The view's name was given to another view with the same columns. A snapshot of
    /// that follows, and is subtracted from what is held: streams go on.
    Moved(Description),
    /// The whole view at a closed timestamp. The first of an incarnation makes
    /// the base; a later one is subtracted from what is held.
    Snapshot(View),
    /// Positions of the incarnation up to this time were given out before the
    /// upstream's time went back. They say nothing about the snapshot that
    /// follows, and nothing once time has come as far again.
    Distrusted(Timestamp),
    /// What this connection tells is of the past, up to this time: the entries
    /// of a log that nobody is shown before it has been reached. Sent behind
    /// `Described`, and only while nobody was shown the view.
    History(Timestamp),
    /// All changes of ONE whole closed timestamp, contiguous with what came
    /// before: a client of another gateway may stand between any two.
    Delta(Delta),
    /// Everything up to and including this time is closed and nothing changed.
    Progress(Timestamp),
    /// A constant view: its contents are final and nothing will follow.
    Complete,
    /// The stream has ended, and what corrects or continues it is expected at
    /// any moment. What is held stays.
    Interrupted(Reason),
    /// An attempt to stream the view has failed, or the stream has. What is
    /// held stays, and may be stale.
    Failed(Reason),
    /// The view is no more what it was; an event of another incarnation may
    /// follow.
    Gone(Why),
}
