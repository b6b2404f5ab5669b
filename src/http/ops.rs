//! `/healthz` and `/readyz`, for monitoring.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::json;

use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::readiness::{Known, Readiness, Report};
use super::sources::Source;

/// Says that the process answers, and nothing else.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": "ok" }))
}

/// Says whether every view has a base and streams are welcome; if not, which
/// views are waited for and why. Views that are served but not live are listed
/// as impaired. Only views that the client may see are named.
pub async fn readyz(gateway: Data<Gateway>, access: Result<Access, HttpError>) -> HttpResponse {
    tell(&gateway, |source| {
        let sees = |access: &Access| access.sees(&source.shared.name, &source.rules.rows);
        access.as_ref().is_ok_and(|access| sees(access).is_ok())
    })
}

/// The same on a port of its own: every view is named.
pub async fn readyz_of_all(gateway: Data<Gateway>) -> HttpResponse {
    tell(&gateway, |_| true)
}

fn tell(gateway: &Gateway, may_see: impl Fn(&Source) -> bool) -> HttpResponse {
    let mut report = Report::new(gateway.policy.get().can_verify());
    for source in gateway.sources.all().iter() {
        let shared = &source.shared;
        let view = Known {
            name: &shared.name,
            upstream: shared.upstream(),
            is_closing: shared.is_closing(),
        };
        report.add(&view, may_see(source));
    }
    if let Some(catalog) = gateway.sources.awaited() {
        report.await_catalog(&catalog);
    }
    let mut response = match report.readiness {
        Readiness::Ready => HttpResponse::Ok(),
        Readiness::Loading | Readiness::Closing => HttpResponse::ServiceUnavailable(),
    };
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(report.into_json())
}
