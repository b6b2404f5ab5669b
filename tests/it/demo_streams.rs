//! Every view's stream adds up to what a SELECT at the same timestamp gives.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::thread;

use postgres::{Client, NoTls};
use viewcast::demo::{Demo, DemoDialect, Options, VIEWS, start};

use super::demo_standin::{connect, options};

/// COPY text lines of a view with their multiplicities.
type Contents = BTreeMap<String, i64>;

fn select(client: &mut Client, view: &str, at: u64) -> Contents {
    let sql = format!("COPY (SELECT * FROM {view} AS OF {at}) TO STDOUT");
    let mut contents = Contents::new();
    for line in BufReader::new(client.copy_out(&sql).unwrap()).lines() {
        *contents.entry(line.unwrap()).or_default() += 1;
    }
    contents
}

/// Follows a view until `progress_rows` of them have come, and compares with a
/// SELECT at every `every`-th. Returns how many updates came.
pub(crate) fn follow(
    demo: &Demo,
    view: &str,
    verb: &str,
    progress_rows: usize,
    every: usize,
) -> usize {
    let (mut stream, mut client) = (connect(demo), connect(demo));
    let sql = format!("COPY ({verb} {view} WITH (PROGRESS)) TO STDOUT");
    let token = stream.cancel_token();
    let mut lines = BufReader::new(stream.copy_out(&sql).unwrap()).lines();
    let (mut contents, mut closed, mut seen, mut updates) = (Contents::new(), 0, 0, 0);
    while seen < progress_rows {
        let line = lines.next().unwrap().unwrap();
        let (timestamp, rest) = line.split_once('\t').unwrap();
        let timestamp: u64 = timestamp.parse().unwrap();
        let (progressed, rest) = rest.split_once('\t').unwrap();
        assert!(
            timestamp >= closed,
            "{view}: {line} after {closed} was closed"
        );
        if progressed == "f" {
            let (diff, row) = rest.split_once('\t').unwrap();
            let diff: i64 = diff.parse().unwrap();
            assert_ne!(diff, 0, "{view}: {line}");
            let count = contents.entry(row.to_owned()).or_default();
            *count += diff;
            if *count == 0 {
                contents.remove(row);
            }
            updates += 1;
            continue;
        }
        // The modern servers' first progress row comes before the snapshot.
        let first = closed == 0 && verb == "SUBSCRIBE";
        closed = timestamp;
        seen += 1;
        if !first && seen % every == 0 {
            assert!(
                contents.values().all(|count| *count > 0),
                "{view} below {closed}"
            );
            assert_eq!(
                contents,
                select(&mut client, view, closed - 1),
                "{view} below {closed}"
            );
        }
    }
    // Dropping a client waits for its COPY to end, which this one does not.
    token.cancel_query(NoTls).unwrap();
    assert!(
        lines.any(|line| line.is_err()),
        "{view}: the COPY ends when cancelled"
    );
    updates
}

#[test]
fn streams_of_all_views_add_up_to_selects_over_300_ticks() {
    let demo = start(options(50, 500.0, 3_000)).unwrap();
    thread::scope(|scope| {
        let threads = VIEWS.map(|view| {
            let every = if view.ends_with("_edits") { 10 } else { 1 };
            let demo = &demo;
            (
                view,
                scope.spawn(move || follow(demo, view, "SUBSCRIBE", 300, every)),
            )
        });
        for (view, thread) in threads {
            let updates = thread.join().unwrap();
            let expected = match view {
                "mz_catalog.mz_views" => 7,
                "hot_pages" => 20,
                _ => 300,
            };
            assert!(updates >= expected, "{view}: {updates} updates");
        }
    });
}

#[test]
fn streams_of_the_old_dialect_add_up_to_selects() {
    let demo = start(Options {
        dialect: DemoDialect::Tail,
        ..options(20, 500.0, 3_000)
    })
    .unwrap();
    thread::scope(|scope| {
        for view in ["counter", "top10", "edits_per_minute", "hot_pages"] {
            let demo = &demo;
            scope.spawn(move || follow(demo, view, "TAIL", 50, 1));
        }
    });
}

#[test]
fn old_dialect_is_silent_about_a_view_that_does_not_change() {
    let demo = start(Options {
        dialect: DemoDialect::Tail,
        ..options(10, 25.0, 0)
    })
    .unwrap();
    let (mut stream, mut client) = (connect(&demo), connect(&demo));
    let sql = "COPY (TAIL mz_catalog.mz_views WITH (PROGRESS)) TO STDOUT";
    let token = stream.cancel_token();
    let mut lines = BufReader::new(stream.copy_out(sql).unwrap()).lines();
    let first: Vec<String> = (0..8).map(|_| lines.next().unwrap().unwrap()).collect();
    assert!(
        first[..7].iter().all(|line| line.contains("\tf\t1\tu")),
        "{first:?}"
    );
    assert!(first[7].contains("\tt\t\\N"), "{first:?}");
    // Twenty ticks later nothing more has come.
    let now: u64 = first[7].split('\t').next().unwrap().parse().unwrap();
    select(&mut client, "counter", now + 200);
    token.cancel_query(NoTls).unwrap();
    let more: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(more.is_empty(), "{more:?}");
}
