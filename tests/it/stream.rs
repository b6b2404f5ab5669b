//! What a stream says, in which order, and how it is gone on with.

use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::request;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;
use crate::support::table::{Table, position};

fn ids_grow(stream: &mut Stream, table: &mut Table, deltas: usize) {
    table.read_until(stream, |table| table.deltas >= deltas);
}

#[test]
fn stream_begins_with_retry_then_base_then_deltas() {
    let gateway = Gateway::demo(&[]);
    let mut stream = Stream::open(gateway.address, "/top10/stream");
    assert_eq!(
        stream.response.header("cache-control"),
        Some("no-store, no-transform")
    );
    assert_eq!(stream.response.header("x-accel-buffering"), Some("no"));
    assert_eq!(stream.response.header("content-length"), None);
    let mut table = Table::default();
    table.apply(&stream.expect("base"));
    let retry = stream.retry_ms.expect("retry: comes first [P10]");
    assert!((1_000..=5_000).contains(&retry), "{retry}");
    assert_eq!(table.rows.values().sum::<u64>(), 10);
    ids_grow(&mut stream, &mut table, 5);
    assert_eq!(table.bases, 1);
    assert_eq!(table.rows.values().sum::<u64>(), 10);
}

#[test]
fn stream_of_the_default_view_is_the_first_one() {
    let gateway = Gateway::demo(&["--view", "counter", "--view", "top10"]);
    let mut stream = Stream::open(gateway.address, "/view/stream");
    let base = stream.expect("base");
    assert!(base.data.contains("\"edits\":"), "{}", base.data);
}

#[test]
fn resume_within_retention_continues_without_a_base() {
    let gateway = Gateway::demo(&[]);
    // One client never leaves; the other comes and goes at every id [R1].
    let mut steady = Stream::open(gateway.address, "/user_edits/stream");
    let mut restless = Stream::open(gateway.address, "/user_edits/stream");
    let (mut whole, mut pieces) = (Table::default(), Table::default());
    whole.apply(&steady.expect("base"));
    pieces.apply(&restless.expect("base"));
    for round in 0..20 {
        let id = restless.last_id.clone().expect("an id");
        restless = match round % 4 {
            0 => Stream::open(
                gateway.address,
                &format!("/user_edits/stream?last-event-id={id}"),
            ),
            1 => Stream::open(
                gateway.address,
                &format!("/user_edits/stream?last_event_id={id}"),
            ),
            2 => Stream::open(
                gateway.address,
                &format!("/user_edits/stream?lastEventId={id}"),
            ),
            _ => Stream::resume(gateway.address, "/user_edits/stream", &id),
        };
        let next = restless.expect("delta");
        pieces.apply(&next);
    }
    assert_eq!(pieces.bases, 1, "no second base");
    // Both brought to one common position.
    while whole.timestamp != pieces.timestamp {
        let (table, stream) = if whole.timestamp < pieces.timestamp {
            (&mut whole, &mut steady)
        } else {
            (&mut pieces, &mut restless)
        };
        table.apply(&stream.next().expect("the stream goes on"));
    }
    assert_eq!(whole.rows, pieces.rows);
}

#[test]
fn resume_of_anything_else_sends_a_base() {
    let gateway = Gateway::demo(&[]);
    let mut stream = Stream::open(gateway.address, "/counter/stream");
    let id = stream.expect("base").id.expect("an id");
    let (timestamp, incarnation) = position(&id);
    let long = "9".repeat(4_000);
    for bad in [
        format!("{}-{incarnation}", timestamp - 3_600_000), // too old
        format!("{timestamp}-000000000000"),                // other incarnation
        format!("-{incarnation}"),
        format!("{timestamp}"),
        format!("+{timestamp}-{incarnation}"),
        format!("18446744073709551616-{incarnation}"),
        "null".to_owned(),
        "undefined".to_owned(),
        "<script>alert(1)</script>".to_owned(),
        long,
        String::new(),
    ] {
        let mut stream = Stream::resume(gateway.address, "/counter/stream", &bad);
        assert_eq!(
            stream.next().expect("a first event").name,
            "base",
            "{bad:?} [R2]"
        );
    }
}

/// A page puts an id into its address; its client's library puts what it has
/// seen since into the header, or into the query once more.
#[test]
fn resume_of_several_ids_goes_on_from_the_latest_that_is_good() {
    let gateway = Gateway::demo(&[]);
    let mut stream = Stream::open(gateway.address, "/counter/stream");
    let mut table = Table::default();
    let base = stream.expect("base");
    table.apply(&base);
    let old = base.id.expect("an id");
    table.read_until(&mut stream, |table| table.deltas > 3);
    let new = stream.last_id.expect("an id");
    let other = "99999999999999-000000000000";
    for (query, headers) in [
        (format!("last-event-id={old}"), vec![new.as_str()]),
        (format!("last-event-id={new}"), vec![old.as_str()]),
        (format!("last-event-id={new}"), vec!["nonsense"]),
        (format!("last-event-id={new}"), vec!["\u{ff}\u{1}"]),
        (format!("last-event-id={new}"), vec![""]),
        (format!("lastEventId={new}"), vec![other]),
        (
            format!("lastEventId={old}&lastEventId={new}&lastEventId=%ff"),
            vec![],
        ),
        (format!("last-event-id={new}&last_event_id={old}"), vec![]),
        (
            "access_token=%ff".to_owned(),
            vec![old.as_str(), new.as_str()],
        ),
        (String::new(), vec![&format!("{old}, {new}")]),
        // Those that make no sense are not counted.
        (
            format!("{}lastEventId={new}", "lastEventId=x&".repeat(200)),
            vec![],
        ),
    ] {
        let path = format!("/counter/stream?{query}");
        let headers: Vec<_> = headers.iter().map(|id| ("Last-Event-ID", *id)).collect();
        let mut stream = Stream::open_with(gateway.address, &path, &headers);
        let first = stream.expect("delta");
        let known = position(&new).0;
        assert!(
            position(first.id.as_ref().expect("an id")).0 > known,
            "{query} {headers:?}"
        );
        // What it begins with is behind the latest: the sum is right.
        let mut behind = table.clone();
        behind.apply(&first);
    }
}

