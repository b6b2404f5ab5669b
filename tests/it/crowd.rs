//! Many at once: every subscriber of a view reaches the same state, and one
//! that never reads holds up no other [P11].

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::gateway::Gateway;
use crate::support::http::get;
use crate::support::over::Over;
use crate::support::sse::Stream;
use crate::support::table::{Rows, Table, position};

const VIEWS: [&str; 3] = ["top10", "counter", "hot_pages"];
const THREADS: usize = 10;
const STREAMS_PER_THREAD: usize = 100;

fn fingerprint(rows: &Rows) -> u64 {
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    hasher.finish()
}

/// The view's contents at every id, as one client that keeps up sees them.
fn record(gateway: &Gateway, view: &str, stop: &AtomicBool) -> HashMap<u64, u64> {
    let mut stream = Stream::open(gateway.address, &format!("/{view}/stream"));
    let mut table = Table::default();
    let mut seen = HashMap::new();
    while !stop.load(Ordering::Relaxed) {
        table.apply(&stream.next().expect("the stream goes on"));
        seen.insert(table.timestamp.unwrap(), fingerprint(&table.rows));
    }
    seen
}

/// Opens many streams, then reads each up to the target; where each stood and
/// what it held.
fn join_and_read(gateway: &Gateway, first: usize) -> Vec<(usize, u64, u64)> {
    let open = |at: usize| {
        let view = (first + at) % VIEWS.len();
        (
            view,
            Stream::open(gateway.address, &format!("/{}/stream", VIEWS[view])),
        )
    };
    let streams: Vec<_> = (0..STREAMS_PER_THREAD).map(open).collect();
    let list = get(gateway.address, "/views").json();
    let now = list["views"][0]["position"].as_str().expect("a position");
    let target = position(now).0 + 1_000;
    let finish = |(view, mut stream): (usize, Stream)| {
        let mut table = Table::default();
        table.read_until(&mut stream, |table| table.timestamp >= Some(target));
        assert_eq!(table.bases, 1);
        (view, table.timestamp.unwrap(), fingerprint(&table.rows))
    };
    streams.into_iter().map(finish).collect()
}

#[test]
fn crowd_of_a_thousand_reaches_the_same_state() {
    let gateway = Gateway::demo(&[]);
    gateway.await_ready();
    // Reads the head of the response and nothing more, on the largest view.
    let never_reads = Stream::open(gateway.address, "/user_edits/stream");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        let recorders = VIEWS.map(|view| {
            let gateway = &gateway;
            scope.spawn(move || record(gateway, view, stop))
        });
        let readers: Vec<_> = (0..THREADS)
            .map(|first| {
                let gateway = &gateway;
                scope.spawn(move || join_and_read(gateway, first))
            })
            .collect();
        let over = Over(stop);
        let ends: Vec<_> = readers
            .into_iter()
            .flat_map(|reader| reader.join().expect("all read"))
            .collect();
        drop(over);
        let recorded = recorders.map(|recorder| recorder.join().expect("recorded"));
        assert_eq!(ends.len(), THREADS * STREAMS_PER_THREAD);
        let mut compared = 0;
        for (view, timestamp, rows) in ends {
            // A base may stand at a time between two deltas, which the client
            // that was there before has no id for; the next id tells.
            if let Some(expected) = recorded[view].get(&timestamp) {
                assert_eq!(rows, *expected, "{} at {timestamp}", VIEWS[view]);
                compared += 1;
            }
        }
        println!("{compared} of {} compared", THREADS * STREAMS_PER_THREAD);
        assert!(compared > THREADS * STREAMS_PER_THREAD * 9 / 10);
    });
    drop(never_reads);
}
