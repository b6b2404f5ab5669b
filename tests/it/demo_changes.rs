//! What clients may change in the stand-in beside views: schemas, tables, names,
//! definitions and privileges, each as a client of SUBSCRIBE and the catalog see it.

use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use postgres::{Client, NoTls};
use viewcast::demo::{Demo, start};

use crate::demo_standin::{names, options, query};
use crate::support::gateway::PATIENCE;

fn demo() -> Demo {
    start(options(20, 500.0, 10)).unwrap()
}

fn connect(demo: &Demo, user: &str) -> Client {
    let url = demo
        .upstream_url()
        .replace("materialize@", &format!("{user}@"));
    Client::connect(&url, NoTls).unwrap()
}

/// The rows of an answer, sorted.
fn ask(client: &mut Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = query(client, sql);
    rows.sort();
    rows
}

fn numbers(client: &mut Client, relation: &str) -> Vec<String> {
    names(ask(client, &format!("SELECT a FROM {relation}")))
}

/// Timestamp of each line of a stream, and of changes what they say; it has begun.
fn follow(demo: &Demo, relation: &str) -> impl Iterator<Item = (u64, Option<String>)> {
    let mut client = connect(demo, "materialize");
    let sql = format!("COPY (SUBSCRIBE {relation} WITH (PROGRESS)) TO STDOUT");
    let (sender, receiver) = sync_channel(1);
    // It ends when nobody takes its lines, or with the demo.
    std::thread::spawn(move || {
        for line in BufReader::new(client.copy_out(&sql).unwrap()).lines() {
            let Ok(line) = line else { return };
            let (time, rest) = line.split_once('\t').unwrap();
            let change = rest.strip_prefix("f\t").map(|it| it.replace('\t', " "));
            if sender.send((time.parse().unwrap(), change)).is_err() {
                return;
            }
        }
    });
    let first = receiver.recv().unwrap();
    std::iter::once(first).chain(receiver)
}

/// The changes of a stream until this one.
fn told(stream: impl Iterator<Item = (u64, Option<String>)>, until: &str) -> Vec<String> {
    let mut changes = Vec::new();
    for (_, change) in stream {
        changes.extend(change);
        if changes.last().is_some_and(|last| last == until) {
            return changes;
        }
    }
    panic!("it ended: {changes:?}");
}

#[test]
fn changed_names_say_which_object_is_meant() {
    let demo = demo();
    let mut sql = connect(&demo, "materialize");
    for (schema, row) in [("blue", 1), ("green", 100)] {
        ask(&mut sql, &format!("CREATE SCHEMA {schema}"));
        ask(&mut sql, &format!("CREATE TABLE {schema}.t (a int)"));
        ask(&mut sql, &format!("INSERT INTO {schema}.t VALUES ({row})"));
        ask(
            &mut sql,
            &format!("CREATE MATERIALIZED VIEW {schema}.v AS SELECT * FROM {schema}.t"),
        );
    }
    let ids = "SELECT name, id, schema_id FROM mz_objects WHERE name = 'v'";
    let before = ask(&mut sql, ids);
    ask(&mut sql, "ALTER SCHEMA blue SWAP WITH green");
    assert_eq!(numbers(&mut sql, "blue.v"), ["100"]);
    assert_eq!(
        ask(&mut sql, ids),
        before,
        "the schemas change names, not objects"
    );
    ask(&mut sql, "ALTER MATERIALIZED VIEW blue.v RENAME TO w");
    ask(&mut sql, "INSERT INTO blue.t VALUES (101)");
    assert_eq!(numbers(&mut sql, "blue.w"), ["100", "101"]);
    ask(&mut sql, "DROP SCHEMA blue CASCADE");
    assert!(sql.simple_query("SELECT * FROM blue.w").is_err());
    assert_eq!(numbers(&mut sql, "green.v"), ["1"]);
}

#[test]
fn changed_definition_is_one_set_of_changes_of_a_view_that_keeps_its_oid() {
    let demo = demo();
    let mut sql = connect(&demo, "materialize");
    ask(&mut sql, "CREATE TABLE one (a int)");
    ask(&mut sql, "CREATE TABLE two (a int)");
    ask(&mut sql, "INSERT INTO one VALUES (1), (2)");
    ask(&mut sql, "INSERT INTO two VALUES (2), (3)");
    ask(&mut sql, "CREATE MATERIALIZED VIEW v AS SELECT * FROM one");
    let ids = "SELECT id, oid FROM mz_objects WHERE name = 'v'";
    let before = ask(&mut sql, ids).remove(0);
    let stream = follow(&demo, "v");
    ask(
        &mut sql,
        "CREATE REPLACEMENT MATERIALIZED VIEW r FOR v AS SELECT * FROM two",
    );
    ask(&mut sql, "ALTER MATERIALIZED VIEW v APPLY REPLACEMENT r");
    ask(&mut sql, "INSERT INTO one VALUES (9)");
    ask(&mut sql, "INSERT INTO two VALUES (4)");
    assert_eq!(numbers(&mut sql, "v"), ["2", "3", "4"]);
    let mut told = told(stream, "1 4");
    told.sort();
    assert_eq!(told, ["-1 1", "1 1", "1 2", "1 3", "1 4"]);
    let after = ask(&mut sql, ids).remove(0);
    assert_eq!(after[1], before[1], "the oid stays");
    assert_ne!(after[0], before[0], "the id is the replacement's");
    let (old, new) = (before[0].clone().unwrap(), after[0].clone().unwrap());
    let of_v = format!("SELECT global_id FROM mz_internal.mz_object_global_ids WHERE id = '{new}'");
    let expected = [vec![Some(old.clone())], vec![Some(new)]];
    assert_eq!(ask(&mut sql, &of_v), expected);
    // The stream of the old id is that of the view.
    let by_id = format!("SELECT a FROM [{old} AS materialize.public.v]");
    assert_eq!(ask(&mut sql, &by_id).len(), 3);
}

