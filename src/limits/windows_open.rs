//! Bounds of the windows that are open.

use std::time::Duration;

/// Sets of columns by which one delta is kept parted, at the most: as many as a
/// view has indexes. By more it is parted anew each time.
pub const PARTS_MAX: usize = 16;

/// Bytes of windows' frames that a thread holds of one view for those who have
/// not read them yet. What is older is made anew from the view's log.
pub const WINDOW_FRAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that such a frame counts for beside those of its event.
pub const WINDOW_FRAME_OVERHEAD: usize = 256;

/// Entries of a log that a thread looks through at once for what a window has
/// missed; more are left to the thread that merges backlogs.
pub const WINDOW_MISSED_ENTRIES_MAX: usize = 256;

/// Changes among them that nobody has looked for by these columns yet: some
/// hundred microseconds' work.
pub const WINDOW_MISSED_CHANGES_MAX: usize = 4096;

/// Entries that are copied from a log at a time by who merges them.
pub const WINDOW_ENTRIES_AT_ONCE: usize = 1024;

/// Streams of one window on a thread from which on its base is kept for the
/// next one who joins.
pub const WINDOW_BASE_READERS_MIN: usize = 8;

/// How long a large base is kept for those who waited for it and have not begun to
/// read it. Who takes longer, since its connection has no room, has another made.
pub const WINDOW_BASE_WAIT: Duration = Duration::from_secs(2);

/// Windows' bases that a publisher makes before it lets others in.
pub const WINDOW_BASES_AT_ONCE: usize = 64;

/// Bytes of such bases before it does: a millisecond's work.
pub const WINDOW_BASES_BYTES_AT_ONCE: usize = 1024 * 1024;

/// Step to which windows' heartbeats are rounded up, so that one timer serves
/// many, and that when they come says nothing of others' rows.
pub const WINDOW_BEAT_STEP_MAX: Duration = Duration::from_millis(250);

/// Shortest such step, for heartbeats that are short themselves.
pub const WINDOW_BEAT_STEP_MIN: Duration = Duration::from_millis(1);

/// Of so many parts of the heartbeat interval, the step is one.
pub const WINDOW_BEAT_PARTS: u32 = 16;
