//! What does fan-out cost, beside a loop that does nothing but write?
//!
//!     make bench                                       # all of it
//!     BENCH_CASES=burst BENCH_RUNS=1 cargo bench --bench fanout
//!
//! Starts the real gateway on a scripted upstream, lets thousands of
//! subscribers in, and measures the gateway's processor time per delivered
//! event, the time from the row's COPY to the client's socket, and memory. The
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

use std::time::{SystemTime, UNIX_EPOCH};

use cases::{Case, What};
use filling::Filling;
use measure::{Measured, measure};
use report::{Goal, number, row, spread};

mod cases;
mod client;
mod client_http2;
mod filling;
mod measure;
#[path = "../../tests/it/support/pgwire.rs"]
mod pgwire;
mod process;
mod reference;
#[path = "../report.rs"]
mod report;
mod secure;
mod stamped;
mod tally;
mod upstream;

pub type Io<T> = std::io::Result<T>;

/// Microseconds since the epoch: fits a JSON number.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

pub fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value.and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub fn words(text: &[&dyn ToString]) -> Vec<String> {
    text.iter().map(|word| word.to_string()).collect()
}

fn main() -> Io<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("upstream") => upstream::run(&arguments[1..]),
        Some("reference") => reference::run(&arguments[1..]),
        Some("client") => client::run(&arguments[1..]),
        Some("client-http2") => client_http2::run(&arguments[1..]),
        _ => {
            compare();
            Ok(())
        }
    }
}

/// A case with what each of its servers cost, run by run.
struct Result {
    case: Case,
    runs: Vec<Vec<Measured>>,
}

impl Result {
    /// The figures of one server, run by run.
    fn of(&self, server: usize, pick: fn(&Measured) -> f64) -> Vec<f64> {
        self.runs.iter().map(|run| pick(&run[server])).collect()
    }

    fn median(&self, server: usize, pick: fn(&Measured) -> f64) -> f64 {
        spread(self.of(server, pick)).0
    }

    /// The second server beside the first.
    fn ratios(&self, pick: fn(&Measured) -> f64) -> Vec<f64> {
        let runs = self.runs.iter();
        runs.map(|run| pick(&run[1]) / pick(&run[0])).collect()
    }
}

fn compare() {
    let runs: usize = setting("BENCH_RUNS", 3);
    println!("{runs} runs, servers in turn; every event of every subscriber checked\n");
    let mut results = Vec::new();
    for case in cases::all() {
        // Where no goal is set, one run shows what there is to see.
        let is_goal = !matches!(case.what, What::Growth | What::Savings);
        let runs = if is_goal { runs } else { 1 };
        let mut all = Vec::new();
        for run in 0..runs {
            let mut measured = vec![Measured::default(); case.servers.len()];
            let mut order: Vec<usize> = (0..case.servers.len()).collect();
            // In turn who is first: the machine may get warmer, or busier.
            if run % 2 == 1 {
                order.reverse();
            }
            for place in order {
                let server = &case.servers[place];
                measured[place] = measure(&case, server);
                measured[place].print(&case, server.name);
            }
            all.push(measured);
        }
        results.push(Result { case, runs: all });
    }
    print_growth(&results);
    print_savings(&results);
    let goals: Vec<String> = results.iter().flat_map(goals).collect();
    report::print(&goals);
}

/// How cost grows with subscribers, with changed bytes and with the view.
fn print_growth(results: &[Result]) {
    println!(
        "\n| subscribers | bytes changed at once | rows of the view | loop: CPU us per delivered event | viewcast | x | viewcast: CPU us per event in all |"
    );
    println!("|---|---|---|---|---|---|---|");
    for it in results.iter().filter(|it| it.case.what == What::Growth) {
        let Case {
            subscribers,
            rows,
            pad,
            ..
        } = it.case;
        let (bare, ours) = (it.median(0, |m| m.cpu_us), it.median(1, |m| m.cpu_us));
        println!(
            "| {subscribers} | {} | {rows} | {bare:.2} | {ours:.2} | {:.2} | {:.0} |",
            pad + cases::ROW_BYTES,
            ours / bare,
            ours * subscribers as f64,
        );
    }
}

