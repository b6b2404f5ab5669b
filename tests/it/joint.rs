//! Several views on one connection: they stand at one time whenever the stream
//! says so, whatever happens in between.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::oracle::wire::{Event as Raw, How, Read, Wire};
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request};
use crate::support::joined::Joined;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::proxy::Proxy;
use crate::support::sse::{Event, Stream};
use crate::support::standin::{StandIn, TextRows, rows_as_of, text_rows};
use crate::support::table::Table;

mod random;
mod requests;

const BOTH: &str = "/stream?view=v&view=w";

/// A server with views `v` and `w`.
fn server(generation: Generation) -> Materialize {
    let server = Materialize::start(generation);
    for view in ["v", "w"] {
        server.create_view(view, &[("n", "integer"), ("b", "text")]);
        server.commit(view, vec![(row(["0", view]), 2)]);
    }
    server
}

fn gateway(url: &str, more: &[&str]) -> Gateway {
    let mut arguments = vec!["--upstream", url, "--view", "v", "--view", "w"];
    if !more.contains(&"--heartbeat") {
        arguments.extend(["--heartbeat", "150ms"]);
    }
    arguments.extend(more);
    Gateway::start(&arguments)
}

fn truth(server: &Materialize, view: &str, at: u64) -> TextRows {
    let rows = server.contents_at(view, at).into_iter();
    rows.map(|(row, copies)| (row, u64::try_from(copies).expect("positive")))
        .collect()
}

/// Compares all that is shown with the upstream at that time.
fn compare(server: &Materialize, joined: &Joined) {
    let time = joined.time.expect("a time");
    for (view, rows) in &joined.shown {
        assert_eq!(
            text_rows(rows),
            truth(server, view, time),
            "{view} at {time}"
        );
    }
}

/// Reads to a time, comparing whenever the views stand together.
fn reach(server: &Materialize, stream: &mut Stream, joined: &mut Joined, time: u64) {
    let deadline = Instant::now() + PATIENCE;
    while joined.time < Some(time) {
        let state = (joined.time, &joined.id, &joined.upstream);
        assert!(
            Instant::now() < deadline,
            "not at {time} in time: {state:?}"
        );
        joined.read_until(stream, |_| true);
        compare(server, joined);
    }
}

/// Waits until the gateway's own log of a view has reached a time.
fn await_published(gateway: &Gateway, view: &str, time: u64) {
    let mut stream = Stream::open(gateway.address, &format!("/{view}/stream"));
    Table::default().read_until(&mut stream, |table| table.timestamp >= Some(time));
}

/// Comes back until all views stand together at an earlier time. A thread that has
/// not heard yet that time went back serves what it has, and ends it; and a view that
/// is gone, and will be back at once, is one of them a little later.
fn begin_there(gateway: &Gateway, joined: &mut Joined, before: Option<u64>) -> Stream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = joined.open(gateway.address, BOTH);
        while let Some(event) = stream.next() {
            let is_together = joined.apply(&event);
            let id = joined.id.as_deref().unwrap_or("-");
            let is_whole = id.split('.').all(|position| position != "-");
            if is_together && is_whole && joined.time < before {
                return stream;
            }
            assert!(Instant::now() < deadline, "it goes on: {event:?}");
        }
    }
}

