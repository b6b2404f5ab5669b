//! What positions that clients bring back are worth to a log, of the view or of a
//! window of it.

use std::sync::Arc;
use std::time::Instant;

use super::LocalLog;
use crate::model::position::{Incarnation, Position};
use crate::model::retention::Resume;
use crate::model::window::Window;

impl LocalLog {
    /// Compares the positions that a client brought with the log, for a stream of the
    /// view, or of a window of it: the one that counts, and what it needs. One that is
    /// up to date with the view is noted for the publisher under the same lock, so that
    /// no heartbeat carries it as its id again: ids grow strictly along a stream.
    pub fn resume(
        &mut self,
        positions: &[Position],
        window: Option<&Window>,
        now: Instant,
    ) -> Option<(Position, Resume)> {
        let (source, end) = (Arc::clone(&self.source), self.frames.end());
        let mut state = source.lock();
        self.copy(&state);
        let latest = self.latest(positions, window);
        let found = latest.map(|(position, is_its)| match is_its {
            true => (position, self.frames.since(position.timestamp)),
            false => (position, Resume::Base),
        });
        if let Some((position, Resume::UpToDate(_))) = found
            && window.is_none()
        {
            state.resumed = state.resumed.max(position.timestamp);
        }
        drop(state);
        self.windows.take_in(&self.frames, &self.terms, end, now);
        found
    }

    /// Of several positions of the view, or of a window of it, the one that counts, and
    /// whether it is one.
    pub fn latest(
        &self,
        positions: &[Position],
        window: Option<&Window>,
    ) -> Option<(Position, bool)> {
        let of = |view| of_window(window, view);
        self.terms.latest(positions, of)
    }

    /// Whether a position that a client brought is one of this log's: of the view, or
    /// of a window of it.
    pub fn holds(&self, position: Position, window: Option<&Window>) -> bool {
        self.terms.hold(position, |view| of_window(window, view))
    }
}

/// The incarnation of a view, or of a window of it, where the view has this one.
fn of_window(window: Option<&Window>, view: Incarnation) -> Incarnation {
    window.map_or(view, |window| window.incarnation(view))
}
