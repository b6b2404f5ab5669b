//! `/healthz` and `/readyz`: for who watches the process.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::snapshot::is_served;
use super::views::Gateway;

/// The process answers; nothing else is meant.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": "ok" }))
}

/// Every view has a base, and streams are welcome; else which view is not
/// ready and why.
pub async fn readyz(gateway: Data<Gateway>) -> HttpResponse {
    let mut waiting: Vec<Value> = Vec::new();
    let mut closing = false;
    for (shared, _) in gateway.sources.iter() {
        let status = shared.status();
        closing |= shared.is_closing();
        if !is_served(&status) {
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
    let (mut response, word) = match (closing, waiting.is_empty()) {
        (true, _) => (HttpResponse::ServiceUnavailable(), "closing"),
        (_, false) => (HttpResponse::ServiceUnavailable(), "loading"),
        (_, true) => (HttpResponse::Ok(), "ready"),
    };
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": word, "waiting": waiting }))
}
