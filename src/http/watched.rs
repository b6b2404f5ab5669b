//! The application behind `--metrics-listen`: what monitoring asks for, on a port
//! that no client reaches. So no token is asked for, any host may be named, and
//! every view is told of by its name.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::X_CONTENT_TYPE_OPTIONS;
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpMessage as _};
use actix_web_lab::middleware::CatchPanic;

use super::gateway::Gateway;
use super::request_head::Verdict;
use super::routes::{refusal, unknown_path};
use super::{metrics, ops};

/// The application of one worker.
pub fn watched(
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
    App::new()
        .app_data(Data::new(gateway))
        .wrap(from_fn(check_request))
        .wrap(DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff")))
        .wrap(CatchPanic::default())
        .route("/healthz", web::route().to(ops::healthz))
        .route("/readyz", web::route().to(ops::readyz_of_all))
        .route("/metrics", web::route().to(metrics::metrics_of_all))
        .default_service(web::route().to(unknown_path))
}

async fn check_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let verdict = request.extensions().get::<Verdict>().map(|it| it.0);
    match verdict.or_else(|| refusal(&request)) {
        Some(error) => Ok(request.error_response(error).map_into_right_body()),
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}