#[test]
fn joint_stream_ends_where_time_went_back_and_begins_there() {
    let server = server(Generation::Modern);
    server.tick_after(1_000_000_000);
    let gateway = gateway(&server.url(), &["--upstream-timeout", "300ms"]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    reach(&server, &mut stream, &mut joined, server.now());
    let contents = |view: &str| (view.to_owned(), vec![(row(["1", "earlier"]), 2)]);
    server.rewind(500_000_000, &[contents("v"), contents("w")]);
    joined.read_to_end(&mut stream);
    let before = joined.time.take();
    let mut stream = begin_there(&gateway, &mut joined, before);
    assert!(joined.bases["v"] > 1);
    compare(&server, &joined);
    let now = server.commit("w", vec![(row(["2", "later"]), 1)]);
    reach(&server, &mut stream, &mut joined, now);
}

/// The positions of before lie within what is known ahead of the new time.
#[test]
fn joint_stream_begins_at_the_earlier_time_though_a_view_is_known_ahead() {
    let server = server(Generation::Modern);
    // Both times are within one hour of the view's.
    server.tick_after(1_002_000_000);
    server.set_refresh("v", 3_600_000);
    let gateway = gateway(&server.url(), &["--upstream-timeout", "300ms"]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    reach(&server, &mut stream, &mut joined, server.now());
    let contents = |view: &str| (view.to_owned(), vec![(row(["1", "earlier"]), 2)]);
    server.rewind(server.now() - 600_000, &[contents("v"), contents("w")]);
    joined.read_to_end(&mut stream);
    for view in ["v", "w"] {
        let gone = format!("view {view:?} is gone: the upstream's time went back");
        gateway.process.await_log(&gone);
    }
    let before = joined.time.take();
    let mut stream = begin_there(&gateway, &mut joined, before);
    let now = server.commit("w", vec![(row(["2", "later"]), 1)]);
    reach(&server, &mut stream, &mut joined, now);
}

#[test]
fn joint_views_of_the_demo_agree_at_every_common_time() {
    const VIEWS: [&str; 4] = ["counter", "edits_by_language", "top10", "user_edits"];
    let standin = StandIn::start(&["--tick", "40ms", "--rate", "500"]);
    let start = || {
        let mut arguments = vec!["--upstream", &standin.url, "--heartbeat", "400ms"];
        arguments.extend(VIEWS.iter().flat_map(|view| ["--view", view]));
        Gateway::start(&arguments)
    };
    let gateways = [start(), start()];
    let path = format!("/stream?view={}", VIEWS.join("&view="));
    let mut client = standin.connect();
    let mut joined = Joined::default();
    let mut compared = 0;
    // Every few times it comes back, to one gateway or the other.
    for round in 0..20 {
        let mut stream = joined.open(gateways[round % 2].address, &path);
        for _ in 0..8 {
            joined.read_until(&mut stream, |_| true);
            let time = joined.time.expect("a time");
            for view in VIEWS {
                let expected = rows_as_of(&mut client, view, time);
                assert_eq!(text_rows(&joined.shown[view]), expected, "{view} at {time}");
            }
            assert_eq!(
                count(&joined, "counter"),
                count(&joined, "edits_by_language")
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 160);
    for view in VIEWS {
        // A gateway that is over five seconds behind, on a busy machine, has to
        // give a base [R3].
        assert!(
            joined.bases[view] < 4,
            "{view} was resumed nearly every time"
        );
    }
    assert!(joined.deltas > compared, "{} deltas", joined.deltas);
}

/// The sum of the column with the number of edits.
fn count(joined: &Joined, view: &str) -> u64 {
    let rows = joined.shown[view].iter();
    rows.map(|(row, copies)| {
        let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        row["edits"].as_u64().expect("a number") * copies
    })
    .sum()
}

#[test]
fn joint_shows_nothing_of_a_view_beyond_one_that_lags() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server.url(), &["--upstream-timeout", "1m"]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    reach(&server, &mut stream, &mut joined, server.now());
    let (time, id) = (joined.time, joined.id.clone());
    server.hold("w", true);
    let mut last = 0;
    for n in 1..=50 {
        last = server.commit("v", vec![(row([&n.to_string(), "held back"]), 1)]);
    }
    await_published(&gateway, "v", last);
    for _ in 0..3 {
        let event = stream.next().expect("heartbeats go on");
        assert_eq!((event.name.as_str(), &event.id), ("consistent", &None));
        joined.apply(&event);
        assert_eq!(joined.time, time, "nothing beyond it");
    }
    // Nor is a newcomer's view that has a later base told to stand with it.
    get(gateway.address, "/v").text();
    let mut late = Joined::default();
    let mut newcomer = late.open(gateway.address, BOTH);
    while late.bases.len() < 2 {
        assert!(!late.next(&mut newcomer), "not before the bases");
    }
    if late.bases_hold("v", "held back") {
        newcomer.feed().expect("only a comment");
    }
    server.hold("w", false);
    reach(&server, &mut stream, &mut joined, last);
    assert_ne!(joined.id, id);
    // As many as there were times that `w` was seen to reach, which is up to
    // how its progress arrives; `joint_slow_reader_*` is about merging.
    assert!((1..=50).contains(&joined.deltas), "{}", joined.deltas);
    reach(&server, &mut newcomer, &mut late, last);
}

#[test]
fn joint_outage_is_one_delta_each_and_resume_needs_no_base() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let proxy = Proxy::start(server.address());
        let url = format!("postgres://materialize@{}/materialize", proxy.address);
        let one = gateway(&url, &[]);
        let other = gateway(&server.url(), &[]);
        let mut joined = Joined::default();
        let mut stream = joined.open(one.address, BOTH);
        joined.read_until(&mut stream, |_| true);
        compare(&server, &joined);
        server.refuse(true);
        server.restart();
        while joined
            .upstream
            .values()
            .filter(|word| *word == "\"lost\"")
            .count()
            < 2
        {
            joined.next(&mut stream);
        }
        for n in 1..5 {
            server.commit("v", vec![(row([&n.to_string(), "missed"]), 1)]);
            server.commit("w", vec![(row([&n.to_string(), "missed"]), 1)]);
        }
        server.refuse(false);
        while joined.upstream.values().any(|word| word == "\"lost\"") {
            joined.next(&mut stream);
        }
        // The other one's outage is over, too: inside its delta is no place to
        // go on from.
        for view in ["v", "w"] {
            let last = server.commit(view, vec![(row(["6", "over"]), 1)]);
            await_published(&other, view, last);
        }
        let mut last = server.commit("v", vec![(row(["7", "after"]), 1)]);
        reach(&server, &mut stream, &mut joined, last);
        for (gateway, n) in [(&other, "8"), (&one, "9"), (&other, "10")] {
            last = server.commit("w", vec![(row([n, "hopped"]), 1)]);
            stream = joined.open(gateway.address, BOTH);
            reach(&server, &mut stream, &mut joined, last);
        }
        assert_eq!(joined.bases["v"], 1, "{generation:?}");
        assert_eq!(joined.bases["w"], 1, "{generation:?}");
    }
}

#[test]
fn joint_idle_view_of_an_old_server_holds_up_nobody_for_ever() {
    let server = server(Generation::Old);
    let gateway = gateway(&server.url(), &[]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    for n in 1..4 {
        let last = server.commit("v", vec![(row([&n.to_string(), "busy"]), 1)]);
        reach(&server, &mut stream, &mut joined, last);
    }
    // Back from where the idle one has told itself that it stands.
    let last = server.commit("w", vec![(row(["1", "awake"]), 1)]);
    let mut stream = joined.open(gateway.address, BOTH);
    while joined.time < Some(last) {
        joined.read_until(&mut stream, |_| true);
    }
    compare(&server, &joined);
    assert_eq!((joined.bases["v"], joined.bases["w"]), (1, 1));
}

#[test]
fn joint_views_come_and_go_while_the_others_go_on() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server.url(), &[]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    server.drop_view("w");
    while joined.gone.is_empty() {
        joined.next(&mut stream);
    }
    assert_eq!(joined.gone, ["w"]);
    let last = server.commit("v", vec![(row(["1", "alone"]), 1)]);
    while joined.time < Some(last) {
        joined.read_until(&mut stream, |_| true);
    }
    assert_eq!(joined.shown.len(), 1);
    assert_eq!(text_rows(&joined.shown["v"]), truth(&server, "v", last));
    // Who comes back is told again, and a newcomer is told.
    joined.gone.clear();
    stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    let mut newcomer = Joined::default();
    let mut other = newcomer.open(gateway.address, BOTH);
    newcomer.read_until(&mut other, |_| true);
    assert_eq!(
        (&joined.gone, &newcomer.gone),
        (&vec!["w".to_owned()], &joined.gone)
    );
    server.create_view("w", &[("n", "integer"), ("b", "text")]);
    server.commit("w", vec![(row(["9", "anew"]), 1)]);
    joined.read_until(&mut stream, |joined| joined.shown.contains_key("w"));
    let last = server.commit("v", vec![(row(["2", "together"]), 1)]);
    reach(&server, &mut stream, &mut joined, last);
    assert_eq!(joined.bases["w"], 2);
}

#[test]
fn joint_constant_view_stands_wherever_the_others_do() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        server.set_constant("w");
        let gateway = gateway(&server.url(), &[]);
        let mut joined = Joined::default();
        for n in 1..4 {
            let mut stream = joined.open(gateway.address, BOTH);
            joined.read_until(&mut stream, |_| true);
            let last = server.commit("v", vec![(row([&n.to_string(), "more"]), 1)]);
            reach(&server, &mut stream, &mut joined, last);
        }
        assert_eq!((joined.bases["v"], joined.bases["w"]), (1, 1));
    }
}

