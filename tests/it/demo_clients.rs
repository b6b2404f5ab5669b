//! `psql` and Python's `psycopg` talk to the stand-in.

use std::path::Path;
use std::process::{Command, Output};

use viewcast::demo::{Demo, start};

use super::demo_standin::options;

fn psql(demo: &Demo, sql: &str) -> Output {
    let mut command = Command::new("psql");
    command.args([
        "-X",
        "-A",
        "-t",
        "-v",
        "VERBOSITY=verbose",
        "-d",
        &demo.upstream_url(),
        "-c",
        sql,
    ]);
    command
        .output()
        .expect("psql is installed; `make test` sees to it")
}

#[test]
fn psql_reads_rows_copies_and_errors() {
    let demo = start(options(50, 100.0, 2_000)).unwrap();
    let text = |sql: &str| {
        let output = psql(&demo, sql);
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(text("SELECT mz_version()").starts_with("v26.17.0"));
    assert_eq!(
        text("SHOW COLUMNS FROM top10"),
        "user|f|text|\ncount|f|bigint|\n"
    );
    assert_eq!(
        text("SELECT * FROM wikis WHERE code = 'vi'"),
        "vi|Vietnamese|Austroasiatic\n"
    );
    assert_eq!(
        text("COPY (SELECT * FROM wikis WHERE code = 'vi') TO STDOUT"),
        "vi\tVietnamese\tAustroasiatic\n"
    );
    assert_eq!(text("BEGIN; SELECT 1; COMMIT"), "BEGIN\n1\nCOMMIT\n");
    // On a busy machine the end may have passed before psql has started.
    let copied = [200, 2_000, 20_000].into_iter().find_map(|ms| {
        let now: u64 = text("SELECT mz_now()").trim().parse().unwrap();
        let until = now + ms;
        let sql = format!("COPY (SUBSCRIBE counter WITH (PROGRESS) UP TO {until}) TO STDOUT");
        let output = psql(&demo, &sql);
        let copied = String::from_utf8(output.stdout).unwrap();
        (output.status.success() && copied.lines().count() > 5).then_some(copied)
    });
    let copied = copied.expect("more than five lines");
    assert!(
        copied.lines().all(|line| line.split('\t').count() == 6),
        "{copied}"
    );
    let failed = psql(&demo, "SELECT * FROM nosuch");
    assert!(!failed.status.success());
    let message = String::from_utf8(failed.stderr).unwrap();
    assert!(
        message.contains("XX000: unknown catalog item 'nosuch'"),
        "{message}"
    );
}

#[test]
fn psycopg_speaks_simple_extended_and_copy() {
    let demo = start(options(100, 100.0, 2_000)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("VIEWCAST_TEST_PYTHON")
        .map_or_else(|| root.join("target/venv/bin/python"), Into::into);
    let output = Command::new(&python)
        .arg(root.join("tests/py/psycopg_standin.py"))
        .arg(demo.address().to_string())
        .output()
        .expect(
            "a Python with tests/py/requirements.txt is at target/venv; `make test` sees to it",
        );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"ok\n");
}
