//! Random histories of two views, with everything that may happen to a stream
//! of both: at every common time the rows are those of the views.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BOTH, gateway, reach};
use crate::support::dice::Dice;
use crate::support::joined::Joined;
use crate::support::materialize::{Generation, Materialize, Pace, row};

/// Steps of one history.
const STEPS: usize = 60;

/// What is in a view, so that only what is there is taken away.
type Held = BTreeMap<&'static str, [i64; 4]>;

fn change(server: &Materialize, dice: &mut Dice, held: &mut Held) -> u64 {
    let view = ["v", "w"][dice.below(2)];
    let rows = held.entry(view).or_default();
    let (row_changed, copies) = (dice.below(4), dice.below(3));
    let copies = i64::try_from(copies).expect("small") + 1;
    let diff = if rows[row_changed] >= copies {
        -copies
    } else {
        copies
    };
    rows[row_changed] += diff;
    let row = row([&row_changed.to_string(), "random"]);
    server.commit_after(7, view, vec![(row, diff)])
}

fn history(seed: u64) {
    let mut dice = Dice::new(seed);
    let server = Materialize::start(Generation::Modern);
    for view in ["v", "w"] {
        server.create_view(view, &[("n", "integer"), ("b", "text")]);
    }
    server.pace(Pace::Random(seed));
    server.tick_every(Duration::from_millis(20));
    let url = server.url();
    let conflated = ["--min-interval", "150ms", "--heartbeat", "300ms"];
    let gateways = [
        gateway(&url, &[]),
        gateway(&url, if dice.below(2) == 0 { &conflated } else { &[] }),
    ];
    let mut held = Held::new();
    let mut last = change(&server, &mut dice, &mut held);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateways[0].address, BOTH);
    for _ in 0..STEPS {
        match dice.below(16) {
            0..8 => last = change(&server, &mut dice, &mut held),
            8 | 9 => drop(server.tick()),
            10 => server.cut_all(),
            11 => server.restart(),
            12 => server.hold(["v", "w"][dice.below(2)], true),
            13 | 14 => {
                let gateway = &gateways[dice.below(2)];
                stream = joined.open(gateway.address, BOTH);
            }
            _ => {
                server.hold("v", false);
                server.hold("w", false);
                reach(&server, &mut stream, &mut joined, last);
            }
        }
    }
    server.hold("v", false);
    server.hold("w", false);
    last = change(&server, &mut dice, &mut held);
    reach(&server, &mut stream, &mut joined, last);
    println!(
        "seed {seed}: {} deltas, bases {:?}",
        joined.deltas, joined.bases
    );
}

#[test]
fn oracle_random_histories_are_exact_at_every_common_time() {
    for seed in 1..=8 {
        println!("seed {seed}");
        history(seed);
    }
}
