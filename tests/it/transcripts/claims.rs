//! Who answers for what was recorded: every exchange of every file is claimed
//! by a test that plays it, or by a reason in docs/STANDIN.md.

use std::collections::BTreeMap;

use super::recorded::Recorded;
use super::{Exchange, GENERATIONS, Message, OLD, data, decode, files, implied, paths};
use crate::demo_wire;

/// What a PostgreSQL driver made of answers: no messages.
pub const DRIVER: &str = "psycopg2_rowdescription";

/// Why an exchange is not played. Each stands in docs/STANDIN.md.
const REASONS: [&str; 3] = [NO_RESUME, NOT_ASKED, REMARK];
const NO_RESUME: &str = "TAIL with SNAPSHOT = false";
const NOT_ASKED: &str = "statements that the gateway never sends";
const REMARK: &str = "what psql and psycopg2 made of the bytes";

/// What is to come of an exchange, and the tests that see to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// A stream with a snapshot: `replayed`, and cut and resumed
    /// `replayed_resumes`.
    Stream,
    /// Changes after a time: `replayed_resumes`.
    Resume,
    /// A stream that was refused, first and at a resume: `replayed_refusals`.
    Refused,
    /// A stream in a form that the gateway never asks for: `replayed_forms`.
    Foreign,
    /// An answer to a question that the gateway asks: `replayed_answers`.
    Answer,
    /// A refusal of such a question: `replayed_answers`.
    RefusedAnswer,
    /// Such a question that was never answered: `replayed_answers`.
    Silence,
    /// The rows of a relation: compared with what the SQL implies, below.
    Contents,
    /// What somebody else did: its effect is in the rows, below.
    Effect,
    /// The stand-in's answer is compared with it: `demo_wire`.
    Compared,
    /// The beginning of a session: `replayed_logins`.
    Login,
    /// Not played, for a reason.
    NotPlayed(&'static str),
}

/// What the gateway asks in these words, too.
fn is_question(sql: &str) -> bool {
    sql == "SELECT mz_version()"
        || sql == "SHOW OBJECTS"
        || sql.starts_with("SHOW COLUMNS FROM ")
        || (sql.starts_with("SELECT * FROM ") && sql.ends_with(" LIMIT 0"))
}

fn is_effect(sql: &str) -> bool {
    const VERBS: [&str; 11] = [
        "CREATE", "DROP", "INSERT", "DELETE", "UPDATE", "BEGIN", "COMMIT", "ALTER", "COMMENT",
        "GRANT", "REVOKE",
    ];
    let verb = sql.split([' ', ';']).next().unwrap_or_default();
    VERBS.iter().any(|it| it.eq_ignore_ascii_case(verb))
}

/// Who claims an exchange; `None` is nobody.
pub fn claim(exchange: &Exchange) -> Option<Claim> {
    let sql = exchange.sql.as_str();
    let is_refused = exchange.error().is_some()
        && !exchange
            .says()
            .any(|it| matches!(it, Message::CopyOut { .. }));
    let is_stream = ["TAIL ", "SUBSCRIBE "]
        .iter()
        .any(|verb| sql.contains(verb));
    if is_stream || (sql.starts_with("COPY ") && is_refused) {
        return Some(match () {
            () if is_refused => Claim::Refused,
            () if sql.contains("SNAPSHOT = false") => match OLD.contains(&exchange.generation) {
                true => Claim::NotPlayed(NO_RESUME),
                false => Claim::Resume,
            },
            () if sql.contains("FORMAT CSV") || sql.contains("FORMAT BINARY") => Claim::Foreign,
            () if sql.contains("ENVELOPE") => Claim::Foreign,
            () => Claim::Stream,
        });
    }
    if ["StartupMessage ", "PasswordMessage "]
        .iter()
        .any(|it| sql.starts_with(it))
    {
        return Some(Claim::Login);
    }
    Some(match () {
        () if is_question(sql) && exchange.is_silent() => Claim::Silence,
        () if is_question(sql) && is_refused => Claim::RefusedAnswer,
        () if is_question(sql) => Claim::Answer,
        () if sql.starts_with("SELECT * FROM ") && is_refused => Claim::RefusedAnswer,
        () if sql.starts_with("SELECT * FROM mz_") => Claim::NotPlayed(NOT_ASKED),
        () if sql.starts_with("SELECT * FROM ") => Claim::Contents,
        () if sql.starts_with("COPY (SELECT * FROM ") => Claim::Contents,
        () if is_effect(sql) => Claim::Effect,
        () if demo_wire::is_compared(exchange.generation, &exchange.file, sql) => Claim::Compared,
        () => match sql.split(' ').next()? {
            "SHOW" | "SELECT" | "EXPLAIN" | "SET" | "COPY" | "selec" | "" => {
                Claim::NotPlayed(NOT_ASKED)
            }
            _ => return None,
        },
    })
}

/// The exchanges of a generation that are claimed so, each with its file.
pub fn claimed(generation: &'static str, by: Claim) -> Vec<(Exchange, Vec<Exchange>)> {
    let mut found = Vec::new();
    for file in files(generation) {
        for exchange in file.iter().filter(|it| claim(it) == Some(by)) {
            found.push((exchange.clone(), file.clone()));
        }
    }
    found
}

/// The streams that are claimed so.
pub fn streams(generation: &'static str, by: Claim) -> Vec<Recorded> {
    let exchanges = claimed(generation, by);
    let recorded = exchanges
        .iter()
        .map(|(exchange, file)| Recorded::of(exchange, file));
    recorded.collect()
}

