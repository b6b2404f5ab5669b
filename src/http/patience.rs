//! How long to wait for a peer that takes no bytes: on a connection, and on one
//! of several streams that share a connection.

use std::time::{Duration, Instant};

use crate::limits::{
    ENDING_WAIT, HTTP2_INSIDE_WAIT_MIN, READ_BYTES_PER_SECOND_MIN, READ_STALL_TIMEOUTS_MAX,
    READ_WAIT_MIN,
};

/// What the kernel says of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Bytes to be sent, or sent and not acknowledged.
    pub waiting: u32,
    /// Bytes that the peer has acknowledged so far.
    pub acknowledged: u64,
    /// How long the peer's system has acknowledged nothing of what was sent;
    /// zero if nothing is on its way.
    pub unanswered: Duration,
}

/// For how long a peer is waited for.
///
/// The only sign that a peer reads is the room that it announces, and that comes
/// late: often not before its buffer, or the window of its stream, is half empty.
/// So a peer first gets the time that a very slow reader would need for what it
/// has taken, within bounds, and only then does the stall timeout begin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Since when bytes have been waiting and it has taken none; `None` while it
    /// has nothing to take.
    since: Option<Instant>,
    /// When the slowest reader would have read what it took.
    read: Option<Instant>,
}

impl Patience {
    /// The peer has taken so many bytes.
    pub fn take(&mut self, bytes: u64, now: Instant, stall_timeout: Duration) {
        let reading = Duration::from_millis(bytes.saturating_mul(1000) / READ_BYTES_PER_SECOND_MIN);
        let read = self.read.map_or(now, |read| read.max(now));
        let latest = now + (stall_timeout * READ_STALL_TIMEOUTS_MAX).max(READ_WAIT_MIN);
        self.read = Some((read + reading.min(latest - now)).min(latest));
        self.since = Some(now);
    }

    /// The peer has nothing to take.
    pub fn rest(&mut self) {
        self.since = None;
    }

    /// Since when the peer has taken nothing of what there is.
    fn waits_since(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now)
    }

    /// Since when even a very slow reader would have taken something.
    pub fn idle_since(&mut self, now: Instant) -> Instant {
        let since = self.waits_since(now);
        self.read.map_or(since, |read| read.max(since))
    }
}

/// What is known of a connection's progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    acknowledged: u64,
    patience: Patience,
}

impl Ledger {
    /// Whether the peer has stalled, as of now.
    pub fn note(&mut self, standing: Standing, now: Instant, stall_timeout: Duration) -> bool {
        let taken = standing.acknowledged.saturating_sub(self.acknowledged);
        self.acknowledged = standing.acknowledged;
        if taken > 0 {
            self.patience.take(taken, now, stall_timeout);
        }
        if standing.waiting == 0 {
            self.patience.rest();
            return false;
        }
        let lasts = |since| now.saturating_duration_since(since) >= stall_timeout;
        // The peer's system does not answer: nobody there can still be reading, so
        // no time for reading is added.
        let is_gone = standing.unanswered >= stall_timeout;
        match is_gone {
            true => lasts(self.patience.waits_since(now)),
            false => lasts(self.patience.idle_since(now)),
        }
    }
}

