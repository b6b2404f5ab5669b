//! Names that mean another object: between the questions and the stream, and
//! while it runs. Whose columns were read, of that the rows are; and what the
//! name means is served within seconds.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use viewcast::limits::FORGOTTEN_FOR;

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::joined::Joined;
use crate::support::materialize::{Failure, Generation, Materialize, row};
use crate::support::pgwire;
use crate::support::sse::{Event, Stream};

const OLD: [(&str, &str); 2] = [("name", "text"), ("salary", "text")];
const NEW: [(&str, &str); 2] = [("salary", "text"), ("name", "text")];
const N: [(&str, &str); 1] = [("n", "integer")];

/// Servers of each kind: 26, one that streams by name only, 0.26 and 0.7.
const KINDS: [(Generation, bool); 4] = [
    (Generation::Modern, true),
    (Generation::Modern, false),
    (Generation::Old, true),
    (Generation::Old, false),
];

fn server((generation, takes_ids): (Generation, bool)) -> Materialize {
    let server = Materialize::start(generation);
    server.take_ids(takes_ids);
    server
}

/// The last of the questions that come before a stream.
fn last_question(generation: Generation) -> &'static str {
    match generation {
        Generation::Modern => "SELECT mz_environment_id()",
        Generation::Old => "SELECT mz_cluster_id()",
    }
}

fn gateway(server: &Materialize, more: &[&str]) -> Gateway {
    gateway_asking(server, "100ms", more)
}

fn gateway_asking(server: &Materialize, interval: &str, more: &[&str]) -> Gateway {
    let url = server.url();
    let mut arguments = vec!["--upstream", &url, "--heartbeat", "200ms"];
    arguments.extend(["--catalog-interval", interval]);
    if !more.contains(&"--upstream-timeout") {
        // No probe of a silent stream is to notice first.
        arguments.extend(["--upstream-timeout", "1h"]);
    }
    arguments.extend(more);
    Gateway::start(&arguments)
}

/// The first event of this name, nothing but heartbeats and words on the
/// upstream before it.
fn expect(stream: &mut Stream, name: &str) -> Event {
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "never: {name}");
        let event = stream.next().expect("the stream goes on");
        if event.name == name {
            return event;
        }
        assert!(event.is_noise(), "{event:?} before {name}");
    }
}

/// The data of the base of a new stream.
fn base(gateway: &Gateway, path: &str) -> String {
    expect(&mut Stream::open(gateway.address, path), "base").data
}

/// The reason for which the stream ends.
fn gone(stream: &mut Stream) -> String {
    let reason = expect(stream, "gone").data;
    assert_eq!(stream.next(), None, "the end is behind it");
    reason
}

/// The stream goes on with another view: its one row takes the place of another.
fn goes_over(server: &Materialize, stream: &mut Stream, (from, to): (&str, &str)) {
    let difference = format!("[{{\"delete\":{{\"n\":{from}}}}},{{\"insert\":{{\"n\":{to}}}}}]");
    let end = Instant::now() + PATIENCE;
    while expect(stream, "delta").data != difference {
        assert!(Instant::now() < end, "never: {difference}");
        server.tick();
    }
}

fn hiding_salaries() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("viewcast.toml");
    std::fs::write(&path, "[view.staff]\ncolumns = [\"name\"]\n").expect("write");
    let path = path.display().to_string();
    (directory, path)
}

#[test]
fn replaced_behind_the_questions_a_view_is_read_as_itself() {
    let (_directory, config) = hiding_salaries();
    for kind in KINDS {
        let server = server(kind);
        server.create_view("staff", &OLD);
        server.commit("staff", vec![(row(["ann", "9000"]), 1)]);
        let question = last_question(kind.0);
        server.recreate_behind(question, "staff", &NEW, vec![(row(["9000", "ann"]), 1)]);
        let gateway = gateway(&server, &["--config", &config]);
        let mut stream = Stream::open(gateway.address, "/staff/stream");
        assert_eq!(
            expect(&mut stream, "base").data,
            "[{\"name\":\"ann\"}]",
            "{kind:?}"
        );
        // Again, when a connection was lost.
        server.recreate_behind(question, "staff", &OLD, vec![(row(["bob", "1"]), 1)]);
        server.cut_all();
        gone(&mut stream);
        let rows = base(&gateway, "/staff/stream");
        assert_eq!(rows, "[{\"name\":\"bob\"}]", "{kind:?}");
        let log = gateway.process.log().join("\n");
        assert!(!log.contains("malformed"), "{log}");
    }
}

