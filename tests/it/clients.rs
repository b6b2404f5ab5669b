//! Other people's clients read our streams: Chromium and its EventSource, npm
//! `eventsource`, PyPI `httpx-sse`, `curl`. `make test` installs them.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::gateway::Gateway;
use crate::support::http::get;
use crate::support::sse::Event;
use crate::support::table::{Rows, Table, position, rows_of};

/// Events of a window that are read before it is compared with a snapshot.
const EVENTS: usize = 4;

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command to its end with its output in the test's; fails with it.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?} does not start ({error}); `make prepare` installs it")
    });
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}", output.status);
}

fn browser_test(script: &str) -> Command {
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=spec", script])
        .current_dir(project("tests/browser"))
        .env("VIEWCAST_BIN", env!("CARGO_BIN_EXE_viewcast"))
        .env("SCREENSHOT_DIR", project("target/screenshots"));
    command
}

fn node(script: &str, gateway: &Gateway) {
    let url = format!("http://{}", gateway.address);
    run(browser_test(script).env("VIEWCAST_URL", url));
}

#[test]
fn chromium_shows_every_view_changing_without_an_error() {
    let gateway = Gateway::start(&["demo", "--tick", "250ms", "--rate", "100"]);
    node("page.test.mjs", &gateway);
}

#[test]
fn chromium_shows_the_page_below_a_path() {
    let gateway = crate::base_path::below("/live", &[]);
    let url = format!("http://{}/live", gateway.address);
    run(browser_test("base_path.test.mjs").env("VIEWCAST_URL", url));
}

#[test]
fn chromium_and_npm_eventsource_agree_at_every_common_id() {
    let gateway = Gateway::start(&["demo", "--tick", "100ms", "--rate", "200"]);
    node("clients.test.mjs", &gateway);
}

/// The same compressed.
fn agree_on_compressed_streams(prepare: fn(&mut Command) -> &mut Command) {
    let compressed = ["--compress", "auto", "--tick", "100ms", "--rate", "200"];
    let gateway = Gateway::start(&[&["demo"], &compressed[..]].concat());
    let url = format!("http://{}", gateway.address);
    let mut command = browser_test("clients.test.mjs");
    command
        .env("VIEWCAST_URL", url)
        .env("VIEWCAST_ENCODING", "gzip");
    run(prepare(&mut command));
}

/// With gzip, which both of them ask for by themselves.
#[test]
fn chromium_and_npm_eventsource_agree_on_compressed_streams() {
    agree_on_compressed_streams(|command| command);
}

/// With the views' dictionaries, which Chromium fetches before.
#[test]
fn chromium_follows_streams_compressed_with_a_dictionary() {
    agree_on_compressed_streams(|command| command.env("VIEWCAST_DICTIONARY", "yes"));
}

#[test]
fn chromium_page_asks_the_gateway_for_rows() {
    let gateway = Gateway::start(&["demo", "--tick", "250ms", "--rate", "1000"]);
    gateway.await_ready();
    node("filter.test.mjs", &gateway);
}

#[test]
fn chromium_and_npm_eventsource_follow_windows_to_their_snapshots() {
    let often = ["--heartbeat", "1s", "--tick", "200ms", "--rate", "400"];
    let gateway = Gateway::start(&[&["demo"], &often[..]].concat());
    gateway.await_ready();
    node("windows.test.mjs", &gateway);
}

#[test]
fn chromium_joins_views_that_always_agree() {
    let gateway = Gateway::start(&["demo", "--tick", "100ms", "--rate", "200"]);
    node("joint.test.mjs", &gateway);
}

/// Clients that take ids early, or `retry` late, behind a proxy that cuts.
#[test]
fn npm_clients_have_the_right_rows_however_they_are_cut() {
    let gateway = Gateway::start(&["demo", "--tick", "100ms", "--rate", "200"]);
    gateway.await_ready();
    node("cut.test.mjs", &gateway);
}

#[test]
fn chromium_page_back_from_the_cache_goes_on_without_a_base() {
    let gateway = Gateway::start(&["demo", "--tick", "100ms", "--rate", "200"]);
    node("bfcache.test.mjs", &gateway);
}

#[test]
fn chromium_knows_why_there_is_no_stream_and_goes_on_after_a_reload() {
    let gateway = Gateway::start(&["demo", "--tick", "250ms", "--rate", "100"]);
    node("module.test.mjs", &gateway);
}

