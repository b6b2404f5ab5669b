//! A stream with an HTTP/1.1 socket of its own, plain or with TLS.
//!
//! At news the thread writes to it directly, without waking a task. The task of
//! the stream does the rest: it joins, sends the base, waits for room in the
//! socket, notices at once that the client has left, and ends the stream.
//! Nothing is queued: what did not fit is a slice of shared memory, or a few
//! encrypted records.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};

use crate::limits::{OUTLET_WRITES_MAX, STREAM_INPUT_BYTES_MAX};
use crate::relay::deliver::socket::{Broken, Socket, Tried};
use crate::relay::event::form::LAST_CHUNK;
use crate::relay::subscribe::source::Source;
use crate::relay::subscribe::subscriber::News;
use crate::relay::thread::round::WriteNews;

/// The socket and where its stream stands.
struct Outlet<S> {
    socket: S,
    state: RefCell<State>,
}

struct State {
    source: Source,
    /// The rest of what the socket had no room for; the task waits for some.
    unsent: Bytes,
    /// The head of the response is in it.
    is_new: bool,
    /// The end is in `unsent`, or out.
    is_over: bool,
    /// The socket is of no use any more.
    is_broken: bool,
    /// What the client has said, in bytes.
    heard: usize,
    /// The client has closed its side.
    is_deaf: bool,
    task: Waker,
}

impl State {
    /// One write, and one packet, for the head and for what there is already.
    fn begin(&mut self, now: Instant, waker: &Waker) {
        if std::mem::take(&mut self.is_new)
            && let Poll::Ready(Some(first)) = self.source.poll_next(now, waker)
        {
            self.unsent = [&self.unsent[..], &first].concat().into();
        }
    }

    /// So many bytes are out, of what waited and of what was written along with
    /// it; false if the subscriber does not go on with the latter.
    fn pass(&mut self, mut length: usize, now: Instant, waker: &Waker) -> bool {
        while length >= self.unsent.len() {
            length -= self.unsent.len();
            // An empty rest would still hold the whole slice in memory.
            self.unsent = Bytes::new();
            if length == 0 {
                return true;
            }
            let Poll::Ready(Some(next)) = self.source.poll_next(now, waker) else {
                return false;
            };
            self.unsent = next;
        }
        self.unsent.advance(length);
        true
    }
}

impl<S: Socket> WriteNews for Outlet<S> {
    fn write_news(&self, now: Instant) {
        // Only ever borrowed for the time of a call, on this thread.
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return;
        };
        if !state.unsent.is_empty() || state.is_over || self.socket.holds_back() {
            return;
        }
        for _ in 0..OUTLET_WRITES_MAX {
            let bytes = match state.source.news(now) {
                News::None => return,
                News::Task => break,
                News::Bytes(bytes) => bytes,
            };
            state.source.count_write();
            match self.socket.try_write(&bytes) {
                Tried::Done(length) if length == bytes.len() && !self.socket.holds_back() => {
                    continue;
                }
                Tried::Done(length) => state.unsent = bytes.slice(length..),
                Tried::Later => state.unsent = bytes,
                Tried::Broken => state.is_broken = true,
            }
            break;
        }
        // It waits for room, ends the stream, or goes on with what is left.
        state.task.wake_by_ref();
    }
}

