//! What holds for every request and response, whatever the path: which host it
//! may name, what pages of other origins may read, and one line of the log.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use log::debug;

use crate::access::cors::{Origins, Sharing};
use crate::access::host::is_address;
use crate::limits::PREFLIGHT_AGE_SECONDS;

use super::error::HttpError;
use super::views::Gateway;

/// What a page of another origin may send.
const REQUEST_HEADERS: &str = "Accept, Authorization, Cache-Control, If-None-Match, Last-Event-ID";

/// What it may read beside the usual.
const EXPOSED_HEADERS: &str = "ETag, Retry-After";

/// What who watches the process asks, by whatever name or address it knows it.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Goes with a request that names a host that may be of somebody else's making:
/// it is told how the process is, and no view by its name.
#[derive(Clone, Copy, Debug)]
pub struct Stranger;

/// Checks the host, answers preflights, and says who may read the answer.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let Some(gateway) = request.app_data::<Data<Gateway>>().cloned() else {
        return Err(HttpError::NoKeys.into());
    };
    let policy = &gateway.policy;
    let is_stranger = !policy.hosts.admit(hosts(&request));
    let origins = request.headers().get_all(ORIGIN);
    let sharing = match is_stranger {
        // Nobody reads from outside what was asked under a name that is not ours.
        true => Sharing::No,
        false => policy.origins.share(origins.map(HeaderValue::as_bytes)),
    };
    if is_stranger && !is_address(hosts(&request)) {
        request.extensions_mut().insert(Stranger);
    }
    let mut response = if is_stranger && !PROBES.contains(&request.path()) {
        request
            .error_response(HttpError::Host)
            .map_into_right_body()
    } else if is_preflight(&request) && !policy.origins.is_empty() {
        request
            .into_response(preflight(&sharing))
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    say(&policy.origins, &sharing, response.headers_mut());
    log(&gateway, &response);
    Ok(response)
}

/// The hosts a request names: in HTTP/2 in its target, else in its header.
fn hosts(request: &ServiceRequest) -> impl Iterator<Item = &[u8]> {
    let target = request
        .uri()
        .authority()
        .map(|name| name.as_str().as_bytes());
    let headers = request.headers().get_all(HOST).map(HeaderValue::as_bytes);
    // The same name twice is one name.
    let headers = headers.filter(move |name| target != Some(*name));
    target.into_iter().chain(headers)
}

/// Whether a browser asks if it may ask.
fn is_preflight(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(sharing: &Sharing) -> HttpResponse {
    if *sharing == Sharing::No {
        return HttpResponse::from_error(HttpError::Origin);
    }
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_SECONDS))
        .finish()
}

/// Says who may read the answer; to nobody in particular where nobody else may.
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

/// One line for who asked for what, at the level of debugging; without the
/// query, which may hold a token, and without any header.
fn log<B>(gateway: &Gateway, response: &ServiceResponse<B>) {
    let request = response.request();
    debug!(
        target: "viewcast::access",
        "{} {} {} {:?} {}",
        gateway.proxies.client_address(request),
        request.method(),
        request.path().escape_debug(),
        request.version(),
        response.status().as_u16(),
    );
}