#[test]
fn firefox_knows_why_there_is_no_stream_shares_one_and_goes_on_after_a_reload() {
    let gateway = Gateway::start(&["demo", "--tick", "250ms", "--rate", "100"]);
    node("firefox.test.mjs", &gateway);
}

#[test]
fn webkit_shows_the_page_and_goes_on_after_a_cut() {
    let gateway = Gateway::start(&["demo", "--tick", "250ms", "--rate", "100"]);
    node("webkit.test.mjs", &gateway);
}

#[test]
fn chromium_runs_bundles_of_the_npm_package_with_frameworks() {
    let gateway = Gateway::start(&["demo", "--tick", "250ms", "--rate", "100"]);
    node("bundles.test.mjs", &gateway);
}

#[test]
fn chromium_tabs_share_one_connection() {
    let gateway = Gateway::start(&["demo", "--tick", "100ms", "--rate", "200"]);
    node("shared.test.mjs", &gateway);
}

#[test]
fn chromium_runs_the_examples_of_the_readme() {
    let gateway = Gateway::start(&["demo", "--tick", "100ms", "--rate", "200"]);
    node("readme.test.mjs", &gateway);
}

/// The README's example of each user's own rows, with the file that it shows.
#[test]
fn chromium_runs_the_example_of_each_users_rows() {
    let document = include_str!("../../README.md");
    let (_, section) = document.split_once("## Authentication").expect("a section");
    let (_, rules) = section.split_once("```toml\n").expect("a file");
    let (rules, _) = rules.split_once("```").expect("its end");
    let directory = tempfile::tempdir().expect("directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.display().to_string()
    };
    let secret = "a secret that login and gateway have in common";
    let (rules, key) = (write("viewcast.toml", rules), write("secret.txt", secret));
    let mut arguments = vec!["demo", "--tick", "100ms", "--rate", "200"];
    arguments.extend(["--config", &rules, "--auth", "jwt", "--jwt-key-file", &key]);
    arguments.extend(["--jwt-issuer", "https://login.example.com/"]);
    arguments.extend(["--jwt-audience", "viewcast"]);
    let gateway = Gateway::start(&arguments);
    let url = format!("http://{}", gateway.address);
    let mut command = browser_test("own_rows.test.mjs");
    run(command
        .env("VIEWCAST_URL", url)
        .env("VIEWCAST_SECRET", secret));
}

#[test]
fn chromium_page_is_honest_in_every_state() {
    // Plays its own gateway, since it needs one that misbehaves on command.
    let gateway = Gateway::demo(&[]);
    node("states.test.mjs", &gateway);
}

#[test]
fn chromium_comes_back_after_being_over_a_limit() {
    let limits = [
        "--max-connections",
        "--max-connections-per-address",
        "--max-connections-per-view",
    ];
    let gateways = limits.map(|limit| Gateway::demo(&[limit, "1"]));
    gateways.iter().for_each(Gateway::await_ready);
    let urls = gateways
        .each_ref()
        .map(|one| format!("http://{}", one.address));
    run(browser_test("limits.test.mjs").env("VIEWCAST_URLS", urls.join(",")));
}

#[test]
fn chromium_page_outlives_gateway_and_upstream() {
    // Starts and kills processes of its own.
    let gateway = Gateway::demo(&[]);
    node("processes.test.mjs", &gateway);
}

#[test]
fn python_httpx_sse_agrees_with_the_snapshot() {
    let python = std::env::var_os("VIEWCAST_TEST_PYTHON")
        .map_or_else(|| project("target/venv/bin/python"), PathBuf::from);
    // It asks for gzip by itself, and unpacks it with zlib.
    for (compress, encoding) in [("off", "identity"), ("auto", "gzip")] {
        let gateway = Gateway::demo(&["--compress", compress]);
        run(Command::new(&python)
            .arg(project("tests/py/sse_client.py"))
            .arg(format!("http://{}", gateway.address))
            .arg(encoding));
    }
}

/// The Python of docs/CLIENTS.md, as it stands there.
#[test]
fn python_follows_a_view_through_kills() {
    let python = std::env::var_os("VIEWCAST_TEST_PYTHON")
        .map_or_else(|| project("target/venv/bin/python"), PathBuf::from);
    run(Command::new(&python)
        .arg(project("tests/py/follow_view.py"))
        .env("VIEWCAST_BIN", env!("CARGO_BIN_EXE_viewcast")));
}

