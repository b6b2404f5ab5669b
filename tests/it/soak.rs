//! The long form of some tests, for `make soak`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.into_string().ok()?;
    (!value.is_empty()).then_some(value)
}

/// How long a long run is to take; `None` in `make test`.
pub fn seconds() -> Option<Duration> {
    let text = variable("SOAK_SECONDS")?;
    Some(Duration::from_secs(
        text.parse().expect("SOAK_SECONDS is a number"),
    ))
}

/// The first seed to run, to repeat a run.
pub fn seed() -> Option<u64> {
    Some(
        variable("ORACLE_SEED")?
            .parse()
            .expect("ORACLE_SEED is a number"),
    )
}

/// The first seed to run: always the same where no soak is asked for, so that
/// what passed once does not fail in another's hands for what it never touched.
pub fn seed_or(always: u64) -> u64 {
    let now = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::try_from(now.unwrap().as_millis()).unwrap()
    };
    seed().unwrap_or_else(|| seconds().map_or(always, |_| now()))
}

/// Prints a summary, and adds it to the file that `SOAK_REPORT` names.
pub fn report(title: &str, summary: &str) {
    let text = format!("## {title}\n\n{summary}\n");
    println!("{text}");
    if let Some(path) = variable("SOAK_REPORT") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.expect("the report can be written")
            .write_all(text.as_bytes())
            .expect("the report is written");
    }
}
