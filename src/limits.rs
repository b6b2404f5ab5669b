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

/// Views one gateway may tail: each costs a thread and an upstream connection.
pub const VIEWS_MAX: usize = 256;

/// Shortest heartbeat: below it, an idle view is nothing but heartbeats.
pub const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// Longest heartbeat: beyond it, a dead connection looks alive for too long.
pub const HEARTBEAT_MAX: Duration = Duration::from_secs(3600);

/// Fewest bytes of retention: less could not hold the delta being sent.
pub const RETENTION_BYTES_MIN: u64 = 1024;

/// Most bytes of retention: 64 GiB a view is more than a host has to spare.
pub const RETENTION_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Shortest age of retention: one timestamp of a usual server.
pub const RETENTION_AGE_MIN: Duration = Duration::from_secs(1);

/// Longest age of retention, a week: after it, a base is smaller than the
/// deltas since.
pub const RETENTION_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Bytes of a configuration file: a larger one is some other file.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Port of an upstream whose address names none: the one that every postgres
/// URL means, though a Materialize usually listens on 6875.
pub const UPSTREAM_PORT_DEFAULT: u16 = 5432;

/// User and database of a Materialize whose address names none.
pub const UPSTREAM_USER_DEFAULT: &str = "materialize";

/// Fewest edits a second of the demo: one in 1,000 s.
pub const DEMO_RATE_MIN: f64 = 0.001;

/// Most edits a second of the demo: what the benchmarks drive it with.
pub const DEMO_RATE_MAX: f64 = 1_000_000.0;

/// Most edits that may be in at the start of the demo: the recording some
/// twenty-five times over, still loaded within seconds.
pub const DEMO_SEED_EDITS_MAX: usize = 1_000_000;

/// Shortest tick of the demo: timestamps are whole milliseconds, and every
/// one costs a round of the dataflow.
pub const DEMO_TICK_MIN: Duration = Duration::from_millis(10);

/// Longest tick of the demo.
pub const DEMO_TICK_MAX: Duration = Duration::from_secs(3600);

/// The demo's views, the default view first.
pub const DEMO_VIEWS: &[&str] = &[
    "top10",
    "counter",
    "user_edits",
    "edits_by_language",
    "edits_per_minute",
    "hot_pages",
    "mz_views",
    "mz_frontiers",
];

/// Where `viewcast healthcheck` asks: the gateway's own default address.
pub const HEALTHCHECK_URL_DEFAULT: &str = "http://127.0.0.1:8080/healthz";

/// Time a health check may take in all: below the 10 s of common probes.
pub const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of the answer a health check reads: the status line is in the first.
pub const HEALTHCHECK_ANSWER_BYTES_MAX: usize = 1024;
