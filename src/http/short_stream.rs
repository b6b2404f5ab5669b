//! How a client is told to come back later (P12).
//!
//! `EventSource` gives up for good on any status but 200, so a stream that is
//! not served is a short one: when to come back, why, and the end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{Accept, CACHE_CONTROL, CONTENT_TYPE, Header};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use fastrand::Rng;

use crate::limits::HOLD_TIME;
use crate::relay::event::notices::full;

use super::error::HttpError;
use super::gateway::Gateway;
use super::headers::{EVENT_STREAM, NO_STORE, X_ACCEL_BUFFERING};
use super::places::Held;
use super::refusal::Refusal;

/// The answer to a request for a stream that is refused.
pub fn short_stream(refusal: Refusal, request: &HttpRequest, gateway: &Gateway) -> HttpResponse {
    if !accepts_events(request) {
        let error = match refusal {
            Refusal::Over(_) => HttpError::OverLimit,
            Refusal::Closing => HttpError::Closing,
        };
        return error.error_response();
    }
    let retry_ms = refusal.retry_ms(&mut Rng::new());
    let held = refusal.holds_the_hasty().then(|| {
        let address = gateway.client_address(request);
        let wait = Duration::from_millis(retry_ms);
        gateway.places.tell(address, wait, Instant::now())
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, EVENT_STREAM))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header(X_ACCEL_BUFFERING)
        // The connection is closed: its file descriptor is needed for others.
        .force_close()
        .body(Short {
            words: Some(full(retry_ms, refusal.reason())),
            held: held
                .flatten()
                .map(|held| (held, Box::pin(sleep(HOLD_TIME)))),
        })
}

/// Whether the client takes a stream. One that says nothing takes anything,
/// and so does one whose words make no sense.
fn accepts_events(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(Accept::name()) {
        return true;
    }
    let Ok(Accept(items)) = Accept::parse(request) else {
        return true;
    };
    // The more exact range counts: "text/html, */*;q=0" refuses streams.
    let exactness = |range: &mime::Mime| match (range.type_(), range.subtype()) {
        (mime::TEXT, mime::EVENT_STREAM) => Some(2),
        (mime::TEXT, mime::STAR) => Some(1),
        (mime::STAR, mime::STAR) => Some(0),
        _ => None,
    };
    let fitting = items
        .iter()
        .filter_map(|item| Some((exactness(&item.item)?, item.quality)));
    fitting
        .max_by_key(|(exactness, _)| *exactness)
        .is_some_and(|(_, quality)| quality > actix_web::http::header::Quality::ZERO)
}

/// One piece, then the end, perhaps after a while; of unknown length, as every
/// stream is.
struct Short {
    words: Option<Bytes>,
    held: Option<(Held, Pin<Box<Sleep>>)>,
}

impl MessageBody for Short {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if let Some(words) = self.words.take() {
            return Poll::Ready(Some(Ok(words)));
        }
        if let Some((_, timer)) = &mut self.held {
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn refusal_goes_to_who_accepts_events_as_a_stream() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("*/*", true),
            ("text/*", true),
            ("application/json, text/event-stream;q=0.1", true),
            ("application/json", false),
            ("text/html,application/xhtml+xml,image/webp", false),
            ("text/event-stream;q=0, */*", false),
            ("*/*;q=0", false),
        ] {
            let request = TestRequest::default().insert_header((Accept::name(), accept));
            assert_eq!(
                accepts_events(&request.to_http_request()),
                expected,
                "{accept}"
            );
        }
        assert!(accepts_events(&TestRequest::default().to_http_request()));
    }
}
