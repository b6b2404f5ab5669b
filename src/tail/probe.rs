//! Questions about a view on a second connection, while the first is silent:
//! whether the server lives, whether the view is the same, what time it is
//! there, and what an old server leaves unsaid.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::model::event::TailEvent;
use crate::model::position::{Incarnation, Timestamp};

use super::assembler::{Assembler, Unclosed};
use super::conversation::{Answer, Over, Question, Reply, Request};
use super::dialect::Dialect;
use super::error::TailError;
use super::object::Found;
use super::view_tail::{Phase, ViewTail};

/// One probe, for the reader of one generation.
#[derive(Debug)]
pub struct Probe {
    generation: u64,
    state: State,
    /// What the view was when the probe began.
    incarnation: Option<Incarnation>,
    /// What the server spoke then.
    dialect: Option<Dialect>,
    /// Which stream was silent then.
    stream: u64,
}

/// What a probe waits for.
#[derive(Debug)]
enum State {
    New,
    Connecting,
    /// What the view is.
    Describing,
    /// What time it is there.
    Timing(Asked),
    /// How many rows the view has, to settle these, or that it is empty.
    Counting {
        /// Whether it was counted by its id, whatever becomes of its name.
        is_by_id: bool,
        unclosed: Option<Unclosed>,
    },
    /// Whether its name still means it: so many rows were counted by that.
    Confirming(Counted),
    Over,
}

/// What a probe asks of.
#[derive(Debug)]
struct Asked {
    /// The view as it stands in SQL.
    relation: String,
    /// Whether that is its id, whatever becomes of its name.
    is_by_id: bool,
}

/// What was counted, and what it may settle.
#[derive(Debug)]
struct Counted {
    unclosed: Option<Unclosed>,
    rows: i128,
    at: Timestamp,
}

impl Probe {
    /// A probe that has asked nothing yet.
    pub fn new(generation: u64) -> Self {
        Probe {
            generation,
            state: State::New,
            incarnation: None,
            dialect: None,
            stream: 0,
        }
    }

    /// Takes what came of the last request; what is to be done next. It never
    /// asks for a COPY.
    pub fn next(&mut self, tail: &mut ViewTail, reply: Reply<'_>, now: Instant) -> Request {
        let state = mem::replace(&mut self.state, State::Over);
        let next = match tail.generation() == self.generation {
            true => self.step(tail, state, reply, now),
            // The question is no longer of interest.
            false => None,
        };
        match next {
            Some((state, request)) => {
                self.state = state;
                request
            }
            None => {
                tail.probe_ended();
                Request::Over(Over::Left)
            }
        }
    }

    /// The next state and request; `None` at the end.
    fn step(
        &mut self,
        tail: &mut ViewTail,
        state: State,
        reply: Reply<'_>,
        now: Instant,
    ) -> Option<(State, Request)> {
        match (state, reply) {
            (State::New, _) => {
                let held = &tail.held;
                self.incarnation = held.description.as_ref().map(|it| it.incarnation);
                self.dialect = held.dialect;
                self.stream = held.streams;
                Some((State::Connecting, Request::Connect))
            }
            (State::Connecting, Reply::Connected(Ok(()))) => {
                let question = Question::Describe(Arc::clone(tail.view()));
                Some((State::Describing, Request::Ask(question)))
            }
            (State::Describing, Reply::Answered(Ok(Answer::Found(found)))) => {
                self.found(tail, *found, now)
            }
            (State::Timing(asked), Reply::Answered(Ok(Answer::Now(time)))) => {
                self.timed(tail, asked, time, now)
            }
            (State::Counting { is_by_id, unclosed }, Reply::Answered(answer)) => {
                let (rows, at) = counted(tail, answer)?;
                let counted = Counted { unclosed, rows, at };
                if is_by_id {
                    self.settle(tail, &counted, now);
                    return None;
                }
                // Another view may have been given the name since it was looked up.
                let question = Question::Describe(Arc::clone(tail.view()));
                Some((State::Confirming(counted), Request::Ask(question)))
            }
            (State::Confirming(counted), Reply::Answered(Ok(Answer::Found(found)))) => {
                if self.is_still_it(tail, &found) {
                    self.settle(tail, &counted, now);
                }
                None
            }
            (State::Connecting, Reply::Connected(Err(error)))
            | (
                State::Describing | State::Timing(_) | State::Confirming(_),
                Reply::Answered(Err(error)),
            ) => {
                self.failed(tail, error);
                None
            }
            _ => None,
        }
    }

