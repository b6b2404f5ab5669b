//! `GET /{view}`: the rows of a view, or of a window, as they are now, without
//! a stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, ContentType, ETAG, EntityTag, Header, HeaderValue, IfNoneMatch,
};
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::{LocalData, Path};
use tokio::sync::OwnedSemaphorePermit;

use crate::limits::SNAPSHOT_WAIT;
use crate::model::position::Position;
use crate::relay::event::body::Extent;
use crate::relay::event::form::Form;
use crate::relay::event::long_event::{Reading, Slice};
use crate::relay::log::bases::{Base, array_bytes};
use crate::relay::log::shared_log::Log;
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::window_rows::{self, Found, WindowRows};
use crate::relay::thread::seat::Choose;
use crate::relay::thread::thread_view::ThreadView;
use crate::relay::thread::waiter::Waiter;

use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::refused::Refused;
use super::stream::open;
use super::worker::WorkerViews;

/// Answers with the view's rows as of now.
pub async fn snapshot(
    request: HttpRequest,
    Path(name): Path<String>,
    views: LocalData<WorkerViews>,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, Refused> {
    let opened = open(&request, views.find(&name, &access)?)?;
    let local = opened.local;
    let mut response = match opened.choose {
        None => whole(&request, &local, &gateway).await?,
        Some(choose) => window(&request, &local, choose, &gateway).await?,
    };
    let caching = HeaderValue::from_static(access.caching());
    response.headers_mut().insert(CACHE_CONTROL, caching);
    Ok(response)
}

/// All rows.
async fn whole(
    request: &HttpRequest,
    local: &Rc<RefCell<ThreadView>>,
    gateway: &Gateway,
) -> Result<HttpResponse, HttpError> {
    let status = local.borrow().shared.status();
    let (Some(changed), Some(current)) = (status.changed, status.position) else {
        return Err(HttpError::NotLoaded);
    };
    if let Some(known) = known_position(request, &local.borrow().shared, current) {
        return Ok(not_modified(known));
    }
    // The answer to HEAD has only the length, so no rows are read.
    if request.method() == Method::HEAD {
        let bytes = array_bytes(status.bytes, status.rows);
        return Ok(respond(current, Rows::none(Some(bytes))));
    }
    let place = Arc::clone(&gateway.snapshots).try_acquire_owned();
    let place = place.map_err(|_| HttpError::ManySnapshots)?;
    let found = timeout(SNAPSHOT_WAIT, latest(local, changed)).await;
    let found = found.map_err(|_| HttpError::NotLoaded)?;
    let rows = Rows {
        size: Some(found.bytes),
        reading: Some((found.reading, place)),
    };
    Ok(respond(found.position, rows))
}

/// The rows of a window. What became of its columns meanwhile is found out by
/// whoever asks again.
async fn window(
    request: &HttpRequest,
    local: &Rc<RefCell<ThreadView>>,
    choose: Choose,
    gateway: &Gateway,
) -> Result<HttpResponse, HttpError> {
    let place = Arc::clone(&gateway.snapshots).try_acquire_owned();
    let place = place.map_err(|_| HttpError::ManySnapshots)?;
    let (known, takes_any) = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(tags)) => (positions(&tags).collect(), false),
        Ok(IfNoneMatch::Any) => (Vec::new(), true),
        Err(_) => (Vec::new(), false),
    };
    let mut rows = WindowRows::new(local, choose, known);
    let found = poll_fn(|context| rows.poll(Instant::now(), context.waker()));
    let found = timeout(SNAPSHOT_WAIT, found).await;
    match found.map_err(|_| HttpError::NotLoaded)? {
        Found::NotLoaded | Found::Refused(_) => Err(HttpError::NotLoaded),
        Found::Unchanged(position) => Ok(not_modified(position)),
        Found::Rows { position, .. } if takes_any => Ok(not_modified(position)),
        Found::Rows { position, rows } => {
            let is_head = request.method() == Method::HEAD;
            let size = match &rows {
                window_rows::Rows::Whole(rows) => u64::try_from(rows.len()).ok(),
                window_rows::Rows::Read(_) => None,
            };
            Ok(match rows {
                _ if is_head => respond(position, Rows::none(size)),
                window_rows::Rows::Whole(rows) => respond(position, rows),
                window_rows::Rows::Read(reading) => {
                    let reading = Some((reading, place));
                    respond(position, Rows { size, reading })
                }
            })
        }
    }
}

