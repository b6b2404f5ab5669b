//! The paths, and what holds for all of them.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{COOKIE, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error};
use actix_web_lab::extract::LocalData;
use actix_web_lab::middleware::CatchPanic;

use crate::limits::{REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX};

use super::error::HttpError;
use super::gateway::Gateway;
use super::guard::guard;
use super::path::is_well_encoded;
use super::worker::WorkerViews;
use super::{
    dictionary, joint, metrics, openapi, ops, page, renew, snapshot, sql, stream, types, views,
};

/// The application of one worker; call it on the worker's thread.
///
/// A view's own paths come last, except its stream: so `/views` stays what it
/// is even where a view has that name, and its stream is reached all the same.
pub fn app(
    gateway: Gateway,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let (base_path, metrics_apart) = (Arc::clone(&gateway.base_path), gateway.metrics_apart);
    App::new()
        .app_data(LocalData::new(WorkerViews::attach(&gateway)))
        .app_data(Data::new(gateway))
        .wrap(from_fn(check_request))
        .wrap(from_fn(guard))
        .wrap(DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff")))
        .wrap(CatchPanic::default())
        .configure(|config| match &*base_path {
            "" => all(config, metrics_apart),
            base_path => {
                // Who watches the process need not know the path.
                probes(config, metrics_apart);
                let scope = web::scope(base_path).configure(|config| all(config, metrics_apart));
                config.service(scope.service(web::resource("").to(page::slash)));
            }
        })
        .default_service(web::route().to(unknown_path))
}

fn probes(config: &mut ServiceConfig, metrics_apart: bool) {
    let metrics = match metrics_apart {
        true => web::route().to(unknown_path),
        false => web::route().to(metrics::metrics),
    };
    config
        .route("/healthz", web::route().to(ops::healthz))
        .route("/readyz", web::route().to(ops::readyz))
        .route("/metrics", metrics);
}

fn all(config: &mut ServiceConfig, metrics_apart: bool) {
    config
        .route("/", web::route().to(page::index))
        .route("/stream", web::route().to(joint::joint))
        .route("/{view}/stream", web::route().to(stream::stream))
        .route("/{view}/sql", web::route().to(sql::sql))
        .route("/{view}/dictionary", web::route().to(dictionary::offer))
        .route("/stream/token", web::route().to(renew::renew))
        .route("/{view}/stream/token", web::route().to(renew::renew))
        .route("/assets/{file}", web::route().to(page::asset))
        .route("/favicon.ico", web::route().to(page::favicon))
        .route("/views", web::route().to(views::views))
        .route("/views.d.ts", web::route().to(types::types))
        .route("/openapi.json", web::route().to(openapi::openapi));
    probes(config, metrics_apart);
    config.route("/{view}", web::route().to(snapshot::snapshot));
}

/// What is at no path.
pub(super) async fn unknown_path() -> Result<String, HttpError> {
    Err(HttpError::UnknownPath)
}

/// Refuses what no path here takes, before any of them looks at it.
async fn check_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    match refusal(&request) {
        // A response and not an error, so that the other layers add their
        // headers to it.
        Some(error) => Ok(request.error_response(error).map_into_right_body()),
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}

/// What every request is refused for that has it, whatever its path.
pub(super) fn refusal(request: &ServiceRequest) -> Option<HttpError> {
    let is_renewal = request.path().ends_with(renew::ENDING);
    match *request.method() {
        Method::GET | Method::HEAD if !is_renewal => {}
        Method::POST if is_renewal => {}
        _ if is_renewal => return Some(HttpError::OnlyPost),
        _ => return Some(HttpError::Method),
    }
    if !is_well_encoded(request.uri().path()) {
        return Some(HttpError::MalformedPath);
    }
    if head_bytes(request) > REQUEST_HEAD_BYTES_MAX || headers(request) > REQUEST_HEADERS_MAX {
        return Some(HttpError::HeadTooLarge);
    }
    None
}

/// Bytes of a request's target and headers.
fn head_bytes(request: &ServiceRequest) -> usize {
    let target = request.uri().to_string().len();
    let headers = request.headers().iter();
    headers.fold(target, |bytes, (name, value)| {
        bytes + name.as_str().len() + value.len()
    })
}

/// Its headers. Cookies are not counted: HTTP/2 may send each in a header of
/// its own.
fn headers(request: &ServiceRequest) -> usize {
    let names = request.headers().iter().map(|(name, _)| name);
    names.filter(|name| **name != COOKIE).count()
}
