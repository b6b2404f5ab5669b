//! Rows of windows, for who joins them or asks for them.

use super::Publisher;
use crate::limits::{LONG_EVENT_BYTES, WINDOW_BASES_AT_ONCE, WINDOW_BASES_BYTES_AT_ONCE};

impl Publisher {
    /// Looks up the rows of the windows that are wanted: of a bounded number of
    /// them, since others wait for this thread.
    pub(super) fn provide_windows(&mut self) {
        if !self.is_behind() {
            return;
        }
        // The log must reach the rows, or nobody could continue from them.
        self.settle(true);
        let mut bytes = 0;
        for _ in 0..WINDOW_BASES_AT_ONCE {
            let Some(request) = self.shared.windows_wanted.pop() else {
                break;
            };
            let held = self.held.as_mut();
            let base = held.and_then(|held| held.window_base(&request));
            if let Some(base) = &base {
                self.shared.counters.count_window_base();
                bytes += base
                    .short
                    .as_ref()
                    .map_or(LONG_EVENT_BYTES, |it| it.length());
            }
            request.answer(base);
            if bytes > WINDOW_BASES_BYTES_AT_ONCE {
                break;
            }
        }
        // An index may have been built.
        self.report();
    }

    /// Whether windows are wanted that the last `look` left for the next, which is to
    /// follow as soon as others have had their turn.
    pub fn is_behind(&self) -> bool {
        self.shared.windows_wanted.is_any()
    }
}
