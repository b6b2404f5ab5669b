//! Why a stream is not served now, and when its client is to come back (P12).

use std::ops::RangeInclusive;

use fastrand::Rng;

use crate::limits::{OVER_LIMIT_RETRY_MS, RETRY_MS};
use crate::relay::event::notices::REASON_CLOSING;

/// Which limit a client is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Streams in all.
    Connections,
    /// Streams to its address.
    Address,
    /// Streams of the view it asked for.
    View,
    /// Windows that its address has open.
    AddressWindows,
    /// Windows of the view it asked for.
    ViewWindows,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 5] = [
        Limit::Connections,
        Limit::Address,
        Limit::View,
        Limit::AddressWindows,
        Limit::ViewWindows,
    ];

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::Address => "address",
            Limit::View => "view",
            Limit::AddressWindows => "address_windows",
            Limit::ViewWindows => "view_windows",
        }
    }

    /// What a client is told; it says nothing of how many there are.
    fn reason(self) -> &'static str {
        match self {
            Limit::Connections => "this gateway serves as many streams as it may",
            Limit::Address => "your address has as many streams as it may",
            Limit::View => "this view has as many streams as it may",
            Limit::AddressWindows => "your address has as many windows open as it may",
            Limit::ViewWindows => "this view has as many windows open as it may",
        }
    }
}

/// Why a stream is not served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many as may be.
    Over(Limit),
    /// The gateway is going away; another one may answer at once.
    Closing,
}

impl Refusal {
    /// What the client is told: the reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Over(limit) => limit.reason(),
            Refusal::Closing => REASON_CLOSING,
        }
    }

    /// After how many milliseconds it is to come back. Drawn by chance, so
    /// that those who were refused together do not come back together.
    pub fn retry_ms(self, rng: &mut Rng) -> u64 {
        rng.u64(self.retry_range_ms())
    }

    fn retry_range_ms(self) -> RangeInclusive<u64> {
        match self {
            Refusal::Over(_) => OVER_LIMIT_RETRY_MS,
            Refusal::Closing => RETRY_MS,
        }
    }

    /// Whether one who keeps coming back too soon is to be held. A gateway
    /// that is going away holds nobody up.
    pub fn holds_the_hasty(self) -> bool {
        matches!(self, Refusal::Over(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_client_comes_back_within_the_range_of_its_refusal() {
        let mut rng = Rng::with_seed(1);
        let refusals = Limit::ALL.map(Refusal::Over);
        for refusal in refusals.into_iter().chain([Refusal::Closing]) {
            for _ in 0..100 {
                let retry_ms = refusal.retry_ms(&mut rng);
                assert!(refusal.retry_range_ms().contains(&retry_ms), "{refusal:?}");
            }
        }
    }
}
