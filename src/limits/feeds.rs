//! Bounds of what feeds the demo: Wikipedia live, and the replay.

use std::time::Duration;

/// Edits of the live feed that wait for the next tick: some seconds of all
/// Wikipedias together. When it is full, the connection is read no further.
pub const DEMO_LIVE_EDITS_WAITING_MAX: usize = 4_096;

/// Live edits that come in at one tick: bounds what one step of the dataflow
/// takes, should the connection deliver what it has kept.
pub const DEMO_LIVE_EDITS_PER_TICK_MAX: usize = 4_096;

/// Bytes of one event of the live feed; those of real ones are below 4 KiB.
pub const DEMO_LIVE_EVENT_BYTES_MAX: usize = 1 << 20;

/// Time for a connection to the live feed, until the head of its answer.
pub const DEMO_LIVE_CONNECT_MAX: Duration = Duration::from_secs(10);

/// Silence after which the live feed's connection is taken for dead; there are
/// some thirty changes a second.
pub const DEMO_LIVE_SILENCE_MAX: Duration = Duration::from_secs(30);

/// First pause before the live feed is connected again; doubles each time.
pub const DEMO_LIVE_BACKOFF_MIN: Duration = Duration::from_secs(1);

/// Longest pause before the live feed is connected again, also where its server
/// wishes for a longer one.
pub const DEMO_LIVE_BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Where the live edits come from if nothing else is said.
pub const DEMO_LIVE_URL_DEFAULT: &str = "https://stream.wikimedia.org/v2/stream/recentchange";

/// First pause before `demo --upstream` connects again; doubles each time.
pub const DEMO_REPLAY_BACKOFF_MIN: Duration = Duration::from_millis(200);

/// Longest pause before `demo --upstream` connects again.
pub const DEMO_REPLAY_BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Rows of one INSERT of `demo --upstream`: far below any server's limit on the
/// length of a statement.
pub const DEMO_REPLAY_INSERT_ROWS_MAX: usize = 500;
