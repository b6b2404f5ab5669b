//! `GET /stream?view=a&view=b`: several views as one response body.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::LocalData;
use fastrand::Rng;

use crate::model::reason::Why;
use crate::process;
use crate::relay::log::jobs::Jobs;
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::joint::chosen::Chosen;
use crate::relay::subscribe::source::Source;
use crate::relay::thread::thread_view::ThreadView;

use super::access_log::Stay;
use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::headers::{response, say_lease};
use super::last_event_ids::last_event_ids;
use super::path::encode_segment;
use super::query::{self, NoNames};
use super::refused::Refused;
use super::short_stream::short_stream;
use super::slot::{Unsaid, respond};
use super::window::{Opened, Seen, Shown};
use super::worker::WorkerViews;

/// Answers with one stream of the views that are named.
pub async fn joint(
    request: HttpRequest,
    views: LocalData<WorkerViews>,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, Refused> {
    let query = request.query_string();
    let names = names(query)?;
    let found = find(&names, &views, &access)?;
    let shown = found.iter().filter_map(Found::shown).collect();
    let opened = open(query, &names, found)?;
    let mut response = response();
    if request.method() == Method::HEAD {
        return Ok(response.body(Unsaid));
    }
    // A place is taken at those that are served.
    let is_served = |view: &&Opened| view.shared().given_up().is_none();
    let served: Vec<&Opened> = opened.iter().filter(is_served).collect();
    let permit = match gateway.admit(&request, &served) {
        Ok(permit) => permit,
        Err(refusal) => return Ok(short_stream(refusal, &request, &gateway)),
    };
    let stay = Stay::new(&gateway, &request, &served, permit);
    let ids = last_event_ids(&request);
    let now = Instant::now();
    let chosen: Vec<Chosen> = names.iter().zip(opened).map(chosen).collect();
    let mut joint = Joint::new(&chosen, &ids, gateway.heartbeat, now, Rng::new(), stay);
    let sources = views.sources().clone();
    joint.return_when(move |view| sources.serves(&view.name));
    if let Some(terms) = access.terms() {
        let (lease, id) = gateway.leases.begin(terms, shown, now);
        if let Some(id) = id {
            say_lease(&mut response, id, lease.left(now));
        }
        joint.end_with(lease);
    }
    Ok(respond(
        Source::Several(Box::new(joint)),
        &request,
        response,
    ))
}

/// The views that are asked for, in that order.
fn names(query: &str) -> Result<Vec<String>, HttpError> {
    query::names(query).map_err(|error| match error {
        NoNames::None => HttpError::NoViews,
        NoNames::Many => HttpError::ManyViews,
        NoNames::Encoding => HttpError::MalformedName,
    })
}

/// A view that was found.
enum Found {
    /// One that is served.
    Seen(Seen),
    /// One of a pattern that is not there.
    Absent(Rc<RefCell<ThreadView>>),
}

impl Found {
    /// What of it is shown, if it is there.
    fn shown(&self) -> Option<Shown> {
        match self {
            Found::Seen(seen) => Some(seen.shown()),
            Found::Absent(_) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Found::Seen(seen) => seen.shared().name.clone(),
            Found::Absent(local) => local.borrow().shared.name.clone(),
        }
    }
}

/// The views of these names. What is not granted is refused first, so that the
/// answer says nothing of it.
///
/// A view of a pattern that is not there is shown as gone beside others that
/// are: who comes back after it was dropped must not be refused, since
/// `EventSource` would give up the others as well.
fn find(names: &[String], views: &WorkerViews, access: &Access) -> Result<Vec<Found>, HttpError> {
    let found: Vec<_> = names.iter().map(|name| views.find(name, access)).collect();
    let is_forbidden = |found: &Result<_, HttpError>| matches!(found, Err(HttpError::Forbidden));
    if found.iter().any(is_forbidden) {
        return Err(HttpError::Forbidden);
    }
    let first = found.iter().flatten().next();
    let jobs = first.map(|seen| Arc::clone(&seen.shared().jobs));
    let mut all: Vec<Found> = Vec::new();
    for (at, (name, found)) in names.iter().zip(found).enumerate() {
        let found = match (found, &jobs) {
            (Err(HttpError::UnknownView), Some(jobs)) if views.sources().may_serve(name) => {
                Found::Absent(absent(name, jobs))
            }
            (Err(HttpError::UnknownView), _) => return Err(HttpError::UnknownViewAt(at + 1)),
            (found, _) => Found::Seen(found?),
        };
        if all.iter().any(|other| other.name() == found.name()) {
            return Err(HttpError::RepeatedView(at + 1));
        }
        all.push(found);
    }
    Ok(all)
}

/// Opens what the query asks for of each view.
fn open(query: &str, names: &[String], found: Vec<Found>) -> Result<Vec<Opened>, Refused> {
    let asked = query::of_several(query, names).map_err(|misread| {
        let filterable = found.iter().map(|found| match found {
            Found::Seen(seen) => seen.filterable(),
            Found::Absent(_) => None,
        });
        Refused::misread(misread, &filterable.collect::<Vec<_>>())
    })?;
    let opened = found.into_iter().zip(asked).zip(1..);
    let opened = opened.map(|((found, asked), number)| match found {
        Found::Seen(seen) => seen
            .open(asked)
            .map_err(|refused| refused.of_number(number)),
        // It has no rows to choose from.
        Found::Absent(local) => Ok(Opened::whole(local)),
    });
    opened.collect()
}

/// A view under the name that it was asked for by. Encoded as in a path: a
/// line break in a name would end the line that the event's name stands in.
fn chosen((name, opened): (&String, Opened)) -> Chosen {
    Chosen {
        local: opened.local,
        name: encode_segment(name),
        window: opened.choose,
    }
}

/// A view of a pattern that is not there.
fn absent(name: &str, jobs: &Arc<dyn Jobs>) -> Rc<RefCell<ThreadView>> {
    let now = process::now();
    let shared = SharedView::new(name.to_owned(), Arc::clone(jobs), now);
    shared.give_up(Why::GivenUp, now);
    // Nobody publishes it.
    let local = ThreadView::new(Arc::new(shared), Box::new(|| {}));
    Rc::new(RefCell::new(local))
}
