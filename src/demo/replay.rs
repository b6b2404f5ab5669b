//! `demo --upstream`: the recorded edits into a real Materialize, by SQL.
//!
//! The server remembers how far the replay has come: the highest `edit_id` is
//! in, and the next one follows, whether this is the first run, a reconnect or
//! a run after another one.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postgres::{Client, SimpleQueryMessage};

use super::error::DemoError;
use super::feed::{Edit, Feed, Pace, Recording, minute_expiry_ms};
use super::options::Options;
use super::value::Value;
use crate::limits;

mod ended;
mod own;

use ended::Ended;

const SCHEMA: &str = include_str!("../../config/wikipedia.sql");

/// The server's own time in SQL, and what it was called before 0.27.
const NOW: &str = "mz_now()";
const NOW_BEFORE_0_27: &str = "mz_logical_timestamp()";

/// How long a wait may last before `stop` is looked at again.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Makes a connection; the error is for the log, and names no secret.
pub type Connect<'c> = dyn Fn() -> Result<Client, String> + 'c;

/// Creates the demo's tables and views at the upstream where they are missing;
/// waits for a server that is not up yet, until `stop` is set. Where the upstream
/// has others by these names, nothing is created.
pub fn prepare(connect: &Connect<'_>, stop: &AtomicBool) -> Result<(), DemoError> {
    let recording = Recording::load()?;
    persist("the replay", stop, || -> Result<(), Ended> {
        let mut client = connect().map_err(Ended::Connect)?;
        create(&mut client, &recording)
    })
}

/// Inserts edits at the options' rate until `stop` is set, creating first what
/// is missing. Reconnects with backoff; fails only if the options are wrong or
/// no other attempt would help.
pub fn replay(
    connect: &Connect<'_>,
    options: &Options,
    stop: &AtomicBool,
) -> Result<(), DemoError> {
    options.validate()?;
    let recording = Arc::new(Recording::load()?);
    persist("the replay", stop, || {
        session(connect, &recording, options, stop)
    })
}

/// Tries until it succeeds, it cannot, or `stop` is set, with growing pauses.
pub(super) fn persist<E: Into<Ended>>(
    who: &str,
    stop: &AtomicBool,
    mut attempt: impl FnMut() -> Result<(), E>,
) -> Result<(), DemoError> {
    let mut pause = limits::DEMO_REPLAY_BACKOFF_MIN;
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let Err(error) = attempt() else { break };
        let reason = error.into().judge()?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        log::warn!("{who} will try again: {reason}");
        if started.elapsed() > limits::DEMO_REPLAY_BACKOFF_MAX {
            pause = limits::DEMO_REPLAY_BACKOFF_MIN;
        }
        wait(pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5)), stop);
        pause = (pause * 2).min(limits::DEMO_REPLAY_BACKOFF_MAX);
    }
    Ok(())
}

/// Creates tables and views that are missing, and fills `wikis`.
fn create(client: &mut Client, recording: &Recording) -> Result<(), Ended> {
    own::check(client)?;
    fill(client, recording).map_err(|error| match error.as_db_error() {
        // Class 42: what we may not do, or what is not as we take it to be.
        Some(told) if told.code().code().starts_with("42") => {
            Ended::Refused(DemoError::Refused(told.to_string()))
        }
        _ => Ended::Server(error),
    })
}

fn fill(client: &mut Client, recording: &Recording) -> Result<(), postgres::Error> {
    for statement in statements(SCHEMA) {
        let mut outcome = client.batch_execute(&statement);
        if outcome.is_err() && statement.contains(NOW) {
            // A server before 0.27 has another name for it.
            outcome = client.batch_execute(&statement.replace(NOW, NOW_BEFORE_0_27));
        }
        if let Err(error) = outcome {
            // A server without IF NOT EXISTS says so in its own words.
            let exists = error
                .as_db_error()
                .is_some_and(|error| error.message().contains("already exists"));
            if !exists {
                return Err(error);
            }
        }
    }
    if number(client, "SELECT count(*) FROM wikis")?.unwrap_or(0) > 0 {
        return Ok(());
    }
    let wiki = |wiki: &super::feed::Wiki| {
        let fields = [&wiki.code, &wiki.language, &wiki.family].map(|field| literal(field));
        format!("({})", fields.join(", "))
    };
    let wikis: Vec<String> = recording.wikis.iter().map(wiki).collect();
    client.batch_execute(&format!("INSERT INTO wikis VALUES {}", wikis.join(", ")))
}

