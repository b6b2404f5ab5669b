//! What a client says it has, until that was of use, or of none.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use actix_web::rt::time::{Sleep, sleep};

use crate::limits::AHEAD_WAIT;
use crate::model::position::Position;
use crate::model::retention::{Cursor, Resume};

use super::counters::{Outcome, StreamCounters};
use super::local_log::LocalLog;

/// A position that a client came with, if it came with one.
pub struct Claim {
    position: Option<Position>,
    /// Runs while the client is ahead of this gateway.
    ahead: Option<Pin<Box<Sleep>>>,
}

/// What a claim is worth.
pub enum Judged {
    /// The stream goes on from this position, at this place of the log.
    Resumed(Position, Cursor),
    /// This gateway may get there yet: wait for news.
    Ahead,
    /// A base is needed; here is the position that was of no use, at the time
    /// that this was found.
    Base(Option<Position>),
}

impl Claim {
    /// What the client says.
    pub fn new(position: Option<Position>) -> Self {
        Claim {
            position,
            ahead: None,
        }
    }

    /// Compares it with the log; what is found is counted, and ends the claim.
    pub fn judge(
        &mut self,
        log: &RefCell<LocalLog>,
        counters: &StreamCounters,
        context: &mut Context<'_>,
    ) -> Judged {
        let Some(position) = self.position else {
            return Judged::Base(None);
        };
        let found = log.borrow_mut().resume(position);
        counters.count_resume(match found {
            Resume::UpToDate(_) => Outcome::UpToDate,
            Resume::Deltas(_) => Outcome::Deltas,
            Resume::Ahead if !self.patience_is_over(context) => return Judged::Ahead,
            Resume::Ahead => Outcome::Ahead,
            Resume::Base => Outcome::Base,
        });
        *self = Claim::new(None);
        match found.cursor() {
            Some(cursor) => Judged::Resumed(position, cursor),
            None => Judged::Base(Some(position)),
        }
    }

    /// Whether a client that is ahead has waited long enough.
    fn patience_is_over(&mut self, context: &mut Context<'_>) -> bool {
        let timer = self
            .ahead
            .get_or_insert_with(|| Box::pin(sleep(AHEAD_WAIT)));
        timer.as_mut().poll(context).is_ready()
    }
}
