//! How long to wait before connecting anew.

use std::time::Duration;

use crate::limits::BACKOFF_FIRST;

/// The longest wait after so many failures in a row.
fn ceiling(failures: u32, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACKOFF_FIRST.saturating_mul(1 << doublings).min(max)
}

/// A wait with full jitter: anything from zero to the ceiling, which never is
/// above `max`.
pub(super) fn wait(failures: u32, max: Duration, chance: &mut fastrand::Rng) -> Duration {
    ceiling(failures, max).mul_f64(chance.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_maximum() {
        let max = Duration::from_secs(10);
        assert_eq!(ceiling(1, max), BACKOFF_FIRST);
        assert_eq!(ceiling(3, max), BACKOFF_FIRST * 4);
        assert_eq!(ceiling(40, max), max);
        let short = BACKOFF_FIRST / 10;
        assert_eq!(ceiling(1, short), short);
        let mut chance = fastrand::Rng::with_seed(7);
        for failures in 0..50 {
            assert!(wait(failures, max, &mut chance) <= ceiling(failures, max));
        }
    }
}
