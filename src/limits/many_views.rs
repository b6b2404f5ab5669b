//! What many views take of the process: threads, files, connections at once.

use std::time::Duration;

/// Views one gateway may tail: each costs a thread and an upstream connection.
pub const VIEWS_MAX: usize = 1_024;

/// Threads that views are published on: so many views have one each, and more
/// share them. What a publisher does at a time is bounded, so that they take turns.
pub const PUBLISHER_THREADS_MAX: usize = 16;

/// Views of the process that are being connected at once: logged in and described.
/// More would not be served sooner, since a Materialize plans one query after the
/// other, and a thousand log-ins at once overflow what listens there.
pub const CONNECTING_MAX: usize = 32;

/// Connections of the process beside those of its views: each asks something
/// about a view that is silent, or has the server end a query.
pub const ASIDE_MAX: usize = 16;

/// How long somebody who connects is counted: who hangs longer keeps nobody
/// else from trying.
pub const TURN_LONGEST: Duration = Duration::from_secs(5);

/// How often a thread that waits for its turn looks whether it is still wanted.
pub const GATE_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Files of a view: its connection's socket, and the two of an event queue, the
/// one to wake it and the one for signals that the client library's runtime holds
/// for each connection.
pub const FILES_PER_VIEW: usize = 5;

/// Files that no view takes: whoever asks how the gateway stands has to be let in.
pub const FILES_KEPT: usize = 32;

/// Files beside those of views and streams: logs, listeners, event queues; and
/// connections that ask something or are being left, each with as many as a view.
pub const FILES_RESERVED: usize = 64 + (ASIDE_MAX + 2) * FILES_PER_VIEW;

/// Of a hundred files that are left beside those of views, the streams that are
/// served at the most; the rest is for pages, snapshots and who is refused.
pub const CONNECTIONS_PERCENT_OF_FILES: usize = 90;

/// Streams that there are files for, of so many that the process may open, beside
/// so many views: these were there first, and a view without a connection serves
/// nobody. At least one, so that its client is told how the view stands.
pub fn room(files: usize, views: usize) -> usize {
    let of_views = views.saturating_mul(FILES_PER_VIEW);
    let left = files
        .saturating_sub(FILES_RESERVED)
        .saturating_sub(of_views);
    (left.saturating_mul(CONNECTIONS_PERCENT_OF_FILES) / 100).max(1)
}
