//! The life of a view's connections: connect, describe, stream, fail, wait.
//!
//! A reader asks for one thing at a time and is told what came of it. It knows
//! where it stands; what outlives it stands in `ViewTail`.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits::{
    AT_FAULT_WAITS, BACKOFF_RESET_AFTER, NOT_READABLE_RETRIES_MAX, NOT_READABLE_WAIT,
    TOO_LARGE_WAITS,
};

use crate::model::reason::{Cause, Why};

use super::backoff;
use super::conversation::{Answer, Over, Question, Reply, Request, mismatch};
use super::dialect::Dialect;
use super::end::End;
use super::error::TailError;
use super::names::Meaning;
use super::object::Found;
use super::view_tail::{Phase, ViewTail};

mod ending;
mod starting;
mod streaming;

use ending::Ending;
use starting::{Started, Starting};
use streaming::Streaming;

/// The reader of one generation.
#[derive(Debug)]
pub struct Reader {
    generation: u64,
    state: State,
    /// When the current connection, or the wait before it, began.
    began: Instant,
    /// Connections in a row that ended because the view was not readable yet.
    not_readable: u32,
}

/// Where a reader stands; most states are named by what it waits for.
#[derive(Debug)]
enum State {
    /// Nothing was done yet. Holds why the reader before was given up.
    New(Option<TailError>),
    /// For a connection.
    Connecting,
    /// For what the server speaks.
    AskingDialect,
    /// For what the view is.
    Describing(Dialect),
    /// For whether a view that was not found only has another name now.
    Missing { name: String, near: Vec<String> },
    /// For what became of the object before, where the name means another now.
    Replaced(Dialect, Box<Found>),
    /// For the upstream's time: what is asked for next is of the past.
    Dating(Box<Starting>),
    /// For the COPY to begin.
    Starting(Box<Starting>),
    /// For what the COPY brings.
    Streaming(Box<Streaming>),
    /// For what tells why the COPY has ended.
    Ending(Ending),
    /// For what the view is, since the server has ended or refused the COPY
    /// with an error that may be about the view.
    Broken(TailError),
    /// For the time of the next connection.
    Pausing(Instant),
    /// For nothing.
    Over,
}

/// The next state and request, or how the connection ended.
type Step = Result<(State, Request), End>;

impl Reader {
    /// The reader of a generation that has just begun; `cause` is why the one
    /// before it was given up.
    pub fn new(generation: u64, cause: Option<TailError>, now: Instant) -> Self {
        Reader {
            generation,
            state: State::New(cause),
            began: now,
            not_readable: 0,
        }
    }

    /// Which one it is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes what came of the last request; what is to be done next.
    pub fn next(&mut self, tail: &mut ViewTail, reply: Reply<'_>, now: Instant) -> Request {
        if tail.generation() != self.generation {
            self.state = State::Over;
            return Request::Over(Over::Left);
        }
        // Most replies, by far.
        if let (State::Streaming(streaming), Reply::Chunk(chunk)) = (&mut self.state, &reply) {
            return match streaming.take(tail, chunk, now) {
                Ok(request) => request,
                Err(end) => self.end(tail, end, now),
            };
        }
        let state = mem::replace(&mut self.state, State::Over);
        match self.step(tail, state, reply, now) {
            Ok((state, request)) => {
                self.state = state;
                request
            }
            Err(End::Unexplained(error)) => {
                let (state, request) = look_into(tail, error, now);
                self.state = state;
                request
            }
            Err(end) => self.end(tail, end, now),
        }
    }