/// One connection's life.
fn session(
    connect: &Connect<'_>,
    recording: &Arc<Recording>,
    options: &Options,
    stop: &AtomicBool,
) -> Result<(), Ended> {
    let mut client = connect().map_err(Ended::Connect)?;
    create(&mut client, recording)?;
    let done = number(&mut client, "SELECT max(edit_id) FROM edits")?.map_or(0, |id| id + 1);
    // A usize is no wider than a u64 on any platform.
    let seed = done.max(options.seed_edits as u64);
    let pace = Pace::new(recording, options.rate, seed, options.tick, now_ms());
    let mut feed = Feed::starting_at(Arc::clone(recording), pace, seed, done);
    log::info!("the replay goes on at edit {done}");
    let started = Instant::now();
    let mut tick = 0;
    while !stop.load(Ordering::Relaxed) {
        insert_until(&mut client, &mut feed, pace, tick, stop)?;
        wait(
            pace.tick_start(tick + 1).saturating_sub(started.elapsed()),
            stop,
        );
        tick = pace.tick_after(started.elapsed()).max(tick + 1);
    }
    Ok(())
}

/// Inserts all edits up to `tick`, in statements of a bounded size.
fn insert_until(
    client: &mut Client,
    feed: &mut Feed,
    pace: Pace,
    tick: u64,
    stop: &AtomicBool,
) -> Result<(), postgres::Error> {
    while !stop.load(Ordering::Relaxed) {
        let mut sql = String::new();
        for _ in 0..limits::DEMO_REPLAY_INSERT_ROWS_MAX {
            let id = feed.next_id();
            let Some((edit, _)) = feed.next_until(tick) else {
                break;
            };
            sql.push_str(if sql.is_empty() {
                "INSERT INTO edits VALUES "
            } else {
                ", "
            });
            push_row(&mut sql, id, &edit, pace);
        }
        if sql.is_empty() {
            return Ok(());
        }
        client.batch_execute(&sql)?;
    }
    Ok(())
}

fn push_row(sql: &mut String, id: u64, edit: &Edit, pace: Pace) {
    // Event times are those of this century.
    let edited_at = Value::Timestamp(i64::try_from(edit.event_ms).unwrap_or(i64::MAX));
    let edited_at = edited_at.as_text().unwrap_or_default().into_owned();
    let user = edit
        .user
        .as_deref()
        .map_or_else(|| "NULL".to_owned(), literal);
    // Writing to a String cannot fail.
    let _ = write!(
        sql,
        "({id}, '{edited_at}', {}, {}, {user}, {}, {}, {})",
        literal(&edit.wiki),
        literal(&edit.page),
        edit.bytes,
        pace.timestamp_at(minute_expiry_ms(edit.event_ms)),
        pace.timestamp_at(pace.hot_expiry_ms(edit.event_ms)),
    );
}

/// A string literal under standard_conforming_strings, which Materialize never
/// turns off: only the quote needs doubling.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The statements of a file that has no semicolon inside a literal and comments
/// on lines of their own only.
fn statements(file: &str) -> Vec<String> {
    let code: Vec<&str> = file
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    let code = code.join("\n");
    code.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The number that a query answers, `None` for NULL.
fn number(client: &mut Client, query: &str) -> Result<Option<u64>, postgres::Error> {
    let messages = client.simple_query(query)?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).and_then(|text| text.parse().ok()),
        _ => None,
    }))
}

fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Waits, or less if `stop` is set.
pub(super) fn wait(duration: Duration, stop: &AtomicBool) {
    let end = Instant::now() + duration;
    while !stop.load(Ordering::Relaxed) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(STOP_CHECK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_for_old_servers_differs_by_the_name_of_their_time() {
        let old = include_str!("../../config/wikipedia-before-0.27.sql");
        let renamed = statements(SCHEMA)
            .into_iter()
            .map(|statement| statement.replace(NOW, NOW_BEFORE_0_27));
        assert_eq!(statements(old), renamed.collect::<Vec<_>>());
    }

    #[test]
    fn schema_is_cut_into_its_statements() {
        let statements = statements(SCHEMA);
        assert_eq!(statements.len(), 9);
        for statement in statements {
            assert!(statement.starts_with("CREATE "), "{statement}");
            assert!(statement.contains(" IF NOT EXISTS "), "{statement}");
            assert!(!statement.contains("--"), "{statement}");
        }
    }

    #[test]
    fn rows_are_quoted() {
        let recording = Recording::load().unwrap();
        let pace = Pace::new(&recording, 25.0, 1, Duration::from_secs(1), 1_000_000);
        let edit = Edit {
            page: "O'Brien \\".to_owned(),
            user: None,
            ..recording.edit(0)
        };
        let mut sql = String::new();
        push_row(&mut sql, 7, &edit, pace);
        // An hour of event time is 65.4 s of the clock at this rate; the window
        // of hot pages is ten minutes of the clock.
        let expected =
            "(7, '2015-09-12 00:46:58.771', 'en', 'O''Brien \\', NULL, 36, 1065000, 1600000)";
        assert_eq!(sql, expected);
    }
}
