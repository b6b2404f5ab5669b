//! How long does a subscriber see no change while an operator does something?
//!
//!     cargo bench --bench gaps                 # the demo's stand-in: `make gaps`
//!     MATERIALIZE_URL=postgres://... cargo bench --bench gaps   # `make real`
//!     GAPS_ONLY=swap cargo bench --bench gaps  # the events with this word
//!
//! For each event: a schema of its own is built, the real binary is started on
//! it, a plain TCP client reads the stream of one view as EventSource would, and
//! a row is inserted every 100 ms. The longest time between two changes that the
//! client sees is taken for five seconds without the event, and from the event on
//! until a row that was inserted eight seconds after it is seen. In the end the
//! client's rows are compared with what the server answers.
//!
//! The server is the demo's stand-in in a process of its own, or whatever
//! `MATERIALIZE_URL` names; `MATERIALIZE_STOP` and `MATERIALIZE_START` are then
//! run by `/bin/sh` to stop and start it. What a server does not know, or what
//! has no command, has its reason in the row. Everything is built in schemas
//! whose names begin with `viewcast_gaps`, and dropped again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    reason = "a program for developers, not part of the library"
)]

mod client;
mod events;
mod gateway;
#[path = "../../tests/it/support/proxy.rs"]
mod proxy;
mod server;
mod writer;

use std::time::{Duration, Instant};

use client::Client;
use events::{Event, Stage};

/// Without the event.
const QUIET: Duration = Duration::from_secs(5);
/// Longer than it takes until a gateway has asked the catalog again.
const AFTER: Duration = Duration::from_secs(8);
/// Longest time until a change is seen again.
const PATIENCE: Duration = Duration::from_secs(90);

fn main() {
    let only = std::env::var("GAPS_ONLY").unwrap_or_default();
    let server = server::Server::start();
    println!("server: {}", server.words);
    println!();
    println!("| event | without, ms | with, ms | what its stream said | rows seen/expected |");
    println!("|---|---|---|---|---|");
    for event in events::all() {
        if event.name.contains(&only) {
            println!("{}", row(&server, &event));
        }
    }
}

/// What one event comes to, as a line of the table.
fn row(server: &server::Server, event: &Event) -> String {
    let stage = match Stage::build(server, event) {
        Ok(stage) => stage,
        Err(reason) => return format!("| {} | | | not known here: {reason} | |", event.name),
    };
    let client = Client::start(stage.addresses(), stage.path());
    if !client.await_rows(PATIENCE) {
        return format!(
            "| {} | | | not served here: the gateway has no rows | |",
            event.name
        );
    }
    std::thread::sleep(Duration::from_secs(1));
    let begin = Instant::now();
    std::thread::sleep(QUIET);
    let without = client.gap(begin, Instant::now(), 0);
    let before = client.said();
    let begin = Instant::now();
    let done = (event.action)(&stage);
    if let Err(reason) = done {
        return format!(
            "| {} | {} | | not known here: {reason} | |",
            event.name,
            without.as_millis()
        );
    }
    let row = stage.writer.row_after(AFTER) + event.table * writer::TABLE;
    let seen = client.await_row(row, PATIENCE);
    let end = seen.unwrap_or_else(Instant::now);
    let with = client.gap(begin, end, event.table);
    stage.writer.stop();
    let expected = stage.expected();
    let (held, said) = client.settle(&expected, Duration::from_secs(5));
    let right = held.intersection(&expected).count();
    let wrong = held.len() - right;
    let verdict = match (seen, wrong) {
        (None, _) => format!(", nothing more within {} s", PATIENCE.as_secs()),
        (Some(_), 0) => String::new(),
        (Some(_), wrong) => format!(", {wrong} WRONG ROWS"),
    };
    format!(
        "| {} | {} | {} | {}{verdict} | {right}/{} |",
        event.name,
        without.as_millis(),
        with.as_millis(),
        said.since(&before),
        expected.len()
    )
}
