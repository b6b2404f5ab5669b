//! Materialized views that change at fixed times only (`REFRESH EVERY`).

use std::num::NonZeroU64;

/// How often a view is refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Every {
    /// The time between two refreshes, in milliseconds.
    pub(super) ms: NonZeroU64,
    /// The same as it was written.
    pub(super) text: String,
}

/// The refreshes of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refreshes {
    /// The first one: when the view was created.
    pub(super) first: u64,
    /// Milliseconds from one to the next.
    pub(super) every_ms: NonZeroU64,
}

impl Refreshes {
    /// The refresh at which a change of this timestamp shows.
    pub(super) fn due(self, timestamp: u64) -> u64 {
        let (since, every_ms) = (timestamp.saturating_sub(self.first), self.every_ms.get());
        let passed = since.div_ceil(every_ms).saturating_mul(every_ms);
        self.first.saturating_add(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_show_at_the_next_refresh() {
        let refreshes = Refreshes {
            first: 1_000,
            every_ms: NonZeroU64::new(300).unwrap(),
        };
        for (timestamp, due) in [
            (0, 1_000),
            (1_000, 1_000),
            (1_001, 1_300),
            (1_300, 1_300),
            (1_301, 1_600),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(refreshes.due(timestamp), due, "{timestamp}");
        }
    }
}
