//! The present, as it is told to what decides. The core reads no clock: whoever
//! calls it says what time it is, so that a test can let a year pass at once.

use std::time::Instant;

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// By the clock that never goes back: for intervals and deadlines.
    pub instant: Instant,
    /// By the wall clock, in milliseconds since 1970: for what people and
    /// Materialize read.
    pub wall_ms: u64,
}
