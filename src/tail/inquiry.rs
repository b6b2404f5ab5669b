//! Whether a view still is what its stream is of: asked by its reader, answered
//! by the catalog's watch.

use std::sync::Arc;

use super::error::TailError;
use super::names::Facts;
use super::object::Object;
use super::settings::TailView;

/// Asks whether the view still is this object, by a question that begins after
/// the inquiry was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// The key of the tail that asks.
    pub tail: u64,
    /// Which of its streams it is about.
    pub stream: u64,
    /// The view.
    pub view: Arc<TailView>,
    /// What the stream is of.
    pub object: Arc<Object>,
}

/// What came of an inquiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The name means the object, and it has these columns.
    Same,
    /// It does not, or is not there.
    Other,
    /// Nobody knows.
    Unanswered {
        /// Why.
        reason: String,
        /// The server has no room for the connection that asks.
        no_room: bool,
    },
}

impl Inquiry {
    /// What follows from what the name means now.
    pub fn judge(&self, facts: &Facts) -> Verdict {
        let now = facts.meaning(&self.view.parts);
        match (now, &self.object.meaning) {
            (Some(now), Some(then)) if now.is_same(then) => Verdict::Same,
            (Some(_), Some(_)) => Verdict::Other,
            _ => Verdict::untold(),
        }
    }
}

impl Verdict {
    /// The question failed.
    pub fn unanswered(error: &TailError) -> Self {
        Verdict::Unanswered {
            reason: error.chain(),
            no_room: error.is_no_room(),
        }
    }

    /// The catalog refuses to say what the name means.
    pub fn untold() -> Self {
        Verdict::Unanswered {
            reason: "the catalog does not tell what the view is".to_string(),
            no_room: false,
        }
    }

    /// No answer came in time.
    pub fn late() -> Self {
        Verdict::Unanswered {
            reason: "the catalog did not answer in time".to_string(),
            no_room: false,
        }
    }
}