/// Views that are conflated begin to gather at different moments, and still
/// have times in common.
#[test]
fn joint_conflated_views_meet_again_and_again() {
    let server = server(Generation::Modern);
    let more = ["--min-interval", "2s", "--heartbeat", "1h"];
    let gateway = gateway(&server.url(), &more);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    // Both change at every time, and `v` begins half an interval earlier.
    let stop = Instant::now() + Duration::from_secs(9);
    let mut n = 0;
    thread::scope(|scope| {
        let server = &server;
        let writer = scope.spawn(move || {
            while Instant::now() < stop {
                n += 1;
                let text = n.to_string();
                server.commit_after(50, "v", vec![(row([&text, "v"]), 1)]);
                if n > 10 {
                    server.commit_after(50, "w", vec![(row([&text, "w"]), 1)]);
                }
                thread::park_timeout(Duration::from_millis(100));
            }
        });
        let mut met = 0;
        while !writer.is_finished() && met < 4 {
            joined.read_until(&mut stream, |_| true);
            compare(server, &joined);
            met += 1;
        }
        assert!(met >= 4, "only {met} times");
    });
}

/// A base may be older than what a client that comes with a position has shown.
#[test]
fn joint_never_stands_before_what_the_client_has_shown() {
    let server = server(Generation::Modern);
    let fine = gateway(&server.url(), &[]);
    let coarse = gateway(
        &server.url(),
        &["--min-interval", "3s", "--heartbeat", "1h"],
    );
    let mut joined = Joined::default();
    let mut stream = joined.open(fine.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    // Has the other one encode its bases now.
    Joined::default().read_until(&mut Stream::open(coarse.address, BOTH), |_| true);
    let mut times = Vec::new();
    for n in 1..=10 {
        for view in ["v", "w"] {
            times.push(server.commit_after(10, view, vec![(row([&n.to_string(), view]), 1)]));
        }
    }
    let (middle, of_both) = (times[12], times[19]);
    let mut all = Joined::default();
    let mut others = all.open(fine.address, BOTH);
    reach(&server, &mut others, &mut all, of_both);
    // What the other one gathers of `v` reaches further than what it has of `w`.
    server.hold("w", true);
    let mut last = of_both;
    for n in 11..=20 {
        last = server.commit_after(10, "v", vec![(row([&n.to_string(), "v"]), 1)]);
    }
    await_published(&coarse, "v", last);
    await_published(&coarse, "w", of_both);
    // The client left in the middle of both.
    let (v, w) = joined
        .id
        .as_deref()
        .and_then(|id| id.split_once('.'))
        .expect("two");
    let of = |position: &str| position.split_once('-').expect("a position").1.to_owned();
    joined.id = Some(format!("{middle}-{}.{middle}-{}", of(v), of(w)));
    let mut stream = joined.open(coarse.address, BOTH);
    while joined.bases["v"] + joined.bases["w"] < 4 {
        joined.next(&mut stream);
    }
    server.hold("w", false);
    joined.read_until(&mut stream, |_| true);
    assert!(
        joined.time >= Some(middle),
        "{:?} before {middle}",
        joined.time
    );
    compare(&server, &joined);
}

/// Reads a narrow stream to a time.
fn read_on(wire: &mut Wire, joined: &mut Joined, time: u64) -> Read {
    let deadline = Instant::now() + PATIENCE;
    while joined.time < Some(time) {
        assert!(Instant::now() < deadline, "not there in time");
        match wire.read() {
            Read::Event(Raw { name, id, data }) => drop(joined.apply(&Event { name, id, data })),
            Read::Nothing => {}
            other => return other,
        }
    }
    Read::Nothing
}

/// A client that stops reading behind its bases while much happens.
fn stalled(server: &Materialize, gateway: &Gateway) -> (Wire, Joined, u64) {
    let how = How {
        is_narrow: true,
        ..How::default()
    };
    let mut wire = Wire::open(gateway.address, BOTH, None, how).expect("accepted");
    let mut joined = Joined::default();
    read_on(&mut wire, &mut joined, server.now());
    let mut witness = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    let mut last = 0;
    // Twelve million bytes: more than the kernel takes for one socket.
    for n in 1..=600u64 {
        let fat = |n: u64| row([&n.to_string(), &"x".repeat(10_000)]);
        let mut changes = vec![(fat(n), 1)];
        if n > 1 {
            changes.push((fat(n - 1), -1));
        }
        last = server.commit("v", changes);
        table.read_until(&mut witness, |table| table.timestamp >= Some(last));
    }
    (wire, joined, last)
}

#[test]
fn joint_slow_reader_gets_net_deltas_and_loses_nothing() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server.url(), &[]);
    let (mut wire, mut joined, last) = stalled(&server, &gateway);
    assert_eq!(read_on(&mut wire, &mut joined, last), Read::Nothing);
    compare(&server, &joined);
    assert_eq!((joined.bases["v"], joined.bases["w"]), (1, 1));
    assert!(joined.deltas < 500, "{} deltas", joined.deltas);
}

