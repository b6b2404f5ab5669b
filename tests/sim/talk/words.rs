//! Conversations in the words of the trace: short, and the same when a history
//! is played again.

use std::fmt::{self, Display, Formatter};

use viewcast::model::event::TailEvent;
use viewcast::tail::conversation::{Answer, Question, Request};
use viewcast::tail::view_tail::Effect;

use super::Told;

/// Something as the trace has it; written only where there is a trace.
pub(super) struct Words<'a, T>(pub &'a T);

impl Display for Words<'_, Told> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Told::Chunk(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Told::Answered(Ok(Answer::Found(found))) => {
                let incarnation = found.description.incarnation;
                write!(f, "found {incarnation} {:?}", found.object.meaning)
            }
            Told::Answered(Ok(Answer::Names(_) | Answer::Name(_))) => {
                f.write_str("what names mean")
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl Display for Words<'_, Request> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Request::Ask(Question::Describe(view)) => write!(f, "what {} is", view.name),
            Request::Copy(copy) => f.write_str(&copy.sql()),
            // An instant is not the same when a history is played again.
            Request::Wait(_) => f.write_str("to wait"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Display for Words<'_, TailEvent> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            TailEvent::Described(description) => write!(f, "described {}", description.incarnation),
            TailEvent::Moved(description) => write!(f, "moved to {}", description.incarnation),
            TailEvent::Snapshot(view) => {
                write!(f, "snapshot at {} of {}", view.timestamp(), view.copies())
            }
            TailEvent::Delta(delta) => {
                let count = delta.changes().len();
                write!(f, "delta at {} of {count}", delta.timestamp())
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl Display for Words<'_, Effect> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Effect::StartReader { generation, cause } => {
                write!(f, "reader {generation} because {cause:?}")
            }
            Effect::StartProbe { generation } => write!(f, "probe {generation}"),
            Effect::Inquire(_) => f.write_str("the catalog's word"),
        }
    }
}
