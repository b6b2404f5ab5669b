//! The lines about who asked for what, and about how each stream ended. At the
//! level of debugging, and without the query, which may hold a token, and without
//! any header.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::CONTENT_TYPE;
use log::{Level, debug, log_enabled};

use crate::relay::counters::{End, Kept};

use super::gateway::Gateway;
use super::places::Permit;
use super::policy::TARGET;
use super::window::Opened;

/// A request was answered. The time is up to the answer's head.
pub fn answered(
    gateway: &Gateway,
    response: &ServiceResponse<impl MessageBody + 'static>,
    took: Duration,
) {
    if !log_enabled!(target: TARGET, Level::Debug) {
        return;
    }
    let request = response.request();
    let client = gateway.client_address(request).to_string();
    let (method, version) = (request.method(), format!("{:?}", request.version()));
    let path = request.path().escape_debug().to_string();
    let (status, ms) = (response.status().as_u16(), took.as_secs_f64() * 1e3);
    // How long an answer is that is made piece by piece shows at its end only. A
    // stream's body may be handed to its connection, and is then empty here.
    let kind = response.headers().get(CONTENT_TYPE);
    let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let bytes = match response.response().body().size() {
        BodySize::Stream => None,
        _ if is_stream => None,
        BodySize::None => Some(0),
        BodySize::Sized(bytes) => Some(bytes),
    };
    let Some(bytes) = bytes else {
        return debug!(target: TARGET, client, method:%, path, version, status, ms;
            "{client} {method} {path} {version} {status} begun in {ms:.1} ms");
    };
    debug!(target: TARGET, client, method:%, path, version, status, bytes, ms;
        "{client} {method} {path} {version} {status} {bytes} bytes in {ms:.1} ms");
}

/// What a stream keeps until its end: its place, and what its last line needs.
pub struct Stay {
    _permit: Permit,
    /// Only where such lines are wanted.
    line: Option<Box<Line>>,
}

struct Line {
    began: Instant,
    client: String,
    views: String,
}

impl Stay {
    /// A stream of these views begins.
    pub fn new(
        gateway: &Gateway,
        request: &HttpRequest,
        views: &[&Opened],
        permit: Permit,
    ) -> Self {
        let line = log_enabled!(target: TARGET, Level::Debug).then(|| {
            Box::new(Line {
                began: Instant::now(),
                client: gateway.client_address(request).to_string(),
                views: names(views),
            })
        });
        Stay {
            _permit: permit,
            line,
        }
    }
}

fn names(views: &[&Opened]) -> String {
    let names = views.iter().map(|opened| opened.shared().name.clone());
    names.collect::<Vec<_>>().join(",")
}

impl Kept for Stay {
    fn ended(&self, end: End, events: u64) {
        let Some(line) = &self.line else {
            return;
        };
        let (client, view, reason) = (&line.client, &line.views, end.word());
        let seconds = line.began.elapsed().as_secs_f64();
        debug!(target: TARGET, client, view, reason, events, seconds;
            "{client} stream of {} ended: {reason}, {events} events in {seconds:.1} s",
            view.escape_debug());
    }
}
