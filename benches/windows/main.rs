//! What do windows cost, beside a loop that holds a map from a key to sockets?
//!
//!     make bench BENCHES=windows
//!     BENCH_RUNS=1 BENCH_CASES=join cargo bench --bench windows
//!
//! A view of customers' orders, a hundred rows each; a window is one customer's.
//! Upstream, server and clients are processes of their own, as in `fanout`, and
//! the server's time is read from /proc: of the gateway all of it, with its
//! tail and decoding, while the loop is told what changed in 24 bytes. The
//! clients check the number of every event. The figures are ratios of the same
//! run, in turn.
//!
//! By environment: BENCH_RUNS (3), BENCH_CASES (all; words of their names),
//! BENCH_BINARY (another build).
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

use cases::{Figure, cases};
use filling::Filling;
use measure::{Case, Measured, measure};
use report::{number, row, spread};

mod cases;
#[path = "../fanout/client.rs"]
mod client;
#[path = "../fanout/filling.rs"]
mod filling;
mod measure;
#[path = "../../tests/it/support/pgwire.rs"]
mod pgwire;
#[path = "../fanout/process.rs"]
mod process;
mod reference;
#[path = "../report.rs"]
mod report;
#[path = "../fanout/secure.rs"]
mod secure;
#[path = "../fanout/stamped.rs"]
mod stamped;
#[path = "../fanout/tally.rs"]
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
        _ => {
            compare();
            Ok(())
        }
    }
}

fn compare() {
    let runs: usize = setting("BENCH_RUNS", 3);
    println!("{runs} runs, in turn; every event of every subscriber checked\n");
    let chosen: String = setting("BENCH_CASES", String::new());
    let chosen: Vec<&str> = chosen.split(',').filter(|word| !word.is_empty()).collect();
    let is_chosen =
        |figure: &Figure| chosen.is_empty() || chosen.iter().any(|w| figure.name.contains(w));
    let rows: Vec<String> = cases()
        .iter()
        .filter(|it| is_chosen(it))
        .map(|it| line(it, runs))
        .collect();
    report::print(&rows);
}

/// Measures both sides of a figure, in turn who is first; its line of the table.
fn line(figure: &Figure, runs: usize) -> String {
    let mut all = Vec::new();
    for run in 0..runs {
        let (mut beside, mut ours) = (Measured::default(), Measured::default());
        let mut sides = [
            (figure.beside.as_ref(), &mut beside),
            (Some(&figure.case), &mut ours),
        ];
        if run % 2 == 1 {
            sides.reverse();
        }
        for (case, measured) in sides {
            if let Some(case) = case {
                *measured = measure(case);
                print(figure, case, measured);
            }
        }
        all.push((beside, ours));
    }
    let median = |side: fn(&(Measured, Measured)) -> &Measured| {
        spread(all.iter().map(|run| (figure.pick)(side(run)))).0
    };
    let figures = all.iter().map(|(beside, ours)| {
        let (beside, ours) = ((figure.pick)(beside), (figure.pick)(ours));
        (figure.compare)(beside, ours)
    });
    let beside = match figure.beside {
        Some(_) => number(median(|run| &run.0)),
        None => String::new(),
    };
    row(
        figure.name,
        &beside,
        &number(median(|run| &run.1)),
        figures,
        figure.goal,
    )
}

fn print(figure: &Figure, case: &Case, measured: &Measured) {
    let who = match case.server {
        measure::Server::Loop => "loop",
        measure::Server::Viewcast => "viewcast",
    };
    println!(
        "{:<90} {who:<8} {:>8} rows {:>6} subscribers  join {:>8.2} us  event {:>8.2} us  \
         row {:>6.2} us  {:>9.0} rows/s  {:>6.2} KiB  index {:>5.2} B",
        figure.name,
        case.customers * case.rows,
        case.subscribers,
        measured.join_us,
        measured.event_us,
        measured.row_us,
        measured.rows_per_second,
        measured.kib,
        measured.index_bytes,
    );
}