impl<S: Socket> Outlet<S> {
    fn poll(&self, now: Instant, context: &mut Context<'_>) -> Poll<()> {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return Poll::Pending;
        };
        let state = &mut *state;
        state.task.clone_from(context.waker());
        if state.is_broken || self.has_left(state, context) {
            return Poll::Ready(());
        }
        state.begin(now, context.waker());
        let mut pieces = 0;
        while pieces < OUTLET_WRITES_MAX {
            if ready!(self.poll_flush(context)).is_err() {
                return Poll::Ready(());
            }
            if state.unsent.is_empty() {
                if state.is_over {
                    // The rest is nothing, or the connection's own word for the end.
                    self.socket.say_end();
                    return self.poll_flush(context).map(drop);
                }
                state.unsent = match ready!(state.source.poll_next(now, context.waker())) {
                    Some(bytes) => bytes,
                    None => {
                        state.is_over = true;
                        Bytes::from_static(LAST_CHUNK)
                    }
                };
            }
            let upcoming = state.source.upcoming();
            pieces += 1 + upcoming.slices.len();
            state.source.count_write();
            let tried = self.socket.try_write_all(&state.unsent, &upcoming.slices);
            match tried {
                Tried::Done(length) => {
                    if !state.pass(length, now, context.waker()) {
                        return Poll::Ready(());
                    }
                }
                Tried::Later => {
                    if ready!(self.socket.poll_write_ready(context)).is_err() {
                        return Poll::Ready(());
                    }
                }
                Tried::Broken => return Poll::Ready(()),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what the socket holds back; ready when it is out.
    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while self.socket.holds_back() {
            match self.socket.try_flush() {
                Tried::Done(_) => {}
                Tried::Later => ready!(self.socket.poll_write_ready(context))?,
                Tried::Broken => return Poll::Ready(Err(Broken)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the connection is reset, or the client talks where it should
    /// listen. One that has closed its side may still read, and is told the
    /// end of its stream.
    fn has_left(&self, state: &mut State, context: &mut Context<'_>) -> bool {
        let mut scratch = [0; 512];
        while !state.is_deaf
            && let Poll::Ready(ready) = self.socket.poll_read_ready(context)
        {
            if ready.is_err() {
                return true;
            }
            match self.socket.try_read(&mut scratch) {
                Tried::Done(0) => {
                    state.is_deaf = true;
                    state.source.end_soon();
                }
                Tried::Done(length) => {
                    state.heard = state.heard.saturating_add(length);
                    if state.heard > STREAM_INPUT_BYTES_MAX {
                        return true;
                    }
                }
                Tried::Later => {}
                Tried::Broken => return true,
            }
        }
        false
    }
}

/// A stream that is served on a socket; dropping it ends the stream.
pub struct Served<S> {
    outlet: Rc<Outlet<S>>,
}

impl<S: Socket> Served<S> {
    /// Serves the stream on the socket, behind the head of the response.
    pub fn new(socket: S, mut head: Vec<u8>, source: Source) -> Self {
        let outlet = Rc::new(Outlet {
            socket,
            state: RefCell::new(State {
                source,
                unsent: Bytes::new(),
                is_new: true,
                is_over: false,
                is_broken: false,
                heard: 0,
                is_deaf: false,
                task: Waker::noop().clone(),
            }),
        });
        if let Ok(mut state) = outlet.state.try_borrow_mut() {
            // One write, and one packet, for both.
            let written_to = Rc::<Outlet<S>>::clone(&outlet);
            head.extend_from_slice(&state.source.serve(written_to));
            state.unsent = head.into();
        }
        Served { outlet }
    }

    /// Goes on with the stream; ready when it has ended.
    pub fn poll(&self, now: Instant, context: &mut Context<'_>) -> Poll<()> {
        self.outlet.poll(now, context)
    }

    /// When it is to be polled again after this moment, though its task is not
    /// woken.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let state = self.outlet.state.try_borrow().ok()?;
        state.source.wake_at(now)
    }
}

impl<S> Served<S> {
    /// The socket, which is closed when this is dropped.
    pub fn socket(&self) -> &S {
        &self.outlet.socket
    }
}

impl<S> Drop for Served<S> {
    fn drop(&mut self) {
        // The thread holds the outlet, which holds the stream, which holds
        // its place at the thread: nobody would ever let go first.
        if let Ok(state) = self.outlet.state.try_borrow() {
            state.source.leave();
        }
    }
}

#[cfg(test)]
mod tests;
