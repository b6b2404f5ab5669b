//! The watch over one tail: notices silence, has the upstream asked on a second
//! connection, and gives up a reader that waits in vain.

use std::time::{Duration, Instant};

use crate::limits::{CATALOG_PROBE_EVERY, EMPTY_PROBE_AFTER, SETUP_SILENCES, SILENT_PROBES_MAX};

use super::dialect::Dialect;
use super::error::TailError;
use super::view_tail::{Phase, ViewTail};

/// What there is to know of a stream before it is looked after.
struct Streamed {
    /// The server is one of those that say nothing when idle.
    is_old: bool,
    /// Rows of a snapshot or emptiness wait to be settled by a count.
    unsettled: bool,
    /// The snapshot is still to come.
    awaits_snapshot: bool,
    /// Changes came whose timestamp was not closed.
    has_unclosed_changes: bool,
    /// The view is known ahead of the upstream's time: it is rightly silent.
    is_ahead: bool,
}

impl ViewTail {
    /// Looks once, which is to be done every `limits::WATCH_TICK`; false if
    /// there is nothing left to watch.
    pub fn look(&mut self, now: Instant) -> bool {
        if self.is_stopped() {
            return false;
        }
        let is_backed_up = self.is_backed_up();
        self.silence.look(is_backed_up, now);
        self.remind(now);
        match self.phase() {
            Phase::Waiting => {}
            Phase::Over => return false,
            Phase::Unstarted => {
                let since = now.saturating_duration_since(self.silence.phase_since);
                if since >= self.settings().upstream_timeout {
                    let cause = self.unstarted.take();
                    self.start_again(cause);
                }
            }
            Phase::Setup => {
                let since = now.saturating_duration_since(self.silence.phase_since);
                if since >= self.settings().upstream_timeout * SETUP_SILENCES {
                    self.replace(self.generation(), silent(since));
                }
            }
            Phase::Streaming if is_backed_up => {}
            Phase::Streaming => self.look_at_stream(now),
            Phase::Complete => {
                let since = now.saturating_duration_since(self.silence.asked);
                if since >= CATALOG_PROBE_EVERY {
                    self.ask(now);
                }
            }
        }
        true
    }

    fn look_at_stream(&mut self, now: Instant) {
        let timeout = self.settings().upstream_timeout;
        let since = |then: Instant| now.saturating_duration_since(then);
        let silence = since(self.silence.silent_since);
        if self.silence.is_probing {
            // A probe that gets no answer while the stream is silent too: the
            // server is not well.
            if silence >= timeout && since(self.silence.asked) >= timeout {
                self.replace(self.generation(), silent(silence));
            }
            return;
        }
        let Some(streamed) = self.streamed(now) else {
            return;
        };
        if streamed.is_ahead {
            // What is asked meanwhile says nothing about the stream: only
            // whether the server lives, and the view.
            self.silence.due_since = now;
            self.silence.unexplained = 0;
        }
        let overdue = since(self.silence.due_since);
        let is_late = !streamed.is_old
            && !streamed.awaits_snapshot
            && self.silence.unexplained >= SILENT_PROBES_MAX;
        if (is_late || streamed.is_old && streamed.has_unclosed_changes) && overdue >= timeout {
            // A snapshot may take long to compute; the changes after it may
            // not, since progress comes without them. An old server is silent
            // when idle, but never in the middle of a timestamp.
            return self.replace(self.generation(), silent(silence));
        }
        let every = match (streamed.is_old, streamed.unsettled) {
            (true, true) => EMPTY_PROBE_AFTER,
            (true, false) => CATALOG_PROBE_EVERY.min(timeout),
            (false, _) => timeout,
        };
        let is_due = since(self.silence.asked) >= every;
        if is_due && (streamed.is_old || silence >= timeout) {
            self.ask(now);
        }
    }

    /// How the stream stands; `None` if there is none.
    fn streamed(&self, now: Instant) -> Option<Streamed> {
        let assembler = self.held.assembler.as_ref()?;
        let promised = assembler.progressed();
        Some(Streamed {
            is_old: self.held.dialect == Some(Dialect::Tail),
            unsettled: assembler.is_untouched() || assembler.unclosed().is_some(),
            awaits_snapshot: assembler.awaits_snapshot(),
            has_unclosed_changes: assembler.has_unclosed_changes(),
            is_ahead: promised.is_some_and(|it| self.held.is_ahead(it, now)),
        })
    }

    /// Has a probe started, unless one is under way.
    fn ask(&mut self, now: Instant) {
        if !self.silence.is_probing {
            self.silence.is_probing = true;
            self.silence.asked = now;
            self.start_probe();
        }
    }
}

fn silent(silence: Duration) -> TailError {
    TailError::Silent {
        seconds: silence.as_secs(),
    }
}

#[cfg(test)]
mod tests;
