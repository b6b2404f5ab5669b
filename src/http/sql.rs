//! `GET /{view}/sql`: the SQL that a view is computed by, where the operator
//! shows it.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::{LocalData, Path};

use super::bearer::Access;
use super::document;
use super::error::HttpError;
use super::worker::WorkerViews;

const KIND: &str = "text/plain; charset=utf-8";

/// Answers with the SQL of a view to who sees all of it.
///
/// To others it is as if nobody was shown any: what it compares rows with may
/// tell of rows that they do not see.
pub async fn sql(
    request: HttpRequest,
    Path(name): Path<String>,
    views: LocalData<WorkerViews>,
    access: Access,
) -> Result<HttpResponse, HttpError> {
    let sql = views.find(&name, &access)?.sql();
    let sql: Arc<str> = sql.ok_or(HttpError::NoSql)?;
    Ok(document::respond(
        &request,
        KIND,
        access.caching(),
        sql.to_string(),
    ))
}
