//! `--min-interval`: the timestamps within it are one delta, and at every id
//! that is sent the rows are the view's [P3, P6].

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::over::Over;
use crate::support::sse::Stream;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

/// Timestamps that come at once.
const COMMITS: usize = 60;

/// An interval that no test waits for.
fn start(generation: Generation) -> (Materialize, Gateway) {
    let server = Materialize::start(generation);
    server.create_view("v", &COLUMNS);
    server.commit("v", vec![(row(["0", "x"]), 2)]);
    let url = server.url();
    let gateway = Gateway::start(&[
        "--upstream",
        &url,
        "--view",
        "v",
        "--min-interval",
        "10s",
        "--heartbeat",
        "1h",
    ]);
    (server, gateway)
}

/// Changes of which the net effect is one row more and one less.
fn commit_many(server: &Materialize) -> Vec<u64> {
    let value = |n: usize| row([n.to_string().as_str(), "x"]);
    (0..COMMITS)
        .map(|n| server.commit("v", vec![(value(n), -1), (value(n + 1), 1)]))
        .collect()
}

/// Waits until the gateway has read so far, published or not.
fn await_read(gateway: &Gateway, timestamp: u64) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let views: Value = serde_json::from_str(&get(gateway.address, "/views").text()).unwrap();
        let position = views["views"][0]["position"].as_str().unwrap_or("0-");
        let (read, _) = position.split_once('-').unwrap();
        if read.parse::<u64>().unwrap() >= timestamp {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "not read in time");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

#[test]
fn conflation_holds_changes_back_until_the_upstream_is_lost() {
    for generation in [Generation::Modern, Generation::Old] {
        let (server, gateway) = start(generation);
        let mut client = Follower::join(&server, &gateway, "v");
        let first = server.commit("v", vec![(row(["0", "y"]), 1)]);
        client.reach(first);
        let table = &client.table;
        assert_eq!((table.timestamp, table.deltas), (Some(first), 1));

        let commits = commit_many(&server);
        let last = *commits.last().unwrap();
        await_read(&gateway, last);
        server.cut_all();
        client.until_upstream("lost");
        let table = &client.table;
        assert!(table.timestamp >= Some(last), "all of it before the outage");
        assert!(table.deltas < COMMITS / 2, "{} deltas", table.deltas);
        let after = server.commit("v", vec![(row(["0", "y"]), -1)]);
        client.reach(after);
    }
}

#[test]
fn conflation_gives_way_to_who_joins_and_is_resumed_from_its_ends() {
    let (server, gateway) = start(Generation::Modern);
    gateway.await_ready();
    let first = server.commit("v", vec![(row(["0", "y"]), 1)]);
    await_read(&gateway, first);
    let commits = commit_many(&server);
    let last = *commits.last().unwrap();
    await_read(&gateway, last);

    // There is no base yet, so one is made, and it holds all that was read.
    let stream = Stream::open(gateway.address, "/v/stream");
    let mut client = Follower::of(&server, "v", stream);
    assert_eq!(client.step().name, "base");
    let table = client.table.clone();
    assert!(
        table.timestamp >= Some(last),
        "{:?} < {last}",
        table.timestamp
    );

    let resumed = |timestamp: u64| {
        let path = format!("/v/stream?last-event-id={timestamp}-{}", table.incarnation);
        let mut stream = Stream::open(gateway.address, &path);
        let more = server.commit("v", vec![(row(["1", "y"]), 1)]);
        // What is held back is published before the outage is.
        await_read(&gateway, more);
        server.cut_all();
        stream.next().expect("an event").name
    };
    // Within the delta that is only right as a whole.
    assert_eq!(resumed(commits[COMMITS / 2]), "base");
    assert_eq!(resumed(last), "delta");
    let now = server.now();
    client.reach(now);
}

/// A heartbeat that is due sends what is held back: at the pace of those of a
/// view where nothing happens, of which a hundred fit into the interval.
#[test]
fn conflation_does_not_outlast_a_heartbeat() {
    let server = Materialize::start(Generation::Modern);
    for view in ["v", "quiet"] {
        server.create_view(view, &COLUMNS);
    }
    server.commit("v", vec![(row(["0", "x"]), 2)]);
    let url = server.url();
    let views = ["--upstream", &url, "--view", "v", "--view", "quiet"];
    let times = ["--min-interval", "10s", "--heartbeat", "100ms"];
    let gateway = Gateway::start(&[&views[..], &times].concat());
    let mut client = Follower::join(&server, &gateway, "v");
    let (beats, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut quiet = Stream::open(gateway.address, "/quiet/stream");
    quiet.expect("base");
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                quiet.next().expect("the stream goes on");
                beats.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _over = Over(&is_over);
        let mut waited = 0;
        for _ in 0..5 {
            let last = *commit_many(&server).last().unwrap();
            let before = beats.load(Ordering::Relaxed);
            client.reach(last);
            waited += beats.load(Ordering::Relaxed) - before;
            // Back to the first row, so that the next round can begin.
            let value = COMMITS.to_string();
            let back = vec![(row([&value, "x"]), -1), (row(["0", "x"]), 1)];
            let back = server.commit("v", back);
            client.reach(back);
        }
        assert!(waited < 100, "{waited} heartbeats in five waits");
    });
}
