//! `GET /views`: what is known of each view, for who looks for one.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::model::row::Column;
use crate::process::wall_ms;
use crate::relay::shared_view::SharedView;

use super::bearer::Access;
use super::gateway::Gateway;
use super::lag::lag_seconds;
use super::path::encode_segment;
use super::standing::standing;

/// Answers with what is known of each view that may be seen.
pub async fn views(gateway: Data<Gateway>, access: Access) -> HttpResponse {
    let now_ms = wall_ms();
    let views: Vec<Value> = gateway
        .sources
        .all()
        .iter()
        .filter(|(shared, _)| access.may_see(&shared.name))
        .map(|(shared, _)| describe(shared, now_ms))
        .collect();
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "views": views }))
}

fn describe(shared: &SharedView, now_ms: u64) -> Value {
    let status = shared.status();
    let column = |column: &Column| json!({ "name": column.name, "type": column.sql_type });
    let mut view = json!({
        "name": shared.name,
        "description": shared.description,
        "columns": status.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": status.rows,
        "position": status.position.map(|position| position.to_string()),
        "lag_seconds": lag_seconds(&status, now_ms),
        "subscribers": shared.subscriber_count(),
        "stream": format!("/{}/stream", encode_segment(&shared.name)),
    });
    standing(&mut view, &status.upstream);
    view
}
