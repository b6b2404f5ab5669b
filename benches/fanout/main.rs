//! What does fan-out cost, beside a loop that does nothing but write?
//!
//!     make bench                                       # all, some five minutes
//!     BENCH_CASES=burst BENCH_RUNS=1 cargo bench --bench fanout
//!
//! Starts the real gateway on a scripted upstream, lets thousands of
//! subscribers in, and measures the gateway's processor time per delivered
//! event, the time from the row's COPY to the client's read, and memory. The
//! same is done with reference loops (reference.rs) in the same run, one after
//! the other in alternating order, since only ratios travel to another machine.
//!
//! What keeps it honest: upstream, server and clients are processes of their
//! own, and the server's time is read from /proc, for the gateway with its
//! tail, decoding and encoding. The clients check the number of every event of
//! every subscriber; one that is missing, or comes twice, ends the bench with
//! an error. A reference reads its events from a socket, too.
//!
//! Sizes by environment: BENCH_RUNS (3), BENCH_SECONDS (5) of events a case,
//! BENCH_SCALE (1) times the subscribers, BENCH_CASES (all; words of their
//! names), BENCH_WORKERS (the gateway's default), BENCH_BINARY (another build).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    reason = "a program for developers, not part of the library"
)]

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use process::Process;

mod client;
#[path = "../../tests/it/support/pgwire.rs"]
mod pgwire;
mod process;
mod reference;
mod upstream;

pub type Io<T> = std::io::Result<T>;

/// Descriptors of a process are limited; so many subscribers a client.
const SUBSCRIBERS_PER_CLIENT: usize = 15_000;

/// Microseconds since the epoch: fits a JSON number.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
enum What {
    /// Delivering events.
    Events,
    /// Memory of subscribers to whom nothing happens.
    Idle,
    /// Letting subscribers in, all at once.
    Join,
}

struct Case {
    name: &'static str,
    what: What,
    subscribers: usize,
    /// Rows of the base.
    rows: u64,
    /// Bytes that fill each row.
    pad: u64,
    events: u64,
    rate: f64,
    /// The loop that stands for the floor.
    reference: &'static str,
}

#[derive(Clone, Default)]
struct Measured {
    /// Server's microseconds per event and subscriber, or per subscriber.
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    kib: f64,
}

fn cases() -> Vec<Case> {
    let seconds: f64 = setting("BENCH_SECONDS", 5.0);
    let scale: f64 = setting("BENCH_SCALE", 1.0);
    let case = |name, what, subscribers: f64, rows, pad, rate: f64, reference| Case {
        name,
        what,
        subscribers: (subscribers * scale) as usize,
        rows,
        pad,
        events: (seconds * rate) as u64,
        rate,
        reference,
    };
    let all = vec![
        case(
            "1,000 x 200 B x 50/s",
            What::Events,
            1e3,
            10,
            90,
            50.0,
            "bare",
        ),
        case(
            "5,000 x 1 KiB x 10/s",
            What::Events,
            5e3,
            10,
            914,
            10.0,
            "bare",
        ),
        case(
            "burst 500 x 200 B x 2,000/s",
            What::Events,
            500.0,
            10,
            90,
            2e3,
            "gathering",
        ),
        case("10,000 idle", What::Idle, 1e4, 10, 90, 0.0, "bare"),
        case(
            "1,000 join at once, 256 KiB base",
            What::Join,
            1e3,
            2_000,
            90,
            0.0,
            "bare",
        ),
    ];
    let chosen: String = setting("BENCH_CASES", String::new());
    let words: Vec<&str> = chosen.split(',').filter(|word| !word.is_empty()).collect();
    let is_chosen = |case: &Case| words.is_empty() || words.iter().any(|w| case.name.contains(w));
    all.into_iter().filter(is_chosen).collect()
}

fn main() -> Io<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("upstream") => upstream::run(&arguments[1..]),
        Some("reference") => reference::run(&arguments[1..]),
        Some("client") => client::run(&arguments[1..]),
        _ => {
            compare();
            Ok(())
        }
    }
}

fn words(text: &[&dyn ToString]) -> Vec<String> {
    text.iter().map(|word| word.to_string()).collect()
}

fn start_gateway(port: &str) -> (Process, String) {
    let url = format!("postgres://materialize@127.0.0.1:{port}/materialize");
    let mut arguments = words(&[
        &"--upstream",
        &url,
        &"--view",
        &"v",
        &"--listen",
        &"127.0.0.1:0",
        &"--heartbeat",
        &"1h",
    ]);
    if let Ok(workers) = std::env::var("BENCH_WORKERS") {
        arguments.extend(words(&[&"--workers", &workers]));
    }
    let process = Process::gateway(&arguments);
    let (mut address, mut is_loaded) = (None, false);
    while address.is_none() || !is_loaded {
        let line = process.line();
        if let Some((_, rest)) = line.split_once("listening on http://") {
            address = Some(rest.trim().to_owned());
        }
        is_loaded |= line.contains(" rows at ");
    }
    (process, address.unwrap())
}

