//! How a stream gets from the application to the connection that serves it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::subscriber::Subscriber;

/// A stream, as whoever serves it has it.
pub enum Source {
    /// Of one view.
    One(Box<Subscriber>),
    /// Of several.
    Several(Box<Joint>),
}

impl Source {
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

    /// The response's head. The stream itself is put into the `Slot` that the
    /// connection has added to the request, and the connection serves it.
    pub fn respond(self, request: &HttpRequest, mut response: HttpResponseBuilder) -> HttpResponse {
        if let Some(slot) = request.extensions().get::<Slot>() {
            *slot.0.borrow_mut() = Some(self);
        }
        response.finish()
    }
}

/// Travels with a request, so that the application can hand a stream to the
/// connection that serves it.
#[derive(Clone, Default)]
pub struct Slot(Rc<RefCell<Option<Source>>>);

impl Slot {
    /// The stream, if the request was for one and it is granted.
    pub fn take(&self) -> Option<Source> {
        self.0.borrow_mut().take()
    }
}

/// The body of an answer to `HEAD`: of unknown length, as the stream's is, and
/// never asked for.
pub struct Unsaid;

impl MessageBody for Unsaid {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
