//! Bounds of what is said and done while a view has no data.

use std::time::Duration;

/// Time after which an outage is logged for the second time: longer than a
/// server takes to start anew, so that most are logged once.
pub const OUTAGE_LOG_FIRST: Duration = Duration::from_secs(20);

/// Longest time between two lines about one outage; it doubles up to there.
pub const OUTAGE_LOG_MAX: Duration = Duration::from_secs(3_600);

/// Kinds of errors of one outage that are logged, each once: what differs in
/// more than numbers from one attempt to the next must not fill the log.
pub const OUTAGE_ERRORS_MAX: usize = 16;

/// How many times the longest wait between two attempts a view that is too
/// large for the gateway or for its server waits: each attempt reads as much of
/// it as either may hold.
pub const TOO_LARGE_WAITS: u32 = 10;

/// The same for a view that cannot be computed, or may not be read: each attempt
/// computes it anew, and people mend it, who may wait for half a minute.
pub const AT_FAULT_WAITS: u32 = 3;

/// Milliseconds ahead of the upstream's time at which a resumed view is known
/// to be what it was; steady progress is about a second from it.
pub const AHEAD_MS_MIN: u64 = 2_000;

/// Streams of a view's past that may break before the view is read without it:
/// the server may not be able to compute what it is asked for.
pub const HISTORY_TRIES_MAX: u32 = 3;

/// How long a view whose past is read may be as far behind as it was, until it
/// is shown as it is: its source is that slow.
pub const HISTORY_SETTLED: Duration = Duration::from_secs(3);

/// Milliseconds by which what is told of a view's past has to come forward more
/// than time itself does, so that it is not taken for the present: steady
/// progress is a second apart.
pub const HISTORY_STEP_MS: u64 = 2_000;

/// Incarnations of a view that are remembered beside the current one: names are
/// swapped between few objects, and each has to be known when it is back.
pub const INCARNATIONS_REMEMBERED_MAX: usize = 16;

/// Incarnations that one log may have been of: each time the view's name is given to
/// another view is one more. Positions of those before them get a base.
pub const TERMS_MAX: usize = 16;

/// A view that is known this much ahead of the upstream's time, in milliseconds, ends
/// its streams when its name is given to another one: what is told of that would have
/// to wait until then. Steady progress is a second ahead.
pub const GO_OVER_WAIT_MS_MAX: u64 = 10_000;

/// How long an upstream that has contradicted itself is to be well before the
/// next contradiction is a new one in the log: one that comes back after each
/// snapshot would otherwise fill it.
pub const CONTRADICTION_FORGOTTEN: Duration = Duration::from_secs(60);