#[test]
fn replaced_where_the_catalog_has_no_ids_the_columns_tell() {
    let (_directory, config) = hiding_salaries();
    let server = server((Generation::Modern, false));
    let refused = pgwire::error("42501", "permission denied for mz_objects");
    let ids = "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = 'staff'";
    server.answer(ids, refused, usize::MAX);
    server.create_view("staff", &OLD);
    server.commit("staff", vec![(row(["ann", "9000"]), 1)]);
    let rows = vec![(row(["9000", "ann"]), 1)];
    server.recreate_behind(last_question(Generation::Modern), "staff", &NEW, rows);
    let gateway = gateway(&server, &["--config", &config]);
    assert_eq!(base(&gateway, "/staff/stream"), "[{\"name\":\"ann\"}]");
}

#[test]
fn stream_by_id_goes_on_with_its_object_through_a_lost_connection() {
    let server = server((Generation::Modern, true));
    server.create_view("v", &N);
    server.commit("v", vec![(row(["1"]), 1)]);
    let gateway = gateway(&server, &["--view", "public.v"]);
    let mut stream = Stream::open(gateway.address, "/public.v/stream");
    expect(&mut stream, "base");
    server.cut_all();
    server.commit("v", vec![(row(["2"]), 1)]);
    while expect(&mut stream, "delta").data == "[]" {}
    for copy in server.copies() {
        let by_id = "SUBSCRIBE [u1 AS \"materialize\".\"public\".\"v\"] WITH";
        assert!(copy.contains(by_id), "{copy}");
    }
}