#[test]
fn changed_columns_are_those_of_whoever_begins_later() {
    let demo = demo();
    let mut sql = connect(&demo, "materialize");
    ask(&mut sql, "CREATE TABLE t (a int)");
    ask(&mut sql, "INSERT INTO t VALUES (1)");
    let stream = follow(&demo, "t");
    ask(&mut sql, "ALTER TABLE t ADD COLUMN b text");
    ask(&mut sql, "INSERT INTO t VALUES (2, 'x')");
    assert_eq!(told(stream, "1 2"), ["1 1", "1 2"]);
    let rows = ask(&mut sql, "SELECT * FROM t");
    let row = |a: &str, b: Option<&str>| vec![Some(a.to_owned()), b.map(str::to_owned)];
    assert_eq!(rows, [row("1", None), row("2", Some("x"))]);
    ask(&mut sql, "CREATE VIEW v AS SELECT b AS a FROM t");
    let rows = ask(&mut sql, "SELECT * FROM v");
    assert_eq!(rows, [vec![None], vec![Some("x".to_owned())]]);
}

#[test]
fn changed_privileges_are_looked_at_when_somebody_begins() {
    let demo = demo();
    let (mut sql, mut reader) = (connect(&demo, "materialize"), connect(&demo, "reader"));
    ask(&mut sql, "CREATE TABLE t (a int)");
    assert_eq!(numbers(&mut reader, "t"), <[&str; 0]>::default());
    ask(&mut sql, "REVOKE SELECT ON t FROM reader");
    let error = reader.simple_query("SELECT * FROM t").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42501");
    assert_eq!(
        error.message(),
        "permission denied for TABLE \"materialize.public.t\""
    );
    assert_eq!(numbers(&mut sql, "t"), <[&str; 0]>::default());
    ask(&mut sql, "GRANT SELECT ON t TO reader");
    assert_eq!(numbers(&mut reader, "t"), <[&str; 0]>::default());
}

#[test]
fn changes_of_a_view_with_refreshes_show_at_the_next_one() {
    let demo = demo();
    let mut sql = connect(&demo, "materialize");
    ask(&mut sql, "CREATE TABLE t (a int)");
    ask(&mut sql, "INSERT INTO t VALUES (1)");
    ask(
        &mut sql,
        "CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '300 ms', RETAIN HISTORY FOR '1m') AS \
         SELECT * FROM t",
    );
    let made = names(ask(&mut sql, "SHOW CREATE MATERIALIZED VIEW v"));
    assert_eq!(made, ["materialize.public.v"]);
    let upper = "SELECT write_frontier FROM mz_internal.mz_frontiers WHERE object_id IN";
    let mut stream = follow(&demo, "v");
    let (as_of, _) = stream.next().unwrap();
    let (at, row) = stream.next().unwrap();
    assert_eq!((at, row.as_deref()), (as_of, Some("1 1")));
    let (first, _) = stream.next().unwrap();
    assert!(
        (as_of..as_of + 300).contains(&(first - 1)),
        "{as_of} {first}"
    );
    let (mut known, mut told) = (first, Vec::new());
    for n in 2..12 {
        ask(&mut sql, &format!("INSERT INTO t VALUES ({n})"));
        // Those of before are read when a refresh is known, and by nobody earlier.
        let deadline = Instant::now() + PATIENCE;
        while known <= first + 300 * (n - 2) {
            assert!(Instant::now() < deadline, "no refresh in time");
            let (at, change) = stream.next().unwrap();
            assert_eq!((at - first) % 300, 0, "a refresh");
            match change {
                Some(change) => told.push(change),
                None => {
                    assert!(at > known, "a line says more than the last one");
                    known = at;
                }
            }
        }
    }
    assert!(told.len() >= 5, "{told:?}");
    let expected: Vec<String> = (2..).take(told.len()).map(|n| format!("1 {n}")).collect();
    told.sort_by_key(|change| change[2..].parse::<u32>().unwrap());
    assert_eq!(told, expected);
    let id = names(ask(&mut sql, "SELECT id FROM mz_objects WHERE name = 'v'")).remove(0);
    let upper = names(ask(&mut sql, &format!("{upper} ('{id}')"))).remove(0);
    assert_eq!((upper.parse::<u64>().unwrap() - first) % 300, 0);
    for refused in [
        "CREATE VIEW w AS SELECT * FROM v",
        "CREATE REPLACEMENT MATERIALIZED VIEW r FOR v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW x WITH (REFRESH EVERY 'now and then') AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW x WITH (REFRESH EVERY '0s') AS SELECT * FROM t",
    ] {
        let error = sql.simple_query(refused).unwrap_err();
        assert_eq!(
            error.as_db_error().unwrap().code().code(),
            "0A000",
            "{error}"
        );
    }
}
