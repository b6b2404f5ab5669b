//! `/healthz` and `/readyz`: for who watches the process.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::bearer::Access;
use super::error::HttpError;
use super::snapshot::is_served;
use super::views::Gateway;

/// The process answers; nothing else is meant.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": "ok" }))
}

/// Every view has a base, and streams are welcome; else which view is not
/// ready and why, as far as whoever asks may see it.
pub async fn readyz(gateway: Data<Gateway>, access: Result<Access, HttpError>) -> HttpResponse {
    let mut waiting: Vec<Value> = Vec::new();
    let (mut closing, mut ready) = (false, gateway.policy.can_verify());
    let may_see = |view: &str| access.as_ref().is_ok_and(|access| access.may_see(view));
    for (shared, _) in gateway.sources.all().iter() {
        let status = shared.status();
        closing |= shared.is_closing();
        if is_served(&status) {
            continue;
        }
        ready = false;
        if may_see(&shared.name) {
            waiting.push(json!({
                "view": shared.name,
                "upstream": status.upstream.word(),
                "reason": if shared.counters.is_connected() {
                    "its rows are being read from the upstream"
                } else {
                    "the upstream has not answered yet"
                },
            }));
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
        .json(json!({ "status": word, "waiting": waiting }))
}
