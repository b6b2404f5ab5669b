//! What do decoding, the multiset, encoding and resuming cost, and how does
//! that grow?
//!
//!     cargo bench --bench core              # all, a minute
//!     cargo bench --bench core -- decode    # one part
//!
//! Each figure is the CPU time of one thread, so that what else runs on the
//! machine counts little, and stands beside a reference of the same run: only
//! the ratios mean something on another machine. Criterion decides how many
//! turns a sample takes, and keeps what was built from being optimised away; a
//! table of medians is printed at the end, behind what it says itself.
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
use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use rustix::time::{ClockId, clock_gettime};
use viewcast::model::delta::{Change, Delta};
use viewcast::model::position::{Incarnation, Position, Timestamp};
use viewcast::model::retention::{Entry, Resume, Retention};
use viewcast::model::row::{Column, Row};
use viewcast::model::view::{View, ViewBuilder};
use viewcast::relay::event::body::Extent;
use viewcast::relay::event::form::Form;
use viewcast::relay::event::frame::encode_delta;
use viewcast::relay::event::long_event::Slice;
use viewcast::relay::log::bases::Base;
use viewcast::tail::copy_text::Lines;
use viewcast::tail::message::{Message, MessageError, Messages};

use report::Goal;

#[path = "report.rs"]
mod report;

/// Rows of the texts that are decoded: enough to leave the processor's caches.
const ROWS: usize = 100_000;

/// Sizes of views of which one row is changed.
const VIEW_SIZES: [usize; 3] = [5_000, 200_000, 5_000_000];

/// Changes of a delta.
const DELTA_SIZES: [usize; 3] = [1, 100, 10_000];

/// The CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A measured thing: its part, its name, bytes or items, and seconds per turn.
struct Figure {
    part: &'static str,
    name: String,
    unit: &'static str,
    count: usize,
    samples: Vec<f64>,
}

impl Figure {
    fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// A tenth and nine tenths of the samples are below.
    fn spread(&self) -> (f64, f64) {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |part: usize| sorted[(sorted.len() - 1) * part / 10];
        (at(1), at(9))
    }
}

/// All that was measured.
struct Bench {
    criterion: Criterion,
    figures: Vec<Figure>,
}

