//! The headers that every stream goes out with.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::leases::StreamId;

/// A stream's type. The format knows no charset but UTF-8, and browsers need
/// none; clients built on general HTTP libraries take ISO-8859-1 without one.
pub const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// `no-transform` asks proxies not to compress, and so not to hold back, a
/// stream. HAProxy, Envoy and newer Caddies obey; nginx, Apache, h2o and Caddy
/// 2.6 do not, and docs/OPERATIONS.md says what they need.
pub const NO_STORE: &str = "no-store, no-transform";

/// Asks nginx and its kin not to buffer.
pub const X_ACCEL_BUFFERING: (&str, &str) = ("X-Accel-Buffering", "no");

/// What a stream that ends with a token is known by, and in how many seconds it
/// ends: `POST` the id with a newer token, and it goes on.
pub const STREAM_ID: &str = "viewcast-stream";

/// Says what a stream is known by.
pub fn say_lease(response: &mut HttpResponseBuilder, id: StreamId, left: Duration) {
    let said = format!("{id}; expires_in={}", left.as_secs());
    response.insert_header((STREAM_ID, said));
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
