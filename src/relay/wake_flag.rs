//! A wake-up that is sent once until it was looked after.

use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes an actor at most once until it has looked: so a mailbox never holds
/// more than one wake from here, however slow its actor is.
#[derive(Debug, Default)]
pub struct WakeFlag(AtomicBool);

impl WakeFlag {
    /// Whether the caller is the one to send the wake.
    pub fn raise(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Called by the actor before it looks.
    pub fn lower(&self) {
        self.0.store(false, Ordering::Release);
    }
}