    fn failed(&self, tail: &mut ViewTail, error: TailError) {
        if let TailError::Files { .. } = error {
            // Nobody was asked, so that nothing is known that was not before.
            log::debug!("view \"{}\": {}", tail.name(), error.chain());
            tail.silence.unexplained = tail.silence.unexplained.saturating_add(1);
            return;
        }
        if self.dialect == Some(Dialect::Tail) && error.is_no_room() {
            // The server lives and says why it does not answer; an old one's
            // silence alone means nothing. The next probe may find room.
            log::debug!("view \"{}\": {}", tail.name(), error.chain());
            return;
        }
        // Also a view that is gone: the next reader finds that and says so.
        tail.replace(self.generation, error);
    }

    /// Whether the view is what it was when the probe began; the stream is given up
    /// where it is not.
    fn is_still_it(&self, tail: &mut ViewTail, found: &Found) -> bool {
        if tail.known.is_refused(found.object.meaning.as_ref()) {
            // It may be or not.
            return false;
        }
        if self.incarnation != Some(found.description.incarnation) {
            tail.replace(self.generation, TailError::Replaced);
            return false;
        }
        true
    }

    fn found(&self, tail: &mut ViewTail, found: Found, now: Instant) -> Option<(State, Request)> {
        let asked = Asked {
            relation: found.object.sql.clone(),
            is_by_id: found.object.is_by_id,
        };
        if tail.known.is_refused(found.object.meaning.as_ref()) {
            // The server lives, and may tell what time it is; what it would count
            // by the name may be another view.
            let is_timed = self.dialect == Some(Dialect::Subscribe);
            let timing = State::Timing(asked);
            return is_timed.then_some((timing, Request::Ask(Question::Now)));
        }
        if !self.is_still_it(tail, &found) {
            return None;
        }
        match self.dialect {
            Some(Dialect::Subscribe) => Some((State::Timing(asked), Request::Ask(Question::Now))),
            // An old server's answer is that of a constant.
            Some(Dialect::Tail) | None => self.timed(tail, asked, None, now),
        }
    }

    /// By the time there it is judged whether the stream is rightly silent.
    fn timed(
        &self,
        tail: &mut ViewTail,
        asked: Asked,
        time: Option<Timestamp>,
        now: Instant,
    ) -> Option<(State, Request)> {
        if let Some(time) = time {
            if tail.held.reach.clock.is_back(time) {
                // It would be silent until the time comes again that it has told.
                tail.replace(self.generation, TailError::WentBack);
                return None;
            }
            tail.held.reach.clock.set(time, now);
        }
        tail.silence.unexplained = tail.silence.unexplained.saturating_add(1);
        let is_settled = self.dialect != Some(Dialect::Tail) || tail.phase() != Phase::Streaming;
        if is_settled || tail.held.streams != self.stream {
            return None;
        }
        // Asked behind the beginning of the stream: it is of the view.
        tail.confirm(now);
        let assembler = tail.held.assembler.as_ref()?;
        let unclosed = assembler.unclosed();
        if !assembler.is_untouched() && unclosed.is_none() {
            return None;
        }
        let question = Question::Count {
            relation: asked.relation,
            as_of: unclosed.map(|unclosed| unclosed.timestamp),
        };
        let counting = State::Counting {
            is_by_id: asked.is_by_id,
            unclosed,
        };
        Some((counting, Request::Ask(question)))
    }

    /// What an old server leaves unsaid: that a view is empty, and that the
    /// rows it sent are all.
    fn settle(&self, tail: &mut ViewTail, counted: &Counted, now: Instant) {
        if tail.held.streams != self.stream {
            return;
        }
        let Some(assembler) = tail.held.assembler.as_mut() else {
            return;
        };
        match settled(assembler, counted) {
            Ok(event) => tail.tell_closed(event, now),
            Err(error) => tail.replace(self.generation, error),
        }
    }
}

/// How many rows there are, and when; `None` where the next probe may do better.
fn counted(tail: &ViewTail, answer: Result<Answer, TailError>) -> Option<(i128, Timestamp)> {
    match answer {
        Ok(Answer::Count(rows, at)) => Some((rows, at)),
        Ok(_) => None,
        Err(error) => {
            // E.g. a view that fails when read, or a time that is not
            // readable any more.
            log::debug!("view \"{}\": {}", tail.name(), error.chain());
            None
        }
    }
}

/// What a count of the view closes.
fn settled(assembler: &mut Assembler, counted: &Counted) -> Result<Option<TailEvent>, TailError> {
    match counted.unclosed {
        None if counted.rows == 0 => Ok(assembler.found_empty(counted.at)),
        None => Ok(None),
        Some(Unclosed { timestamp, .. }) => Ok(assembler.found_complete(Unclosed {
            timestamp,
            copies: counted.rows,
        })?),
    }
}

#[cfg(test)]
mod tests;
