//! What was done and seen, for a summary that can be checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of all scenarios together.
#[derive(Debug, Default)]
pub struct Tally {
    pub histories: AtomicU64,
    pub scenarios: AtomicU64,
    /// Whole multisets compared by their hashes, one for each id of each client.
    pub comparisons: AtomicU64,
    /// Of these, compared row by row as well.
    pub full: AtomicU64,
    pub connections: AtomicU64,
    pub bases: AtomicU64,
    pub upstream_words: AtomicU64,
    /// What must stay zero, by what it is.
    wrong: Mutex<BTreeMap<&'static str, u64>>,
    faults: Mutex<BTreeMap<&'static str, u64>>,
    resumes: Mutex<BTreeMap<&'static str, u64>>,
}

/// What may be wrong; each is reported also when it is zero.
pub const DIVERGENCE: &str = "divergences";
pub const SECOND_BASE: &str = "second bases";
pub const NEEDLESS_BASE: &str = "bases where resume was possible";
pub const ORDER: &str = "ids that did not grow";
pub const WORDS: &str = "upstream words out of order";
pub const FORMAT: &str = "malformed answers";
pub const STUCK: &str = "clients that did not reach the end";
pub const PANIC: &str = "panics and deaths of gateways";
pub const PLACES: &str = "places that were not given back";
const WRONG: [&str; 9] = [
    DIVERGENCE,
    SECOND_BASE,
    NEEDLESS_BASE,
    ORDER,
    WORDS,
    FORMAT,
    STUCK,
    PANIC,
    PLACES,
];

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn count_in(counts: &Mutex<BTreeMap<&'static str, u64>>, kind: &'static str) {
    *counts.lock().unwrap().entry(kind).or_default() += 1;
}

impl Tally {
    pub fn fault(&self, kind: &'static str) {
        count_in(&self.faults, kind);
    }

    pub fn resume(&self, outcome: &'static str) {
        count_in(&self.resumes, outcome);
    }

    pub fn wrong(&self, kind: &'static str) {
        count_in(&self.wrong, kind);
    }

    /// All faults together.
    pub fn faults(&self) -> u64 {
        self.faults.lock().unwrap().values().sum()
    }

    /// Lines for people.
    pub fn summary(&self) -> String {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut out = String::new();
        let mut line = |name: &str, value: u64| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{value:>10}  {name}");
        };
        line("scenarios", load(&self.scenarios));
        line("histories of views", load(&self.histories));
        line(
            "comparisons of a whole multiset (128-bit sum of row hashes)",
            load(&self.comparisons),
        );
        line("of these also row by row", load(&self.full));
        line("connections", load(&self.connections));
        line("bases", load(&self.bases));
        line("upstream events", load(&self.upstream_words));
        for (outcome, times) in self.resumes.lock().unwrap().iter() {
            line(&format!("resume: {outcome}"), *times);
        }
        line("faults in all", self.faults());
        for (kind, times) in self.faults.lock().unwrap().iter() {
            line(&format!("fault: {kind}"), *times);
        }
        let wrong = self.wrong.lock().unwrap();
        for kind in WRONG {
            line(kind, wrong.get(kind).copied().unwrap_or(0));
        }
        out
    }
}
