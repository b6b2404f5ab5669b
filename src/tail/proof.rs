//! Whether a stream is of the object whose columns were read.
//!
//! Between the questions for a view's columns and the COPY, the view may be
//! dropped and created anew. Where the COPY names it, the stream is then of the
//! new one, and its values would stand under the old one's columns, hidden ones
//! among them. So the catalog is asked once more when the stream's first words
//! are there, and until it has answered nothing of the stream is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use crate::limits::{PROOF_WAIT_BY_ID, WATCH_TICK};

use super::catalog::Verdict;
use super::describe::Object;
use super::error::TailError;
use super::gate::Stale;
use super::shared::Shared;

/// Why a stream is not to be gone on with.
pub(super) enum Refuted {
    /// Another reader has taken over.
    Stale,
    /// It is of another object.
    Other,
    /// That could not be found out.
    Unknown(TailError),
}

impl From<Stale> for Refuted {
    fn from(_: Stale) -> Self {
        Refuted::Stale
    }
}

/// The proof of one stream, while it lasts.
pub(super) struct Proof<'a> {
    shared: &'a Arc<Shared>,
    generation: u64,
    object: Arc<Object>,
    /// Some columns are not to be shown.
    hides: bool,
    answer: Option<Receiver<Verdict>>,
    is_given: bool,
}

impl<'a> Proof<'a> {
    /// For a stream that has just begun.
    pub fn new(shared: &'a Arc<Shared>, generation: u64, object: Arc<Object>) -> Self {
        Proof {
            shared,
            generation,
            object,
            hides: shared.settings.view.columns.is_some(),
            answer: None,
            is_given: false,
        }
    }

    /// To be called whenever something of the stream has come: asks at the
    /// first, and waits for the answer where there is something to tell.
    pub fn look(&mut self) -> Result<(), Refuted> {
        if self.is_given {
            return Ok(());
        }
        let (shared, object) = (self.shared, &self.object);
        let view = &shared.settings.view;
        let ask = || shared.catalog.ask(view, object);
        let answer = self.answer.get_or_insert_with(ask).clone();
        let is_waited_for = {
            let entered = shared.gate.enter(self.generation)?;
            if entered.is_confirmed() {
                // By a probe, which has asked the same.
                self.is_given = true;
                return Ok(());
            }
            entered.withholds()
        };
        let verdict = match is_waited_for {
            true => self.wait(&answer)?,
            false => match answer.try_recv() {
                Ok(verdict) => verdict,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => unasked(),
            },
        };
        self.take(verdict)
    }

    /// Waits for the answer as long as it is worth it.
    fn wait(&self, answer: &Receiver<Verdict>) -> Result<Verdict, Stale> {
        let timeout = self.shared.settings.upstream_timeout;
        let at_most = match self.object.is_by_id {
            true => PROOF_WAIT_BY_ID,
            false => timeout * 2,
        };
        let end = Instant::now() + at_most.max(Duration::from_secs(1));
        loop {
            match answer.recv_timeout(WATCH_TICK) {
                Ok(verdict) => return Ok(verdict),
                Err(RecvTimeoutError::Disconnected) => return Ok(unasked()),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= end => return Ok(unasked()),
                // As long as this reader is wanted.
                Err(RecvTimeoutError::Timeout) => drop(self.shared.gate.enter(self.generation)?),
            }
        }
    }

    fn take(&mut self, verdict: Verdict) -> Result<(), Refuted> {
        match verdict {
            Verdict::Same => {}
            Verdict::Other => return Err(Refuted::Other),
            Verdict::Unanswered { reason, no_room } => {
                let name = self.shared.name();
                if self.object.is_by_id {
                    // Found by its id, it is the object; the watch goes on
                    // asking what its name means.
                    log::debug!("view \"{name}\": whether its name means the same: {reason}");
                } else if no_room && !self.hides {
                    log::warn!(
                        "view \"{name}\": the server has no room for a second connection that \
                         asks whether the view is still the same; it is streamed all the same"
                    );
                } else {
                    return Err(Refuted::Unknown(TailError::Unproven { reason }));
                }
            }
        }
        self.shared.gate.enter(self.generation)?.confirm()?;
        self.is_given = true;
        Ok(())
    }
}

fn unasked() -> Verdict {
    Verdict::Unanswered {
        reason: "the catalog did not answer in time".to_string(),
        no_room: false,
    }
}
