//! Which recorded statements are sent to the stand-in, and in which words.

/// File, recorded statement, ours.
pub(super) type Pair = (&'static str, &'static str, &'static str);

/// Answers alike on both generations of servers.
pub(super) const ALIKE: &[Pair] = &[
    (
        "meta",
        "CREATE VIEW nv AS SELECT a FROM mt",
        "CREATE VIEW nv AS SELECT code FROM wikis",
    ),
    ("meta", "SELECT mz_version()", "SELECT mz_version()"),
    ("meta", "SELECT version()", "SELECT version()"),
    ("meta", "SHOW VIEWS", "SHOW VIEWS"),
    ("meta", "SHOW TABLES", "SHOW TABLES"),
    ("meta", "SHOW COLUMNS FROM mv", "SHOW COLUMNS FROM top10"),
    ("meta", "SHOW COLUMNS FROM mt", "SHOW COLUMNS FROM wikis"),
    ("meta", "SHOW DATABASES", "SHOW DATABASES"),
    ("meta", "SHOW SCHEMAS", "SHOW SCHEMAS"),
    ("meta", "SHOW OBJECTS", "SHOW OBJECTS"),
    ("meta", "SHOW server_version", "SHOW server_version"),
    (
        "meta",
        "SELECT current_database(), current_schema(), current_user",
        "SELECT current_database(), current_schema(), current_user",
    ),
    ("meta", "BEGIN", "BEGIN"),
    ("meta", "COMMIT", "COMMIT"),
    (
        "err_statements",
        "CREATE MATERIALIZED VIEW mz_ok AS SELECT * FROM z",
        "CREATE MATERIALIZED VIEW mz_ok AS SELECT code, family FROM wikis",
    ),
    (
        "err_statements",
        "SHOW COLUMNS FROM nosuch",
        "SHOW COLUMNS FROM nosuch",
    ),
    ("err_statements", "DROP VIEW nosuch", "DROP VIEW nosuch"),
    (
        "err_statements",
        "SELECT * FROM nosuchschema.t",
        "SELECT * FROM nosuchschema.t",
    ),
];

/// Those of the newer server.
pub(super) const MODERN: &[Pair] = &[
    ("meta", "", ""),
    ("meta", "SHOW MATERIALIZED VIEWS", "SHOW MATERIALIZED VIEWS"),
    ("meta", "SHOW mz_version", "SHOW mz_version"),
    (
        "meta",
        "SET cluster = quickstart",
        "SET cluster = quickstart",
    ),
    ("err_statements", "DROP VIEW mz_ok", "DROP VIEW mz_ok"),
    (
        "err_statements",
        "DROP MATERIALIZED VIEW nosuch",
        "DROP MATERIALIZED VIEW nosuch",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO nosuch WITH (PROGRESS)) TO STDOUT",
        "COPY (SUBSCRIBE TO nosuch WITH (PROGRESS)) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF 1) TO STDOUT",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF 1) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF 'x') TO STDOUT",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) AS OF 'x') TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) UP TO 1) TO STDOUT",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS) UP TO 1) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (NOSUCH)) TO STDOUT",
        "COPY (SUBSCRIBE TO mz_ok WITH (NOSUCH)) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS = 7)) TO STDOUT",
        "COPY (SUBSCRIBE TO mz_ok WITH (PROGRESS = 7)) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (TAIL mz_ok) TO STDOUT",
        "COPY (TAIL mz_ok) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY mz_ok TO STDOUT",
        "COPY mz_ok TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SELECT * FROM mz_ok) TO STDOUT",
        "COPY (SELECT * FROM mz_ok) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SUBSCRIBE TO nosuchdb.public.t) TO STDOUT",
        "COPY (SUBSCRIBE TO nosuchdb.public.t) TO STDOUT",
    ),
];

/// Those of the old one.
pub(super) const OLD: &[Pair] = &[
    (
        "err_statements",
        "COPY (TAIL nosuch WITH (PROGRESS)) TO STDOUT",
        "COPY (TAIL nosuch WITH (PROGRESS)) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (TAIL mz_ok WITH (PROGRESS) AS OF 1) TO STDOUT",
        "COPY (TAIL mz_ok WITH (PROGRESS) AS OF 1) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (TAIL mz_ok WITH (PROGRESS) AS OF 'x') TO STDOUT",
        "COPY (TAIL mz_ok WITH (PROGRESS) AS OF 'x') TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (TAIL mz_ok WITH (NOSUCH)) TO STDOUT",
        "COPY (TAIL mz_ok WITH (NOSUCH)) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (TAIL mz_ok WITH (PROGRESS = 7)) TO STDOUT",
        "COPY (TAIL mz_ok WITH (PROGRESS = 7)) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (SELECT * FROM mz_ok) TO STDOUT",
        "COPY (SELECT * FROM mz_ok) TO STDOUT",
    ),
    (
        "err_statements",
        "COPY (TAIL nosuchdb.public.t) TO STDOUT",
        "COPY (TAIL nosuchdb.public.t) TO STDOUT",
    ),
];