/// What conflation and compression save, beside the same without.
fn print_savings(results: &[Result]) {
    println!(
        "\n| case | server | events sent to each | bytes sent to each | server's CPU, ms in all | p50 ms | p99 ms | KiB per subscriber |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for it in results.iter().filter(|it| it.case.what == What::Savings) {
        for (place, server) in it.case.servers.iter().enumerate() {
            let median = |pick| number(it.median(place, pick));
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                it.case.name,
                server.name,
                median(|m| m.frames),
                median(|m| m.bytes),
                median(|m| m.cpu_ms),
                median(|m| m.p50_ms),
                median(|m| m.p99_ms),
                median(|m| m.kib),
            );
        }
    }
}

/// The lines of the table for one case.
fn goals(it: &Result) -> Vec<String> {
    let case = &it.case;
    let line = |what: &str, pick: fn(&Measured) -> f64, goal| {
        let beside = it.case.servers[0].name;
        row(
            &format!("{}: {what}; {beside}", case.name),
            &number(it.median(0, pick)),
            &number(it.median(1, pick)),
            it.ratios(pick),
            goal,
        )
    };
    let cpu = "CPU per delivered event, us";
    match case.what {
        What::Steady => vec![
            line(cpu, |m| m.cpu_us, Goal::AtMost(1.10)),
            line("latency p99, ms", |m| m.p99_ms, Goal::AtMost(1.5)),
            writes(it),
        ],
        What::Burst => vec![
            line(cpu, |m| m.cpu_us, Goal::AtMost(1.5)),
            line("latency p99, ms", |m| m.p99_ms, Goal::AtMost(2.0)),
            writes(it),
        ],
        What::Idle => vec![row(
            &format!(
                "{}: KiB resident per subscriber; {}",
                case.name, case.servers[0].name
            ),
            &number(it.median(0, |m| m.kib)),
            &number(it.median(1, |m| m.kib)),
            it.of(1, |m| m.kib),
            Goal::AtMost(10.0),
        )],
        What::Join => vec![line(
            "CPU per subscriber, us",
            |m| m.cpu_us,
            Goal::Words("the base is not encoded again"),
        )],
        What::Ways => (1..case.servers.len()).flat_map(|at| way(it, at)).collect(),
        What::Savings | What::Growth => Vec::new(),
    }
}

/// What one of several ways in costs, beside the loop that comes before it.
fn way(it: &Result, at: usize) -> Vec<String> {
    let Some(goals) = it.case.servers[at].goals else {
        return Vec::new();
    };
    let server = &it.case.servers;
    let beside = (0..at).rev().find(|place| server[*place].gateway.is_none());
    let beside = beside.unwrap_or_default();
    let line = |what: &str, pick: fn(&Measured) -> f64, ratios, goal| {
        let (case, name) = (it.case.name, server[at].name);
        row(
            &format!("{case}: {name}: {what}; {}", server[beside].name),
            &number(it.median(beside, pick)),
            &number(it.median(at, pick)),
            ratios,
            Goal::AtMost(goal),
        )
    };
    let ratios = it
        .runs
        .iter()
        .map(|run| run[at].cpu_us / run[beside].cpu_us);
    let kib = it.of(at, |m| m.kib);
    vec![
        line(
            "CPU per delivered event, us",
            |m| m.cpu_us,
            ratios.collect(),
            goals.0,
        ),
        line("KiB resident per subscriber", |m| m.kib, kib, goals.1),
    ]
}

fn writes(it: &Result) -> String {
    row(
        &format!("{}: writes per delivered event", it.case.name),
        "",
        &number(it.median(1, |m| m.writes)),
        it.of(1, |m| m.writes),
        Goal::Words("one, or fewer where events gather"),
    )
}
