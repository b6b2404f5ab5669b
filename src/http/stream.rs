//! `GET /{view}/stream`: a subscriber as a response body.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, Encoding,
    Header as _, VARY,
};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use actix_web_lab::extract::{LocalData, Path};

use crate::limits::BASE_SLICE_BYTES;
use crate::relay::subscriber::Subscriber;

use super::bearer::Access;
use super::error::HttpError;
use super::views::{Gateway, WorkerViews};

/// A stream's type. The format knows no charset but UTF-8, and browsers need
/// none; clients built on general HTTP libraries take ISO-8859-1 without one.
pub const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// `no-transform` forbids proxies to compress, and so to hold back, a stream.
pub const NO_STORE: &str = "no-store, no-transform";

/// Asks nginx and its kin not to buffer.
pub const X_ACCEL_BUFFERING: (&str, &str) = ("X-Accel-Buffering", "no");

/// What a client may send the last id in: `EventSource` sets the header, and
/// who cannot set headers uses one of the parameters.
const LAST_EVENT_ID_HEADER: &str = "Last-Event-ID";
const LAST_EVENT_ID_PARAMETERS: [&str; 3] = ["last-event-id", "last_event_id", "lastEventId"];

/// Answers with the view's stream.
pub async fn stream(
    request: HttpRequest,
    Path(name): Path<String>,
    views: LocalData<WorkerViews>,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, HttpError> {
    let local = views.find(&name, &access)?;
    let mut response = response();
    let is_packed = gateway.compress && accepts_gzip(&request);
    if gateway.compress {
        response.insert_header((VARY, "Accept-Encoding"));
    }
    if is_packed {
        response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip.as_str()));
    }
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let shared = Arc::clone(&local.borrow().shared);
    let permit = match gateway.admit(&request, std::slice::from_ref(&shared)) {
        Ok(permit) => permit,
        Err(refusal) => return Ok(refusal.respond(&request)),
    };
    let resume = last_event_id(&request).and_then(|id| id.parse().ok());
    let mut subscriber = Subscriber::new(&local, resume, permit);
    if let Some(time) = access.lasts() {
        subscriber.end_after(time);
    }
    if is_packed {
        subscriber.pack();
    }
    // Over plain HTTP/1.1 the connection takes the subscriber and serves it
    // without the HTTP stack between.
    if let Some(slot) = request.extensions().get::<Slot>() {
        *slot.0.borrow_mut() = Some(subscriber);
        return Ok(response.finish());
    }
    let next = move |context: &mut Context<'_>| subscriber.poll_next(context);
    Ok(response.body(Body::new(next)))
}

/// The head of every stream's response.
pub fn response() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, EVENT_STREAM))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header(X_ACCEL_BUFFERING);
    response
}

/// Whether the client would rather have gzip than nothing of the kind. Who says
/// nothing, or nothing that makes sense, would not.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let (gzip, identity) = (Encoding::gzip(), Encoding::identity());
    let supported = [&gzip, &identity].into_iter();
    AcceptEncoding::parse(request)
        .ok()
        .and_then(|accepted| accepted.negotiate(supported))
        .is_some_and(|encoding| encoding == gzip)
}

/// Where a connection that can serve a subscriber itself is given one.
#[derive(Clone, Default)]
pub struct Slot(Rc<RefCell<Option<Subscriber>>>);

impl Slot {
    /// The subscriber, if the request was for a stream and is granted.
    pub fn take(&self) -> Option<Subscriber> {
        self.0.borrow_mut().take()
    }
}

/// The last id that the client says it has, whatever it is worth.
pub fn last_event_id(request: &HttpRequest) -> Option<String> {
    if let Some(header) = request.headers().get(LAST_EVENT_ID_HEADER) {
        return Some(header.to_str().ok()?.trim().to_owned());
    }
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?;
    let named = |name: &str| LAST_EVENT_ID_PARAMETERS.contains(&name);
    let (_, value) = query.iter().find(|(name, _)| named(name))?;
    Some(value.trim().to_owned())
}

/// A stream as a body of unknown length.
///
/// The HTTP stack copies what it is given into a buffer of the connection, so a
/// large frame is given in slices: one stalled peer must not hold a copy of it.
pub struct Body<N> {
    /// The next bytes, or the end.
    next: N,
    /// What is left of a frame.
    rest: Bytes,
}

impl<N> Body<N> {
    /// A body of what this gives, piece by piece.
    pub fn new(next: N) -> Self {
        Body {
            next,
            rest: Bytes::new(),
        }
    }
}

impl<N> MessageBody for Body<N>
where
    N: FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Unpin,
{
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.rest.is_empty() {
            match ready!((self.next)(context)) {
                Some(bytes) => self.rest = bytes,
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(BASE_SLICE_BYTES);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}
