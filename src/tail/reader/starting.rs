//! From what a view is to a COPY of it that runs.

use std::sync::Arc;
use std::time::Instant;

use crate::model::position::Timestamp;
use crate::model::reason::Why;

use crate::tail::assembler::Start;
use crate::tail::conversation::{Answer, Question, Subscription, mismatch};
use crate::tail::dialect::{Dialect, From};
use crate::tail::end::End;
use crate::tail::error::TailError;
use crate::tail::failure::Failure;
use crate::tail::history::before;
use crate::tail::message::Messages;
use crate::tail::object::{Found, Object};
use crate::tail::view_tail::ViewTail;

use super::streaming::Streaming;

/// A COPY that was asked for.
#[derive(Debug)]
pub(super) struct Starting {
    dialect: Dialect,
    messages: Messages,
    /// What is asked for.
    object: Arc<Object>,
    start: Start,
    /// The snapshot may be of a time in the past, not before this one.
    at_least: Option<Timestamp>,
    /// The upstream's time, where it was asked for.
    present: Option<Timestamp>,
}

/// What came of asking for a COPY.
pub(super) enum Started {
    /// Something else is asked for.
    Asked(Box<Starting>, Subscription),
    /// It runs.
    Streaming(Box<Streaming>),
}

/// What became of the view before, if this is another: for its subscribers.
/// The error is what has to be asked first.
pub(super) fn became(tail: &ViewTail, found: &Found) -> Result<Why, Question> {
    let anew = Why::Recreated;
    let before = match &tail.held.description {
        Some(known) if known.incarnation != found.description.incarnation => known,
        _ => return Ok(anew),
    };
    match (tail.known.meaning(), &found.object.meaning) {
        (Some(known), Some(now)) if known.ids != now.ids => match known.ids.as_slice() {
            [id] => Err(Question::StillExists(id.clone())),
            _ => Ok(anew),
        },
        _ if before.columns == found.description.columns => Ok(anew),
        _ => Ok(Why::ColumnsChanged),
    }
}

/// What became of an object whose name means another now.
pub(super) fn of_existence(exists: Option<bool>) -> Why {
    match exists {
        Some(true) => Why::Moved,
        Some(false) | None => Why::Recreated,
    }
}

impl Starting {
    /// Tells what the view is; the COPY is still to be asked for.
    pub fn new(
        tail: &mut ViewTail,
        dialect: Dialect,
        found: Found,
        became: Why,
        now: Instant,
    ) -> Box<Self> {
        let Found {
            mut description,
            object,
        } = found;
        description.is_steady = dialect.has_steady_progress();
        let messages = Messages::keeping(&description.columns, description.kept.clone());
        tail.describe(description, became, now);
        tail.held.dialect = Some(dialect);
        Box::new(Starting {
            dialect,
            messages,
            object: Arc::new(object),
            start: tail.held.start(dialect),
            at_least: None,
            present: None,
        })
    }

    /// Whether it has to be known first what time it is there: what it brings is of
    /// the past, or goes on from a time that a server may have gone back behind.
    pub fn asks_the_time(&self, tail: &ViewTail) -> bool {
        matches!(self.start, Start::Resume(_))
            || tail.begins_in_the_past(self.dialect, &self.object)
    }

    /// Takes what time it is there, and asks for the COPY.
    pub fn dated(
        mut self: Box<Self>,
        tail: &ViewTail,
        answer: Result<Answer, TailError>,
    ) -> Result<Started, End> {
        let time = match answer {
            Ok(Answer::Now(time)) => time,
            Ok(_) => return Err(mismatch().into()),
            Err(error) if error.is_answer() => None,
            Err(error) => return Err(error.into()),
        };
        // A clock that went back is told of by a snapshot of the present.
        let clock = &tail.held.reach.clock;
        self.present = time.filter(|time| !clock.is_back(*time));
        if let (Some(_), None, Start::Resume(closed)) = (time, self.present, self.start) {
            return Ok(self.from_snapshot(tail, Some(closed)));
        }
        if let (Some(present), Start::Snapshot { .. }) = (self.present, self.start) {
            self.at_least = Some(before(present, tail.settings().history));
            // It is of a time before the one that the clock has shown.
            self.start = Start::Snapshot {
                floor: None,
                reached: None,
            };
        }
        Ok(self.ask())
    }

    /// Asks for the COPY.
    pub fn ask(self: Box<Self>) -> Started {
        let subscription = Subscription {
            dialect: self.dialect,
            relation: self.object.sql.clone(),
            from: match (self.start, self.at_least) {
                (Start::Resume(closed), _) => From::After(closed),
                (Start::Snapshot { .. }, Some(time)) => From::AtLeast(time),
                (Start::Snapshot { .. }, None) => From::Snapshot,
            },
        };
        Started::Asked(self, subscription)
    }

    /// Takes whether the COPY has begun. A refusal of what is past is an answer:
    /// a snapshot of the present is asked for.
    pub fn next(
        self: Box<Self>,
        tail: &mut ViewTail,
        outcome: Result<(), Failure>,
        now: Instant,
    ) -> Result<Started, End> {
        let Err(failure) = outcome else {
            return Ok(self.begun(tail, now));
        };
        match self.start {
            Start::Resume(closed) if failure.answer.is_some() => {
                log::debug!("view \"{}\": no resume from {closed}", tail.name());
                Ok(self.from_snapshot(tail, Some(closed)))
            }
            Start::Snapshot { .. } if self.at_least.is_some() && failure.answer.is_some() => {
                log::debug!("view \"{}\": no history: {failure}", tail.name());
                tail.held.must_snapshot = true;
                Ok(self.from_snapshot(tail, None))
            }
            Start::Resume(_) => Err(End::Failed(TailError::Refused(failure))),
            Start::Snapshot { .. } if self.object.is_by_id && failure.is_syntax_error() => {
                Ok(self.by_name(tail))
            }
            Start::Snapshot { .. } => Err(End::refused(failure)),
        }
    }

    fn from_snapshot(mut self: Box<Self>, tail: &ViewTail, floor: Option<Timestamp>) -> Started {
        self.at_least = None;
        self.start = Start::Snapshot {
            floor,
            reached: tail.held.reach.clock.reached(),
        };
        self.ask()
    }

    /// The server answers questions by the id, but does not stream by it.
    fn by_name(mut self: Box<Self>, tail: &ViewTail) -> Started {
        self.object = Arc::new(Object {
            sql: tail.view().sql.clone(),
            is_by_id: false,
            ..Object::clone(&self.object)
        });
        self.ask()
    }

    fn begun(self: Box<Self>, tail: &mut ViewTail, now: Instant) -> Started {
        tail.stream_begins(self.start);
        match (self.start, self.at_least) {
            (Start::Snapshot { .. }, None) => tail.held.history.end(),
            _ if self.at_least.is_some() || tail.held.history.is_read() => {
                tail.past_begins(self.present, now);
            }
            _ => {}
        }
        let streaming = Streaming::new(self.dialect, self.messages, self.object);
        Started::Streaming(Box::new(streaming))
    }
}
