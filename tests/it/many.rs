//! Many views: what they take of the process, and what happens where that runs
//! out.

use std::fs;
use std::net::TcpStream;

use crate::support::gateway::{Gateway, wait_for};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;

/// Files and threads that a view may take.
const FILES: usize = 5;
const THREADS: usize = 1;
/// Why a view is not served for which there is no file.
const NO_FILE: &str = "this gateway has no file left for the view's connection";

fn name(number: usize) -> String {
    format!("v{number:03}")
}

fn create(server: &Materialize, numbers: std::ops::Range<usize>) {
    for number in numbers {
        server.create_view(&name(number), &[("n", "integer")]);
        server.commit(&name(number), vec![(row(["1"]), 1)]);
    }
}

fn gateway(server: &Materialize, limit: &str, more: &[&str]) -> Gateway {
    let url = server.url();
    let arguments = [
        "--upstream",
        &url,
        "--view",
        "public.*",
        "--catalog-interval",
        "100ms",
        "--reconnect-max",
        "100ms",
    ];
    Gateway::start_within(limit, &[&arguments[..], more].concat())
}

fn metric(gateway: &Gateway, name: &str) -> usize {
    let text = get(gateway.address, "/metrics").text();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().expect("a whole number"))
}

/// Views that are live.
fn live(gateway: &Gateway) -> usize {
    metric(gateway, "viewcast_views{reason=\"\",state=\"live\"}")
}

/// What is in a folder of the process: `fd` for its files, `task` for its threads.
fn count(gateway: &Gateway, folder: &str) -> usize {
    let path = format!("/proc/{}/{folder}", gateway.process.id());
    fs::read_dir(path).expect("it runs").count()
}

#[test]
fn many_views_take_five_files_and_a_thread_each() {
    let server = Materialize::start(Generation::Modern);
    let (few, many) = (20, 80);
    create(&server, 0..few);
    let gateway = gateway(&server, "ulimit -n 4096", &[]);
    wait_for("few views", || live(&gateway) == few);
    let (files, threads) = (count(&gateway, "fd"), count(&gateway, "task"));
    create(&server, few..many);
    wait_for("many views", || live(&gateway) == many);
    // What asks the catalog comes and goes beside them.
    let (more, of_others) = (many - few, 2);
    wait_for("five files a view", || {
        count(&gateway, "fd") <= files + more * FILES + of_others * FILES
    });
    wait_for("a thread a view", || {
        count(&gateway, "task") <= threads + more * THREADS + of_others
    });
    wait_for("nobody waits", || {
        metric(&gateway, "viewcast_connecting_waiting") + metric(&gateway, "viewcast_connecting")
            == 0
    });
    let threads = metric(&gateway, "process_threads");
    assert!(threads >= many && threads <= count(&gateway, "task") + of_others);
    assert!(!gateway.process.has_panicked());
}

#[test]
fn many_views_raise_the_soft_limit_of_files() {
    let server = Materialize::start(Generation::Modern);
    let many = 60;
    create(&server, 0..many);
    let gateway = gateway(&server, "ulimit -Sn 128 && ulimit -Hn 2048", &[]);
    wait_for("all of them", || live(&gateway) == many);
    assert_eq!(metric(&gateway, "viewcast_process_open_files_max"), 2048);
    assert!(!gateway.process.has_panicked());
}

#[test]
fn many_views_beyond_the_files_are_named_and_served_once_there_are_some() {
    let server = Materialize::start(Generation::Modern);
    let many = 150;
    create(&server, 0..many);
    let gateway = gateway(&server, "ulimit -n 300", &[]);
    let lacking = || {
        let body = get(gateway.address, "/readyz").json();
        let waiting = body["waiting"].as_array().cloned().unwrap_or_default();
        let of_files = waiting.iter().filter(|view| view["reason"] == NO_FILE);
        of_files.count()
    };
    wait_for("each is served or named", || {
        let lacking = lacking();
        lacking > 0 && lacking + live(&gateway) == many
    });
    let served = live(&gateway);
    assert!(served >= 30, "{served}");
    let counted = format!(
        "viewcast_views{{reason=\"no_files\",state=\"loading\"}} {}",
        many - served
    );
    wait_for("counted", || {
        get(gateway.address, "/metrics").text().contains(&counted)
    });
    // Those that are served go on.
    let first = (0..many).find(|number| {
        let path = format!("/public.{}", name(*number));
        get(gateway.address, &path).status == 200
    });
    let first = name(first.expect("one that is served"));
    let mut stream = Stream::open(gateway.address, &format!("/public.{first}/stream"));
    stream.expect("base");
    server.commit(&first, vec![(row(["2"]), 1)]);
    stream.expect("delta");
    // There is room once most are dropped.
    for number in (0..many).filter(|number| number % 5 != 0 && name(*number) != first) {
        server.drop_view(&name(number));
    }
    let left = (0..many).filter(|number| number % 5 == 0 || name(*number) == first);
    let left = left.count();
    wait_for("those that are left", || live(&gateway) == left);
    assert!(!gateway.process.has_panicked());
}

#[test]
fn many_views_leave_files_for_streams_and_streams_for_views() {
    let server = Materialize::start(Generation::Modern);
    create(&server, 0..5);
    let gateway = gateway(&server, "ulimit -n 200", &[]);
    wait_for("all of them", || live(&gateway) == 5);
    let before = metric(&gateway, "viewcast_streams_max");
    create(&server, 5..8);
    wait_for("three more", || live(&gateway) == 8);
    let most = metric(&gateway, "viewcast_streams_max");
    let of_views = 3 * FILES;
    assert!(
        before - most >= of_views * 9 / 10 && before - most <= of_views,
        "{before} {most}"
    );
    let path = "/public.v000/stream";
    let streams: Vec<Stream> = (0..most)
        .map(|_| {
            let mut stream = Stream::open(gateway.address, path);
            stream.expect("base");
            stream
        })
        .collect();
    assert_eq!(streams.len(), most);
    Stream::open(gateway.address, path).expect("full");
    // With all of them open, the views come back from an outage.
    server.cut_all();
    wait_for("all of them again", || {
        metric(
            &gateway,
            "viewcast_upstream_reconnects_total{view=\"public.v007\"}",
        ) > 0
            && live(&gateway) == 8
    });
    let log = gateway.process.log().join("\n");
    assert!(!log.contains("no file left"), "{log}");
    assert!(!gateway.process.has_panicked());
}

/// Connections that ask nothing are no streams, and may take all files.
#[test]
fn many_views_survive_a_cut_while_there_is_no_file_left() {
    let server = Materialize::start(Generation::Modern);
    let many = 10;
    create(&server, 0..many);
    let gateway = gateway(&server, "ulimit -n 150", &[]);
    wait_for("all of them", || live(&gateway) == many);
    let connect = || TcpStream::connect(gateway.address).ok();
    let mut crowd: Vec<_> = (0..400).filter_map(|_| connect()).collect();
    wait_for("a cut without files", || {
        // Who asks nothing is let go after some seconds, and others come.
        crowd.extend((0..2).filter_map(|_| connect()));
        crowd.drain(..crowd.len().saturating_sub(1_500));
        server.cut_all();
        let log = gateway.process.log();
        log.iter().any(|line| line.contains("no file left"))
    });
    drop(crowd);
    wait_for("all of them again", || live(&gateway) == many);
    assert!(!gateway.process.has_panicked());
}
