//! `GET /{view}/dictionary`: what a browser that has it is sent the view's stream
//! compressed with (RFC 9842).

use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue, VARY};
use actix_web::rt::time::timeout;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::{LocalData, Path};

use crate::limits::SNAPSHOT_WAIT;
use crate::relay::event::form::Form;
use crate::relay::event::long_event::Slice;
use crate::relay::event::sample::sample;

use super::bearer::Access;
use super::document;
use super::error::HttpError;
use super::gateway::Gateway;
use super::path::encode_segment;
use super::snapshot::latest;
use super::worker::WorkerViews;

const KIND: &str = "text/plain; charset=utf-8";

const USE: HeaderName = HeaderName::from_static("use-as-dictionary");

/// Answers with the view's dictionary to who sees all of its rows: it is made of some.
pub async fn offer(
    request: HttpRequest,
    Path(name): Path<String>,
    views: LocalData<WorkerViews>,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, HttpError> {
    let seen = views.find(&name, &access)?;
    if !gateway.compress || !seen.is_whole() {
        return Err(HttpError::NoDictionary);
    }
    let changed = seen.shared().status().changed;
    let changed = changed.ok_or(HttpError::NotLoaded)?;
    let log = seen.shared().log().ok_or(HttpError::NotLoaded)?;
    let dictionary = match log.shelf.offered() {
        Some(dictionary) => Arc::clone(dictionary),
        None => {
            let found = timeout(SNAPSHOT_WAIT, latest(&seen.local(), changed)).await;
            let mut found = found.map_err(|_| HttpError::NotLoaded)?;
            let Slice::Bytes(rows) = found.reading.next(&Form::EVENT) else {
                return Err(HttpError::NotLoaded);
            };
            // It stays what it is: of no rows it would be of no use.
            if *rows.bytes == *b"[]" {
                return Err(HttpError::NoDictionary);
            }
            let text = || sample(&rows.bytes, found.position);
            let made = found.log.shelf.get_or_make(text).cloned();
            made.ok_or(HttpError::NoDictionary)?
        }
    };
    let text = dictionary.text().to_owned();
    let caching = match access.is_of_token() {
        true => "private, max-age=3600",
        false => "max-age=3600",
    };
    let mut response = document::respond(&request, KIND, caching, text);
    let headers = response.headers_mut();
    headers.insert(USE, of_streams(&name)?);
    if access.is_of_token() {
        // A browser keeps it for who has that token, and not for the next user.
        headers.append(VARY, HeaderValue::from_static("Authorization, Cookie"));
    }
    Ok(response)
}

/// What the dictionary is for: the streams of its view, by a path beside its own. The
/// view's name is in it for Chromium, which keeps one dictionary of a host for each text
/// that comes here, whatever path it is relative to.
fn of_streams(view: &str) -> Result<HeaderValue, HttpError> {
    let rule = format!("match=\"../{}/stream*\"", encode_segment(view));
    HeaderValue::try_from(rule).map_err(|_| HttpError::NoDictionary)
}