/// One measurement, of the gateway or of the case's reference.
fn measure(case: &Case, is_gateway: bool) -> Measured {
    let mut upstream = Process::role(&words(&[&"upstream", &case.rows, &case.pad]));
    let ports = upstream.await_text("ports ");
    let (view_port, feed_port) = ports.split_once(' ').unwrap();
    let (server, address) = if is_gateway {
        start_gateway(view_port)
    } else {
        let subscribers = case.subscribers;
        let arguments: [&dyn ToString; 6] = [
            &"reference",
            &case.reference,
            &subscribers,
            &case.rows,
            &case.pad,
            &feed_port,
        ];
        let server = Process::role(&words(&arguments));
        let address = server.await_text("listening on http://");
        (server, address)
    };
    sleep(Duration::from_millis(300));
    let (cpu_before, kib_before) = (server.cpu_ns(), server.resident_kib());
    let mut left = case.subscribers;
    let mut clients = Vec::new();
    while left > 0 {
        let part = left.min(SUBSCRIBERS_PER_CLIENT);
        let arguments: [&dyn ToString; 6] = [
            &"client",
            &address,
            &"/v/stream",
            &part,
            &case.rows,
            &case.events,
        ];
        clients.push(Process::role(&words(&arguments)));
        left -= part;
    }
    for client in &clients {
        client.await_text("joined");
    }
    let joined = server.cpu_ns();
    sleep(Duration::from_millis(500));
    let mut measured = Measured {
        kib: (server.resident_kib() - kib_before) / case.subscribers as f64,
        cpu_us: (joined - cpu_before) as f64 / 1e3 / case.subscribers as f64,
        ..Measured::default()
    };
    if case.what == What::Events {
        let before = server.cpu_ns();
        upstream.tell(&format!("go {} {}", case.events, case.rate));
        let (received, latency) = results(&clients);
        let expected = case.subscribers as u64 * case.events;
        assert_eq!(received, expected, "events of {}", case.name);
        measured.cpu_us = (server.cpu_ns() - before) as f64 / 1e3 / expected as f64;
        let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        (measured.p50_ms, measured.p99_ms) = (ms(0.5), ms(0.99));
        measured.max_ms = ms(1.0);
    }
    measured
}

/// What the clients have received, and how long it took, in microseconds.
fn results(clients: &[Process]) -> (u64, Histogram<u64>) {
    let mut received = 0;
    let mut latency = Histogram::new(3).unwrap();
    for client in clients {
        loop {
            let line = client.line();
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| -> u64 { words[at].parse().unwrap() };
            match words[0] {
                "received" => received += number(1),
                "latency" => latency.record_n(number(1), number(2)).unwrap(),
                _ => break,
            }
        }
    }
    (received, latency)
}

fn compare() {
    let runs: usize = setting("BENCH_RUNS", 3);
    println!(
        "{runs} runs, reference and viewcast in turn; every event of every subscriber checked\n"
    );
    let mut table = Vec::new();
    for case in cases() {
        let mut pairs = Vec::new();
        for run in 0..runs {
            // In turn who is first: the machine may get warmer, or busier.
            let first = run % 2 == 1;
            let one = measure(&case, first);
            let other = measure(&case, !first);
            let (reference, viewcast) = if first { (other, one) } else { (one, other) };
            raw(&case, case.reference, &reference);
            raw(&case, "viewcast", &viewcast);
            pairs.push((reference, viewcast));
        }
        table.extend(rows(&case, &pairs));
    }
    println!("\n| case | what | reference | viewcast | ratio | spread of ratios |");
    println!("|---|---|---|---|---|---|");
    for row in table {
        println!("{row}");
    }
}

fn raw(case: &Case, who: &str, measured: &Measured) {
    println!(
        "{:<34} {who:<10} cpu {:>8.2} us  p50 {:>8.2}  p99 {:>8.2}  max {:>8.2} ms  {:>7.2} KiB",
        case.name, measured.cpu_us, measured.p50_ms, measured.p99_ms, measured.max_ms, measured.kib
    );
}

/// The lines of the table for one case.
fn rows(case: &Case, pairs: &[(Measured, Measured)]) -> Vec<String> {
    let line = |what: &str, pick: fn(&Measured) -> f64| {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            (
                values[values.len() / 2],
                values[0],
                values[values.len() - 1],
            )
        };
        let (reference, ..) = median(pairs.iter().map(|pair| pick(&pair.0)).collect());
        let (viewcast, ..) = median(pairs.iter().map(|pair| pick(&pair.1)).collect());
        let ratios = pairs.iter().map(|pair| pick(&pair.1) / pick(&pair.0));
        let (ratio, lowest, highest) = median(ratios.collect());
        format!(
            "| {} | {what} | {reference:.2} | {viewcast:.2} | {ratio:.2} | {lowest:.2} to {highest:.2} |",
            case.name
        )
    };
    match case.what {
        What::Events => vec![
            line("CPU per delivered event, us", |m| m.cpu_us),
            line("latency p50, ms", |m| m.p50_ms),
            line("latency p99, ms", |m| m.p99_ms),
        ],
        What::Idle => vec![line("KiB resident per subscriber", |m| m.kib)],
        What::Join => vec![line("CPU per subscriber, us", |m| m.cpu_us)],
    }
}
