//! A client's socket: what the gateway has written and the client not taken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use viewcast::relay::deliver::socket::{Broken, Socket, Tried};

use crate::gateway::{Bell, Woken};

/// Both ends of a connection.
#[derive(Debug)]
pub struct Pipe {
    buffer: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// Reset by the client or by what is between.
    is_broken: Cell<bool>,
    /// The client has closed its side.
    is_half_closed: Cell<bool>,
    /// The gateway has closed its side.
    is_ended: Cell<bool>,
    writer: RefCell<Option<Waker>>,
    reader: RefCell<Option<Waker>>,
    bell: Bell,
    news: Woken,
}

/// Bytes that a session of TLS takes at once, though the socket has no room.
const SESSION_BYTES: usize = 2_000;

/// The gateway's end.
#[derive(Debug)]
pub struct End {
    pipe: Rc<Pipe>,
    /// What a session of TLS has taken, and there was no room for.
    held: Option<RefCell<VecDeque<u8>>>,
}

impl End {
    /// Of a connection without TLS, or with.
    pub fn new(pipe: Rc<Pipe>, is_secure: bool) -> Self {
        let held = is_secure.then(RefCell::default);
        End { pipe, held }
    }
}

impl Pipe {
    pub fn new(capacity: usize, bell: Bell, news: Woken) -> Rc<Self> {
        Rc::new(Pipe {
            buffer: RefCell::default(),
            capacity,
            is_broken: Cell::new(false),
            is_half_closed: Cell::new(false),
            is_ended: Cell::new(false),
            writer: RefCell::default(),
            reader: RefCell::default(),
            bell,
            news,
        })
    }

    /// Bytes for which there is room.
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.buffer.borrow().len())
    }

    /// Bytes that it holds at the most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that wait for the client.
    pub fn len(&self) -> usize {
        self.buffer.borrow().len()
    }

    /// Writes all, over the capacity if need be.
    pub fn push(&self, bytes: &[u8]) {
        self.buffer.borrow_mut().extend(bytes);
        self.bell.ring(self.news);
    }

    /// The task is woken once there is room.
    pub fn when_room(&self, waker: &Waker) {
        *self.writer.borrow_mut() = Some(waker.clone());
    }

    /// The client takes some.
    pub fn take(&self, at_most: usize) -> Vec<u8> {
        let mut buffer = self.buffer.borrow_mut();
        let length = buffer.len().min(at_most);
        let bytes = buffer.drain(..length).collect();
        drop(buffer);
        wake(&self.writer);
        bytes
    }

    /// The connection is reset.
    pub fn reset(&self) {
        self.is_broken.set(true);
        wake(&self.writer);
        wake(&self.reader);
    }

    /// The client closes its side, and reads on.
    pub fn half_close(&self) {
        self.is_half_closed.set(true);
        wake(&self.reader);
    }

    /// The gateway closes.
    pub fn end(&self) {
        self.is_ended.set(true);
        self.bell.ring(self.news);
    }

    pub fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    pub fn is_half_closed(&self) -> bool {
        self.is_half_closed.get()
    }

    /// Whether nothing will come any more.
    pub fn is_at_end(&self) -> bool {
        self.is_broken.get() || self.is_ended.get() && self.len() == 0
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = waker.borrow_mut().take() {
        waker.wake();
    }
}

impl Socket for End {
    fn try_write_all(&self, first: &[u8], others: &[Bytes]) -> Tried {
        self.try_write(&[first, &others.concat()].concat())
    }

    fn holds_back(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !held.borrow().is_empty())
    }

    fn try_flush(&self) -> Tried {
        if self.pipe.is_broken.get() {
            return Tried::Broken;
        }
        let Some(held) = &self.held else {
            return Tried::Done(0);
        };
        let mut held = held.borrow_mut();
        let length = held.len().min(self.pipe.room());
        let bytes: Vec<u8> = held.drain(..length).collect();
        if !bytes.is_empty() {
            self.pipe.push(&bytes);
        }
        match held.is_empty() {
            true => Tried::Done(0),
            false => Tried::Later,
        }
    }

    fn try_write(&self, bytes: &[u8]) -> Tried {
        if let Some(held) = &self.held {
            assert!(!self.holds_back(), "what is held back goes out first");
            if self.pipe.is_broken.get() {
                return Tried::Broken;
            }
            let taken = bytes.len().min(SESSION_BYTES);
            held.borrow_mut().extend(&bytes[..taken]);
            self.try_flush();
            return Tried::Done(taken);
        }
        let room = self.pipe.room();
        match (self.pipe.is_broken.get(), room.min(bytes.len())) {
            (true, _) => Tried::Broken,
            (false, 0) if !bytes.is_empty() => Tried::Later,
            (false, length) => {
                self.pipe.push(&bytes[..length]);
                Tried::Done(length)
            }
        }
    }

    fn try_read(&self, _: &mut [u8]) -> Tried {
        match (self.pipe.is_broken.get(), self.pipe.is_half_closed.get()) {
            (true, _) => Tried::Broken,
            (false, true) => Tried::Done(0),
            (false, false) => Tried::Later,
        }
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.pipe.is_broken.get() {
            return Poll::Ready(Err(Broken));
        }
        if self.pipe.room() > 0 {
            return Poll::Ready(Ok(()));
        }
        *self.pipe.writer.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.pipe.is_broken.get() {
            return Poll::Ready(Err(Broken));
        }
        if self.pipe.is_half_closed.get() {
            return Poll::Ready(Ok(()));
        }
        *self.pipe.reader.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}