/// A server with two views of a row each, and a gateway that follows the first.
fn two(kind: (Generation, bool)) -> (Materialize, Gateway, Stream) {
    let server = server(kind);
    for (name, n) in [("v", "1"), ("w", "2")] {
        server.create_view(name, &N);
        server.commit(name, vec![(row([n]), 1)]);
    }
    let gateway = gateway(&server, &["--view", "v"]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    assert_eq!(expect(&mut stream, "base").data, "[{\"n\":1}]");
    (server, gateway, stream)
}

/// What newer servers do is in `swapped.rs`.
#[test]
fn name_that_is_swapped_and_swapped_back_is_followed_on_old_servers() {
    for kind in KINDS.into_iter().filter(|(it, _)| *it == Generation::Old) {
        let (server, gateway, mut stream) = two(kind);
        for expected in ["[{\"n\":2}]", "[{\"n\":1}]"] {
            server.swap("v", "w");
            let reason = gone(&mut stream);
            assert!(reason.contains("given to another"), "{kind:?}: {reason}");
            stream = Stream::open(gateway.address, "/v/stream");
            let base = expect(&mut stream, "base");
            assert_eq!(base.data, expected, "{kind:?}");
            // One that starts now finds the same.
            let other = self::gateway(&server, &["--view", "v"]);
            let mut second = Stream::open(other.address, "/v/stream");
            let same = expect(&mut second, "base");
            assert_eq!(incarnation(&same), incarnation(&base), "{kind:?}");
        }
    }
}

fn incarnation(event: &Event) -> String {
    let id = event.id.as_deref().expect("an id");
    id.rsplit_once('-').expect("its two parts").1.to_owned()
}

#[test]
fn name_that_is_taken_away_is_gone_until_it_means_something() {
    for kind in KINDS {
        let (server, gateway, mut stream) = two(kind);
        server.rename("v", "once_v");
        let reason = gone(&mut stream);
        assert!(reason.contains("was renamed"), "{kind:?}: {reason}");
        let mut waiting = Stream::open(gateway.address, "/v/stream");
        server.rename("w", "v");
        assert_eq!(expect(&mut waiting, "base").data, "[{\"n\":2}]", "{kind:?}");
        server.drop_view("w");
        let reason = gone(&mut waiting);
        assert!(reason.contains("was dropped"), "{kind:?}: {reason}");
    }
}

#[test]
fn name_in_an_earlier_schema_of_the_search_path_takes_over() {
    for kind in KINDS {
        let server = server(kind);
        server.set_path(&["blue", "public"]);
        server.create_view("v", &N);
        server.commit("v", vec![(row(["1"]), 1)]);
        let gateway = gateway(&server, &["--view", "v", "--view", "public.v"]);
        let mut bare = Stream::open(gateway.address, "/v/stream");
        let mut full = Stream::open(gateway.address, "/public.v/stream");
        assert_eq!(expect(&mut bare, "base").data, "[{\"n\":1}]");
        assert_eq!(expect(&mut full, "base").data, "[{\"n\":1}]");
        server.create_view("earlier", &N);
        server.commit("earlier", vec![(row(["2"]), 1)]);
        server.set_schema("earlier", "blue");
        server.rename("earlier", "v");
        let now = "[{\"n\":2}]";
        if kind.0 == Generation::Modern {
            goes_over(&server, &mut bare, ("1", "2"));
            assert_eq!(get(gateway.address, "/v").text(), now, "{kind:?}");
        } else {
            let reason = gone(&mut bare);
            assert!(reason.contains("given to another"), "{kind:?}: {reason}");
            assert_eq!(base(&gateway, "/v/stream"), now, "{kind:?}");
        }
        // The full name means what it has meant.
        server.commit("v", vec![(row(["3"]), 1)]);
        while expect(&mut full, "delta").data == "[]" {}
    }
}

#[test]
fn name_of_one_in_a_stream_of_several_moves_without_the_others() {
    let server = server((Generation::Modern, true));
    for (name, n) in [("v", "1"), ("w", "2"), ("other", "3")] {
        server.create_view(name, &N);
        server.commit(name, vec![(row([n]), 1)]);
    }
    let gateway = gateway(&server, &["--view", "v", "--view", "w"]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, "/stream?view=v&view=w");
    let mut read = |joined: &mut Joined, what: &str, is_there: &dyn Fn(&Joined) -> bool| {
        let end = Instant::now() + PATIENCE;
        while !(joined.apply(&stream.next().expect("the stream goes on")) && is_there(joined)) {
            assert!(Instant::now() < end, "never: {what}");
            server.tick();
        }
    };
    let shows = |joined: &Joined, view: &str, n: u64| {
        let rows = joined.shown.get(view);
        rows.is_some_and(|rows| rows.keys().any(|row| row.contains(&format!(":{n}}}"))))
    };
    read(&mut joined, "both", &|it| {
        shows(it, "v", 1) && shows(it, "w", 2)
    });
    server.swap("v", "other");
    read(&mut joined, "the other one", &|it| {
        shows(it, "v", 3) && shows(it, "w", 2)
    });
    assert_eq!(joined.bases.get("w"), Some(&1), "the other view's base");
}

#[test]
fn question_that_hangs_keeps_no_other_name_from_being_followed() {
    let server = server((Generation::Modern, true));
    for (name, n) in [("v", "1"), ("w", "2"), ("x", "3")] {
        server.create_view(name, &N);
        server.commit(name, vec![(row([n]), 1)]);
    }
    let gateway = gateway(&server, &["--view", "v", "--view", "w"]);
    let mut stream = Stream::open(gateway.address, "/w/stream");
    expect(&mut stream, "base");
    base(&gateway, "/v/stream");
    let all =
        "SELECT name, id, schema_id, type FROM mz_catalog.mz_objects WHERE name IN ('v', 'w')";
    let v = "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = 'v'";
    server.fail_next_query(all, Failure::Silence);
    server.fail_next_query(v, Failure::Silence);
    server.wait_until("the questions hang", |server| {
        let statements = server.statements();
        let after = statements.iter().rposition(|sql| sql == v);
        after.is_some_and(|at| statements.iter().take(at).any(|sql| sql == all))
    });
    server.swap("w", "x");
    goes_over(&server, &mut stream, ("2", "3"));
}

#[test]
fn catalog_that_refuses_lets_every_view_be_served_and_replaced() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server((generation, false));
        let refused = || pgwire::error("42501", "permission denied");
        for sql in [
            "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = 'v'",
            "SELECT id, database_id, name FROM mz_catalog.mz_schemas",
            "SELECT id, name FROM mz_catalog.mz_databases",
        ] {
            server.answer(sql, refused(), usize::MAX);
        }
        server.create_view("v", &N);
        server.commit("v", vec![(row(["1"]), 1)]);
        let gateway = gateway(&server, &["--view", "v", "--upstream-timeout", "500ms"]);
        let mut stream = Stream::open(gateway.address, "/v/stream");
        assert_eq!(expect(&mut stream, "base").data, "[{\"n\":1}]");
        server.commit("v", vec![(row(["2"]), 1)]);
        while expect(&mut stream, "delta").data == "[]" {}
    }
}

