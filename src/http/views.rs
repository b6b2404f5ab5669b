//! `GET /views`: what is known of each view, for who looks for one, and of the
//! gateway itself.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::model::row::Column;
use crate::model::window::Layout;
use crate::process::{PROTOCOL, VERSION, wall_ms};

use super::bearer::Access;
use super::gateway::Gateway;
use super::lag::lag_seconds;
use super::path::encode_segment;
use super::sources::Source;
use super::standing::standing;
use super::window::Sees;

/// Answers with what is known of each view that may be seen.
pub async fn views(gateway: Data<Gateway>, access: Access) -> HttpResponse {
    let now_ms = wall_ms();
    let views: Vec<Value> = visible(&gateway, &access)
        .iter()
        .map(|(source, sees)| describe(&gateway.base_path, source, sees, now_ms))
        .collect();
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "views": views, "gateway": about(&gateway) }))
}

/// The views that may be seen, in the order they were chosen, and how much of
/// each.
pub fn visible(gateway: &Gateway, access: &Access) -> Vec<(Source, Sees)> {
    let all = gateway.sources.all();
    let seen = all.iter().filter_map(|source| {
        let sees = access.sees(&source.shared.name, &source.rules.rows).ok()?;
        Some((source.clone(), sees))
    });
    seen.collect()
}

fn about(gateway: &Gateway) -> Value {
    json!({
        "version": VERSION,
        "protocol": PROTOCOL,
        "about": gateway.about.as_deref(),
        "base_path": &*gateway.base_path,
    })
}

fn describe(base_path: &str, source: &Source, sees: &Sees, now_ms: u64) -> Value {
    let shared = &source.shared;
    let status = shared.status();
    let filterable = match status.columns.as_slice() {
        [] => Vec::new(),
        columns => source.rules.filterable(&shared.name, &Layout::new(columns)),
    };
    let column = |column: &Column| json!({ "name": column.name, "type": column.sql_type });
    // What all rows come to is no business of who sees some of them.
    let of_all = |value: Value| match sees.is_whole() {
        true => value,
        false => Value::Null,
    };
    let path = format!("{base_path}/{}", encode_segment(&shared.name));
    let sql = sees.sql(&status).map(|_| format!("{path}/sql"));
    let position = status.position.map(|position| position.to_string());
    let mut view = json!({
        "name": shared.name,
        "description": source.description.as_deref(),
        "columns": status.columns.iter().map(column).collect::<Vec<_>>(),
        "filterable": filterable,
        "rows": of_all(status.rows.into()),
        "position": of_all(position.into()),
        "lag_seconds": of_all(lag_seconds(&status, now_ms).into()),
        "subscribers": of_all(shared.subscriber_count().into()),
        "stream": format!("{path}/stream"),
        "sql": sql,
    });
    standing(&mut view, &status.upstream);
    view
}
