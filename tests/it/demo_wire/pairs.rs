//! Which recorded statements are sent to the stand-in, and in which words.

/// File, recorded statement, ours.
pub(super) type Pair = (&'static str, &'static str, &'static str);

/// A statement that is sent in the words that were recorded.
const fn same(file: &'static str, sql: &'static str) -> Pair {
    (file, sql, sql)
}

/// Answers alike on both generations of servers.
pub(super) const ALIKE: &[Pair] = &[
    (
        "meta",
        "CREATE VIEW nv AS SELECT a FROM mt",
        "CREATE VIEW nv AS SELECT code FROM wikis",
    ),
    same("meta", "SELECT mz_version()"),
    same("meta", "SELECT version()"),
    same("meta", "SHOW VIEWS"),
    same("meta", "SHOW TABLES"),
    ("meta", "SHOW COLUMNS FROM mv", "SHOW COLUMNS FROM top10"),
    ("meta", "SHOW COLUMNS FROM mt", "SHOW COLUMNS FROM wikis"),
    same("meta", "SHOW DATABASES"),
    same("meta", "SHOW SCHEMAS"),
    same("meta", "SHOW OBJECTS"),
    same("meta", "SHOW server_version"),
    same(
        "meta",
        "SELECT current_database(), current_schema(), current_user",
    ),
    same("meta", "BEGIN"),
    same("meta", "COMMIT"),
    (
        "err_statements",
        "CREATE MATERIALIZED VIEW mz_ok AS SELECT * FROM z",
        "CREATE MATERIALIZED VIEW mz_ok AS SELECT code, family FROM wikis",
    ),
    same("err_statements", "SHOW COLUMNS FROM nosuch"),
    same("err_statements", "DROP VIEW nosuch"),
    same("err_statements", "SELECT * FROM nosuchschema.t"),
];

/// Those of the newer server.
pub(super) const MODERN: &[Pair] = &[
    same("meta", ""),
    same("meta", "SHOW MATERIALIZED VIEWS"),
    same("meta", "SHOW CREATE VIEW nv"),
    (
        "meta",
        "SHOW CREATE MATERIALIZED VIEW mv",
        "SHOW CREATE MATERIALIZED VIEW top10",
    ),
    same("meta", "SHOW mz_version"),
    same("meta", "SET cluster = quickstart"),
    same("err_statements", "DROP VIEW mz_ok"),
    same("err_statements", "DROP MATERIALIZED VIEW nosuch"),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO nosuch WITH (PROGRESS)) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF 1) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF 'x') TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) UP TO 1) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (NOSUCH)) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS = 7)) TO STDOUT",
    ),
    same("err_statements", "COPY (TAIL mz_ok) TO STDOUT"),
    same("err_statements", "COPY mz_ok TO STDOUT"),
    same("err_statements", "COPY (SELECT * FROM mz_ok) TO STDOUT"),
    same(
        "err_statements",
        "COPY (SUBSCRIBE TO nosuchdb.public.t) TO STDOUT",
    ),
];

/// Those of the old one.
pub(super) const OLD: &[Pair] = &[
    same(
        "err_statements",
        "COPY (TAIL nosuch WITH (PROGRESS)) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (TAIL mz_ok WITH (PROGRESS) AS OF 1) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (TAIL mz_ok WITH (PROGRESS) AS OF 'x') TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (TAIL mz_ok WITH (NOSUCH)) TO STDOUT",
    ),
    same(
        "err_statements",
        "COPY (TAIL mz_ok WITH (PROGRESS = 7)) TO STDOUT",
    ),
    same("err_statements", "COPY (SELECT * FROM mz_ok) TO STDOUT"),
    same("err_statements", "COPY (TAIL nosuchdb.public.t) TO STDOUT"),
];
