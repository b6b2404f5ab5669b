//! The stand-in's statements, errors and limits, over a real socket.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use super::demo_errors::error;
use postgres::{Client, NoTls, SimpleQueryMessage};
use viewcast::demo::{Demo, DemoDialect, DemoError, Options, VIEWS, start};

/// Time after which a condition that is awaited counts as missed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options(tick_ms: u64, rate: f64, seed_edits: usize) -> Options {
    Options {
        tick: Duration::from_millis(tick_ms),
        rate,
        seed_edits,
        // Tests create their own views.
        spotlights: false,
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

pub(crate) fn names(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}

#[test]
fn statements_of_the_modern_dialect_are_answered() {
    let demo = start(options(50, 100.0, 2_000)).unwrap();
    let mut client = connect(&demo);
    assert!(value(&mut client, "SELECT mz_version()").starts_with("v26.17.0"));
    assert!(value(&mut client, "select version();").contains("Materialize"));
    assert_eq!(value(&mut client, "SHOW server_version"), "9.5.0");
    assert_eq!(query(&mut client, ""), Vec::<Vec<_>>::new());
    client
        .batch_execute("SET application_name TO 'x'; BEGIN; SELECT 1; COMMIT; DISCARD ALL")
        .unwrap();

    let views = [
        "counter",
        "edits_by_language",
        "edits_per_minute",
        "hot_pages",
        "page_edits",
        "top10",
        "user_edits",
    ];
    assert_eq!(names(query(&mut client, "SHOW MATERIALIZED VIEWS")), views);
    assert_eq!(
        names(query(&mut client, "SHOW VIEWS")),
        Vec::<String>::new()
    );
    assert_eq!(query(&mut client, "SHOW OBJECTS").len(), 8);
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
}

#[test]
fn environment_is_new_with_each_start() {
    let (one, two) = (
        start(options(50, 100.0, 0)).unwrap(),
        start(options(50, 100.0, 0)).unwrap(),
    );
    let id = |demo| value(&mut connect(demo), "SELECT mz_environment_id()");
    assert_eq!(id(&one), id(&one));
    assert_ne!(id(&one), id(&two));
}

#[test]
fn selects_filter_sort_and_rename() {
    let demo = start(options(50, 100.0, 2_000)).unwrap();
    let mut client = connect(&demo);
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
    assert_eq!(error(&mut client, "SELECT mz_environment_id()").0, "XX000");
    let columns = query(&mut client, "SHOW COLUMNS FROM counter");
    assert_eq!(columns[0].len(), 3);
    assert_eq!(
        names(columns),
        ["bytes", "editors", "edits"],
        "sorted by name"
    );
    assert_eq!(query(&mut client, "SHOW VIEWS").len(), 7);
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
fn reader_that_stands_still_slows_no_other() {
    let demo = start(options(10, 5_000.0, 500)).unwrap();
    let (mut slow, mut other) = (connect(&demo), connect(&demo));
    let token = slow.cancel_token();
    let copy = slow
        .copy_out("COPY (SUBSCRIBE user_edits) TO STDOUT")
        .unwrap();
    let mut lines = BufReader::new(copy).lines();
    assert!(lines.next().unwrap().is_ok());
    // Nobody reads on. For 200 ticks another connection sees the same view
    // move, at each of its timestamps.
    let now: u64 = value(&mut other, "SELECT mz_now()").parse().unwrap();
    let waiting = Instant::now();
    for tick in 1..=200 {
        let at = now + tick * 10;
        let rows = query(
            &mut other,
            &format!("SELECT count(*) FROM user_edits AS OF {at}"),
        );
        assert_eq!(rows.len(), 1);
        assert!(
            waiting.elapsed() < PATIENCE,
            "the other connection stands still"
        );
    }
    token.cancel_query(NoTls).unwrap();
    assert!(lines.any(|line| line.is_err()));
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
