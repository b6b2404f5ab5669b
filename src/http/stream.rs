//! `GET /{view}/stream`: a subscriber as a response body.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, Encoding,
    Header as _, VARY,
};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use actix_web_lab::extract::{LocalData, Path};

use crate::limits::LAST_EVENT_IDS_MAX;
use crate::model::position::Position;
use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::subscriber::Subscriber;

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
        return Ok(response.body(Unsaid));
    }
    let shared = Arc::clone(&local.borrow().shared);
    let permit = match gateway.admit(&request, std::slice::from_ref(&shared)) {
        Ok(permit) => permit,
        Err(refusal) => return Ok(refusal.respond(&request, &gateway)),
    };
    let ids = last_event_ids(&request);
    let resume = ids.iter().filter_map(|id| id.parse().ok()).collect();
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

    /// Ends it between two events as soon as it has said what there is: its
    /// client has closed its side. It may still read, or have left.
    pub fn end_soon(&mut self) {
        match self {
            Source::One(subscriber) => subscriber.end_soon(),
            Source::Several(joint) => joint.end_soon(),
        }
    }

    /// The response's head; every connection has a place for the stream, and
    /// serves it itself.
    pub fn respond(self, request: &HttpRequest, mut response: HttpResponseBuilder) -> HttpResponse {
        if let Some(slot) = request.extensions().get::<Slot>() {
            *slot.0.borrow_mut() = Some(self);
        }
        response.finish()
    }
}

/// Where a connection is given a stream to serve.
#[derive(Clone, Default)]
pub struct Slot(Rc<RefCell<Option<Source>>>);

impl Slot {
    /// The stream, if the request was for one and it is granted.
    pub fn take(&self) -> Option<Source> {
        self.0.borrow_mut().take()
    }
}

/// All ids that the client says it has, whatever they are worth: a page may
/// have put one into the address that is older than what its client has seen
/// since, and clients put theirs into the header, the query, or both.
pub fn last_event_ids(request: &HttpRequest) -> Vec<String> {
    let headers = request.headers().get_all(LAST_EVENT_ID_HEADER);
    let lines = headers.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string());
    let query = query.map_or_else(|_| Vec::new(), Query::into_inner);
    let named = |name: &str| LAST_EVENT_ID_PARAMETERS.contains(&name);
    let parameters = query.into_iter().filter(|(name, _)| named(name));
    let all = lines.chain(parameters.map(|(_, value)| value));
    // No id has a comma in it; a proxy may have made one line of two.
    let ids = all.flat_map(|text| {
        let parts = text.split(',').map(|part| part.trim().to_owned());
        parts.collect::<Vec<String>>()
    });
    // Of several views, an id has a position of each.
    let makes_sense = |id: &String| id.split('.').any(|part| part.parse::<Position>().is_ok());
    ids.filter(makes_sense).take(LAST_EVENT_IDS_MAX).collect()
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
