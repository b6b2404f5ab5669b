//! Bounds of changes that are gathered into one delta.

use std::time::Duration;

/// Quiet after which an upstream that is back has told what was missed: it
/// sends that in one go, so this only bridges a busy moment.
pub const SETTLING_QUIET: Duration = Duration::from_millis(100);

/// How long that is waited for at the most, on a view that is never quiet.
pub const SETTLING_MAX: Duration = Duration::from_secs(1);

/// Changes that are gathered before they are merged for the first time: few
/// enough to be held, enough to be worth it.
pub const SETTLING_CHANGES_MIN: usize = 4096;

/// Shortest time between two deltas with changes, unless set: every timestamp
/// is a delta.
pub const MIN_INTERVAL_DEFAULT: Duration = Duration::ZERO;

/// Longest such time: what is held back is neither in the log nor seen by
/// anybody.
pub const MIN_INTERVAL_MAX: Duration = Duration::from_secs(10);
