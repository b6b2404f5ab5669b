//! What is measured, beside what, and what it is to be.

use crate::measure::{Case, Changes, Measured, Server};
use crate::report::Goal;

/// A figure: two cases beside each other, or one alone.
pub struct Figure {
    pub name: &'static str,
    pub beside: Option<Case>,
    pub case: Case,
    pub pick: fn(&Measured) -> f64,
    pub compare: fn(f64, f64) -> f64,
    pub goal: Goal,
}

/// Windows of one customer each.
const ONE_EACH: &str = "/v/stream?customer=eq.{}";

/// The same window for all.
const POPULAR: &str = "/v/stream?customer=eq.0";

/// Rows of a window, and of the base of each.
const ROWS: u64 = 100;

fn windows(server: Server, customers: u64, subscribers: usize) -> Case {
    Case {
        server,
        customers,
        rows: ROWS,
        subscribers,
        path: ONE_EACH,
        base: ROWS,
        changes: None,
    }
}

/// 1,000 changed rows a second for ten seconds, 50 at a timestamp, of so many
/// customers in turn.
fn steady(customers: u64) -> Changes {
    Changes {
        rows: 10_000,
        batch: 50,
        rate: 1_000.0,
        first: 0,
        customers,
        is_delivered: true,
        may_merge: false,
    }
}

fn changed(case: Case, changes: Changes) -> Case {
    Case {
        changes: Some(changes),
        ..case
    }
}

fn ratio(beside: f64, ours: f64) -> f64 {
    ours / beside
}

fn itself(_: f64, ours: f64) -> f64 {
    ours
}

pub fn cases() -> Vec<Figure> {
    let mut figures = changes();
    figures.extend(joins());
    figures.extend(memory());
    figures.extend(popular());
    figures
}

fn changes() -> Vec<Figure> {
    let ours = |customers, subscribers| windows(Server::Viewcast, customers, subscribers);
    let unmatched = Changes {
        rows: 200_000,
        batch: 1_000,
        rate: 50_000.0,
        first: 10_000,
        customers: 10_000,
        is_delivered: false,
        may_merge: false,
    };
    let fast = Changes {
        rows: 500_000,
        batch: 5_000,
        rate: 110_000.0,
        first: 0,
        customers: 10_000,
        is_delivered: true,
        may_merge: true,
    };
    let nobody = Case {
        subscribers: 0,
        path: "/v/stream",
        ..ours(20_000, 0)
    };
    vec![
        Figure {
            name: "windows, 10,000 on 1,000,000 rows, 1,000 changed rows/s, each in one: CPU per delivered event, us; map loop",
            beside: Some(changed(
                windows(Server::Loop, 10_000, 10_000),
                steady(10_000),
            )),
            case: changed(ours(10_000, 10_000), steady(10_000)),
            pick: |measured| measured.event_us,
            compare: ratio,
            goal: Goal::AtMost(1.5),
        },
        Figure {
            name: "windows, the same changes for 10,000 open windows beside 100: CPU per delivered event, us; 100 windows",
            beside: Some(changed(ours(10_000, 100), steady(100))),
            case: changed(ours(10_000, 10_000), steady(10_000)),
            pick: |measured| measured.event_us,
            compare: ratio,
            goal: Goal::AtMost(1.2),
        },
        Figure {
            name: "windows, changes that match none of 10,000: CPU per changed row, us; no windows",
            beside: Some(changed(nobody, unmatched)),
            case: changed(ours(20_000, 10_000), unmatched),
            pick: |measured| measured.row_us,
            compare: ratio,
            goal: Goal::AtMost(1.1),
        },
        Figure {
            name: "windows, throughput through 10,000: changed rows/s",
            beside: None,
            case: changed(ours(10_000, 10_000), fast),
            pick: |measured| measured.rows_per_second,
            compare: itself,
            goal: Goal::AtLeast(100_000.0),
        },
    ]
}

fn joins() -> Vec<Figure> {
    let join = |name, beside, customers, goal| Figure {
        name,
        beside: Some(beside),
        case: windows(Server::Viewcast, customers, 1_000),
        pick: |measured| measured.join_us,
        compare: ratio,
        goal,
    };
    let bare = windows(Server::Loop, 10_000, 1_000);
    // Ten customers, whose windows a hundred subscribers each join.
    let small = Case {
        path: "/v/stream?customer=eq.{}",
        ..windows(Server::Viewcast, 1_000, 1_000)
    };
    vec![
        join(
            "windows, joining one of 100 rows, 1,000,000 rows in the view: CPU per subscriber, us; map loop",
            bare,
            10_000,
            Goal::AtMost(2.0),
        ),
        join(
            "windows, joining one of 100 rows, 5,000,000 rows in the view beside 100,000: CPU per subscriber, us",
            small,
            50_000,
            Goal::AtMost(1.2),
        ),
    ]
}

fn memory() -> Vec<Figure> {
    let one = Case {
        path: POPULAR,
        ..windows(Server::Viewcast, 10_000, 10_000)
    };
    vec![
        Figure {
            name: "windows, KiB of a live one beside its subscriber: 10,000 windows; 10,000 subscribers of one",
            beside: Some(one),
            case: windows(Server::Viewcast, 10_000, 10_000),
            pick: |measured| measured.kib,
            compare: |beside, ours| ours - beside,
            goal: Goal::AtMost(1.0),
        },
        Figure {
            name: "windows, index of one column: bytes a row",
            beside: None,
            case: windows(Server::Viewcast, 10_000, 100),
            pick: |measured| measured.index_bytes,
            compare: itself,
            goal: Goal::AtMost(16.0),
        },
    ]
}

/// A window that many want is to cost what a view costs.
fn popular() -> Vec<Figure> {
    let changes = Changes {
        rows: 500,
        batch: 1,
        rate: 50.0,
        first: 0,
        customers: 1,
        is_delivered: true,
        may_merge: false,
    };
    let case = |path, customers| Case {
        server: Server::Viewcast,
        customers,
        rows: ROWS,
        subscribers: 1_000,
        path,
        base: ROWS,
        changes: Some(changes),
    };
    vec![Figure {
        name: "windows, a popular one of 1,000 subscribers, 50 events/s: CPU per delivered event, us; a view",
        beside: Some(case("/v/stream", 1)),
        case: case(POPULAR, 1_000),
        pick: |measured| measured.event_us,
        compare: ratio,
        goal: Goal::AtMost(1.1),
    }]
}
