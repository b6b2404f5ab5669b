//! The ids that a client brings back.

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::limits::LAST_EVENT_IDS_MAX;
use crate::model::position::Position;

use super::query::LAST_EVENT_ID_PARAMETERS;

/// What a client may send the last id in, beside the parameters for those who
/// cannot set headers: `EventSource` sets it.
const LAST_EVENT_ID_HEADER: &str = "Last-Event-ID";

/// All ids that the client brings back, from the header and the query. There
/// may be several: a page may have put one into the address long ago, and its
/// client sends a later one in the header. Which one counts is decided later.
pub fn last_event_ids(request: &HttpRequest) -> Vec<String> {
    let headers = request.headers().get_all(LAST_EVENT_ID_HEADER);
    let lines = headers.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string());
    let query = query.map_or_else(|_| Vec::new(), Query::into_inner);
    let named = |name: &str| LAST_EVENT_ID_PARAMETERS.contains(&name);
    let parameters = query.into_iter().filter(|(name, _)| named(name));
    let all = lines.chain(parameters.map(|(_, value)| value));
    // A proxy may have joined two header lines with a comma; no id has one.
    let ids = all.flat_map(|text| {
        let parts = text.split(',').map(|part| part.trim().to_owned());
        parts.collect::<Vec<String>>()
    });
    // The id of a stream of several views has a position of each, with dots
    // between.
    let makes_sense = |id: &String| id.split('.').any(|part| part.parse::<Position>().is_ok());
    ids.filter(makes_sense).take(LAST_EVENT_IDS_MAX).collect()
}
