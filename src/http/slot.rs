//! How a stream gets from the application to the connection that serves it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::relay::subscribe::source::Source;

/// The response's head. The stream itself is put into the `Slot` that the
/// connection has added to the request, and the connection serves it.
pub fn respond(
    stream: Source,
    request: &HttpRequest,
    mut response: HttpResponseBuilder,
) -> HttpResponse {
    if let Some(slot) = request.extensions().get::<Slot>() {
        *slot.0.borrow_mut() = Some(stream);
    }
    response.finish()
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
