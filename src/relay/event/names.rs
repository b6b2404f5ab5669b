//! What events are made of on the wire: their names, the keys of their data,
//! and the lines that end them.
//!
//! All names of events and keys stand here, and once more in web/viewcast.core.js; a
//! test compares the two.

use std::io::Write as _;

use crate::model::position::Position;

/// The whole view.
pub const EVENT_BASE: &str = "base";
/// Changes.
pub const EVENT_DELTA: &str = "delta";
/// Whether the upstream can be reached.
pub const EVENT_UPSTREAM: &str = "upstream";
/// The view is no more what it was.
pub const EVENT_GONE: &str = "gone";
/// Ends a long event that is given up in the middle: clients know no event of
/// this name, and ignore it.
pub const EVENT_ABANDONED: &str = "abandoned";
/// There is no place for one stream more.
pub const EVENT_FULL: &str = "full";
/// All views of the stream stand at one time.
pub const EVENT_CONSISTENT: &str = "consistent";
/// The key of an added row in a delta.
pub const KEY_INSERT: &str = "insert";
/// The key of a removed row in a delta.
pub const KEY_DELETE: &str = "delete";
/// The key of the time in what is said of all views.
pub const KEY_POSITION: &str = "position";

/// A comment: keeps a stream open that has nothing to say yet.
pub const COMMENT: &[u8] = b":\n\n";

/// The end of an event that moves the position: the id is its last line.
///
/// A client is to take an id when the event is whole, at the blank line. Many
/// take it as soon as its line is read. Before the data, such a client would
/// have the id of an event that the end of the connection cut, come back with
/// it, and never see what it missed.
pub fn push_tail(position: Position, out: &mut Vec<u8>) {
    // Writing to memory never fails.
    let _ = write!(out, "\nid: {position}\n\n");
}
