//! A socket without a network.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll};

use bytes::Bytes;
use fastrand::Rng;

use crate::relay::deliver::socket::{Broken, Socket, Tried};

/// A socket that takes a part, nothing, or is broken, as chance will have it.
pub(super) struct Scripted {
    rng: RefCell<Rng>,
    pub(super) taken: RefCell<Vec<u8>>,
    /// Bytes that were taken along with those whose turn it was.
    pub(super) along: Cell<usize>,
    pub(super) is_broken: Cell<bool>,
    /// What a session of TLS took, and was not taken from it.
    held: Option<RefCell<Vec<u8>>>,
    is_ended: Cell<bool>,
}

impl Scripted {
    /// With a session of TLS, or without.
    pub(super) fn with_session(rng: Rng, is_secure: bool) -> Self {
        let held = is_secure.then(RefCell::default);
        Scripted {
            held,
            ..Scripted::new(rng)
        }
    }

    pub(super) fn new(rng: Rng) -> Self {
        Scripted {
            rng: RefCell::new(rng),
            taken: RefCell::default(),
            along: Cell::new(0),
            is_broken: Cell::new(false),
            held: None,
            is_ended: Cell::new(false),
        }
    }

    fn write(&self, bytes: &[u8]) -> Tried {
        let mut rng = self.rng.borrow_mut();
        match rng.u32(..3) {
            _ if self.is_broken.get() => Tried::Broken,
            0 => Tried::Later,
            _ => {
                let length = rng.usize(1..=bytes.len());
                self.taken.borrow_mut().extend_from_slice(&bytes[..length]);
                Tried::Done(length)
            }
        }
    }
}

impl Socket for Scripted {
    fn try_write_all(&self, first: &[u8], others: &[Bytes]) -> Tried {
        let tried = self.try_write(&[first, &others.concat()].concat());
        let length = match tried {
            Tried::Done(length) => length,
            _ => 0,
        };
        self.along
            .set(self.along.get() + length.saturating_sub(first.len()));
        tried
    }

    fn holds_back(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !held.borrow().is_empty())
    }

    fn try_flush(&self) -> Tried {
        let held = self.held.as_ref().map(RefCell::take).unwrap_or_default();
        let length = match self.write(&held) {
            _ if held.is_empty() => return Tried::Done(0),
            Tried::Done(length) if length == held.len() => return Tried::Done(0),
            Tried::Done(length) => length,
            Tried::Later => 0,
            Tried::Broken => return Tried::Broken,
        };
        self.held
            .as_ref()
            .unwrap()
            .borrow_mut()
            .extend_from_slice(&held[length..]);
        Tried::Later
    }

    fn try_write(&self, bytes: &[u8]) -> Tried {
        let Some(held) = &self.held else {
            return self.write(bytes);
        };
        assert!(!self.holds_back(), "what is held back goes out first");
        let length = bytes.len().min(9_000);
        held.borrow_mut().extend_from_slice(&bytes[..length]);
        match self.try_flush() {
            Tried::Broken => Tried::Broken,
            _ => Tried::Done(length),
        }
    }

    fn say_end(&self) {
        if let (Some(held), false) = (&self.held, self.is_ended.replace(true)) {
            held.borrow_mut().extend_from_slice(b"bye");
        }
    }

    fn try_read(&self, _: &mut [u8]) -> Tried {
        Tried::Later
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self.rng.borrow_mut().bool() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Pending
    }
}