fn not_modified(position: Position) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header((ETAG, entity_tag(position)))
        .finish()
}

fn respond(position: Position, rows: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::json())
        .insert_header((ETAG, entity_tag(position)))
        .body(rows)
}

/// The rows as a body: read slice by slice from memory that all share.
struct Rows {
    /// Their bytes; `None` where that turns out at the end.
    size: Option<u64>,
    /// What is being read, and the place that it takes among the answers of this
    /// kind.
    reading: Option<(Reading, OwnedSemaphorePermit)>,
}

impl Rows {
    /// A body of this length without rows, for HEAD.
    fn none(size: Option<u64>) -> Self {
        Rows {
            size,
            reading: None,
        }
    }
}

/// The rows were given up before all of them were sent: the client reads more
/// slowly than they change. The connection is closed before the length that
/// was told is reached, or without the last chunk, so the client knows.
#[derive(Debug, thiserror::Error)]
#[error("the rows are not kept any longer")]
struct GivenUp;

impl MessageBody for Rows {
    type Error = GivenUp;

    fn size(&self) -> BodySize {
        self.size.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, GivenUp>>> {
        let Some((reading, _)) = &mut self.reading else {
            return Poll::Ready(None);
        };
        Poll::Ready(match reading.next(&Form::EVENT) {
            Slice::Bytes(piece) => Some(Ok(piece.bytes)),
            Slice::Later => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Slice::End => None,
            Slice::GivenUp => Some(Err(GivenUp)),
        })
    }
}

fn entity_tag(position: Position) -> EntityTag {
    EntityTag::new_strong(position.to_string())
}

/// The position in `If-None-Match` that is as good as the current one.
fn known_position(
    request: &HttpRequest,
    shared: &SharedView,
    current: Position,
) -> Option<Position> {
    let IfNoneMatch::Items(tags) = IfNoneMatch::parse(request).ok()? else {
        return Some(current);
    };
    let log = shared.log()?;
    let good = |position: &Position| log.lock().is_unchanged_since(*position);
    positions(&tags).find(good)
}

/// The positions among tags of entities.
fn positions(tags: &[EntityTag]) -> impl Iterator<Item = Position> {
    tags.iter().filter_map(|tag| tag.tag().parse().ok())
}

/// The rows of a view as they are now.
pub struct Latest {
    /// The log that they are of.
    pub log: Arc<Log>,
    /// Where they stand.
    pub position: Position,
    /// Bytes of the array of them.
    bytes: u64,
    /// Reads the array.
    pub reading: Reading,
}

/// The rows at `changed` or later. If there is no base yet that is as late, the publisher
/// is asked to take one, once for all who ask before the next change.
pub(super) async fn latest(local: &Rc<RefCell<ThreadView>>, changed: Position) -> Latest {
    let waiter = Waiter::new(local);
    poll_fn(|context| {
        let log = local.borrow().shared.log();
        let found = log.and_then(|log| {
            let state = log.lock();
            // What is not a position of this log is one of the log before it.
            let is_its = state.terms.hold(changed, |it| it);
            let reaches = |base: &&Arc<Base>| base.position.timestamp >= changed.timestamp;
            let base = state
                .bases
                .latest()
                .filter(|base| !is_its || reaches(base))?;
            let reading = base.read(Extent::Array);
            Some(Latest {
                log: Arc::clone(&log),
                position: base.position,
                bytes: base.bytes,
                reading,
            })
        });
        match found {
            Some(found) => Poll::Ready(found),
            None => {
                waiter.want_latest();
                waiter.wait(context.waker());
                Poll::Pending
            }
        }
    })
    .await
}
