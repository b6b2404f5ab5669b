//! The stand-in's errors: SQLSTATEs and texts as recorded from real servers,
//! where those have them.

use postgres::Client;
use viewcast::demo::start;

use super::demo_standin::{connect, options, query};

/// Statement, SQLSTATE, primary message.
const ERRORS: &[(&str, &str, &str)] = &[
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
        "CREATE TABLE t (a interval)",
        "0A000",
        "the demo's stand-in has no tables with a column of interval",
    ),
    (
        "DROP TABLE wikis",
        "0A000",
        "\"materialize.public.wikis\" is built into the demo's stand-in and cannot be dropped",
    ),
    ("DROP VIEW top10", "XX000", "top10 is not a view"),
    (
        "DROP MATERIALIZED VIEW top10",
        "0A000",
        "\"materialize.public.top10\" is built into the demo's stand-in and cannot be dropped",
    ),
    ("DROP VIEW wikis", "XX000", "wikis is not a view"),
    ("DROP VIEW nosuch", "XX000", "unknown catalog item 'nosuch'"),
    (
        "DROP VIEW IF EXISTS nosuch.v",
        "XX000",
        "unknown schema 'nosuch'",
    ),
    (
        "CREATE VIEW top10 AS SELECT * FROM counter",
        "42710",
        "materialized view \"materialize.public.top10\" already exists",
    ),
    (
        "CREATE OR REPLACE VIEW wikis AS SELECT * FROM counter",
        "42710",
        "table \"materialize.public.wikis\" already exists",
    ),
    (
        "CREATE VIEW mz_catalog.v AS SELECT * FROM counter",
        "42501",
        "system schema 'mz_catalog' cannot be modified",
    ),
    (
        "CREATE VIEW nosuch.v AS SELECT * FROM counter",
        "XX000",
        "unknown schema 'nosuch'",
    ),
    (
        "CREATE VIEW v AS SELECT * FROM nosuch",
        "XX000",
        "unknown catalog item 'nosuch'",
    ),
    (
        "CREATE VIEW v AS SELECT nosuch FROM counter",
        "42703",
        "column \"nosuch\" does not exist",
    ),
    (
        "CREATE VIEW v AS SELECT * FROM counter WHERE edits = $1",
        "42P02",
        "views cannot have parameters",
    ),
    (
        "CREATE VIEW v AS SELECT * FROM counter AS OF 1",
        "0A000",
        "AS OF is not supported in a view",
    ),
    (
        "CREATE VIEW v AS SELECT 1",
        "0A000",
        "a view of constants is not supported by the demo's stand-in",
    ),
    (
        "CREATE VIEW v (a) AS SELECT edits FROM counter",
        "0A000",
        "a list of columns is not supported by the demo's stand-in: name them with AS",
    ),
    (
        "CREATE OR REPLACE MATERIALIZED v",
        "42601",
        "Expected VIEW, found identifier \"v\"",
    ),
    (
        "SUBSCRIBE top10",
        "0A000",
        "the demo's stand-in streams through COPY (...) TO STDOUT only",
    ),
];

/// SQLSTATE and message of the error that a statement gives.
pub(crate) fn error(client: &mut Client, sql: &str) -> (String, String) {
    let error = client.simple_query(sql).expect_err(sql);
    let error = error
        .as_db_error()
        .unwrap_or_else(|| panic!("{sql}: {error:?}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

#[test]
fn errors_have_the_real_servers_codes_and_texts() {
    let demo = start(options(50, 100.0, 500)).unwrap();
    let mut client = connect(&demo);
    for (sql, code, message) in ERRORS {
        assert_eq!(
            error(&mut client, sql),
            ((*code).to_owned(), (*message).to_owned()),
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
    let (code, message) = error(&mut client, "DROP VIEW v");
    assert_eq!(code, "25001");
    assert_eq!(
        message,
        "DROP VIEW cannot be run inside a transaction block"
    );
    client.batch_execute("ROLLBACK").unwrap();
    client.batch_execute("BEGIN").unwrap();
    assert_eq!(error(&mut client, "SELECT * FROM nosuch").0, "XX000");
    assert_eq!(error(&mut client, "SELECT 1").0, "25P02");
    client.batch_execute("ROLLBACK").unwrap();
    assert_eq!(query(&mut client, "SELECT 1").len(), 1);
}
