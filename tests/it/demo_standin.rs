//! The stand-in's statements, errors and limits, over a real socket.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, SimpleQueryMessage};
use viewcast::demo::{Demo, DemoDialect, DemoError, Options, VIEWS, start};

/// Time after which a condition that is awaited counts as missed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options(tick_ms: u64, rate: f64, seed_edits: usize) -> Options {
    Options {
        tick: Duration::from_millis(tick_ms),
        rate,
        seed_edits,
        ..Options::default()
    }
}

pub(crate) fn connect(demo: &Demo) -> Client {
    Client::connect(&demo.upstream_url(), NoTls).unwrap()
}

/// The rows of a simple query, NULL as `None`.
pub(crate) fn query(client: &mut Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client
        .simple_query(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| {
        (0..row.len())
            .map(|i| row.get(i).map(str::to_owned))
            .collect()
    })
    .collect()
}

fn value(client: &mut Client, sql: &str) -> String {
    query(client, sql).remove(0).remove(0).unwrap()
}

fn names(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}

/// SQLSTATE and message of the error that a statement gives.
fn error(client: &mut Client, sql: &str) -> (String, String) {
    let error = client.simple_query(sql).expect_err(sql);
    let error = error
        .as_db_error()
        .unwrap_or_else(|| panic!("{sql}: {error:?}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

fn read_frontier(client: &mut Client, id: &str) -> u64 {
    let sql =
        format!("SELECT read_frontier FROM mz_internal.mz_frontiers WHERE object_id = '{id}'");
    value(client, &sql).parse().unwrap()
}

#[test]
fn statements_of_the_modern_dialect_are_answered() {
    let demo = start(options(50, 100.0, 2_000)).unwrap();
    let mut client = connect(&demo);
    assert!(value(&mut client, "SELECT mz_version()").starts_with("v26.17.0"));
    assert!(value(&mut client, "select version();").contains("Materialize"));
    assert_eq!(value(&mut client, "SHOW server_version"), "9.5.0");
    let environment = value(&mut client, "SELECT mz_environment_id()");
    assert_eq!(
        value(&mut client, "SELECT mz_environment_id() AS id"),
        environment
    );
    assert_eq!(query(&mut client, ""), Vec::<Vec<_>>::new());
    client
        .batch_execute("SET application_name TO 'x'; BEGIN; SELECT 1; COMMIT; DISCARD ALL")
        .unwrap();

    let views = [
        "counter",
        "edits_by_language",
        "edits_per_minute",
        "hot_pages",
        "top10",
        "user_edits",
    ];
    assert_eq!(names(query(&mut client, "SHOW MATERIALIZED VIEWS")), views);
    assert_eq!(
        names(query(&mut client, "SHOW VIEWS")),
        Vec::<String>::new()
    );
    assert_eq!(query(&mut client, "SHOW OBJECTS").len(), 7);
    let columns = query(
        &mut client,
        "SHOW COLUMNS FROM materialize.public.\"counter\"",
    );
    assert_eq!(
        columns[0],
        ["edits", "f", "bigint", ""].map(|text| Some(text.to_owned()))
    );
    assert_eq!(names(columns), ["edits", "bytes", "editors"]);
    for view in VIEWS {
        let messages = client
            .simple_query(&format!("SELECT * FROM {view} LIMIT 0"))
            .unwrap();
        let SimpleQueryMessage::RowDescription(described) = &messages[0] else {
            panic!("{view}: no description");
        };
        let described: Vec<_> = described
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        let shown = names(query(&mut client, &format!("SHOW COLUMNS FROM {view}")));
        assert_eq!(described, shown, "{view}");
    }

    let object = query(
        &mut client,
        "SELECT id, name FROM mz_catalog.mz_objects WHERE name = 'top10'",
    );
    assert_eq!(object, [[Some("u3".to_owned()), Some("top10".to_owned())]]);
    let columns = query(
        &mut client,
        "SELECT name, type FROM mz_columns WHERE id = 'u3' AND nullable = false ORDER BY position DESC",
    );
    let expected =
        [["count", "bigint"], ["user", "text"]].map(|row| row.map(|text| Some(text.to_owned())));
    assert_eq!(columns, expected);
    assert_eq!(query(&mut client, "SELECT * FROM top10").len(), 10);
    assert_eq!(value(&mut client, "SELECT count(*) FROM wikis"), "51");
    let ordered = query(
        &mut client,
        "SELECT \"user\" AS u FROM top10 t ORDER BY count DESC LIMIT 3",
    );
    assert_eq!(ordered.len(), 3);

    drop(client);
    let again = start(options(50, 100.0, 0)).unwrap();
    let mut client = connect(&again);
    assert_ne!(
        value(&mut client, "SELECT mz_environment_id()"),
        environment
    );
    demo.stop();
}

#[test]
fn statements_of_the_old_dialect_are_answered() {
    let demo = start(Options {
        dialect: DemoDialect::Tail,
        ..options(50, 100.0, 500)
    })
    .unwrap();
    let mut client = connect(&demo);
    assert!(value(&mut client, "SELECT mz_version()").starts_with("v0.7.0"));
    assert!(!value(&mut client, "SELECT mz_cluster_id()").is_empty());
    assert_eq!(error(&mut client, "SELECT mz_environment_id()").0, "42883");
    let columns = query(&mut client, "SHOW COLUMNS FROM counter");
    assert_eq!(columns[0].len(), 3);
    assert_eq!(
        names(columns),
        ["bytes", "editors", "edits"],
        "sorted by name"
    );
    assert_eq!(query(&mut client, "SHOW VIEWS").len(), 6);
    let (code, message) = error(
        &mut client,
        "COPY (TAIL top10 WITH (PROGRESS) AS OF 1) TO STDOUT",
    );
    assert_eq!(code, "XX000");
    assert!(
        message.starts_with("Timestamp (1) is not valid for all inputs: [(User(3), "),
        "{message}"
    );
    assert_eq!(
        error(&mut client, "COPY (SUBSCRIBE top10) TO STDOUT").0,
        "42601"
    );
}

#[test]
fn errors_have_the_real_servers_codes_and_texts() {
    let demo = start(options(50, 100.0, 500)).unwrap();
    let mut client = connect(&demo);
    for (sql, code, message) in [
        (
            "SELECT * FROM nosuch",
            "XX000",
            "unknown catalog item 'nosuch'",
        ),
        (
            "COPY (SUBSCRIBE TO nosuch WITH (PROGRESS)) TO STDOUT",
            "XX000",
            "unknown catalog item 'nosuch'",
        ),
        (
            "SHOW COLUMNS FROM nosuch",
            "XX000",
            "unknown catalog item 'nosuch'",
        ),
        (
            "SELECT * FROM nosuchschema.t",
            "XX000",
            "unknown schema 'nosuchschema'",
        ),
        (
            "COPY (SUBSCRIBE TO nosuchdb.public.t) TO STDOUT",
            "XX000",
            "unknown database 'nosuchdb'",
        ),
        (
            "selec 1",
            "42601",
            "Expected a keyword at the beginning of a statement, found identifier \"selec\"",
        ),
        (
            "COPY (TAIL top10) TO STDOUT",
            "42601",
            "TAIL has been renamed to SUBSCRIBE",
        ),
        (
            "COPY (SUBSCRIBE top10 WITH (PROGRESS = 7)) TO STDOUT",
            "XX000",
            "invalid PROGRESS: cannot use value as boolean",
        ),
        (
            "COPY (SUBSCRIBE top10 WITH (NOSUCH)) TO STDOUT",
            "42601",
            "Expected one of PROGRESS or SNAPSHOT, found identifier \"nosuch\"",
        ),
        (
            "COPY (SUBSCRIBE top10 AS OF 'x') TO STDOUT",
            "XX000",
            "AS OF or UP TO should be castable to a (non-null) mz_timestamp value",
        ),
        (
            "COPY (SUBSCRIBE top10 AS OF 1) TO STDOUT",
            "22000",
            "could not find a valid timestamp for the query",
        ),
        (
            "SELECT * FROM top10 AS OF 1",
            "22000",
            "could not find a valid timestamp for the query",
        ),
        (
            "COPY top10 TO STDOUT",
            "XX000",
            "named with COPY TO STDOUT unsupported",
        ),
        (
            "SELECT nosuch FROM top10",
            "42703",
            "column \"nosuch\" does not exist",
        ),
        (
            "SHOW nosuch",
            "42704",
            "unrecognized configuration parameter \"nosuch\"",
        ),
        (
            "SELECT nosuch()",
            "42883",
            "function \"nosuch\" does not exist",
        ),
        ("SELECT 'x", "42601", "unterminated quoted string"),
        (
            "SELECT 1 1",
            "42601",
            "Expected end of statement, found number \"1\"",
        ),
        (
            "DROP VIEW top10",
            "0A000",
            "DROP statements are not supported by the demo's stand-in",
        ),
        (
            "SUBSCRIBE top10",
            "0A000",
            "the demo's stand-in streams through COPY (...) TO STDOUT only",
        ),
    ] {
        assert_eq!(
            error(&mut client, sql),
            (code.to_owned(), message.to_owned()),
            "{sql}"
        );
    }
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    assert_eq!(error(&mut client, &long).0, "54000");
    assert_eq!(
        query(&mut client, "SELECT 1").len(),
        1,
        "the connection still works"
    );
    client.batch_execute("BEGIN").unwrap();
    assert_eq!(error(&mut client, "SELECT * FROM nosuch").0, "XX000");
    assert_eq!(error(&mut client, "SELECT 1").0, "25P02");
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(query(&mut client, "SELECT 1").len(), 1);
}

#[test]
fn options_out_of_bounds_are_refused() {
    let bad = |change: fn(&mut Options)| {
        let mut options = options(50, 100.0, 0);
        change(&mut options);
        start(options).unwrap_err()
    };
    assert!(matches!(bad(|o| o.rate = f64::NAN), DemoError::Rate(_)));
    assert!(matches!(bad(|o| o.rate = 0.0), DemoError::Rate(_)));
    assert!(matches!(
        bad(|o| o.tick = Duration::ZERO),
        DemoError::Tick(_)
    ));
    assert!(matches!(
        bad(|o| o.seed_edits = usize::MAX),
        DemoError::SeedEdits(_)
    ));
    let public = |o: &mut Options| o.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(bad(public), DemoError::NotLoopback(_)));
}

#[test]
fn cancel_ends_a_copy_with_57014_and_leaves_the_connection() {
    let demo = start(options(20, 100.0, 500)).unwrap();
    let mut client = connect(&demo);
    let token = client.cancel_token();
    let copy = client
        .copy_out("COPY (SUBSCRIBE top10 WITH (PROGRESS)) TO STDOUT")
        .unwrap();
    let mut lines = BufReader::new(copy).lines();
    assert!(lines.next().unwrap().unwrap().contains("\tt\t"));
    token.cancel_query(NoTls).unwrap();
    let ended = lines
        .find_map(Result::err)
        .expect("the COPY ends with an error");
    let ended = ended
        .get_ref()
        .and_then(|e| e.downcast_ref::<postgres::Error>())
        .unwrap();
    assert_eq!(ended.as_db_error().unwrap().code().code(), "57014");
    drop(lines);
    assert_eq!(query(&mut client, "SELECT 1").len(), 1);
}

#[test]
fn as_of_and_up_to_bound_a_subscription() {
    let demo = start(options(20, 1_000.0, 500)).unwrap();
    let mut client = connect(&demo);
    let now: u64 = value(&mut client, "SELECT mz_now()").parse().unwrap();
    let (from, to) = (now + 100, now + 300);
    let sql =
        format!("COPY (SUBSCRIBE TO counter WITH (PROGRESS) AS OF {from} UP TO {to}) TO STDOUT");
    let copy = client.copy_out(&sql).unwrap();
    let lines: Vec<String> = BufReader::new(copy).lines().map(Result::unwrap).collect();
    let rows: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(
        rows[0][..2],
        [from.to_string().as_str(), "t"],
        "the first progress row is at the AS OF"
    );
    assert_eq!(
        rows[1][..3],
        [from.to_string().as_str(), "f", "1"],
        "then comes the snapshot"
    );
    let updates = || rows.iter().filter(|row| row[1] == "f");
    assert!(updates().count() > 3);
    assert!(updates().all(|row| (from..to).contains(&row[0].parse().unwrap())));
    assert_eq!(rows[rows.len() - 1][..2], [to.to_string().as_str(), "t"]);
    let future = query(
        &mut client,
        &format!("SELECT * FROM counter AS OF {}", to + 100),
    );
    assert_eq!(future.len(), 1, "a SELECT in the future waits");
    let least = client.copy_out(&format!(
        "COPY (SUBSCRIBE counter AS OF AT LEAST 1 UP TO {to}) TO STDOUT"
    ));
    assert!(BufReader::new(least.unwrap()).lines().count() > 1);
    let (code, _) = error(
        &mut client,
        &format!("COPY (SUBSCRIBE counter AS OF {to} UP TO {from}) TO STDOUT"),
    );
    assert_eq!(code, "22000");
}

#[test]
fn reader_behind_the_history_is_ended_and_slows_no_other() {
    // A tick of 1 ms: the history of 600 ticks reaches back 0.6 s.
    let demo = start(options(1, 60_000.0, 500)).unwrap();
    let (mut slow, mut other) = (connect(&demo), connect(&demo));
    let copy = slow
        .copy_out("COPY (SUBSCRIBE user_edits) TO STDOUT")
        .unwrap();
    let mut lines = BufReader::new(copy).lines();
    assert!(lines.next().unwrap().is_ok());
    // What the sockets hold of a stream that nobody reads is some MB: wait
    // until far more has been produced, and all of it is out of the history.
    let begun = read_frontier(&mut other, "u7");
    let waiting = Instant::now();
    while read_frontier(&mut other, "u7") < begun + 8_000 {
        assert!(
            waiting.elapsed() < PATIENCE,
            "the other connection stands still"
        );
    }
    let ended = lines
        .find_map(Result::err)
        .expect("the COPY ends with an error");
    let ended = ended
        .get_ref()
        .and_then(|e| e.downcast_ref::<postgres::Error>())
        .unwrap();
    let ended = ended.as_db_error().unwrap();
    assert_eq!(ended.code().code(), "53000");
    assert!(
        ended.message().contains("fell behind the history"),
        "{ended}"
    );
}

#[test]
fn stop_ends_every_stream_at_once() {
    let demo = start(options(3_600_000, 25.0, 500)).unwrap();
    let mut client = connect(&demo);
    let copy = client.copy_out("COPY (SUBSCRIBE top10) TO STDOUT").unwrap();
    let mut lines = BufReader::new(copy).lines();
    assert!(lines.next().unwrap().is_ok());
    let stopping = Instant::now();
    demo.stop();
    assert!(stopping.elapsed() < Duration::from_secs(2));
    assert!(lines.find_map(Result::err).is_some(), "a plain EOF");
}
