//! The model-based oracle: random histories, random faults, clients that come
//! and go; everything each of them holds is compared with what is true.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::soak;

mod arena;
mod changes;
mod client;
mod driver;
mod history;
mod joint;
mod rows;
mod script;
mod tally;
mod visitors;
mod windows;
pub mod wire;

use script::{Scenario, Size};
use tally::Tally;

/// Seeds that failed once; they run first.
const SEEDS: &str = "tests/data/oracle-seeds.txt";

/// In `make test`.
const SHORT: Size = Size {
    steps: 300,
    clients: 24,
    views: 4,
    faults: 12,
    pause_ms: 20,
};

/// In `make soak`.
const LONG: Size = Size {
    steps: 1_200,
    clients: 110,
    views: 8,
    faults: 9,
    pause_ms: 14,
};

/// Scenarios that run side by side.
const SIDE_BY_SIDE: usize = 3;

/// How often a smaller scenario may pass before it is believed.
const TRIES: usize = 2;

/// Time for making a failure smaller.
const SHRINKING: Duration = Duration::from_secs(120);

/// Seeds that failed before, each with the size it had then; the long ones
/// only where there is time for them.
fn known_seeds(is_long: bool) -> Vec<(u64, Size)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SEEDS);
    let text = fs::read_to_string(path).expect("the file of seeds");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut seeds = Vec::new();
    for line in lines {
        let mut words = line.split_whitespace();
        let (Some(seed), Some(size)) = (words.next(), words.next()) else {
            panic!("a line of {SEEDS} has a seed, a size and words: {line:?}");
        };
        let seed = seed.parse().expect("a seed is a number");
        match size {
            "short" => seeds.push((seed, SHORT)),
            "long" if is_long => seeds.push((seed, LONG)),
            "long" => {}
            other => panic!("a scenario is short or long, not {other:?}"),
        }
    }
    seeds
}

/// Runs a scenario; if it fails, the smallest one that fails, as text.
fn check(scenario: &Scenario, tally: &Tally) -> Result<(), String> {
    let Err(failures) = driver::run(scenario, tally) else {
        return Ok(());
    };
    println!("seed {} failed: {}", scenario.seed, failures.join("; "));
    let aside = Tally::default();
    let end = Instant::now() + SHRINKING;
    let (mut least, mut why) = (scenario.clone(), failures.clone());
    'smaller: loop {
        for less in least.smaller() {
            for _ in 0..TRIES {
                if Instant::now() > end {
                    break 'smaller;
                }
                if let Err(again) = driver::run(&less, &aside) {
                    (least, why) = (less, again);
                    continue 'smaller;
                }
            }
        }
        break;
    }
    Err(format!(
        "seed {} failed; add it to {SEEDS} with its size\nat first: {}\nmade smaller: {}\n{least}",
        scenario.seed,
        failures.join("\n  "),
        why.join("\n  "),
    ))
}

/// Two gateways that are killed in turn, while clients go from one to the other
/// as `EventSource` does: at most one base per connection, and none where the
/// process is still the same.
#[test]
fn oracle_gateways_killed_again_and_again_are_exact() {
    let is_long = soak::seconds().is_some();
    let (kills, clients) = if is_long { (50, 200) } else { (4, 30) };
    let scenario = Scenario::of_kills(7, kills, clients);
    let tally = Tally::default();
    let outcome = driver::run(&scenario, &tally);
    soak::report("gateways killed in turn", &tally.summary());
    assert_eq!(outcome, Ok(()), "{scenario}");
}

#[test]
fn oracle_random_histories_are_exact_through_every_failure() {
    let seconds = soak::seconds();
    let size = if seconds.is_some() { LONG } else { SHORT };
    let end = Instant::now() + seconds.unwrap_or(Duration::from_secs(20));
    let first = soak::seed_or(1_000);
    println!("first seed: {first}; ORACLE_SEED={first} runs the same");
    let tally = Tally::default();
    let known = Mutex::new(known_seeds(seconds.is_some()));
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while failures.lock().unwrap().is_empty() {
                    let old = known.lock().unwrap().pop();
                    if old.is_none() && Instant::now() > end {
                        break;
                    }
                    let (seed, size) =
                        old.unwrap_or_else(|| (next.fetch_add(1, Ordering::Relaxed), size));
                    if let Err(failure) = check(&Scenario::of(seed, size), &tally) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    soak::report("random histories", &tally.summary());
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    if seconds.is_none() {
        let compared = tally.comparisons.load(Ordering::Relaxed);
        assert!(
            compared > 1_000 && tally.faults() > 50,
            "too little was done"
        );
    }
}
