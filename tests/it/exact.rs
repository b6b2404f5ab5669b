//! Exactness [P6]: base plus deltas is the view, at every id that is sent.
//!
//! Every view of the demo is followed for hundreds of ticks, and at each id the
//! client's table is compared, as a multiset, with what the upstream itself
//! answers to `SELECT * FROM view AS OF` that timestamp, asked past the gateway.

use crate::support::gateway::Gateway;
use crate::support::sse::Stream;
use crate::support::standin::{StandIn, rows_as_of, text_rows};
use crate::support::table::Table;

const TICKS: usize = 210;

const VIEWS: [&str; 9] = [
    "counter",
    "top10",
    "edits_by_language",
    "edits_per_minute",
    "hot_pages",
    "user_edits",
    "page_edits",
    "mz_catalog.mz_views",
    "mz_internal.mz_frontiers",
];

/// Changes of `mz_views` that are waited for: the demo creates or replaces a
/// view every five ticks.
const DEFINITIONS: usize = 40;

/// Follows a view over at least so many ids and so many changes; returns the
/// ids at which it was compared.
fn follow(
    gateway: &Gateway,
    standin: &StandIn,
    view: &str,
    (ids, deltas): (usize, usize),
) -> usize {
    let mut client = standin.connect();
    let mut stream = Stream::open(gateway.address, &format!("/{view}/stream"));
    let mut table = Table::default();
    table.apply(&stream.expect("base"));
    let mut compared = 0;
    while compared < ids || table.deltas < deltas {
        let timestamp = table.timestamp.unwrap();
        let expected = rows_as_of(&mut client, view, timestamp);
        assert_eq!(text_rows(&table.rows), expected, "{view} at {timestamp}");
        compared += 1;
        let before = table.timestamp;
        table.read_until(&mut stream, |table| table.timestamp != before);
    }
    assert_eq!(table.bases, 1, "one base per connection");
    compared
}

#[test]
fn oracle_every_view_of_the_demo_is_exact_at_every_id() {
    let standin = StandIn::start(&["--tick", "40ms", "--rate", "500"]);
    let views: Vec<&str> = VIEWS.iter().flat_map(|view| ["--view", view]).collect();
    let mut arguments = vec!["--upstream", &standin.url, "--heartbeat", "400ms"];
    arguments.extend(views);
    let gateway = Gateway::start(&arguments);
    let compared: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = VIEWS
            .iter()
            .map(|view| {
                let least = match *view {
                    "mz_catalog.mz_views" => (DEFINITIONS, DEFINITIONS),
                    "hot_pages" => (TICKS, 20),
                    _ => (TICKS, TICKS - 10),
                };
                let (gateway, standin) = (&gateway, &standin);
                scope.spawn(move || follow(gateway, standin, view, least))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("exact"))
            .sum()
    });
    println!("{compared} comparisons");
    assert!(compared >= 8 * TICKS + DEFINITIONS);
}

#[test]
fn oracle_conflated_views_of_the_demo_are_exact_at_every_id() {
    let standin = StandIn::start(&["--tick", "40ms", "--rate", "500"]);
    let gateway = Gateway::start(&[
        "--upstream",
        &standin.url,
        "--view",
        "counter",
        "--view",
        "user_edits",
        "--heartbeat",
        "400ms",
        "--min-interval",
        "150ms",
    ]);
    std::thread::scope(|scope| {
        for view in ["counter", "user_edits"] {
            let (gateway, standin) = (&gateway, &standin);
            scope.spawn(move || follow(gateway, standin, view, (TICKS / 4, TICKS / 8)));
        }
    });
}
