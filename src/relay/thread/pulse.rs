//! What of a view decides whether a stream of several views has something to send.

use crate::model::position::Timestamp;
use crate::model::retention::Cursor;

/// How a view is known to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Its changes are known up to here; the end of time where none follow, and where
    /// nothing is known.
    pub head: Timestamp,
    /// Everything else.
    pub turn: Turn,
}

/// Of a view whatever is no change of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How many logs there were.
    pub logs: u64,
    /// Where the log's last word is that is no delta.
    pub word: Option<Cursor>,
    /// How often the log changed what it is of.
    pub terms: u64,
    /// Nothing changes any more.
    pub is_final: bool,
    /// Its upstream tells how far it is also when nothing changes.
    pub is_steady: bool,
    /// Of a thousand streams, those that are to end.
    pub ending: u16,
    /// How often leases of its streams were recalled.
    pub recalls: u32,
    /// It is not served any more.
    pub is_given_up: bool,
}

impl Pulse {
    /// Whether changes of its rows are all that is to be told for now, and it is known how
    /// far it is.
    pub fn is_calm(&self) -> bool {
        self.turn.is_steady && self.turn.ending == 0 && !self.turn.is_given_up
    }
}
