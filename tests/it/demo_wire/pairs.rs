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

/// Those of the newest one: what the stand-in has learned of it.
pub(super) const NEWEST: &[Pair] = &[
    same("login", "SELECT mz_version()"),
    same("schema_swap", "CREATE SCHEMA blue"),
    same("schema_swap", "CREATE SCHEMA green"),
    same("schema_swap", "CREATE TABLE blue.t (a int)"),
    same("schema_swap", "CREATE TABLE green.t (a int)"),
    same("schema_swap", "INSERT INTO blue.t VALUES (1)"),
    same("schema_swap", "INSERT INTO green.t VALUES (100)"),
    same(
        "schema_swap",
        "CREATE MATERIALIZED VIEW blue.v AS SELECT a FROM blue.t",
    ),
    same(
        "schema_swap",
        "CREATE MATERIALIZED VIEW green.v AS SELECT a FROM green.t",
    ),
    same("schema_swap", "ALTER SCHEMA blue SWAP WITH green"),
    same("schema_swap", "INSERT INTO blue.t VALUES (101)"),
    same("schema_swap", "SELECT * FROM blue.v"),
    same("rename_view", "CREATE TABLE rn2 (a int)"),
    same("rename_view", "CREATE VIEW rp AS SELECT a FROM rn2"),
    same("rename_view", "ALTER VIEW rp RENAME TO rq"),
    same("rename_view", "SELECT * FROM rp LIMIT 0"),
    same("rename_view", "ALTER TABLE rn2 RENAME TO rn3"),
    same("rename_view", "INSERT INTO rn3 VALUES (3)"),
    same("rename_view", "DROP VIEW rq"),
    same("replacement_columns", "CREATE TABLE rt5 (a int, b text)"),
    same("replacement_columns", "INSERT INTO rt5 VALUES (1,'x')"),
    same(
        "replacement_columns",
        "CREATE MATERIALIZED VIEW rc AS SELECT a FROM rt5",
    ),
    same(
        "replacement_columns",
        "CREATE REPLACEMENT MATERIALIZED VIEW rc2 FOR rc AS SELECT a AS c FROM rt5",
    ),
    same(
        "replacement_columns",
        "CREATE REPLACEMENT MATERIALIZED VIEW rc2 FOR rc AS SELECT a, b FROM rt5",
    ),
    (
        "replacement_columns",
        "CREATE REPLACEMENT MATERIALIZED VIEW rc2 FOR rc AS SELECT a + 1 AS a FROM rt5",
        "CREATE REPLACEMENT MATERIALIZED VIEW rc2 FOR rc AS SELECT a FROM rt5",
    ),
    same("replacement_columns", "DROP MATERIALIZED VIEW rc2"),
    same("replacement_ids", "CREATE TABLE ri (a int)"),
    same(
        "replacement_ids",
        "CREATE MATERIALIZED VIEW riv AS SELECT a FROM ri",
    ),
    (
        "replacement_ids",
        "CREATE REPLACEMENT MATERIALIZED VIEW riv2 FOR riv AS SELECT a + 1 AS a FROM ri",
        "CREATE REPLACEMENT MATERIALIZED VIEW riv2 FOR riv AS SELECT a FROM rt5",
    ),
    same(
        "replacement_ids",
        "ALTER MATERIALIZED VIEW riv APPLY REPLACEMENT riv2",
    ),
    same(
        "replacement_ids",
        "SELECT name, id, oid FROM mz_catalog.mz_objects WHERE name IN ('riv', 'riv2') ORDER BY name",
    ),
    same("revoked_select", "CREATE ROLE reader"),
    same("revoked_select", "CREATE SCHEMA rvs"),
    same("revoked_select", "CREATE TABLE rvs.t (a int)"),
    same(
        "revoked_select",
        "CREATE MATERIALIZED VIEW rvs.v AS SELECT a FROM rvs.t",
    ),
    same("revoked_select", "GRANT USAGE ON SCHEMA rvs TO reader"),
    same("revoked_select", "GRANT SELECT ON rvs.v TO reader"),
    same("revoked_select", "REVOKE SELECT ON rvs.v FROM reader"),
    same("revoked_select", "SHOW COLUMNS FROM rvs.v"),
    same("missing_object", "SELECT * FROM nosuch LIMIT 0"),
    same("missing_object", "SELECT * FROM nosuchschema.v LIMIT 0"),
    same("missing_object", "SELECT * FROM nosuchdb.public.v LIMIT 0"),
    same("missing_object", "SHOW COLUMNS FROM nosuch"),
    same(
        "missing_object",
        "COPY (SUBSCRIBE nosuch WITH (PROGRESS)) TO STDOUT",
    ),
    same("missing_object", "DROP VIEW nosuch"),
    same(
        "missing_object",
        "COPY (SUBSCRIBE [u999999 AS materialize.public.v] WITH (PROGRESS)) TO STDOUT",
    ),
    same(
        "missing_object",
        "SELECT * FROM [u999999 AS materialize.public.v] LIMIT 0",
    ),
    same("missing_object", "COPY (TAIL nosuch) TO STDOUT"),
    same("as_of_too_old", "SELECT mz_now()"),
    (
        "as_of_too_old",
        "COPY (SUBSCRIBE ao WITH (PROGRESS, SNAPSHOT = false) AS OF 1795910331171) TO STDOUT",
        "COPY (SUBSCRIBE blue.t WITH (PROGRESS, SNAPSHOT = false) AS OF 1) TO STDOUT",
    ),
];