/// What `curl` prints, with and without `--compressed`.
#[test]
fn curl_prints_base_then_deltas() {
    let gateway = Gateway::demo(&["--compress", "auto"]);
    curl_prints(&gateway, &["-sN"]);
    curl_prints(&gateway, &["-sN", "--compressed"]);
    assert_eq!(get(gateway.address, "/readyz").json()["status"], "ready");
}

/// The rows of a window as `curl` prints them add up to what `GET` gives, and
/// that is what of the whole view meets the conditions.
#[test]
fn curl_follows_windows_to_their_snapshots() {
    let often = ["--compress", "auto", "--heartbeat", "1s", "--tick", "200ms"];
    let gateway = Gateway::start(&[&["demo", "--rate", "400"], &often[..]].concat());
    gateway.await_ready();
    // The window, a column, and the texts that its rows have there.
    let windows = [
        (
            "user_edits?user=eq.Cheers!-bot",
            "user",
            &["Cheers!-bot"][..],
        ),
        ("user_edits?user=eq.Preferwiki", "user", &["Preferwiki"]),
        ("hot_pages?wiki=in.(en,de)", "wiki", &["en", "de"]),
        ("page_edits?user=is.null", "user", &["NULL"]),
    ];
    for (window, column, texts) in windows {
        for options in [&["-sN"][..], &["-sN", "--compressed"]] {
            follows(&gateway, window, options);
        }
        // Both at one timestamp, by themselves.
        let (view, _) = window.split_once('?').expect("a query");
        let (rows, whole) = loop {
            let [part, all] = [window, view].map(|path| snapshot(&gateway, path));
            if part.0.0 == all.0.0 {
                break (part.1, all.1);
            }
        };
        let whole = whole.into_iter().filter(|(row, _)| {
            let row: Value = serde_json::from_str(row).expect("a row");
            texts.contains(&row[column].as_str().unwrap_or("NULL"))
        });
        assert_eq!(rows, whole.collect::<Rows>(), "{window}");
    }
}

/// Timestamp and incarnation of a snapshot, and its rows.
fn snapshot(gateway: &Gateway, path: &str) -> ((u64, String), Rows) {
    let mut answer = get(gateway.address, &format!("/{path}"));
    assert_eq!(answer.status, 200, "{path}");
    let tag = answer.header("etag").expect("a position").to_owned();
    (position(tag.trim_matches('"')), rows_of(&answer.text()))
}

/// Reads some events of a window by `curl`, and on to a snapshot of then.
fn follows(gateway: &Gateway, window: &str, options: &[&str]) {
    let (view, query) = window.split_once('?').expect("a query");
    let mut child = Command::new("curl")
        .args(options)
        .arg(format!("http://{}/{view}/stream?{query}", gateway.address))
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed; `make prepare` sees to it");
    let output = child.stdout.take().expect("piped");
    let (mut table, mut event) = (Table::default(), Event::default());
    let mut lines = BufReader::new(output)
        .lines()
        .map(|line| line.expect("text"));
    let mut next = |table: &mut Table| {
        for line in &mut lines {
            match line.split_once(": ") {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("data", data)) => event.data = data.to_owned(),
                Some(("id", id)) => event.id = Some(id.to_owned()),
                // The block of `retry` alone is no event.
                None if !event.name.is_empty() => return table.apply(&std::mem::take(&mut event)),
                _ => {}
            }
        }
        panic!("{window}: curl ended");
    };
    for _ in 0..EVENTS {
        next(&mut table);
    }
    let ((at, incarnation), expected) = snapshot(gateway, window);
    assert_eq!(incarnation, table.incarnation, "{window}");
    let mut held = table.rows.clone();
    while table.timestamp < Some(at) {
        next(&mut table);
        // What comes behind the snapshot is not in it.
        if table.timestamp <= Some(at) {
            held.clone_from(&table.rows);
        }
    }
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    assert_eq!(held, expected, "{window} at {at}, {options:?}");
    assert_eq!(table.bases, 1, "{window}");
}

fn curl_prints(gateway: &Gateway, options: &[&str]) {
    let url = format!("http://{}/top10/stream", gateway.address);
    let mut child = Command::new("curl")
        .args(options)
        .arg(url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed; `make prepare` sees to it");
    let mut names = Vec::new();
    let output = child.stdout.take().expect("piped");
    for line in BufReader::new(output).lines() {
        let line = line.expect("text");
        if let Some(name) = line.strip_prefix("event: ") {
            names.push(name.to_owned());
        }
        if names.len() == 4 {
            break;
        }
    }
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    assert_eq!(names, ["base", "delta", "delta", "delta"], "{options:?}");
}
