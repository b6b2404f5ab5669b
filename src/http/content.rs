//! What an answer sends behind its head, whichever HTTP it goes over.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

use crate::relay::shell::alarm::Alarm;
use crate::relay::subscribe::source::Source;

/// The body of an answer.
pub enum Content {
    /// Events, and the timer of their stream.
    Stream(Source, Alarm),
    /// Anything else.
    Body(BoxBody),
}

impl Content {
    /// The stream, if there is one, else the body.
    pub fn new(source: Option<Source>, body: BoxBody) -> Self {
        match source {
            Some(source) => Content::Stream(source, Alarm::default()),
            None => Content::Body(body),
        }
    }

    /// Its length, if that is known before.
    pub fn size(&self) -> BodySize {
        match self {
            Content::Stream(..) => BodySize::Stream,
            Content::Body(body) => body.size(),
        }
    }

    /// The next bytes, the end, or `Err` where the rest is not to be had.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ()>>> {
        match self {
            Content::Stream(source, alarm) => {
                let now = Instant::now();
                let next = source.poll_next(now, context.waker());
                if next.is_pending() {
                    alarm.set(source.wake_at(now), context);
                }
                next.map(|next| next.map(Ok))
            }
            Content::Body(body) => {
                let next = ready!(Pin::new(body).poll_next(context));
                Poll::Ready(next.map(|next| next.map_err(|_| ())))
            }
        }
    }

    /// Its client has closed its side: what is known to end is sent to its end,
    /// and a stream ends as soon as it has said what there is.
    pub fn end_soon(&mut self) {
        if let Content::Stream(source, _) = self {
            source.end_soon();
        }
    }

    /// Whether this is the answer to a client over a limit, of which the end is
    /// held back for a while (`hasty`).
    pub fn is_held(&self) -> bool {
        matches!(self, Content::Body(body) if body.size() == BodySize::Stream)
    }

    /// Whether it would end if it were asked for more.
    pub fn is_due(&self) -> bool {
        matches!(self, Content::Stream(source, _) if source.is_due(Instant::now()))
    }

    /// Whether the piece handed out last is the beginning of an event.
    pub fn is_at_event(&self) -> bool {
        matches!(self, Content::Stream(source, _) if source.is_at_event())
    }
}