#[test]
fn joint_reader_beyond_retention_ends_between_events_and_returns_to_one_base() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server.url(), &["--retention-bytes", "256KiB"]);
    let (mut wire, mut joined, last) = stalled(&server, &gateway);
    assert_eq!(read_on(&mut wire, &mut joined, last), Read::Ended);
    compare(&server, &joined);
    let mut stream = joined.open(gateway.address, BOTH);
    reach(&server, &mut stream, &mut joined, last);
    assert_eq!(
        (joined.bases["v"], joined.bases["w"]),
        (2, 1),
        "what lasted was gone on with"
    );
}

#[test]
fn joint_base_of_any_size_and_its_deltas_arrive() {
    let server = server(Generation::Modern);
    let rows = (1..2_000).map(|n: u32| (row([&n.to_string(), &"x".repeat(2_000)]), 1));
    server.commit("v", rows.collect());
    let gateway = gateway(&server.url(), &[]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    let at = server.commit("w", vec![(row(["1", "meanwhile"]), 1)]);
    reach(&server, &mut stream, &mut joined, at);
    let at = server.commit("v", vec![(row(["0", "v"]), -2)]);
    reach(&server, &mut stream, &mut joined, at);
}

#[test]
fn joint_resumes_each_view_by_its_own_position() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server.url(), &[]);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    let id = joined.id.clone().expect("an id");
    let (v, w) = id.split_once('.').expect("two positions");
    let (time, incarnation) = v.split_once('-').expect("a position");
    let bases = |address: SocketAddr, path: &str, id: &str| {
        let mut fresh = Joined::default();
        fresh.shown = joined.shown.clone();
        fresh.id = Some(id.to_owned());
        let mut stream = fresh.open(address, path);
        let at = server.commit("v", vec![(row(["5", "on"]), 1)]);
        reach(&server, &mut stream, &mut fresh, at);
        fresh.bases.into_keys().collect::<Vec<_>>().join(" ")
    };
    let address = gateway.address;
    assert_eq!(bases(address, BOTH, &id), "");
    // The order is that of the names, not of the request.
    assert_eq!(bases(address, "/stream?view=w&view=v", &id), "");
    assert_eq!(bases(address, BOTH, &format!("{w}.{v}")), "v w");
    assert_eq!(bases(address, BOTH, &format!("-.{w}")), "v");
    assert_eq!(
        bases(address, BOTH, &format!("{v}.{time}-{incarnation}")),
        "w"
    );
    assert_eq!(bases(address, BOTH, &format!("{v}.1-000000000000")), "w");
    for wrong in [
        "",
        ".",
        v,
        &format!("{id}.{v}"),
        "<script>",
        "\u{e9}.\u{e9}",
    ] {
        assert_eq!(bases(address, BOTH, wrong), "v w", "{wrong}");
    }
    // In the query, too.
    let path = format!("{BOTH}&lastEventId={id}");
    let event = Stream::open(address, &path).next().expect("an event");
    assert_eq!(event.name, "v.delta");
}

