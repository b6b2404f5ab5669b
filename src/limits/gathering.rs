//! Bounds of changes that are gathered into one delta.

use std::time::Duration;

/// Changes that are gathered before they are merged for the first time: few
/// enough to be held, enough to be worth it.
pub const SETTLING_CHANGES_MIN: usize = 4096;

/// Shortest time between two deltas with changes, unless set: every timestamp
/// is a delta.
pub const MIN_INTERVAL_DEFAULT: Duration = Duration::ZERO;

/// Longest such time: what is held back is neither in the log nor seen by
/// anybody.
pub const MIN_INTERVAL_MAX: Duration = Duration::from_secs(10);
