//! A stream, of one view or of several.

use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

use crate::relay::event::long_event::Upcoming;
use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::subscriber::{News, Subscriber};
use crate::relay::thread::round::WriteNews;

/// A stream, as whoever serves it has it.
pub enum Source {
    /// Of one view.
    One(Box<Subscriber>),
    /// Of several.
    Several(Box<Joint>),
}

impl Source {
    /// Has the thread write to the outlet at news instead of waking a task, and frames
    /// the bytes in chunks. Returns the first bytes.
    pub fn serve(&mut self, outlet: Rc<dyn WriteNews>) -> Bytes {
        match self {
            Source::One(subscriber) => subscriber.serve(outlet),
            Source::Several(joint) => joint.serve(outlet),
        }
    }

    /// The thread writes to the outlet no more.
    pub fn leave(&self) {
        match self {
            Source::One(subscriber) => subscriber.leave(),
            Source::Several(joint) => joint.leave(),
        }
    }

    /// What the thread is to do when there is news.
    pub fn news(&mut self, now: Instant) -> News {
        match self {
            Source::One(subscriber) => subscriber.news(now),
            Source::Several(joint) => joint.news(now),
        }
    }

    /// Counts a write to the socket.
    pub fn count_write(&self) {
        match self {
            Source::One(subscriber) => subscriber.count_write(),
            Source::Several(joint) => joint.count_write(),
        }
    }

    /// What may be written along with the bytes that were handed out last, since
    /// it is in memory anyway. As long as it is held, `poll_next` hands it out
    /// next, piece by piece.
    pub fn upcoming(&self) -> Upcoming {
        match self {
            Source::One(subscriber) => subscriber.upcoming(),
            Source::Several(_) => Upcoming::default(),
        }
    }

    /// The next bytes, or the end.
    pub fn poll_next(&mut self, now: Instant, waker: &Waker) -> Poll<Option<Bytes>> {
        match self {
            Source::One(subscriber) => subscriber.poll_next(now, waker),
            Source::Several(joint) => joint.poll_next(now, waker),
        }
    }

    /// When it is to be polled next by the clock, though nothing wakes its task.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        match self {
            Source::One(subscriber) => subscriber.wake_at(now),
            Source::Several(joint) => joint.wake_at(now),
        }
    }

    /// Whether it would end if it were asked for more.
    pub fn is_due(&self, now: Instant) -> bool {
        match self {
            Source::One(subscriber) => subscriber.is_due(now),
            Source::Several(joint) => joint.is_due(now),
        }
    }

    /// Whether the piece handed out last is the beginning of an event.
    pub fn is_at_event(&self) -> bool {
        match self {
            Source::One(subscriber) => subscriber.is_at_event(),
            Source::Several(_) => false,
        }
    }

    /// Ends it between two events as soon as it has said what there is: its
    /// client has closed its side. It may still read, or have left.
    pub fn end_soon(&mut self) {
        match self {
            Source::One(subscriber) => subscriber.end_soon(),
            Source::Several(joint) => joint.end_soon(),
        }
    }
}
