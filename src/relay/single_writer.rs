//! Numbers that one thread writes and others read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Adds to a number that only this thread writes: nothing is lost between the two,
/// and neither costs more than a plain load and store.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(count), Ordering::Relaxed);
}
