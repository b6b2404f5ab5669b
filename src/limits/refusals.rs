//! Bounds of what is remembered of clients that are told to come back later.

use std::time::Duration;

/// Clients, by their addresses, whose time to come back is remembered: some
/// hundred bytes each.
pub const HASTY_CLIENTS_MAX: usize = 4_096;

/// Times in a row that a client may come back too soon before it is held. Once
/// may be somebody else at the same address; and a page that is loaded again
/// does not wait.
pub const HASTY_TIMES: u32 = 3;

/// Time that its answer is kept open then: one that never waits comes five
/// hundred times less often.
pub const HOLD_TIME: Duration = Duration::from_secs(5);

/// Answers that are kept open at once, of all clients: each is a connection.
pub const HELD_MAX: usize = 256;
