//! `/healthz` and `/readyz`: for who watches the process.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::json;

use super::bearer::Access;
use super::error::HttpError;
use super::standing::{is_waited_for, standing};
use super::views::Gateway;

/// The process answers; nothing else is meant.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": "ok" }))
}

/// Every view has a base, and streams are welcome; else which view is waited
/// for and why. What is served and not as it should be is told, too. All of it
/// as far as whoever asks may see it.
pub async fn readyz(gateway: Data<Gateway>, access: Result<Access, HttpError>) -> HttpResponse {
    let (mut waiting, mut impaired) = (Vec::new(), Vec::new());
    let (mut closing, mut ready) = (false, gateway.policy.can_verify());
    let may_see = |view: &str| access.as_ref().is_ok_and(|access| access.may_see(view));
    for (shared, _) in gateway.sources.all().iter() {
        let upstream = shared.upstream();
        closing |= shared.is_closing();
        let is_waited_for = is_waited_for(&upstream);
        ready &= !is_waited_for;
        if upstream.is_fresh() || !may_see(&shared.name) {
            continue;
        }
        let mut view = json!({ "view": shared.name });
        standing(&mut view, &upstream);
        match is_waited_for {
            true => waiting.push(view),
            false => impaired.push(view),
        }
    }
    if gateway.sources.is_awaited() {
        ready = false;
        waiting.push(json!({
            "view": "*",
            "upstream": "loading",
            "reason": "the catalog has not been read yet",
        }));
    }
    let (mut response, word) = match (closing, ready) {
        (true, _) => (HttpResponse::ServiceUnavailable(), "closing"),
        (_, false) => (HttpResponse::ServiceUnavailable(), "loading"),
        (_, true) => (HttpResponse::Ok(), "ready"),
    };
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": word, "waiting": waiting, "impaired": impaired }))
}
