//! `GET /{view}/stream`: a subscriber as a response body.

use std::time::Instant;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_ENCODING, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::{LocalData, Path};
use fastrand::Rng;

use crate::relay::subscribe::source::Source;
use crate::relay::subscribe::subscriber::Subscriber;

use super::access_log::Stay;
use super::bearer::Access;
use super::coding;
use super::gateway::Gateway;
use super::headers::{response, say_lease};
use super::last_event_ids::last_event_ids;
use super::query;
use super::refused::Refused;
use super::short_stream::short_stream;
use super::slot::{Unsaid, respond};
use super::window::{Opened, Seen};
use super::worker::WorkerViews;

/// Answers with the view's stream.
pub async fn stream(
    request: HttpRequest,
    Path(name): Path<String>,
    views: LocalData<WorkerViews>,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, Refused> {
    let seen = views.find(&name, &access)?;
    let shown = seen.shown();
    let opened = open(&request, seen)?;
    let mut response = response();
    let mut packing = None;
    if gateway.compress {
        packing = coding::packing(&request, &opened);
        response.insert_header((VARY, coding::VARIES));
    }
    if let Some(packing) = &packing {
        response.insert_header((CONTENT_ENCODING, coding::word(packing)));
    }
    if request.method() == Method::HEAD {
        return Ok(response.body(Unsaid));
    }
    let permit = match gateway.admit(&request, &[&opened]) {
        Ok(permit) => permit,
        Err(refusal) => return Ok(short_stream(refusal, &request, &gateway)),
    };
    let stay = Stay::new(&gateway, &request, &[&opened], permit);
    let ids = last_event_ids(&request);
    let resume = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let Opened { local, choose, .. } = opened;
    let mut subscriber = match choose {
        None => Subscriber::new(&local, resume, Rng::new(), stay),
        Some(choose) => Subscriber::of_window(&local, choose, resume, Rng::new(), stay),
    };
    let now = Instant::now();
    if let Some(terms) = access.terms() {
        let (lease, id) = gateway.leases.begin(terms, vec![shown], now);
        if let Some(id) = id {
            say_lease(&mut response, id, lease.left(now));
        }
        subscriber.end_with(lease);
    }
    if let Some(packing) = packing {
        subscriber.pack(packing);
    }
    Ok(respond(
        Source::One(Box::new(subscriber)),
        &request,
        response,
    ))
}

/// What the query of a request asks for of the view that its path names.
pub fn open(request: &HttpRequest, seen: Seen) -> Result<Opened, Refused> {
    let asked = query::of_one(request.query_string());
    let asked = asked.map_err(|misread| Refused::misread(misread, &[seen.filterable()]))?;
    seen.open(asked)
}