impl Bench {
    /// Measures `turn`; the first of each part is the reference of the others.
    fn measure<T>(
        &mut self,
        part: &'static str,
        name: &str,
        (count, unit): (usize, &'static str),
        mut turn: impl FnMut() -> T,
    ) {
        let mut samples = Vec::new();
        self.criterion
            .bench_function(&format!("{part}/{name}"), |bencher| {
                bencher.iter_custom(|turns| {
                    let begin = cpu();
                    for _ in 0..turns {
                        black_box(turn());
                    }
                    let spent = cpu() - begin;
                    samples.push(spent.as_secs_f64() / turns as f64);
                    spent
                });
            });
        if !samples.is_empty() {
            let name = name.to_owned();
            self.figures.push(Figure {
                part,
                name,
                unit,
                count,
                samples,
            });
        }
    }

    fn print(&self) {
        println!(
            "\n| part | what | per turn (10 % to 90 %) | rate | x reference |\n|---|---|---|---|---|"
        );
        for figure in &self.figures {
            let mut same = self.figures.iter().filter(|it| it.part == figure.part);
            let reference = same.next().unwrap();
            let each = |it: &Figure| it.median() / it.count as f64;
            let per_turn = |seconds: f64| match seconds {
                short if short < 1e-3 => format!("{:.2} us", short * 1e6),
                long => format!("{:.2} ms", long * 1e3),
            };
            let (low, high) = figure.spread();
            let rate = figure.count as f64 / figure.median() / 1e6;
            println!(
                "| {} | {} | {} ({} to {}) | {rate:.3} M{}/s | {:.2} |",
                figure.part,
                figure.name,
                per_turn(figure.median()),
                per_turn(low),
                per_turn(high),
                figure.unit,
                each(figure) / each(reference),
            );
        }
    }
}

/// The lines that are shown beside the goals.
fn goals(figures: &[Figure]) -> Vec<String> {
    let rate = |it: &Figure| format!("{:.0} MB/s", it.count as f64 / it.median() / 1e6);
    let micros = |it: &Figure| format!("{:.2} us", it.median() * 1e6);
    let mut rows = Vec::new();
    let mut compare =
        |name: &str, part: &str, of: &str, what: &str, how: &dyn Fn(&Figure) -> String, goal| {
            let find = |what: &str| {
                let mut all = figures.iter().filter(|it| it.part == part);
                all.find(|it| it.name.contains(what))
            };
            let (Some(reference), Some(ours)) = (find(of), find(what)) else {
                return;
            };
            let floor = reference.median() / reference.count as f64;
            let ratios = ours.samples.iter().map(|it| it / ours.count as f64 / floor);
            rows.push(report::row(name, &how(reference), &how(ours), ratios, goal));
        };
    let per = |what: &str| {
        format!("COPY text to JSON rows, {what}; a pass that only finds tabs and newlines")
    };
    let plain = per("plain text");
    compare(
        &plain,
        "decode",
        "reference",
        "JSON rows",
        &rate,
        Goal::AtMost(3.0),
    );
    let none = Goal::Words("none set");
    compare(
        &per("beyond ASCII, escapes"),
        "decode of escapes",
        "reference",
        "JSON rows",
        &rate,
        none,
    );
    compare(
        &per("numbers"),
        "decode of numbers",
        "reference",
        "JSON rows",
        &rate,
        none,
    );
    let base = "base read in slices; a copy of as many bytes";
    compare(
        base,
        "base",
        "reference",
        "encode",
        &rate,
        Goal::Words("about a copy"),
    );
    let change = "one row replaced in a view of 5 million rows; of 5 thousand, one thread";
    compare(
        change,
        "multiset",
        "of 5000 rows",
        "of 5000000 rows",
        &micros,
        Goal::Words("flat, but for the caches"),
    );
    if let Some(it) = figures
        .iter()
        .find(|it| it.part == "decode" && it.name.contains("JSON rows"))
    {
        let rates = it
            .samples
            .iter()
            .map(|seconds| it.count as f64 / seconds / 1e6);
        let what = "COPY text to JSON rows, plain text, MB/s of input, one thread";
        rows.insert(
            0,
            report::row(what, "", &rate(it), rates, Goal::AtLeast(400.0)),
        );
    }
    rows
}

fn columns(types: [&str; 3]) -> Vec<Column> {
    let named = ["user", "page", "comment"].into_iter().zip(types);
    let column = |(name, sql_type): (&str, &str)| Column::new(name, sql_type);
    named.map(column).collect()
}

/// COPY text of a snapshot.
fn copy_text(values: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for row in 0..ROWS {
        writeln!(text, "1795383343145\tf\t1\t{}", values(row)).unwrap();
    }
    text
}

fn plain(row: usize) -> String {
    let page = row % 977;
    format!(
        "User number {row}\tTalk:A page of some length {page}\tsome more words that a row may well have"
    )
}

fn escaped(row: usize) -> String {
    let page = row % 977;
    format!("Usér \"numbér\" {row}\tTalk:Ä pagé\\tof some length {page}\t\\N")
}

fn numbers(row: usize) -> String {
    format!("{row}\t{}\t{}.25", row % 977, row % 31)
}

fn json(row: usize) -> String {
    let page = row % 977;
    format!(
        "{{\"user\":\"User number {row}\",\"page\":\"Talk:A page of some length {page}\",\
         \"comment\":\"some more words that a row may well have\"}}"
    )
}

fn read(text: &str, messages: &mut Messages, mut each: impl FnMut(&str, i64)) {
    let mut lines = Lines::new(1 << 20);
    let done: Result<(), MessageError> = lines.push(text.as_bytes(), |line| {
        if let Message::Update { row, diff, .. } = messages.read(line)? {
            each(row, diff);
        }
        Ok(())
    });
    done.unwrap();
}

fn decode(bench: &mut Bench) {
    let texts = [
        ("plain text", "decode", copy_text(plain), ["text"; 3]),
        (
            "text beyond ASCII, escapes, NULL",
            "decode of escapes",
            copy_text(escaped),
            ["text"; 3],
        ),
        (
            "bigint, integer, double precision",
            "decode of numbers",
            copy_text(numbers),
            ["bigint", "integer", "double precision"],
        ),
    ];
    for (name, part, text, types) in texts {
        let bytes = (text.len(), "B");
        bench.measure(part, "find tabs and newlines (reference)", bytes, || {
            memchr::memchr2_iter(b'\t', b'\n', text.as_bytes()).count()
        });
        let columns = columns(types);
        let mut messages = Messages::new(&columns);
        bench.measure(part, &format!("{name} to JSON rows"), bytes, || {
            let mut seen = 0;
            read(&text, &mut messages, |row, _| seen += row.len());
            seen
        });
        bench.measure(part, &format!("{name} to a view"), bytes, || {
            let mut builder = ViewBuilder::new();
            read(&text, &mut messages, |row, diff| builder.add(row, diff));
            builder.finish(Timestamp::new(1)).unwrap().copies()
        });
    }
}

fn view(rows: usize) -> View {
    let mut builder = ViewBuilder::new();
    (0..rows).for_each(|row| builder.add(&json(row), 1));
    builder.finish(Timestamp::new(1)).unwrap()
}

/// One row replaced by another, in views of several sizes.
fn multiset(bench: &mut Bench) {
    for rows in VIEW_SIZES {
        let mut view = view(rows);
        let mut step = 0;
        let name = format!("one row replaced in a view of {rows} rows");
        bench.measure("multiset", &name, (1, "delta"), || {
            let change = |row, diff| Change {
                row: Row::from(json(row).as_str()),
                diff,
            };
            // Scattered over the whole view, each row once.
            let gone = step * 7919 % rows + step / rows * rows;
            let changes = vec![change(gone, -1), change(gone + rows, 1)];
            step += 1;
            let next = Timestamp::new(view.timestamp().get() + 1);
            view.apply(&Delta::new(next, changes)).unwrap();
        });
    }
}

fn encode(bench: &mut Bench) {
    let view = view(ROWS);
    let incarnation = Incarnation::of(["bench"]);
    let bytes = usize::try_from(view.listed_bytes()).unwrap();
    let json = vec![b'x'; bytes];
    bench.measure(
        "base",
        "copy as many bytes (reference)",
        (bytes, "B"),
        || json.clone(),
    );
    bench.measure("base", "encode, slice by slice", (bytes, "B"), || {
        let base = Base::of(&view, incarnation, 0);
        let mut reading = base.read(Extent::Event);
        let mut seen = 0;
        while let Slice::Bytes(piece) = reading.next(&Form::CHUNK) {
            seen += piece.bytes.len();
        }
        seen
    });
    for size in DELTA_SIZES {
        let changes: Vec<Change> = (0..size)
            .map(|row| Change {
                row: Row::from(self::json(row * 7919 % size).as_str()),
                diff: if row % 2 == 0 { 1 } else { -1 },
            })
            .collect();
        let delta = Delta::new(Timestamp::new(2), changes.clone());
        let position = Position {
            timestamp: delta.timestamp(),
            incarnation,
        };
        let name = |what: &str| format!("{what} {size} changes");
        bench.measure("delta", &name("encode"), (size, "change"), || {
            encode_delta(&delta, position)
        });
        bench.measure("delta", &name("consolidate"), (size, "change"), || {
            Delta::new(Timestamp::new(2), changes.clone())
        });
    }
}

/// A client comes back: its place is found, and what it lacks merged into one.
fn resume(bench: &mut Bench) {
    let at = Timestamp::new;
    let mut log = Retention::new(at(0));
    for time in 1..=10_000u64 {
        let change = Change {
            row: Row::from(json(time as usize % 500).as_str()),
            diff: if time % 1000 < 500 { 1 } else { -1 },
        };
        log.push(Entry {
            after: at(time - 1),
            timestamp: at(time),
            has_changes: true,
            bytes: 200,
            at_ms: time,
            frame: Delta::new(at(time), vec![change]),
        });
    }
    bench.measure(
        "resume",
        "find a position among 10000",
        (1, "resume"),
        || log.since(at(black_box(3_333))),
    );
    for behind in [32, 1000, 9000] {
        let name = format!("merge {behind} deltas");
        bench.measure("resume", &name, (behind, "delta"), || {
            let Resume::Deltas(cursor) = log.since(at(10_000 - behind as u64)) else {
                panic!("within the log");
            };
            Delta::merge(log.from(cursor).unwrap().map(|entry| &entry.frame))
        });
    }
}

fn main() {
    let criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();
    let mut bench = Bench {
        criterion,
        figures: Vec::new(),
    };
    println!("CPU time of one thread, {ROWS} rows where nothing else is said\n");
    decode(&mut bench);
    multiset(&mut bench);
    encode(&mut bench);
    resume(&mut bench);
    bench.print();
    report::print(&goals(&bench.figures));
}
