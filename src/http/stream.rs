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
use crate::relay::joint::Joint;
use crate::relay::subscriber::Subscriber;

use super::bearer::Access;
use super::error::HttpError;
use super::views::{Gateway, WorkerViews};

/// A stream's type. The format knows no charset but UTF-8, and browsers need
/// none; clients built on general HTTP libraries take ISO-8859-1 without one.
pub const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// `no-transform` asks proxies not to compress, and so not to hold back, a
/// stream. HAProxy, Envoy and newer Caddies obey; nginx, Apache, h2o and Caddy
/// 2.6 do not, and docs/OPERATIONS.md says what they need.
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
    Ok(Source::One(Box::new(subscriber)).respond(&request, response))
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

/// A stream, as whoever serves it has it.
pub enum Source {
    /// Of one view.
    One(Box<Subscriber>),
    /// Of several.
    Several(Box<Joint>),
}

impl Source {
    /// The next bytes, or the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            Source::One(subscriber) => subscriber.poll_next(context),
            Source::Several(joint) => joint.poll_next(context),
        }
    }

    /// Whether it would end if it were asked for more.
    pub fn is_due(&self) -> bool {
        match self {
            Source::One(subscriber) => subscriber.is_due(),
            Source::Several(joint) => joint.is_due(),
        }
    }

    /// Whether the piece handed out last is the beginning of an event.
    pub fn is_at_event(&self) -> bool {
        match self {
            Source::One(subscriber) => subscriber.is_at_event(),
            Source::Several(_) => false,
        }
    }

    /// The response: the head alone where the connection serves the stream
    /// itself, else with the stream as its body.
    pub fn respond(
        mut self,
        request: &HttpRequest,
        mut response: HttpResponseBuilder,
    ) -> HttpResponse {
        if let Some(slot) = request.extensions().get::<Slot>() {
            *slot.0.borrow_mut() = Some(self);
            return response.finish();
        }
        let next = move |context: &mut Context<'_>| self.poll_next(context);
        response.body(Body::new(next))
    }
}

/// Where a connection that can serve a stream itself is given one.
#[derive(Clone, Default)]
pub struct Slot(Rc<RefCell<Option<Source>>>);

impl Slot {
    /// The stream, if the request was for one and it is granted.
    pub fn take(&self) -> Option<Source> {
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
