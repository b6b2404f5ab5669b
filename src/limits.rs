//! Every bound and default of the program: name, unit, reason.
//!
//! A number that limits or defaults anything stands here and nowhere else, so
//! that an operator's question "why did it stop at N?" has one place to look.

use std::time::Duration;

/// Where the gateway listens unless told otherwise: loopback, since streams
/// are served to whoever reaches the port.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// Silence after which an idle view sends an empty delta. Most proxies and
/// NATs forget a silent connection after 30 to 60 s.
pub const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(15);

/// Bytes of deltas kept per view for resume. Ten minutes of a busy view.
pub const RETENTION_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// Age of the oldest delta kept per view for resume: longer than a laptop's
/// lid is shut between two meetings.
pub const RETENTION_AGE_DEFAULT: Duration = Duration::from_secs(600);

/// HTTP workers at the most; more threads than cores only take turns.
pub const WORKERS_MAX: usize = 256;

/// Edits a second that the demo replays: about ten times the recording's pace,
/// so that every panel of the page moves.
pub const DEMO_RATE_DEFAULT: f64 = 25.0;

/// Edits that are already in when the demo starts: the charts begin filled.
pub const DEMO_SEED_EDITS_DEFAULT: usize = 5_000;

/// One timestamp of the demo's stand-in: the pace of a real Materialize.
pub const DEMO_TICK_DEFAULT: Duration = Duration::from_secs(1);

/// The largest diff of one update that is taken for real: more copies of a row
/// than that cannot even be written as an array for a browser.
pub const DIFF_MAX: i64 = 1 << 40;

/// Bytes of one line of COPY text. Materialize itself refuses rows beyond
/// some 100 MiB; a line without end must not take the process down.
pub const COPY_LINE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of rows collected before their timestamp is closed, unless set: the
/// snapshot of a view is held at least twice while it is made.
pub const UNCLOSED_BYTES_DEFAULT: u64 = 4 * 1024 * 1024 * 1024;

/// Events between a tail and its publisher. Each may be large, so few; a full
/// channel stops the reading, and so Materialize.
pub const TAIL_CHANNEL_EVENTS: usize = 64;

/// Silence of an upstream after which it is asked on a second connection.
pub const UPSTREAM_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Establishing a TCP connection, at the most.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle time before TCP asks whether the peer still is there, the time between
/// such questions, and how many go unanswered before the connection is dead.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// See `KEEPALIVE_IDLE`.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// See `KEEPALIVE_IDLE`.
pub const KEEPALIVE_RETRIES: u32 = 3;

/// Upstream silences that connecting and describing may take together: a
/// server that starts answers its first queries slowly.
pub const SETUP_SILENCES: u32 = 3;

/// Ceiling of the first wait before connecting anew; the wait is drawn from
/// zero to the ceiling, so that a fleet does not come back all at once.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Ceiling of every later wait, reached by doubling.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A tail that has run this long was healthy: the next wait is a first one.
pub const BACKOFF_RESET_AFTER: Duration = Duration::from_secs(10);

/// Wait before asking again for a view whose history an old server has not
/// made readable yet, which takes it about two seconds.
pub const NOT_READABLE_WAIT: Duration = Duration::from_millis(200);
/// How often before that counts as a failure: ten seconds.
pub const NOT_READABLE_RETRIES_MAX: u32 = 50;

/// Time without a base after which an old server is asked for the number of
/// rows, since it says nothing about an empty view.
pub const EMPTY_PROBE_AFTER: Duration = Duration::from_secs(1);

/// How often an old server's catalog is asked whether the view still stands,
/// since a dropped one may go on streaming.
pub const CATALOG_PROBE_EVERY: Duration = Duration::from_secs(10);

/// Probes in a row that found server and view well while the stream of a
/// server with steady progress stayed silent: then the stream is the fault.
pub const SILENT_PROBES_MAX: u32 = 3;

/// How often the watch looks at the tails.
pub const WATCH_TICK: Duration = Duration::from_millis(100);

/// Threads of one view that may wait on a dead connection, beside the reader
/// that works: each ends when its socket does.
pub const TAIL_THREADS_MAX: usize = 8;

/// How long stopping a tail waits for its thread, which a silent upstream may
/// hold for ever.
pub const TAIL_STOP_WAIT: Duration = Duration::from_millis(500);

/// Names offered when a view does not exist.
pub const NEAR_NAMES_MAX: usize = 5;

/// Milliseconds by which a server's time may be behind what it told before a
/// connection was lost; it is waited for. Further back, it is another time.
pub const TIME_BACK_MAX_MS: u64 = 10_000;