    fn step(&mut self, tail: &mut ViewTail, state: State, reply: Reply<'_>, now: Instant) -> Step {
        match (state, reply) {
            (State::New(Some(cause)), _) => Err(End::Failed(cause)),
            (State::New(None), _) => Ok(self.connect(tail, now)),
            (State::Pausing(until), _) if now < until => {
                Ok((State::Pausing(until), Request::Wait(until)))
            }
            (State::Pausing(_), _) => Ok(self.connect(tail, now)),
            (State::Connecting, Reply::Connected(outcome)) => {
                outcome?;
                match tail.settings().dialect {
                    Some(dialect) => describe(tail, dialect),
                    None => Ok((State::AskingDialect, Request::Ask(Question::Dialect))),
                }
            }
            (State::AskingDialect, Reply::Answered(answer)) => match answer? {
                Answer::Dialect(dialect) => describe(tail, dialect),
                _ => Err(mismatch().into()),
            },
            (State::Describing(dialect), Reply::Answered(answer)) => match answer {
                Ok(Answer::Found(found)) => self.found(tail, dialect, found, now),
                Ok(_) => Err(mismatch().into()),
                Err(TailError::UnknownView { name, near }) => self.missing(tail, name, near, now),
                Err(error) => Err(error.into()),
            },
            (State::Missing { name, near }, Reply::Answered(answer)) => {
                // Without an answer it is not there.
                Err(End::Failed(match answer {
                    Ok(Answer::Exists(Some(true))) => TailError::Renamed { name },
                    _ => TailError::UnknownView { name, near },
                }))
            }
            (State::Replaced(dialect, found), Reply::Answered(answer)) => match answer? {
                Answer::Exists(exists) => {
                    let became = starting::of_existence(exists);
                    Ok(self.begin(tail, dialect, *found, became, now))
                }
                _ => Err(mismatch().into()),
            },
            (State::Dating(starting), Reply::Answered(answer)) => {
                Ok(started(starting.dated(tail, answer)?))
            }
            (State::Starting(starting), Reply::Copying(outcome)) => {
                Ok(started(starting.next(tail, outcome, now)?))
            }
            (State::Streaming(mut streaming), Reply::Woken) => {
                let request = streaming.look(tail, now)?;
                Ok((State::Streaming(streaming), request))
            }
            (State::Streaming(streaming), Reply::CopyEnded(outcome)) => {
                outcome.map_err(End::broke)?;
                let ending = streaming.finish()?;
                let view = Arc::clone(tail.view());
                let request = Request::Ask(Question::Describe(view));
                Ok((State::Ending(ending), request))
            }
            (State::Broken(error), Reply::Answered(answer)) => match answer {
                Err(TailError::UnknownView { name, near }) => self.missing(tail, name, near, now),
                answer => Err(ending::explained(tail, error, answer)),
            },
            (State::Ending(ending), Reply::Answered(answer)) => {
                let (ending, question) = ending.next(tail, answer, now)?;
                Ok((State::Ending(ending), Request::Ask(question)))
            }
            (State::Over, _) => Ok((State::Over, Request::Over(Over::Left))),
            _ => Err(mismatch().into()),
        }
    }

    fn connect(&mut self, tail: &mut ViewTail, now: Instant) -> (State, Request) {
        tail.set_phase(Phase::Setup);
        self.began = now;
        (State::Connecting, Request::Connect)
    }

    /// The view was not found: it may only be called otherwise now.
    fn missing(&self, tail: &mut ViewTail, name: String, near: Vec<String>, now: Instant) -> Step {
        // The watch tells when there is something of that name.
        tail.known
            .set(self.generation, Some(Meaning::default()), now);
        match tail.known.object() {
            Some(id) => {
                let question = Question::StillExists(id.to_owned());
                Ok((State::Missing { name, near }, Request::Ask(question)))
            }
            None => Err(End::Failed(TailError::UnknownView { name, near })),
        }
    }

    /// The view was found, or another of its name.
    fn found(
        &self,
        tail: &mut ViewTail,
        dialect: Dialect,
        found: Box<Found>,
        now: Instant,
    ) -> Step {
        if tail.known.is_refused(found.object.meaning.as_ref()) {
            let reason = "the catalog refuses to say what its name means".to_owned();
            return Err(End::Failed(TailError::Unproven { reason }));
        }
        match starting::became(tail, &found) {
            Ok(became) => Ok(self.begin(tail, dialect, *found, became, now)),
            Err(question) => Ok((State::Replaced(dialect, found), Request::Ask(question))),
        }
    }

    /// Tells what the view is, and has the COPY begin.
    fn begin(
        &self,
        tail: &mut ViewTail,
        dialect: Dialect,
        found: Found,
        became: Why,
        now: Instant,
    ) -> (State, Request) {
        let meaning = found.object.meaning.clone();
        let id = meaning.as_ref().and_then(Meaning::id);
        if id.is_some() && tail.known.object().is_some_and(|known| id != Some(known)) {
            // The same view by another definition: at the time that was told
            // last, this object may show what nobody was told.
            tail.held.must_snapshot = true;
        }
        if id.is_none() && tail.view().query.is_none() {
            // Nobody can say that it is the object that was streamed before.
            tail.held.must_snapshot = true;
        }
        tail.known.set(self.generation, meaning, now);
        let starting = Starting::new(tail, dialect, found, became, now);
        match starting.asks_the_time(tail) {
            true => (State::Dating(starting), Request::Ask(Question::Now)),
            false => started(starting.ask()),
        }
    }

