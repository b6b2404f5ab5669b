//! What of an outage is worth a line in the log. Pure: the clock comes in as
//! an argument.

use std::time::{Duration, Instant};

use crate::limits::{CONTRADICTION_FORGOTTEN, OUTAGE_ERRORS_MAX, OUTAGE_LOG_FIRST, OUTAGE_LOG_MAX};

/// Time without data of a view: each kind of error is logged once and then
/// counted, and the whole again at growing intervals.
#[derive(Debug)]
pub(super) struct Outage {
    began: Instant,
    attempts: u64,
    /// The kinds of error that were logged.
    logged: Vec<String>,
    /// The last error.
    last: String,
    /// When it is to be logged again, and the pause that was before.
    due: Instant,
    pause: Duration,
    /// The upstream contradicted itself: data soon come again, and often the
    /// same contradiction after them.
    pub is_contradiction: bool,
    /// Since when data come again.
    well_since: Option<Instant>,
    /// Data came again once.
    has_recovered: bool,
}

/// An outage in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// How long it lasts.
    pub length: Duration,
    /// Failed attempts.
    pub attempts: u64,
    /// The last error.
    pub last: String,
}

impl Outage {
    /// It begins.
    pub fn new(now: Instant) -> Self {
        Outage {
            began: now,
            attempts: 0,
            logged: Vec::new(),
            last: String::new(),
            due: now + OUTAGE_LOG_FIRST,
            pause: OUTAGE_LOG_FIRST,
            is_contradiction: false,
            well_since: None,
            has_recovered: false,
        }
    }

    /// Data came; whether that was so before.
    pub fn recover(&mut self, now: Instant) -> bool {
        self.well_since.get_or_insert(now);
        std::mem::replace(&mut self.has_recovered, true)
    }

    /// Whether data came for so long that it is over.
    pub fn is_forgotten(&self, now: Instant) -> bool {
        let since = |well: Instant| now.saturating_duration_since(well);
        self.well_since
            .is_some_and(|well| since(well) >= CONTRADICTION_FORGOTTEN)
    }

    /// One more failure; whether it is of a kind that was not logged yet.
    pub fn fail(&mut self, error: &str) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        self.well_since = None;
        error.clone_into(&mut self.last);
        let kind = kind_of(error);
        if self.logged.contains(&kind) || self.logged.len() >= OUTAGE_ERRORS_MAX {
            return false;
        }
        self.logged.push(kind);
        true
    }

    /// What is to be logged again, if it is time.
    pub fn remind(&mut self, now: Instant) -> Option<Report> {
        if now < self.due || self.well_since.is_some() && self.attempts < 2 {
            return None;
        }
        self.pause = self.pause.saturating_mul(2).min(OUTAGE_LOG_MAX);
        self.due = now + self.pause;
        Some(self.report(now))
    }

    /// In figures.
    pub fn report(&self, now: Instant) -> Report {
        Report {
            length: Duration::from_secs(now.saturating_duration_since(self.began).as_secs()),
            attempts: self.attempts,
            last: self.last.clone(),
        }
    }
}

/// An error without what has a digit in it: ports, times and ids, decimal or
/// hexadecimal, differ from one attempt to the next, and are no other error.
fn kind_of(error: &str) -> String {
    let is_of_a_word = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let mut kind = String::with_capacity(error.len());
    let mut rest = error;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_of_a_word(c) != is_of_a_word(first));
        let (run, after) = rest.split_at(end.unwrap_or(rest.len()));
        match is_of_a_word(first) && run.contains(|c: char| c.is_ascii_digit()) {
            true => kind.push('#'),
            false => kind.push_str(run),
        }
        rest = after;
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_logs_each_error_once_whatever_numbers_it_has() {
        let mut outage = Outage::new(Instant::now());
        let said: Vec<bool> = [
            "no connection from port 40001",
            "no connection from port 7",
            "silent for 10 s",
            "no connection from port 40003",
            "silent for 120 s",
        ]
        .map(|error| outage.fail(error))
        .to_vec();
        assert_eq!(said, [true, false, true, false, false]);
        assert_eq!(outage.report(outage.began).attempts, 5);
        for n in 0..1_000 {
            let letters = "x".repeat(n + 1);
            assert_eq!(outage.fail(&letters), n + 2 < OUTAGE_ERRORS_MAX);
        }
    }

    #[test]
    fn outage_takes_numbers_of_any_form_for_the_same_error() {
        for errors in [
            ["took 1 s", "took 1.5 s", "took -3 s", "took 2e5 s"],
            [
                "worker 0x1f failed",
                "worker 0xdeadbeef failed",
                "worker 0xa failed",
                "worker 0x0 failed",
            ],
            [
                "replica 5f0e3b4c-aaaa-4bcd-8def-000000000000 failed",
                "replica abcdefab-cdef-abcd-efab-cdefabcdefa0 failed",
                "replica 00000000-0000-4000-8000-000000000001 failed",
                "replica c0ffeeab-dead-4eef-beef-c0ffeec0ffee failed",
            ],
        ] {
            let mut outage = Outage::new(Instant::now());
            let said = errors.map(|error| outage.fail(error));
            assert_eq!(said, [true, false, false, false], "{errors:?}");
            assert!(outage.fail("another error"));
        }
    }

    #[test]
    fn outage_that_lasts_is_logged_at_growing_intervals() {
        let begin = Instant::now();
        let mut outage = Outage::new(begin);
        outage.fail("no connection");
        let (mut at, mut told) = (begin, Vec::new());
        while at < begin + Duration::from_secs(24 * 3_600) {
            at += Duration::from_secs(1);
            told.extend(outage.remind(at).map(|report| report.length));
        }
        let pauses: Vec<_> = told.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(told[0], OUTAGE_LOG_FIRST);
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses[0], OUTAGE_LOG_FIRST * 2);
        assert_eq!(pauses.last(), Some(&OUTAGE_LOG_MAX));
        assert!(told.len() < 40, "{}", told.len());
    }
}