#[test]
fn transcripts_are_claimed_to_the_last_statement() {
    let document = include_str!("../../../docs/STANDIN.md");
    for reason in REASONS {
        assert!(
            document.contains(&format!("| {reason}")),
            "no row of {reason:?}"
        );
    }
    let folders = std::fs::read_dir(data().join("transcripts")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let mut folders: Vec<String> = folders
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut read = GENERATIONS.to_vec();
    read.sort_unstable();
    assert_eq!(folders, read, "a server's recordings are read by nobody");
    for generation in GENERATIONS {
        let mut counts: BTreeMap<Claim, usize> = BTreeMap::new();
        let read = files(generation);
        for exchange in read.iter().flatten() {
            let place = format!("{generation}/{} {}", exchange.file, exchange.sql);
            let claim = claim(exchange).unwrap_or_else(|| panic!("nobody claims {place}"));
            *counts.entry(claim).or_default() += 1;
        }
        let listed: Vec<String> = counts.iter().map(|(it, n)| format!("{n} {it:?}")).collect();
        println!(
            "{generation}: {} files, {}",
            paths(generation).len(),
            listed.join(", ")
        );
        let expected = match generation {
            "0.7" => (63, 106, 0, 14, 1),
            "0.26" => (10, 12, 0, 5, 0),
            "26.17" => (61, 78, 1, 13, 4),
            _ => (24, 26, 1, 15, 2),
        };
        let count = |claim| counts.get(&claim).copied().unwrap_or(0);
        let found = (
            paths(generation).len(),
            count(Claim::Stream),
            count(Claim::Resume),
            count(Claim::Refused),
            count(Claim::Foreign),
        );
        assert_eq!(
            found, expected,
            "a recording is gone, or a new one is not counted here"
        );
    }
}

/// The rows of a stream along it, each state once.
fn states(stream: &Recorded) -> Vec<crate::support::table::Rows> {
    let lines = stream.lines();
    let mut times: Vec<u64> = lines.iter().map(|line| line.time).collect();
    times.dedup();
    let mut states: Vec<_> = times
        .iter()
        .map(|time| decode::rows_at(&lines, *time))
        .collect();
    states.dedup();
    states
}

#[test]
fn transcripts_show_the_rows_that_their_sql_implies() {
    let (mut compared, mut ahead, mut unknown) = (0, 0, Vec::new());
    for generation in GENERATIONS {
        for (exchange, file) in claimed(generation, Claim::Stream) {
            let stream = Recorded::of(&exchange, &file);
            let relation = implied::relation(&exchange.sql);
            let place = format!("{generation}/{} {}", exchange.file, exchange.sql);
            let is_ahead = stream.end().is_none() && stream.lines().len() == 1;
            if is_ahead && stream.lines()[0].change.is_none() {
                // Asked for a time to come, or failed: no row was told.
                ahead += 1;
                continue;
            }
            let history = implied::history(&file, &relation, exchange.line, &stream.columns);
            if history.is_empty() {
                unknown.push(relation);
                continue;
            }
            // In order, none that was not there; several may come as one.
            let mut left = history.iter();
            for state in states(&stream).iter().filter(|it| !it.is_empty()) {
                assert!(
                    left.any(|(_, rows)| rows == state),
                    "{place}: {state:?}\n{history:#?}"
                );
            }
            let last = implied::last_change(&exchange);
            let (_, rows) = history
                .iter()
                .rfind(|(line, _)| *line <= last)
                .unwrap_or(&history[0]);
            assert_eq!(&stream.rows_at(u64::MAX), rows, "{place} in the end");
            compared += 1;
        }
    }
    unknown.sort();
    unknown.dedup();
    // What is in no statement of theirs: files, the system's own rows, tables of
    // another recording, values as they are printed, rows that leave by themselves.
    let expected = [
        "SELECT a + 1 AS c FROM ch",
        "SELECT cluster_id, name FROM mz_catalog.mz_cluster_replicas WHERE name = 'r1'",
        "lgr.auctions",
        "lgr.lga",
        "lgr.lga_progress",
        "mz_introspection.mz_active_peeks",
        "nv",
        "tfv",
        "tv",
        "vfn",
        "vft",
    ];
    assert_eq!(unknown, expected);
    assert_eq!(ahead, 2);
    assert!(compared > 170, "{compared}");
}

#[test]
fn transcripts_of_answers_have_the_rows_that_their_sql_implies() {
    let mut compared = 0;
    for generation in GENERATIONS {
        for (exchange, file) in claimed(generation, Claim::Contents) {
            let (_, rest) = exchange.sql.split_once("FROM ").unwrap();
            let relation = rest.split([' ', ')']).next().unwrap();
            let place = format!("{generation}/{} {}", exchange.file, exchange.sql);
            let columns = implied::columns(
                &Exchange {
                    sql: format!("TAIL {relation}"),
                    ..exchange.clone()
                },
                &file,
            );
            let mut found = crate::support::table::Rows::new();
            for row in implied::answered(&exchange) {
                *found.entry(decode::row(&columns, &row)).or_default() += 1;
            }
            let history = implied::history(&file, relation, exchange.line, &columns);
            let (_, rows) = (history.iter())
                .rfind(|(line, _)| *line <= exchange.line)
                .unwrap_or_else(|| panic!("{place}"));
            assert_eq!(&found, rows, "{place}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}
