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
