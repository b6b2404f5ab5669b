//! Since when a tail's stream has been silent, and what was asked meanwhile.

use std::time::Instant;

/// Kept by the watch; readers and probes say what happened.
#[derive(Debug)]
pub(super) struct Silence {
    /// The phase has changed since the watch last looked.
    has_new_phase: bool,
    /// Something was received since the watch last looked.
    has_received: bool,
    /// Since when the phase is what it is.
    pub phase_since: Instant,
    /// Since when nothing came.
    pub silent_since: Instant,
    /// Since when something was to be expected that did not come.
    pub due_since: Instant,
    /// When a probe was last started.
    pub asked: Instant,
    /// A probe is under way.
    pub is_probing: bool,
    /// So many probes in a row did not explain the silence since the last byte: they
    /// found all well, or could not even begin.
    pub unexplained: u32,
}

impl Silence {
    /// It begins now.
    pub fn new(now: Instant) -> Self {
        Silence {
            has_new_phase: false,
            has_received: false,
            phase_since: now,
            silent_since: now,
            due_since: now,
            asked: now,
            is_probing: false,
            unexplained: 0,
        }
    }

    /// The reader does something else now.
    pub fn phase_changed(&mut self) {
        self.has_new_phase = true;
    }

    /// Something came from the stream.
    pub fn received(&mut self) {
        self.has_received = true;
    }

    /// Takes in what happened since the last look; while the publisher is slow,
    /// nobody is silent.
    pub fn look(&mut self, is_backed_up: bool, now: Instant) {
        if self.has_new_phase {
            self.phase_since = now;
            self.asked = now;
        }
        if self.has_new_phase || self.has_received || is_backed_up {
            self.silent_since = now;
            self.due_since = now;
            self.unexplained = 0;
        }
        self.has_new_phase = false;
        self.has_received = false;
    }
}
