//! `GET /stream?view=a&view=b`: several views as one response body.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::Method;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::extract::LocalData;
use fastrand::Rng;

use crate::limits::JOINT_VIEWS_MAX;
use crate::process;
use crate::relay::log::jobs::Jobs;
use crate::relay::shared_view::SharedView;
use crate::relay::subscribe::joint::Joint;
use crate::relay::subscribe::joint::chosen::Chosen;
use crate::relay::thread::thread_view::ThreadView;

use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::headers::response;
use super::last_event_ids::last_event_ids;
use super::path::encode_segment;
use super::short_stream::short_stream;
use super::source::{Source, Unsaid};
use super::worker::WorkerViews;

/// The query parameter that names a view.
const VIEW_PARAMETER: &str = "view";

/// Answers with one stream of the views that are named.
pub async fn joint(
    request: HttpRequest,
    views: LocalData<WorkerViews>,
    gateway: Data<Gateway>,
    access: Access,
) -> Result<HttpResponse, HttpError> {
    let names = names(request.query_string())?;
    let chosen = find(&names, &views, &access)?;
    let mut response = response();
    if request.method() == Method::HEAD {
        return Ok(response.body(Unsaid));
    }
    let shared = chosen.iter().map(|view| &view.local);
    let shared = shared.map(|it| Arc::clone(&it.borrow().shared));
    // A place is taken at those that are served.
    let shared: Vec<_> = shared.filter(|it| it.given_up().is_none()).collect();
    let permit = match gateway.admit(&request, &shared) {
        Ok(permit) => permit,
        Err(refusal) => return Ok(short_stream(refusal, &request, &gateway)),
    };
    let ids = last_event_ids(&request);
    let now = Instant::now();
    let mut joint = Joint::new(&chosen, &ids, gateway.heartbeat, now, Rng::new(), permit);
    let sources = views.sources().clone();
    joint.return_when(move |view| sources.serves(&view.name));
    if let Some(time) = access.lasts() {
        joint.end_after(time, now);
    }
    Ok(Source::Several(Box::new(joint)).respond(&request, response))
}

/// The views that are asked for, in that order.
fn names(query: &str) -> Result<Vec<String>, HttpError> {
    let query = Query::<Vec<(String, String)>>::from_query(query);
    let query = query.map_err(|_| HttpError::MalformedQuery)?.into_inner();
    let names = query.into_iter().filter(|(name, _)| name == VIEW_PARAMETER);
    let names: Vec<String> = names.map(|(_, value)| value).collect();
    match names.len() {
        0 => Err(HttpError::NoViews),
        count if count > JOINT_VIEWS_MAX => Err(HttpError::ManyViews),
        _ => Ok(names),
    }
}

/// The views of these names. What is not granted is refused first, so that the
/// answer says nothing of it.
///
/// A view of a pattern that is not there is shown as gone beside others that
/// are: who comes back after it was dropped must not be refused, since
/// `EventSource` would give up the others as well.
fn find(names: &[String], views: &WorkerViews, access: &Access) -> Result<Vec<Chosen>, HttpError> {
    let found: Vec<_> = names.iter().map(|name| views.find(name, access)).collect();
    let is_forbidden = |found: &Result<_, HttpError>| matches!(found, Err(HttpError::Forbidden));
    if found.iter().any(is_forbidden) {
        return Err(HttpError::Forbidden);
    }
    let first = found.iter().flatten().next();
    let jobs = first.map(|local| Arc::clone(&local.borrow().shared.jobs));
    let mut chosen: Vec<Chosen> = Vec::new();
    for (at, (name, found)) in names.iter().zip(found).enumerate() {
        let local = match (found, &jobs) {
            (Err(HttpError::UnknownView), Some(jobs)) if views.sources().may_serve(name) => {
                absent(name, jobs)
            }
            (Err(HttpError::UnknownView), _) => return Err(HttpError::UnknownViewAt(at + 1)),
            (found, _) => found?,
        };
        let is_same = |other: &Chosen| {
            let (one, other) = (local.borrow(), other.local.borrow());
            one.shared.name == other.shared.name
        };
        if chosen.iter().any(is_same) {
            return Err(HttpError::RepeatedView(at + 1));
        }
        // Encoded as in a path: a line break in a name would end the line that
        // the event's name stands in.
        let name = encode_segment(name);
        chosen.push(Chosen {
            local,
            name,
            window: None,
        });
    }
    Ok(chosen)
}

/// A view of a pattern that is not there.
fn absent(name: &str, jobs: &Arc<dyn Jobs>) -> Rc<RefCell<ThreadView>> {
    let now = process::now();
    let shared = SharedView::new(name.to_owned(), Arc::clone(jobs), now);
    shared.give_up(now);
    // Nobody publishes it.
    let local = ThreadView::new(Arc::new(shared), Box::new(|| {}));
    Rc::new(RefCell::new(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_query_in_their_order() {
        let found = names("view=b&x=1&view=a%20%22c%22&last-event-id=7").unwrap();
        assert_eq!(found, ["b", "a \"c\""]);
        for query in ["", "x=1", "views=a"] {
            assert_eq!(names(query), Err(HttpError::NoViews), "{query}");
        }
        let many = |count| vec!["view=a"; count].join("&");
        assert_eq!(
            names(&many(JOINT_VIEWS_MAX)).unwrap().len(),
            JOINT_VIEWS_MAX
        );
        assert_eq!(names(&many(JOINT_VIEWS_MAX + 1)), Err(HttpError::ManyViews));
    }
}
