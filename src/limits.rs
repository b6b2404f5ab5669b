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

/// History of each of the stand-in's views, in ticks: `SELECT ... AS OF` and a
/// slow reader's cursor reach back this far. Ten minutes at the default tick.
pub const DEMO_HISTORY_TICKS: u64 = 600;

/// Updates of one view that the stand-in's history holds at the most: about
/// 100 MB of rows, should someone ask for a million edits a second.
pub const DEMO_HISTORY_UPDATES_MAX: usize = 1_000_000;

/// Ticks that the stand-in works off at once after it was stopped for a while
/// (a laptop's lid): bounds what one step of the dataflow holds in memory.
pub const DEMO_CATCH_UP_TICKS_MAX: u64 = 600;

/// Edits a second at the most: beyond it a tick's work takes longer than the tick.
pub const DEMO_RATE_MAX: f64 = 1_000_000.0;

/// Edits that may be in at the start: each costs about 1 us, so half a minute.
pub const DEMO_SEED_EDITS_MAX: usize = 20_000_000;

/// Shortest tick: timestamps are whole milliseconds and grow with each tick.
pub const DEMO_TICK_MIN: Duration = Duration::from_millis(1);

/// Longest tick: beyond it nothing looks alive.
pub const DEMO_TICK_MAX: Duration = Duration::from_secs(3_600);

/// Minutes of event time that `edits_per_minute` shows: one hour makes a line.
pub const DEMO_MINUTES_SHOWN: u64 = 60;

/// Event time within which two users must edit a page for `hot_pages`. The
/// recording is a sample: in ten minutes two users meet on no page or one, in
/// an hour on five to fifteen.
pub const DEMO_HOT_WINDOW: Duration = Duration::from_secs(3_600);

/// Users that `top10` shows.
pub const DEMO_TOP_USERS: usize = 10;

/// Connections that the stand-in serves at once; further ones wait in the
/// listener's queue.
pub const DEMO_CONNECTIONS_MAX: usize = 512;

/// Closed timestamps of a view that one connection takes from the history at
/// once: what a reader that stands still pins in memory.
pub const DEMO_COPY_TIMESTAMPS_MAX: usize = 64;

/// Bytes of one SQL text that the stand-in parses: its longest own statement is
/// a hundredth of that.
pub const DEMO_SQL_BYTES_MAX: usize = 64 * 1024;

/// First pause before `demo --upstream` connects again; doubles each time.
pub const DEMO_REPLAY_BACKOFF_MIN: Duration = Duration::from_millis(200);

/// Longest pause before `demo --upstream` connects again.
pub const DEMO_REPLAY_BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Rows of one INSERT of `demo --upstream`: far below any server's limit on the
/// length of a statement.
pub const DEMO_REPLAY_INSERT_ROWS_MAX: usize = 500;

/// Pause of the stand-in after it could not accept a connection, for lack of
/// file descriptors: long enough for some to be closed.
pub const DEMO_ACCEPT_PAUSE: Duration = Duration::from_millis(200);
