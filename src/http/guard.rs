//! What holds for every request and response, whatever the path: which host it
//! may name, what pages of other origins may read, and one line of the log.

use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderValue,
    ORIGIN, VARY,
};
use actix_web::http::{Method, Version};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpResponse};

use log::warn;

use crate::access::cors::{self, Origins, Sharing};
use crate::access::host::{is_address, is_well_formed};
use crate::limits::PREFLIGHT_AGE_SECONDS;

use super::access_log;
use super::error::HttpError;
use super::gateway::Gateway;
use super::policy::{Policy, TARGET};
use super::request_head::Verdict;

/// The response headers that a page of another origin may read, beside those
/// that browsers always let it read.
const EXPOSED_HEADERS: &str = "ETag, Retry-After, Viewcast-Stream";

/// The paths of monitoring. It may ask under any name or address that it knows
/// the process by, so the host is not checked there.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Marks a request that names a host which is not ours: the name may have been
/// made to point here by somebody else (DNS rebinding). It is told how the
/// process is, and no view by its name.
#[derive(Clone, Copy, Debug)]
pub struct Stranger;

/// Checks the host, answers preflights, and says who may read the answer.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let Some(gateway) = request.app_data::<Data<Gateway>>().cloned() else {
        return Err(HttpError::NoKeys.into());
    };
    let (began, policy) = (Instant::now(), gateway.policy.get());
    let host = host(&request);
    let is_stranger = !host.is_ok_and(|host| policy.hosts.admit(host));
    let origins = request.headers().get_all(ORIGIN);
    let sharing = match is_stranger {
        // Pages of other origins may not read an answer that was asked for under
        // a name that is not ours.
        true => Sharing::No,
        false => policy.origins.share(origins.map(HeaderValue::as_bytes)),
    };
    if is_stranger && !host.is_ok_and(|host| host.is_some_and(is_address)) {
        request.extensions_mut().insert(Stranger);
    }
    let verdict = request
        .extensions()
        .get::<Verdict>()
        .map(|verdict| verdict.0);
    let refused = match verdict.or(host.err()) {
        None if is_stranger && !is_probe(&request, &gateway.base_path) => Some(HttpError::Host),
        known => known,
    };
    let mut response = if let Some(error) = refused {
        request.error_response(error).map_into_right_body()
    } else if is_preflight(&request) && !policy.origins.is_empty() {
        let response = preflight(&policy, &sharing, request.headers());
        request.into_response(response).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    say(&policy.origins, &sharing, response.headers_mut());
    gateway.counts.count_answer(response.status().as_u16());
    let no_access = response.request().extensions().get().copied();
    if let Some(why) = no_access.filter(|_| response.response().error().is_some()) {
        let is_first = gateway.counts.count_no_access(why);
        if let (true, Some(denied)) = (is_first, why.mistaken()) {
            warn!(target: TARGET, "a token was refused: {denied}; \
                viewcast_tokens_refused_total counts the next ones");
        }
    }
    access_log::answered(&gateway, &response, began.elapsed());
    Ok(response)
}

/// Whether it is for monitoring, at the root or below the path of all others.
fn is_probe(request: &ServiceRequest, base_path: &str) -> bool {
    let path = request.path();
    let below = path.strip_prefix(base_path).unwrap_or(path);
    PROBES.contains(&path) || PROBES.contains(&below)
}

/// The host a request names (RFC 9112, 3.2; RFC 9113, 8.3.1): the authority of
/// its target, if it has one, else its header. HTTP/1.0 may name none.
fn host(request: &ServiceRequest) -> Result<Option<&[u8]>, HttpError> {
    let target = request.uri().authority();
    let target = target.map(|name| name.as_str().as_bytes());
    let mut headers = request.headers().get_all(HOST).map(HeaderValue::as_bytes);
    let (header, second) = (headers.next(), headers.next());
    let is_bad = second.is_some() || header.is_some_and(|name| !is_well_formed(name));
    let is_missing = match request.version() {
        Version::HTTP_09 | Version::HTTP_10 => false,
        // In HTTP/2 the target's authority takes the place of the header; a
        // request may have both, and they must be the same.
        Version::HTTP_2 => target.or(header).is_none(),
        _ => header.is_none(),
    };
    let differs = request.version() == Version::HTTP_2
        && target
            .zip(header)
            .is_some_and(|(one, other)| !one.eq_ignore_ascii_case(other));
    match is_bad || is_missing || differs {
        true => Err(HttpError::MalformedHost),
        false => Ok(target.or(header)),
    }
}

/// Whether a browser asks if it may ask.
fn is_preflight(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(policy: &Policy, sharing: &Sharing, asked: &HeaderMap) -> HttpResponse {
    if *sharing == Sharing::No {
        return HttpResponse::from_error(HttpError::Origin);
    }
    let asked = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
    let headers = cors::headers(&policy.headers, asked.filter_map(|line| line.to_str().ok()));
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, headers))
        .insert_header((ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_SECONDS))
        .finish()
}

/// Adds the headers that tell a browser which origin may read the answer.
fn say(origins: &Origins, sharing: &Sharing, headers: &mut HeaderMap) {
    let origin = match sharing {
        Sharing::No => None,
        Sharing::WithAll => Some(HeaderValue::from_static("*")),
        Sharing::With(origin) => HeaderValue::from_str(origin).ok(),
    };
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED_HEADERS),
        );
    }
    if matches!(sharing, Sharing::With(_)) {
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    if origins.varies() {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}
