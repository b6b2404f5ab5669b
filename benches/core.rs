//! How fast is one thread from COPY text to JSON rows, to the view, to frames?
//!
//!     make bench                       # all, about ten seconds
//!     BENCH_ROWS=1000000 make bench    # other sizes
//!
//! Each figure is the median of several rounds, with the spread, and stands
//! beside a reference measured in the same run, since only ratios travel to
//! another machine: a pass that only finds tabs and newlines, and a copy of the
//! same bytes. Results that nobody reads could be optimised away, so every
//! round's is added up and printed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a program for developers, not part of the library"
)]

use std::fmt::Write as _;
use std::time::Instant;

use viewcast::model::delta::{Change, Delta};
use viewcast::model::position::{Incarnation, Position, Timestamp};
use viewcast::model::row::{Column, Row};
use viewcast::model::view::{View, ViewBuilder};
use viewcast::relay::frame::{Base, encode_delta};
use viewcast::tail::copy_text::{CopyTextError, Lines};
use viewcast::tail::message::{Message, MessageError, Messages};

const ROUNDS: usize = 9;

/// Lines of COPY text of plain text columns, as a snapshot brings them.
fn copy_text(rows: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        writeln!(
            text,
            "1795383343145\tf\t1\tUser number {row}\tTalk:A page of some length {}\tsome more words that a row may well have",
            row % 977
        )
        .unwrap();
    }
    text
}

fn columns() -> Vec<Column> {
    ["user", "page", "comment"]
        .map(|name| Column {
            name: name.to_owned(),
            sql_type: "text".to_owned(),
        })
        .to_vec()
}

/// Runs the rounds; median seconds, the fastest, the slowest.
fn measure(mut round: impl FnMut() -> usize) -> (f64, f64, f64, usize) {
    let mut seen = 0;
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            seen += round();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[ROUNDS / 2], times[0], times[ROUNDS - 1], seen)
}

/// Measures and prints a line; the median, to be a reference for others.
fn report(name: &str, bytes: usize, reference: Option<f64>, round: impl FnMut() -> usize) -> f64 {
    let (median, fastest, slowest, seen) = measure(round);
    let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
    let ratio = reference.map_or_else(
        || "1.00".to_owned(),
        |other| format!("{:.2}", median / other),
    );
    println!(
        "{name:<44} {:>8.0} MB/s  ({:.0} to {:.0})  x {ratio:<8} [{seen}]",
        rate(median),
        rate(slowest),
        rate(fastest),
    );
    median
}

fn read_lines(text: &str, each: &mut impl FnMut(&[u8]) -> Result<(), MessageError>) {
    let mut lines = Lines::new(1 << 20);
    lines
        .push(text.as_bytes(), |line| each(line))
        .unwrap_or_else(|error: MessageError| panic!("{error}"));
    let _: Result<(), CopyTextError> = lines.finish();
}

fn snapshot(text: &str) -> View {
    let mut messages = Messages::new(&columns());
    let mut builder = ViewBuilder::new();
    read_lines(text, &mut |line| {
        if let Message::Update { diff, row, .. } = messages.read(line)? {
            builder.add(row, diff);
        }
        Ok(())
    });
    builder.finish(Timestamp::new(1)).unwrap()
}

fn main() {
    let rows = std::env::var_os("BENCH_ROWS")
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(200_000);
    let text = copy_text(rows);
    let bytes = text.len();
    println!("{rows} rows, {bytes} bytes of COPY text, median of {ROUNDS} (slowest to fastest)\n");

    let scan = report("find tabs and newlines (reference)", bytes, None, || {
        memchr::memchr2_iter(b'\t', b'\n', text.as_bytes()).count()
    });
    let mut messages = Messages::new(&columns());
    report("COPY text to JSON rows", bytes, Some(scan), || {
        let mut seen = 0;
        read_lines(&text, &mut |line| {
            if let Message::Update { row, .. } = messages.read(line)? {
                seen += row.len();
            }
            Ok(())
        });
        seen
    });
    report("COPY text to a view", bytes, Some(scan), || {
        snapshot(&text).copies() as usize
    });

    let view = snapshot(&text);
    let incarnation = Incarnation::of(["bench"]);
    let json = Base::encode(&view, incarnation).encoded.event();
    println!("\n{} bytes of JSON", json.len());
    let copy = report("copy the base (reference)", json.len(), None, || {
        std::hint::black_box(json.to_vec()).len()
    });
    report("encode the base", json.len(), Some(copy), || {
        Base::encode(&view, incarnation).encoded.length()
    });

    let changes: Vec<Change> = (0..rows / 10)
        .map(|row| Change {
            row: Row::from(format!("{{\"user\":\"User {row}\",\"page\":\"A page\"}}").as_str()),
            diff: if row % 2 == 0 { 1 } else { -1 },
        })
        .collect();
    let delta = Delta::new(Timestamp::new(2), changes.clone());
    let position = Position {
        timestamp: delta.timestamp(),
        incarnation,
    };
    let frame = encode_delta(&delta, position).event();
    println!(
        "\n{} changes, {} bytes of frame",
        changes.len(),
        frame.len()
    );
    let copy = report("copy the frame (reference)", frame.len(), None, || {
        std::hint::black_box(frame.to_vec()).len()
    });
    report("encode the delta", frame.len(), Some(copy), || {
        encode_delta(&delta, position).length()
    });
    report("consolidate the delta", frame.len(), Some(copy), || {
        Delta::new(Timestamp::new(2), changes.clone())
            .changes()
            .len()
    });
}
