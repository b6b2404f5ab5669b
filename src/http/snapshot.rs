//! `GET /{view}` and `GET /views`: what is, without a stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use actix_web::http::header::{CACHE_CONTROL, ContentType, ETAG, EntityTag, Header, IfNoneMatch};
use actix_web::rt::time::timeout;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::{LocalData, Path};
use serde_json::{Value, json};

use crate::limits::SNAPSHOT_WAIT;
use crate::model::position::Position;
use crate::relay::frame::Base;
use crate::relay::relay::{Local, Waiter};
use crate::relay::shared::{SharedView, Status, wall_ms};

use super::bearer::Access;
use super::error::HttpError;
use super::lag::lag_seconds;
use super::standing::standing;
use super::views::{Gateway, WorkerViews};

/// Answers with the view's rows as of now.
pub async fn snapshot(
    request: HttpRequest,
    Path(name): Path<String>,
    views: LocalData<WorkerViews>,
    access: Access,
) -> Result<HttpResponse, HttpError> {
    let local = views.find(&name, &access)?;
    let status = local.borrow().shared.status();
    let changed = status.changed.ok_or(HttpError::NotLoaded)?;
    if let Some(known) = known_position(&request, changed, &status) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, entity_tag(known)))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .finish());
    }
    let base = timeout(SNAPSHOT_WAIT, current_base(&local, changed))
        .await
        .map_err(|_| HttpError::NotLoaded)?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::json())
        .insert_header((ETAG, entity_tag(base.position)))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(base.json.clone()))
}

fn entity_tag(position: Position) -> EntityTag {
    EntityTag::new_strong(position.to_string())
}

/// The position in `If-None-Match` that is as good as the current one: at or
/// after the last change, and one that this gateway has reached.
fn known_position(request: &HttpRequest, changed: Position, status: &Status) -> Option<Position> {
    let current = status.position?;
    let IfNoneMatch::Items(tags) = IfNoneMatch::parse(request).ok()? else {
        return Some(current);
    };
    let good = |position: &Position| {
        position.incarnation == current.incarnation
            && position.timestamp >= changed.timestamp
            && position.timestamp <= current.timestamp
    };
    tags.iter()
        .filter_map(|tag| tag.tag().parse().ok())
        .find(good)
}

/// The base at `changed` or later, made for us if need be.
async fn current_base(local: &Rc<RefCell<Local>>, changed: Position) -> Arc<Base> {
    let waiter = Waiter::new(local);
    poll_fn(|context| {
        let base = local.borrow().base();
        match base {
            Some(base) if reaches(&base, changed) => Poll::Ready(base),
            _ => {
                waiter.want_base();
                waiter.wait(context.waker());
                Poll::Pending
            }
        }
    })
    .await
}

fn reaches(base: &Base, changed: Position) -> bool {
    base.position.incarnation != changed.incarnation || base.position.timestamp >= changed.timestamp
}

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
    let column = |column: &crate::model::row::Column| json!({ "name": column.name, "type": column.sql_type });
    let mut view = json!({
        "name": shared.name,
        "description": shared.description,
        "columns": status.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": status.rows,
        "position": status.position.map(|position| position.to_string()),
        "lag_seconds": lag_seconds(&status, now_ms),
        "subscribers": shared.subscriber_count(),
        "stream": format!("/{}/stream", super::routes::encode_segment(&shared.name)),
    });
    standing(&mut view, &status.upstream);
    view
}
