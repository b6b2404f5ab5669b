//! `POST /{view}/stream/token` and `POST /stream/token`: a newer token for a
//! stream that is served.

use std::time::Instant;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::headers::{NO_STORE, STREAM_ID};
use super::leases::StreamId;
use super::window::Shown;

/// What the paths end in: the stream's own, and this behind it.
pub const ENDING: &str = "/stream/token";

/// Has a stream go on until the token of this request ends.
///
/// The id travels in a header of its own, which no form and no page of another
/// origin can send without leave.
pub async fn renew(
    request: HttpRequest,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, HttpError> {
    let mut ids = request.headers().get_all(STREAM_ID);
    let (Some(id), None) = (ids.next(), ids.next()) else {
        return Err(HttpError::NoStream);
    };
    let id = id.to_str().ok().and_then(StreamId::parse);
    let id = id.ok_or(HttpError::NoStream)?;
    let token = access.bearer().ok_or(HttpError::NoStream)?;
    let is_same = |view: &Shown| Ok(access.sees(&view.name, &view.rules.rows)? == view.sees);
    let left = gateway
        .leases
        .renew(id, (token, access.edition()), is_same, Instant::now())?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, NO_STORE))
        .json(json!({ "expires_in": left.as_secs() })))
}
