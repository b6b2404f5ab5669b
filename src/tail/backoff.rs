//! How long to wait before connecting anew.

use std::time::Duration;

use crate::limits::{BACKOFF_FIRST, BACKOFF_MAX};

/// The longest wait after so many failures in a row.
fn ceiling(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACKOFF_FIRST
        .saturating_mul(1 << doublings)
        .min(BACKOFF_MAX)
}

/// A wait with full jitter: anything from zero to the ceiling.
pub(super) fn wait(failures: u32) -> Duration {
    ceiling(failures).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_maximum() {
        assert_eq!(ceiling(1), BACKOFF_FIRST);
        assert_eq!(ceiling(3), BACKOFF_FIRST * 4);
        assert_eq!(ceiling(40), BACKOFF_MAX);
        for failures in 0..50 {
            assert!(wait(failures) <= ceiling(failures));
        }
    }
}
