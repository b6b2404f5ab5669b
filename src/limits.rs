//! Every bound and default of the program: name, unit, reason.
//!
//! A number that limits or defaults anything stands here and nowhere else, so
//! that an operator's question "why did it stop at N?" has one place to look.

use std::time::Duration;

mod access;
mod choices;
mod feeds;
mod gathering;
mod healthcheck;
mod latency;
mod many_views;
mod outage;
mod refusals;

pub use access::*;
pub use choices::*;
pub use feeds::*;
pub use gathering::*;
pub use healthcheck::*;
pub use latency::*;
pub use many_views::*;
pub use outage::*;
pub use refusals::*;
pub use transport::*;
pub use windows_open::*;

mod transport;
mod windows_open;

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

/// How long a resumed subscriber is waited for that has seen more than this
/// gateway: two gateways on one Materialize are seconds apart at the most.
pub const AHEAD_WAIT: Duration = Duration::from_secs(5);

/// Bounds of the reconnection time drawn for each stream, in milliseconds:
/// spread out, so that a fleet does not come back all at once.
pub const RETRY_MS: std::ops::RangeInclusive<u64> = 1_000..=5_000;

/// Events between a tail and its publisher. Each holds whole timestamps; a
/// full channel stops the reading, and so Materialize.
pub const TAIL_CHANNEL_EVENTS: usize = 256;

/// Events a publisher handles before it lets other messages of its thread in.
pub const PUBLISH_RUN_EVENTS: usize = 64;

/// Bytes of deltas since the cached base below which it is not made anew, even
/// for a tiny view: encoding is cheap there, but doing it per join is not.
pub const BASE_SURPLUS_BYTES_MIN: u64 = 16 * 1024;

/// Bytes of JSON a view may have, copies counted: a base is one piece of
/// memory, and a multiplicity sent by mistake must not take the process down.
pub const VIEW_BYTES_MAX_DEFAULT: u64 = 4 * 1024 * 1024 * 1024;

/// How far behind what was already published a new snapshot may stand, in ms
/// of Materialize's time, and still be waited for. A server that restarts may
/// choose an earlier time to read at; one restored from a backup is far back.
pub const SNAPSHOT_BEHIND_MS_MAX: u64 = 60_000;

/// What `Retry-After` says beside a 503, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 2;

/// How long a request for a snapshot waits for the view to be encoded.
pub const SNAPSHOT_WAIT: Duration = Duration::from_secs(30);

/// Bounds of the reconnection time that a client over a limit is told, in
/// milliseconds: long enough for some to leave, spread out as ever.
pub const OVER_LIMIT_RETRY_MS: std::ops::RangeInclusive<u64> = 10_000..=30_000;

/// Streams served at once where the system does not say how many files the
/// process may open: what the least generous ones allow.
pub const CONNECTIONS_FALLBACK: usize = 900;

/// Streams that may be allowed at the most: ports of a million clients.
pub const CONNECTIONS_MAX: usize = 1_000_000;

/// Prefix of an IPv6 network that counts as one address: what a single host
/// gets, and can make new addresses in at will.
pub const IPV6_CLIENT_PREFIX: u8 = 64;

/// How long a client may take to send the head of its request.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request's target and headers: room for large cookies and tokens.
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Addresses and networks that may be trusted as proxies.
pub const TRUSTED_PROXIES_MAX: usize = 256;

/// Connections the kernel holds until they are accepted: a fleet that comes
/// back at once.
pub const LISTEN_BACKLOG: u32 = 1_024;

/// Time without progress after which a peer is dead: it acknowledges nothing,
/// or has room for nothing. Longer than a phone is in a tunnel.
pub const STALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Shortest stall timeout: TCP itself takes that long to be sure of anything.
pub const STALL_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Longest stall timeout.
pub const STALL_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// Shortest time between two questions whether an idle peer still is there;
/// the kernel counts in seconds.
pub const KEEPALIVE_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Questions that an idle peer may leave without an answer, a sixth of the
/// stall timeout apart: with the half that passes before, all of it.
pub const KEEPALIVE_PROBES: u32 = 3;

/// Bytes that the kernel takes for a peer before it has sent them: enough for
/// a fast one to go on while the process is busy elsewhere, and small enough
/// to be held for every stalled one.
pub const SOCKET_UNSENT_BYTES_MAX: u32 = 32 * 1024;

/// Time over which a shutdown spreads the ends of streams, so that a fleet
/// does not come to the other gateways all at once.
pub const DRAIN_DEFAULT: Duration = Duration::from_secs(5);

/// Longest drain; none at all is allowed, too.
pub const DRAIN_MAX: Duration = Duration::from_secs(3600);

/// Steps in which a drain ends streams: each wakes all that are left.
pub const DRAIN_STEPS: u16 = 25;

/// How often a shutdown looks whether streams are left.
pub const SHUTDOWN_LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a shutdown waits for streams to end between two events.
pub const SHUTDOWN_STREAMS_MAX: Duration = Duration::from_millis(1_200);

/// How long the last bytes of ended streams have to reach the kernel.
pub const SHUTDOWN_FLUSH: Duration = Duration::from_millis(30);

/// How long a shutdown waits for the HTTP workers.
pub const SHUTDOWN_WORKERS_MAX: Duration = Duration::from_millis(300);
/// History of each of the stand-in's views, in ticks: `SELECT ... AS OF` and a
/// slow reader's cursor reach back this far. Ten minutes at the default tick.
pub const DEMO_HISTORY_TICKS: u64 = 600;

