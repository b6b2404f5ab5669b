//! Ends what goes on beside a test, also where the test fails: who waits for the
//! others' end would hide the failure for ever.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says that it is over when it is dropped.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
