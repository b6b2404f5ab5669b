//! When a stream has to end, and how that is put off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a stream may last. Whoever holds a copy can put its end off while it
/// is served.
///
/// The stream looks here only once the end that it knows of has come, or any
/// lease was recalled: a stream that is renewed costs nothing per event before.
#[derive(Debug)]
pub struct Lease {
    begun: Instant,
    lasts_ms: AtomicU64,
    /// It is over whatever its time.
    is_recalled: AtomicBool,
}

impl Lease {
    /// One that begins now and lasts so long.
    pub fn new(now: Instant, time: Duration) -> Arc<Lease> {
        Arc::new(Lease {
            begun: now,
            lasts_ms: AtomicU64::new(milliseconds(time)),
            is_recalled: AtomicBool::new(false),
        })
    }

    /// It lasts so long from now on, or longer if it did so before.
    pub fn prolong(&self, now: Instant, time: Duration) {
        let since = now.saturating_duration_since(self.begun);
        let lasts_ms = milliseconds(since.saturating_add(time));
        self.lasts_ms.fetch_max(lasts_ms, Ordering::AcqRel);
    }

    /// It is over now, and nothing puts that off: what it was given for counts no
    /// more. Its stream looks at it once its views' `recalls` have grown.
    pub fn recall(&self) {
        self.is_recalled.store(true, Ordering::Release);
    }

    /// When it ends; `None` if that is later than the clock can tell.
    fn ends_at(&self) -> Option<Instant> {
        if self.is_recalled.load(Ordering::Acquire) {
            return Some(self.begun);
        }
        let lasts_ms = self.lasts_ms.load(Ordering::Acquire);
        // No timer is to wait for what never comes.
        let is_finite = lasts_ms < u64::MAX;
        let lasts = is_finite.then(|| Duration::from_millis(lasts_ms))?;
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
    /// How often leases of its views had been recalled then.
    recalls: u32,
    lease: Option<Arc<Lease>>,
}

impl Expiry {
    /// The end of a lease. `recalls` was read before: a recall that it does not
    /// count shows in the lease.
    pub(super) fn of(lease: Arc<Lease>, recalls: u32) -> Self {
        Expiry {
            first: lease.ends_at(),
            recalls,
            lease: Some(lease),
        }
    }

    /// Whether the stream has to end. Without a lease it is not asked how often there
    /// were recalls.
    pub(super) fn is_over(&self, now: Instant, recalls: impl FnOnce() -> u32) -> bool {
        let is_due = || self.first.is_some_and(|end| end <= now) || recalls() != self.recalls;
        let lease = self.lease.as_ref().filter(|_| is_due());
        lease.is_some_and(|lease| lease.is_over(now))
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
        let expiry = Expiry::of(Arc::clone(&lease), 0);
        assert_eq!(expiry.wake_at(begun), Some(begun + second * 60));
        assert!(!expiry.is_over(begun + second * 59, || 0));
        assert!(expiry.is_over(begun + second * 60, || 0));
        lease.prolong(begun + second * 30, second);
        assert!(
            expiry.is_over(begun + second * 60, || 0),
            "it lasted longer before"
        );
        lease.prolong(begun + second * 50, second * 60);
        assert_eq!(lease.left(begun + second * 100), second * 10);
        let at = begun + second * 60;
        assert!(!expiry.is_over(at, || 0));
        assert_eq!(expiry.wake_at(at), Some(begun + second * 110));
        assert!(!expiry.is_over(begun + second * 110 - Duration::from_nanos(1), || 0));
        assert!(expiry.is_over(begun + second * 110, || 0));
        // Never is no end.
        lease.prolong(at, Duration::MAX);
        assert!(!expiry.is_over(begun + second * 1_000_000, || 0));
        assert!(!Expiry::default().is_over(at, || 0) && Expiry::default().wake_at(at).is_none());
    }

    #[test]
    fn lease_that_is_recalled_is_over_and_others_are_not() {
        let begun = Instant::now();
        let minute = Duration::from_secs(60);
        let [lease, other] = [minute, Duration::MAX].map(|time| Lease::new(begun, time));
        let expiries = [&lease, &other].map(|lease| Expiry::of(Arc::clone(lease), 7));
        lease.recall();
        // Nobody looks before they are told.
        assert!(!expiries[0].is_over(begun, || 7));
        assert!(expiries[0].is_over(begun, || 8) && !expiries[1].is_over(begun, || 8));
        assert_eq!(expiries[1].wake_at(begun), None);
        lease.prolong(begun, minute * 9);
        assert!(lease.is_over(begun) && expiries[0].is_over(begun, || 8));
        // One that begins with a lease that was recalled before.
        assert!(Expiry::of(lease, 8).is_over(begun, || 8));
        assert!(!Expiry::default().is_over(begun, || 8));
    }
}