/// Whether a peer that has been idle since then was waited for long enough. A
/// stream that is found to be over (`due`) is waited for no longer than its end
/// is worth; one inside an event for longer, since who is cut off there has to
/// begin anew.
pub fn is_waited_out(
    idle_since: Instant,
    due: Option<Instant>,
    now: Instant,
    stall_timeout: Duration,
    is_inside: bool,
) -> bool {
    let (longest, for_its_end) = match is_inside {
        true => (
            stall_timeout.max(HTTP2_INSIDE_WAIT_MIN),
            HTTP2_INSIDE_WAIT_MIN,
        ),
        false => (stall_timeout, ENDING_WAIT),
    };
    let is_over = |since: Instant, longest| now.saturating_duration_since(since) >= longest;
    let waits_for_its_end = |due| is_over(idle_since.max(due), longest.min(for_its_end));
    is_over(idle_since, longest) || due.is_some_and(waits_for_its_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    /// Each row: second, bytes that wait, bytes acknowledged; whether it stalls.
    #[test]
    fn ledger_counts_only_time_in_which_nothing_is_taken() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let rows = [
            (0, 0, 0, false),
            // Nothing waited, so nothing was missed.
            (90, 0, 0, false),
            (100, 500, 0, false),
            (159, 500, 0, false),
            // A single byte is progress.
            (160, 499, 1, false),
            (219, 499, 1, false),
            (220, 0, 500, false),
            (300, 9, 500, false),
            (359, 9, 500, false),
            // More to send is none, on the part of the peer.
            (360, 9_999, 500, true),
        ];
        for (second, waiting, acknowledged, stalls) in rows {
            let standing = Standing {
                waiting,
                acknowledged,
                unanswered: Duration::ZERO,
            };
            let now = start + Duration::from_secs(second);
            let found = ledger.note(standing, now, STALL);
            assert_eq!(found, stalls, "at {second} s");
        }
    }

    #[test]
    fn patience_lasts_for_what_a_slow_reader_has_yet_to_read() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let idle = |bytes| {
            let mut patience = Patience::default();
            patience.take(bytes, start, STALL);
            patience.idle_since(after(1000)) - start
        };
        assert_eq!(idle(0), Duration::ZERO);
        assert_eq!(
            idle(READ_BYTES_PER_SECOND_MIN * 20),
            Duration::from_secs(20)
        );
        // Within bounds, whatever it took, and however often.
        assert_eq!(idle(u64::MAX), STALL * READ_STALL_TIMEOUTS_MAX);
        let mut patience = Patience::default();
        for second in 0..100 {
            patience.take(1 << 20, after(second), STALL);
        }
        let longest = after(99) + STALL * READ_STALL_TIMEOUTS_MAX;
        assert_eq!(patience.idle_since(after(1000)), longest);
    }

    #[test]
    fn ledger_waits_no_longer_for_a_system_that_does_not_answer() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let mut stalls = |second, unanswered| {
            let standing = Standing {
                waiting: 10,
                acknowledged: 1 << 30,
                unanswered: Duration::from_secs(unanswered),
            };
            ledger.note(standing, start + Duration::from_secs(second), STALL)
        };
        // The answer before the last event may be long ago.
        assert!(!stalls(0, 900));
        assert!(!stalls(59, 959));
        assert!(!stalls(60, 59));
        assert!(stalls(61, 60));
    }

    /// Each row: seconds without progress, seconds of them after it was due to
    /// end, whether it stands inside an event, whether it is let go.
    #[test]
    fn wait_lasts_as_long_as_the_stall_timeout_or_until_an_end_is_due() {
        let rows = [
            (59, None, false, false),
            (60, None, false, true),
            (60, None, true, true),
            (59, Some(4), false, false),
            (59, Some(5), false, true),
            (20, Some(14), true, false),
            (20, Some(15), true, true),
        ];
        let now = Instant::now() + Duration::from_secs(3600);
        let ago = |seconds| now - Duration::from_secs(seconds);
        let is_over = |idle, due: Option<u64>, stall, is_inside| {
            let stall_timeout = Duration::from_secs(stall);
            is_waited_out(ago(idle), due.map(ago), now, stall_timeout, is_inside)
        };
        for (idle, due, is_inside, expected) in rows {
            let found = is_over(idle, due, 60, is_inside);
            assert_eq!(found, expected, "{idle} s, {due:?}, {is_inside}");
        }
        // Who is inside an event would have to begin anew.
        assert!(is_over(1, None, 1, false));
        assert!(!is_over(14, None, 1, true));
        assert!(is_over(15, None, 1, true));
    }
}
