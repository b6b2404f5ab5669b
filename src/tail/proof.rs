//! Whether a stream is of the object whose columns were read.
//!
//! Between the questions for a view's columns and the COPY, the view may be
//! dropped and created anew. Where the COPY names it, the stream is then of the
//! new one, and its values would stand under the old one's columns, hidden ones
//! among them. So the catalog is asked once more when the stream's first words
//! are there, and until it has answered nothing of the stream is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits::PROOF_WAIT_BY_ID;

use super::conversation::Request;
use super::end::End;
use super::error::TailError;
use super::inquiry::Verdict;
use super::object::Object;
use super::view_tail::ViewTail;

/// How far the proof of one stream has come.
#[derive(Debug)]
pub(super) struct Proof {
    object: Arc<Object>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the stream has come yet.
    Unasked,
    /// The catalog was asked, and nothing waits for its answer.
    Asked,
    /// What was closed waits for the answer, at the most until then.
    Awaited(Instant),
    /// It is certain.
    Given,
}

impl Proof {
    /// For a stream of this object that has just begun.
    pub fn new(object: Arc<Object>) -> Self {
        Proof {
            object,
            state: State::Unasked,
        }
    }

    /// To be called whenever something of the stream has come, and when its
    /// reader was woken: asks at the first, and has the reader wait for the
    /// answer where there is something to tell.
    pub fn look(&mut self, tail: &mut ViewTail, now: Instant) -> Result<Request, End> {
        if self.state == State::Given {
            return Ok(Request::Read);
        }
        if self.state == State::Unasked {
            tail.inquire(&self.object);
            self.state = State::Asked;
        }
        if tail.is_confirmed() {
            // By a probe, which has asked the same.
            self.state = State::Given;
            return Ok(Request::Read);
        }
        let verdict = match tail.held.verdict.take() {
            Some(verdict) => verdict,
            None if !tail.withholds() => return Ok(Request::Read),
            None => {
                let end = self.awaited_until(tail, now);
                if now < end {
                    return Ok(Request::Wait(end));
                }
                Verdict::late()
            }
        };
        self.take(tail, verdict)?;
        tail.confirm(now);
        self.state = State::Given;
        Ok(Request::Read)
    }

    /// How long the answer is worth waiting for.
    fn awaited_until(&mut self, tail: &ViewTail, now: Instant) -> Instant {
        if let State::Awaited(end) = self.state {
            return end;
        }
        let at_most = match self.object.is_by_id {
            true => PROOF_WAIT_BY_ID,
            false => tail.settings().upstream_timeout * 2,
        };
        let end = now + at_most.max(Duration::from_secs(1));
        self.state = State::Awaited(end);
        end
    }

    /// Whether the stream may be told after this verdict.
    fn take(&self, tail: &ViewTail, verdict: Verdict) -> Result<(), End> {
        let (reason, no_room) = match verdict {
            Verdict::Same => return Ok(()),
            Verdict::Other => return Err(End::NotReadable(TailError::Replaced)),
            Verdict::Unanswered { reason, no_room } => (reason, no_room),
        };
        let (name, hides) = (tail.name(), tail.view().columns.is_some());
        if self.object.is_by_id {
            // Found by its id, it is the object; the watch goes on asking what
            // its name means.
            log::debug!("view \"{name}\": whether its name means the same: {reason}");
            Ok(())
        } else if no_room && !hides {
            log::warn!(
                "view \"{name}\": the server has no room for a second connection that asks \
                 whether the view is still the same; it is streamed all the same"
            );
            Ok(())
        } else {
            Err(End::Failed(TailError::Unproven { reason }))
        }
    }
}