#[test]
fn joint_streams_end_between_events_at_a_shutdown() {
    let mut gateway = Gateway::demo(&["--drain", "1s"]);
    let path = "/stream?view=counter&view=user_edits";
    let mut streams: Vec<_> = (0..5)
        .map(|_| {
            let mut joined = Joined::default();
            let mut stream = joined.open(gateway.address, path);
            joined.read_until(&mut stream, |_| true);
            (stream, joined)
        })
        .collect();
    gateway.process.signal("TERM");
    for (stream, joined) in &mut streams {
        while let Some(event) = stream.next() {
            joined.apply(&event);
        }
        assert_eq!(stream.comments, 1, "it is told why");
    }
    assert_eq!(gateway.process.await_exit().code(), Some(0));
}

#[test]
fn joint_stream_is_counted_for_each_view() {
    let gateway = Gateway::demo(&[]);
    let path = "/stream?view=counter&view=top10";
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, path);
    joined.read_until(&mut stream, |_| true);
    let value = |name: &str| {
        let text = get(gateway.address, "/metrics").text();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit_once(' '));
        value.map_or(0.0, |(_, value)| value.parse::<f64>().expect("a number"))
    };
    for view in ["counter", "top10"] {
        let of = |name: &str| value(&format!("viewcast_{name}{{view=\"{view}\"}}"));
        assert_eq!(of("subscribers"), 1.0, "{view}");
        assert!(of("sent_frames_total") > 0.0 && of("sent_bytes_total") > 100.0);
    }
    drop(stream);
    let deadline = Instant::now() + PATIENCE;
    while value("viewcast_subscribers{view=\"top10\"}") > 0.0 {
        assert!(Instant::now() < deadline, "never given back");
        thread::park_timeout(Duration::from_millis(10));
    }
    let ended = "viewcast_streams_ended_total{reason=\"left\",view=";
    assert_eq!(value(&format!("{ended}\"counter\"}}")), 1.0);
    assert_eq!(request(gateway.address, "HEAD", path, &[]).status, 200);
}
