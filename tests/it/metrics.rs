//! `/metrics`: names and help are a contract, numbers are right.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::golden;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request};
use crate::support::sse::Stream;
use crate::support::table::Table;

/// All samples, by name and labels as they are written.
fn scrape(gateway: &Gateway) -> BTreeMap<String, f64> {
    let mut answer = get(gateway.address, "/metrics");
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

fn await_sample(gateway: &Gateway, name: &str, accept: impl Fn(f64) -> bool) -> f64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let samples = scrape(gateway);
        if let Some(value) = samples.get(name).filter(|value| accept(**value)) {
            return *value;
        }
        assert!(Instant::now() < deadline, "{name}: {samples:#?}");
    }
}

#[test]
fn metrics_names_and_help_are_as_recorded() {
    let gateway = Gateway::demo(&["--view", "counter"]);
    gateway.await_ready();
    let mut answer = get(gateway.address, "/metrics");
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("text/plain"), "{kind}");
    // The numbers are not part of the contract.
    let shown: String = answer
        .text()
        .lines()
        .map(|line| match line.rsplit_once(' ') {
            Some((name, _)) if !line.starts_with('#') => format!("{name}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    golden::check("metrics.txt", &shown);
    let operations = include_str!("../../docs/OPERATIONS.md");
    for line in shown.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, _) = rest.split_once(' ').expect("a type");
            assert!(name.starts_with("viewcast_"), "{name}");
            let row = format!("| `{name}` |");
            assert!(operations.contains(&row), "{name} is not documented");
        }
    }
}

#[test]
fn metrics_count_what_happened() {
    let gateway = Gateway::demo(&["--view", "counter", "--max-connections", "2"]);
    let path = "/counter/stream";
    let mut stream = Stream::open(gateway.address, path);
    let mut table = Table::default();
    table.read_until(&mut stream, |table| table.deltas >= 5);
    let id = stream.last_id.clone().expect("an id");
    let mut second = Stream::resume(gateway.address, path, &id);
    second.expect("delta");
    let refused = request(gateway.address, "GET", path, &[]).text();
    assert!(refused.contains("event: full\n"), "{refused}");

    let samples = scrape(&gateway);
    let sample = |name: &str| {
        samples
            .get(name)
            .copied()
            .unwrap_or_else(|| panic!("{name}: {samples:#?}"))
    };
    assert_eq!(sample("viewcast_view_rows{view=\"counter\"}"), 1.0);
    assert!(sample("viewcast_view_bytes{view=\"counter\"}") > 5.0);
    assert_eq!(sample("viewcast_upstream_up{view=\"counter\"}"), 1.0);
    assert_eq!(sample("viewcast_subscribers{view=\"counter\"}"), 2.0);
    assert_eq!(
        sample("viewcast_refusals_total{limit=\"connections\"}"),
        1.0
    );
    assert_eq!(
        sample("viewcast_upstream_reconnects_total{view=\"counter\"}"),
        0.0
    );
    assert!(sample("viewcast_deltas_total{view=\"counter\"}") >= 5.0);
    // A base and five deltas, and one delta more on the other stream.
    assert!(sample("viewcast_sent_frames_total{view=\"counter\"}") >= 7.0);
    assert!(sample("viewcast_sent_bytes_total{view=\"counter\"}") > 7.0 * 60.0);
    // The head, the base and a delta at the least; what gathers is one write.
    assert!(sample("viewcast_writes_total{view=\"counter\"}") >= 3.0);
    assert!(sample("viewcast_process_resident_bytes") > 1e6);
    let files = sample("viewcast_process_open_files");
    assert!(files > 5.0 && files < sample("viewcast_process_open_files_max"));
    let resumed = |outcome: &str| {
        sample(&format!(
            "viewcast_resumes_total{{outcome=\"{outcome}\",view=\"counter\"}}"
        ))
    };
    assert_eq!(resumed("deltas") + resumed("up_to_date"), 1.0);
    assert_eq!(resumed("base") + resumed("ahead"), 0.0);

    // A position of another incarnation; then everybody leaves.
    drop(second);
    let ended = "viewcast_streams_ended_total{reason=\"left\",view=\"counter\"}";
    await_sample(&gateway, ended, |count| count == 1.0);
    let mut third = Stream::resume(gateway.address, path, "1-000000000000");
    third.expect("base");
    let based = "viewcast_resumes_total{outcome=\"base\",view=\"counter\"}";
    await_sample(&gateway, based, |count| count == 1.0);
    drop((stream, third));
    await_sample(&gateway, ended, |count| count == 3.0);
    await_sample(
        &gateway,
        "viewcast_subscribers{view=\"counter\"}",
        |count| count == 0.0,
    );
}

#[test]
fn metrics_lag_is_in_seconds_and_unknown_until_there_is_a_base() {
    let gateway = Gateway::demo(&["--view", "counter"]);
    gateway.await_ready();
    let lag = await_sample(
        &gateway,
        "viewcast_view_lag_seconds{view=\"counter\"}",
        |_| true,
    );
    assert!((0.0..3600.0).contains(&lag), "{lag}");
    let list = get(gateway.address, "/views").json();
    let lag = list["views"][0]["lag_seconds"].as_f64().expect("a number");
    assert!((0.0..3600.0).contains(&lag), "{lag}");

    // Nobody listens there: the view is never loaded.
    let alone = Gateway::start(&["--upstream", "postgres://127.0.0.1:1/x", "--view", "v"]);
    let list = get(alone.address, "/views").json();
    assert!(list["views"][0]["lag_seconds"].is_null(), "{list}");
    let samples = scrape(&alone);
    assert!(!samples.contains_key("viewcast_view_lag_seconds{view=\"v\"}"));
    assert_eq!(samples["viewcast_upstream_up{view=\"v\"}"], 0.0);
    let mut ready = get(alone.address, "/readyz");
    assert_eq!(ready.status, 503);
    let ready = ready.json();
    assert_eq!(ready["status"], "loading");
    assert_eq!(ready["waiting"][0]["view"], "v");
    let reason = ready["waiting"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("the upstream "), "{reason}");
    assert!(ready["waiting"][0]["since"].is_string(), "{ready}");
    let failures = "viewcast_connection_failures_total{view=\"v\"}";
    await_sample(&alone, failures, |failures| failures > 1.0);
    let unreachable =
        "viewcast_upstream_state{reason=\"unreachable\",state=\"loading\",view=\"v\"}";
    assert_eq!(await_sample(&alone, unreachable, |it| it > 0.0), 1.0);
}