/// A gateway on a view whose time goes on, but that never changes.
fn silent(heartbeat: &str) -> (Materialize, Gateway) {
    let upstream = Materialize::start(Generation::Modern);
    upstream.create_view("silent", &[("id", "integer")]);
    upstream.commit("silent", vec![(row(["1"]), 1)]);
    upstream.tick_every(Duration::from_millis(20));
    let url = upstream.url();
    let gateway = Gateway::start(&[
        "--upstream",
        &url,
        "--view",
        "silent",
        "--heartbeat",
        heartbeat,
    ]);
    (upstream, gateway)
}

#[test]
fn heartbeat_moves_the_position_of_a_silent_view() {
    let (_upstream, gateway) = silent("200ms");
    let mut stream = Stream::open(gateway.address, "/silent/stream");
    let mut table = Table::default();
    table.apply(&stream.expect("base"));
    let first = table.timestamp;
    for _ in 0..3 {
        let before = table.timestamp;
        let beat = stream.expect("delta");
        assert_eq!(beat.data, "[]", "[P7]");
        table.apply(&beat);
        assert!(table.timestamp > before);
    }
    assert!(table.timestamp > first);
    // And a resume from a heartbeat's position is as good as any.
    let id = stream.last_id.clone().unwrap();
    let mut stream = Stream::resume(gateway.address, "/silent/stream", &id);
    assert_eq!(stream.expect("delta").data, "[]");
}

#[test]
fn stream_client_that_leaves_is_noticed_without_a_write() {
    // Nothing will be written to this view before the test is over.
    let (_upstream, gateway) = silent("1h");
    let mut stream = Stream::open(gateway.address, "/silent/stream");
    stream.expect("base");
    let count =
        || request(gateway.address, "GET", "/views", &[]).json()["views"][0]["subscribers"].clone();
    assert_eq!(count(), 1);
    drop(stream);
    let deadline = Instant::now() + PATIENCE;
    while count() != 0 {
        assert!(Instant::now() < deadline, "still counted");
    }
}

#[test]
fn snapshot_has_the_rows_and_an_etag_that_saves_the_body() {
    let gateway = Gateway::demo(&["--view", "mz_catalog.mz_views", "--view", "counter"]);
    gateway.await_ready();
    let mut stream = Stream::open(gateway.address, "/mz_catalog.mz_views/stream");
    let base = stream.expect("base");
    let mut snapshot = request(gateway.address, "GET", "/mz_catalog.mz_views", &[]);
    assert_eq!(snapshot.status, 200);
    let tag = snapshot.header("etag").expect("an ETag").to_owned();
    assert_eq!(snapshot.header("content-type"), Some("application/json"));
    assert_eq!(
        crate::support::table::rows_of(&snapshot.text()),
        crate::support::table::rows_of(&base.data)
    );
    let again = request(
        gateway.address,
        "GET",
        "/mz_catalog.mz_views",
        &[("If-None-Match", &tag)],
    );
    assert_eq!(again.status, 304);
    // A view that changed since has a body, and another tag.
    let mut first = request(gateway.address, "GET", "/counter", &[]);
    let (tag, body) = (first.header("etag").unwrap().to_owned(), first.text());
    let mut stream = Stream::open(gateway.address, "/counter/stream");
    let mut table = Table::default();
    table.read_until(&mut stream, |table| table.deltas > 0);
    let mut second = request(
        gateway.address,
        "GET",
        "/counter",
        &[("If-None-Match", &tag)],
    );
    assert_eq!(second.status, 200);
    assert_ne!(second.header("etag"), Some(tag.as_str()));
    assert_ne!(second.text(), body);
}

#[test]
fn views_lists_names_columns_rows_and_positions() {
    let gateway = Gateway::demo(&[]);
    let mut stream = Stream::open(gateway.address, "/top10/stream");
    stream.expect("base");
    let list = request(gateway.address, "GET", "/views", &[]).json();
    let views = list["views"].as_array().expect("an array");
    let top10 = views
        .iter()
        .find(|view| view["name"] == "top10")
        .expect("top10");
    assert_eq!(top10["rows"], 10);
    assert_eq!(top10["subscribers"], 1);
    assert_eq!(top10["upstream"], "live");
    assert_eq!(top10["stream"], "/top10/stream");
    assert_eq!(top10["columns"][0]["name"], "user");
    assert_eq!(top10["columns"][0]["type"], "text");
    position(top10["position"].as_str().expect("a position"));
}