/// Updates of one view that the stand-in's history holds at the most: about
/// 100 MB of rows, should someone ask for a million edits a second.
pub const DEMO_HISTORY_UPDATES_MAX: usize = 1_000_000;

/// Ticks that the stand-in works off at once after it was stopped for a while
/// (a laptop's lid): bounds what one step of the dataflow holds in memory.
pub const DEMO_CATCH_UP_TICKS_MAX: u64 = 600;

/// Minutes of event time that `edits_per_minute` shows: one hour makes a line.
pub const DEMO_MINUTES_SHOWN: u64 = 60;

/// Time of the demo's own clock within which several users must edit a page
/// for `hot_pages`. The recording is a sample: in ten minutes of its own time
/// two users hardly ever meet on a page.
pub const DEMO_HOT_WINDOW: Duration = Duration::from_secs(600);

/// Users that `top10` shows.
pub const DEMO_TOP_USERS: usize = 10;

/// Views that may be created in the stand-in, beside its own: each costs a look
/// at its source's changes every tick.
pub const DEMO_CREATED_VIEWS_MAX: usize = 1_024;

/// CREATE and DROP statements that wait for the stand-in's next tick; further
/// ones wait on their own connections.
pub const DEMO_DEFINITIONS_WAITING_MAX: usize = 16;

/// Views that the demo keeps of the busiest languages: enough for a list, and
/// each is replaced within a minute.
pub const DEMO_SPOTLIGHTS: usize = 3;

/// Ticks from one of these views to the next: `mz_views` changes every five
/// seconds at the default tick.
pub const DEMO_SPOTLIGHT_TICKS: u32 = 5;

/// Connections that the stand-in serves at once; further ones wait in the
/// listener's queue.
pub const DEMO_CONNECTIONS_MAX: usize = 2_048;

/// Closed timestamps of a view that one connection takes from the history at
/// once: what a reader that stands still pins in memory.
pub const DEMO_COPY_TIMESTAMPS_MAX: usize = 64;

/// Bytes of one SQL text that the stand-in parses: its longest own statement is
/// a hundredth of that.
pub const DEMO_SQL_BYTES_MAX: usize = 64 * 1024;

/// Pause of the stand-in after it could not accept a connection, for lack of
/// file descriptors: long enough for some to be closed.
pub const DEMO_ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// The largest diff of one update that is taken for real: more copies of a row
/// than that cannot even be written as an array for a browser.
pub const DIFF_MAX: i64 = 1 << 40;

/// Bytes of one line of COPY text. Materialize itself refuses rows beyond
/// some 100 MiB; a line without end must not take the process down.
pub const COPY_LINE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of rows collected before their timestamp is closed, unless set: the
/// snapshot of a view is held at least twice while it is made.
pub const UNCLOSED_BYTES_DEFAULT: u64 = 4 * 1024 * 1024 * 1024;

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
/// Ceiling of every later wait, reached by doubling, unless set: an upstream
/// that is back is found soon, and not trampled by its gateways.
pub const RECONNECT_MAX_DEFAULT: Duration = Duration::from_secs(10);
/// Shortest such ceiling: below it, a refused connection is a busy loop.
pub const RECONNECT_MAX_MIN: Duration = Duration::from_millis(10);
/// Longest such ceiling: after an hour nobody waits for the data any more.
pub const RECONNECT_MAX_MAX: Duration = Duration::from_secs(3600);
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
/// that works: each ends once its connection is hung up.
pub const TAIL_THREADS_MAX: usize = 8;

/// How long stopping a tail waits for its thread, which a silent upstream may
/// hold for ever.
pub const TAIL_STOP_WAIT: Duration = Duration::from_millis(500);

/// Bytes of SQL that are shown of a view. What people read is far shorter; more
/// would be kept for each view, and be nobody's idea of a page.
pub const VIEW_SQL_BYTES_MAX: usize = 64 * 1024;

/// Names offered when a view does not exist.
pub const NEAR_NAMES_MAX: usize = 5;

/// Milliseconds by which a server's time may be behind what it told before a
/// connection was lost; it is waited for. Further back, it is another time.
pub const TIME_BACK_MAX_MS: u64 = 10_000;
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

/// Port of an upstream whose address names none: the one that a Materialize
/// listens on, and not PostgreSQL's.
pub const UPSTREAM_PORT_DEFAULT: u16 = 6875;

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
    "page_edits",
    "edits_by_language",
    "edits_per_minute",
    "hot_pages",
    "mz_catalog.mz_views",
    "mz_internal.mz_frontiers",
];

/// The views of the demo over a Materialize of the user's: those it creates
/// there, but not the catalog, which takes privileges.
pub const DEMO_REPLAY_VIEWS: &[&str] = &[
    "top10",
    "counter",
    "user_edits",
    "page_edits",
    "edits_by_language",
    "edits_per_minute",
    "hot_pages",
];

/// Smallest bound for a view's bytes: less holds no row.
pub const VIEW_BYTES_MAX_MIN: u64 = 1024;

/// Largest bound for a view's bytes: more than any host has.
pub const VIEW_BYTES_MAX_MAX: u64 = 512 * 1024 * 1024 * 1024;

/// Shortest upstream timeout: a busy server may well pause for less.
pub const UPSTREAM_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Longest upstream timeout: after an hour nobody calls that looked after.
pub const UPSTREAM_TIMEOUT_MAX: Duration = Duration::from_secs(3600);