    /// The connection has ended: tells what that means, and what comes next.
    fn end(&mut self, tail: &mut ViewTail, end: End, now: Instant) -> Request {
        let (error, is_early) = match end {
            End::Complete => {
                tail.set_phase(Phase::Complete);
                self.state = State::Over;
                return Request::Over(Over::Complete);
            }
            End::LooksConstant | End::Failed(TailError::Replaced) => {
                return self.look_again(tail, now);
            }
            End::Failed(error) | End::Unexplained(error) if tail.gives_up_history(&error) => {
                return self.look_again(tail, now);
            }
            End::NotReadable(error) => (error, self.not_readable < NOT_READABLE_RETRIES_MAX),
            End::Failed(error) | End::Unexplained(error) => (error, false),
        };
        tail.set_phase(Phase::Waiting);
        let wait = if is_early {
            self.not_readable += 1;
            log::debug!("view \"{}\": {}", tail.name(), error.chain());
            tail.interrupted(now);
            NOT_READABLE_WAIT
        } else {
            self.not_readable = 0;
            match self.failed(tail, &error, now) {
                Some(wait) => wait,
                None => {
                    tail.set_phase(Phase::Over);
                    self.state = State::Over;
                    return Request::Over(Over::Fatal(error));
                }
            }
        };
        let until = now + wait;
        self.began = now;
        self.state = State::Pausing(until);
        Request::Wait(until)
    }

    /// The next connection tells at once what there is now.
    fn look_again(&mut self, tail: &mut ViewTail, now: Instant) -> Request {
        tail.interrupted(now);
        let (state, request) = self.connect(tail, now);
        self.state = state;
        request
    }

    /// Tells a failure; how long to wait, or `None` if there is no use in
    /// trying again.
    fn failed(&self, tail: &mut ViewTail, error: &TailError, now: Instant) -> Option<Duration> {
        let longest = tail.settings().reconnect_max;
        if error.is_too_large() {
            // Each attempt reads all that may be held: slower and slower.
            let times = tail.is_too_large(error, now);
            let longest = longest.saturating_mul(TOO_LARGE_WAITS);
            return Some(backoff::wait(times, longest, tail.chance()));
        }
        if now.saturating_duration_since(self.began) >= BACKOFF_RESET_AFTER {
            tail.held.failures = 0;
        }
        // Rows were told that may be read no more.
        let is_revoked = error.is_denied() && tail.held.closed.is_some();
        if is_revoked && tail.settings().is_gone_when_revoked {
            tail.vanished(error, now);
        } else if !error.is_of_the_choice() {
            tail.failed(error, now);
        } else if tail.held.was_found {
            tail.vanished(error, now);
        } else {
            return None;
        }
        let failures = tail.held.failures;
        // What comes of the view itself is mended by people, if at all.
        let waits = match error.reason().cause {
            Cause::ResultTooLarge => TOO_LARGE_WAITS,
            Cause::Evaluation | Cause::Denied => AT_FAULT_WAITS,
            _ => 1,
        };
        let longest = longest.saturating_mul(waits);
        Some(backoff::wait(failures, longest, tail.chance()))
    }
}

/// What follows from having asked for a COPY.
fn started(started: Started) -> (State, Request) {
    match started {
        Started::Asked(starting, subscription) => {
            (State::Starting(starting), Request::Copy(subscription))
        }
        Started::Streaming(streaming) => (State::Streaming(streaming), Request::Read),
    }
}

/// The server has ended or refused the COPY: whether the view is still there,
/// only the catalog tells; codes and words differ between versions.
fn look_into(tail: &mut ViewTail, error: TailError, now: Instant) -> (State, Request) {
    if tail.held.is_current && tail.held.assembler.is_some() {
        tail.interrupted(now);
    }
    let question = Question::Describe(Arc::clone(tail.view()));
    (State::Broken(error), Request::Ask(question))
}

/// Asks what the view is, if a server of this dialect can stream it.
fn describe(tail: &ViewTail, dialect: Dialect) -> Step {
    let view = tail.view();
    view.streamed_by(dialect).map_err(End::Failed)?;
    let question = Question::Describe(Arc::clone(view));
    Ok((State::Describing(dialect), Request::Ask(question)))
}

#[cfg(test)]
mod tests;
