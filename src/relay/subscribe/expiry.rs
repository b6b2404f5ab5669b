//! When a stream has to end, and how that is put off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a stream may last. Whoever holds a copy can put its end off while it
/// is served.
///
/// The stream looks here only once the end that it knows of has come: a stream
/// that is renewed costs nothing per event before.
#[derive(Debug)]
pub struct Lease {
    begun: Instant,
    lasts_ms: AtomicU64,
}

impl Lease {
    /// One that begins now and lasts so long.
    pub fn new(now: Instant, time: Duration) -> Arc<Lease> {
        Arc::new(Lease {
            begun: now,
            lasts_ms: AtomicU64::new(milliseconds(time)),
        })
    }

    /// It lasts so long from now on, or longer if it did so before.
    pub fn prolong(&self, now: Instant, time: Duration) {
        let since = now.saturating_duration_since(self.begun);
        let lasts_ms = milliseconds(since.saturating_add(time));
        self.lasts_ms.fetch_max(lasts_ms, Ordering::AcqRel);
    }

    /// When it ends; `None` if that is later than the clock can tell.
    fn ends_at(&self) -> Option<Instant> {
        let lasts = Duration::from_millis(self.lasts_ms.load(Ordering::Acquire));
        self.begun.checked_add(lasts)
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Instant) -> bool {
        self.ends_at().is_some_and(|end| end <= now)
    }

    /// How long it lasts from now on.
    pub fn left(&self, now: Instant) -> Duration {
        let left = self.ends_at().map(|end| end.saturating_duration_since(now));
        left.unwrap_or(Duration::MAX)
    }
}

/// Rounded up, so that a lease never ends before its time.
fn milliseconds(time: Duration) -> u64 {
    let up = time.saturating_add(Duration::from_nanos(999_999));
    u64::try_from(up.as_millis()).unwrap_or(u64::MAX)
}

/// The end of a stream, as it knows it.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The end that was known when the stream began; `None` for never.
    first: Option<Instant>,
    lease: Option<Arc<Lease>>,
}

impl Expiry {
    /// The end of a lease.
    pub(super) fn of(lease: Arc<Lease>) -> Self {
        Expiry {
            first: lease.ends_at(),
            lease: Some(lease),
        }
    }

    /// Whether the stream has to end.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let is_due = self.first.is_some_and(|end| end <= now);
        is_due && self.lease.as_ref().is_none_or(|lease| lease.is_over(now))
    }

    /// When that is to be looked at again after this moment.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        match self.first {
            Some(end) if end <= now => self.lease.as_ref().and_then(|lease| lease.ends_at()),
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_is_put_off_and_never_cut_short() {
        let second = Duration::from_secs(1);
        let begun = Instant::now();
        let lease = Lease::new(begun, second * 60);
        let expiry = Expiry::of(Arc::clone(&lease));
        assert_eq!(expiry.wake_at(begun), Some(begun + second * 60));
        assert!(!expiry.is_over(begun + second * 59));
        assert!(expiry.is_over(begun + second * 60));
        lease.prolong(begun + second * 30, second);
        assert!(
            expiry.is_over(begun + second * 60),
            "it lasted longer before"
        );
        lease.prolong(begun + second * 50, second * 60);
        assert_eq!(lease.left(begun + second * 100), second * 10);
        let at = begun + second * 60;
        assert!(!expiry.is_over(at));
        assert_eq!(expiry.wake_at(at), Some(begun + second * 110));
        assert!(!expiry.is_over(begun + second * 110 - Duration::from_nanos(1)));
        assert!(expiry.is_over(begun + second * 110));
        // Never is no end.
        lease.prolong(at, Duration::MAX);
        assert!(!expiry.is_over(begun + second * 1_000_000));
        assert!(!Expiry::default().is_over(at) && Expiry::default().wake_at(at).is_none());
    }
}
