//! What an outlet needs of its socket, whatever that is.

use std::task::{Context, Poll};

use bytes::Bytes;

/// What became of an attempt to write or to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// So many bytes were taken, or came; none came where the client has closed
    /// its side.
    Done(usize),
    /// There is no room, or nothing there, for now.
    Later,
    /// The connection is of no use any more.
    Broken,
}

/// The connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// A connection's two directions, of which nothing waits.
pub trait Socket: 'static {
    /// Writes as much as there is room for.
    fn try_write(&self, bytes: &[u8]) -> Tried;

    /// Writes these, one behind the other, as far as there is room for; of all but
    /// the first it may as well write nothing.
    fn try_write_all(&self, first: &[u8], others: &[Bytes]) -> Tried {
        let _ = others;
        self.try_write(first)
    }

    /// Whether some of what was written waits for room in the socket: with TLS it is
    /// taken as a whole, and encrypted. Nothing more is written meanwhile.
    fn holds_back(&self) -> bool {
        false
    }

    /// Writes what is held back, as far as there is room: nothing is left, or it is
    /// too early.
    fn try_flush(&self) -> Tried {
        Tried::Done(0)
    }

    /// Nothing more will be written: says so where there is a word for it.
    fn say_end(&self) {}

    /// Reads what is there.
    fn try_read(&self, bytes: &mut [u8]) -> Tried;

    /// Whether there is room; else the task is woken when there is.
    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>>;

    /// Whether something is there; else the task is woken when it is.
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>>;
}