#[test]
fn pattern_given_up_ends_every_stream_that_waits() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server((generation, true));
        for name in ["x", "y"] {
            server.create_view(name, &N);
            server.commit(name, vec![(row(["1"]), 1)]);
        }
        // Two lists without the view are awaited: time to open streams of it.
        let gateway = gateway_asking(&server, "2s", &["--view", "public.*"]);
        gateway.await_ready();
        let path = "/public.x/stream";
        let mut first = Stream::open(gateway.address, path);
        expect(&mut first, "base");
        server.drop_view("x");
        gone(&mut first);
        let waiting: Vec<_> = (0..5)
            .map(|_| Stream::open(gateway.address, path))
            .collect();
        for mut stream in waiting {
            assert!(gone(&mut stream).contains("not in the catalog any more"));
        }
        assert_eq!(get(gateway.address, path).status, 404);
        // What is created under the name later is another one.
        server.create_view("x", &N);
        server.commit("x", vec![(row(["2"]), 1)]);
        let end = Instant::now() + PATIENCE;
        while get(gateway.address, "/public.x").status != 200 {
            assert!(Instant::now() < end, "never found again");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert_eq!(base(&gateway, path), "[{\"n\":2}]");
    }
}

/// `EventSource` never comes back after `404`: it would lose the views that are
/// still there as well.
#[test]
fn pattern_given_up_leaves_the_others_of_a_stream() {
    let server = server((Generation::Modern, true));
    for name in ["x", "y"] {
        server.create_view(name, &N);
        server.commit(name, vec![(row(["1"]), 1)]);
    }
    let gateway = gateway(&server, &["--view", "public.*"]);
    gateway.await_ready();
    let path = "/stream?view=public.x&view=public.y";
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, path);
    joined.read_until(&mut stream, |_| true);
    server.drop_view("x");
    let end = Instant::now() + PATIENCE;
    while get(gateway.address, "/public.x").status != 404 {
        assert!(Instant::now() < end, "never given up");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // Before and after its streams are ended: it goes on, and who comes back is
    // let in.
    for n in ["2", "3", "4"] {
        std::thread::park_timeout(FORGOTTEN_FOR);
        let last = server.commit("y", vec![(row([n]), 1)]);
        joined.read_until(&mut stream, |joined| joined.time >= Some(last));
        assert!(joined.gone.contains(&"public.x".to_owned()));
        stream = joined.open(gateway.address, path);
        joined.read_until(&mut stream, |_| true);
    }
    assert_eq!(joined.bases["public.y"], 1);
    // What nobody names stays unknown, and so does a view alone.
    for (path, status) in [
        ("/stream?view=public.x", 404),
        ("/stream?view=public.y&view=other.x", 404),
        ("/stream?view=public.y&view=public.x&view=public.x", 400),
    ] {
        assert_eq!(get(gateway.address, path).status, status, "{path}");
    }
    // One of its name is another view: the stream ends, and begins with it.
    server.create_view("x", &N);
    let last = server.commit("x", vec![(row(["5"]), 1)]);
    while let Some(event) = stream.next() {
        joined.apply(&event);
    }
    stream = joined.open(gateway.address, path);
    joined.read_until(&mut stream, |joined| joined.time >= Some(last));
    assert_eq!(joined.shown["public.x"].len(), 1);
    assert_eq!(joined.bases["public.y"], 1);
    // Where none is left, the stream ends.
    for name in ["x", "y"] {
        server.drop_view(name);
    }
    while let Some(event) = stream.next() {
        joined.apply(&event);
    }
    assert!(joined.gone.contains(&"public.y".to_owned()));
}
