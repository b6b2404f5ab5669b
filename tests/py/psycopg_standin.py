"""Talks to the demo's stand-in with psycopg, as a user would.

Usage: psycopg_standin.py HOST:PORT
Exits 0 and prints "ok" if everything was answered as a Materialize does.
"""

import datetime
import decimal
import sys

import psycopg


def simple(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT mz_version()")
        assert cursor.fetchone()[0].startswith("v26.17.0"), "version"
        cursor.execute("SELECT * FROM counter")
        assert [column.name for column in cursor.description] == ["edits", "bytes", "editors"]
        assert [column.type_code for column in cursor.description] == [20, 1700, 20]
        edits, size, editors = cursor.fetchone()
        assert isinstance(edits, int) and isinstance(size, decimal.Decimal), (edits, size)
        assert 0 < editors < edits
        cursor.execute("SHOW COLUMNS FROM edits_per_minute")
        names = [(row[0], row[2]) for row in cursor.fetchall()]
        assert names == [("minute", "timestamp without time zone"), ("edits", "bigint")], names
        cursor.execute("SELECT minute FROM edits_per_minute ORDER BY 1 DESC LIMIT 1")
        minute = cursor.fetchone()[0]
        assert isinstance(minute, datetime.datetime) and minute.year == 2015, minute


def extended(connection):
    with connection.cursor() as cursor:
        query = "SELECT id, name, type FROM mz_catalog.mz_objects WHERE name = %s"
        for name, found in (("top10", 1), ("o'brien", 0), ("counter", 1)):
            cursor.execute(query, (name,), prepare=True)
            rows = cursor.fetchall()
            assert len(rows) == found, (name, rows)
            assert all(row[1] == name for row in rows)
    with connection.cursor(binary=True) as cursor:
        cursor.execute("SELECT * FROM edits_by_language ORDER BY edits DESC", prepare=True)
        language, family, edits, size = cursor.fetchone()
        assert (language, family) == ("English", "Germanic")
        assert isinstance(edits, int) and isinstance(size, decimal.Decimal)
        cursor.execute("SELECT minute, edits FROM edits_per_minute LIMIT 1", prepare=True)
        assert cursor.fetchone()[0].year == 2015


def copy_out(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT * FROM top10) TO STDOUT") as copy:
            rows = list(copy.rows())
        assert len(rows) == 10 and all(len(row) == 2 for row in rows), rows
    with connection.cursor() as cursor:
        contents, closed = {}, 0
        with cursor.copy("COPY (SUBSCRIBE top10 WITH (PROGRESS)) TO STDOUT") as copy:
            for timestamp, progressed, diff, *row in copy.rows():
                if progressed == "t":
                    assert int(timestamp) >= closed
                    closed = int(timestamp)
                    if contents and len(contents) == 10:
                        break
                    continue
                count = contents.get(tuple(row), 0) + int(diff)
                contents[tuple(row)] = count
                if count == 0:
                    del contents[tuple(row)]
            connection.cancel()
            try:
                for _ in copy.rows():
                    pass
                raise AssertionError("a cancelled COPY ended without an error")
            except psycopg.errors.QueryCanceled:
                pass
        assert set(contents.values()) == {1}, contents
        return closed - 1


def errors(connection):
    for statement, code, text in (
        ("SELECT * FROM nosuch", "XX000", "unknown catalog item 'nosuch'"),
        ("selec 1", "42601", "Expected a keyword"),
        ("CREATE CLUSTER c", "0A000", "not supported"),
        ("SELECT * FROM top10 AS OF 1", "22000", "valid timestamp"),
    ):
        try:
            connection.execute(statement)
            raise AssertionError(f"no error from {statement}")
        except psycopg.Error as error:
            assert error.sqlstate == code, (statement, error.sqlstate)
            assert text in str(error), (statement, error)


def transaction(address):
    host, port = address
    with psycopg.connect(host=host, port=port, user="materialize", dbname="materialize") as one:
        one.execute("SELECT 1")
        try:
            one.execute("SELECT * FROM nosuch")
        except psycopg.Error:
            pass
        try:
            one.execute("SELECT 1")
            raise AssertionError("a failed transaction went on")
        except psycopg.errors.InFailedSqlTransaction:
            one.rollback()
        assert one.execute("SELECT 1").fetchone() == (1,)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    parameters = {"host": host, "port": port, "user": "materialize", "dbname": "materialize"}
    with psycopg.connect(autocommit=True, **parameters) as connection:
        simple(connection)
        extended(connection)
        try:
            copy_out(connection)
        except psycopg.errors.QueryCanceled:
            pass
        errors(connection)
        simple(connection)
    transaction((host, port))
    print("ok")


main()
