//! `/metrics`: names and help are a contract, numbers are right.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::golden;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request, send};
use crate::support::materialize::{Generation, Materialize, row};
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
            Some((name, _)) if !line.starts_with('#') => {
                format!("{}\n", name.replace(env!("CARGO_PKG_VERSION"), "VERSION"))
            }
            _ => format!("{line}\n"),
        })
        .collect();
    golden::check("metrics.txt", &shown);
    let operations = include_str!("../../docs/OPERATIONS.md");
    for line in shown.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, _) = rest.split_once(' ').expect("a type");
            let is_ours = name.starts_with("viewcast_") || name.starts_with("process_");
            assert!(is_ours, "{name}");
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
    assert!(sample("process_resident_memory_bytes") > 1e6);
    assert!(sample("process_cpu_seconds_total") > 0.0);
    assert!(sample("process_threads") > 2.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    let ran = now.as_secs_f64() - sample("process_start_time_seconds");
    assert!((-2.0..600.0).contains(&ran), "{ran}");
    let since = sample("viewcast_upstream_state_since_seconds{view=\"counter\"}");
    assert!((now.as_secs_f64() - since) < 600.0, "{since}");
    // Two streams, the refused one, and what was asked for before the scrape.
    assert!(sample("viewcast_http_responses_total{status=\"200\"}") >= 3.0);
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

/// Each delta is timed once by each thread that has written it to somebody.
#[test]
fn metrics_time_each_delta_that_was_written() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    let url = server.url();
    let gateway = Gateway::start(&["--upstream", &url, "--view", "v", "--workers", "1"]);
    gateway.await_ready();
    let commit = |n: u32| server.commit("v", vec![(row([&n.to_string()]), 1)]);
    let path = "/v/stream";
    let mut stream = Stream::open(gateway.address, path);
    stream.expect("base");
    for n in 0..5 {
        commit(n);
        while stream.expect("delta").data == "[]" {}
    }
    let count = "viewcast_delivery_seconds_count{view=\"v\"}";
    await_sample(&gateway, count, |count| count == 5.0);
    drop(stream);
    await_sample(&gateway, "viewcast_subscribers{view=\"v\"}", |count| {
        count == 0.0
    });
    commit(5);
    await_sample(&gateway, "viewcast_deltas_total{view=\"v\"}", |count| {
        count == 6.0
    });

    let samples = scrape(&gateway);
    let all = |name: &str, le: &str| {
        let name = format!("viewcast_{name}_seconds_bucket{{view=\"v\",le=\"{le}\"}}");
        samples
            .get(&name)
            .copied()
            .unwrap_or_else(|| panic!("{name}: {samples:#?}"))
    };
    for name in ["delivery", "delta_age"] {
        // Nobody was there for the sixth.
        assert_eq!(
            samples[&format!("viewcast_{name}_seconds_count{{view=\"v\"}}")],
            5.0
        );
        assert_eq!(all(name, "+Inf"), 5.0);
        assert!(all(name, "0.0005") <= all(name, "10"));
    }
    let sum = samples["viewcast_delivery_seconds_sum{view=\"v\"}"];
    assert!(sum > 0.0 && sum < 10.0, "{sum}");
}

/// Where clients need a token, who watches needs none, and clients have no
/// metrics at all.
#[test]
fn metrics_have_a_port_of_their_own() {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys/hs256.txt");
    let access = ["--auth", "jwt", "--jwt-key-file", key];
    let of = ["--jwt-issuer", "i", "--jwt-audience", "a"];
    let apart = ["--view", "counter", "--metrics-listen", "127.0.0.1:0"];
    let gateway = Gateway::demo(&[&access[..], &of[..], &apart[..]].concat());
    let line = gateway.process.await_log("metrics on http://");
    let (_, address) = line.split_once("http://").expect("an address");
    let address = address.trim().trim_end_matches("/metrics");
    let apart: SocketAddr = address.parse().expect("an address");
    gateway.await_ready();

    let strange = b"GET /metrics HTTP/1.1\r\nHost: prometheus.example\r\n\r\n";
    let text = send(apart, strange, "GET").text();
    assert!(
        text.contains("viewcast_subscribers{view=\"counter\"} 0"),
        "{text}"
    );
    assert_eq!(get(apart, "/healthz").json()["status"], "ok");
    assert_eq!(get(apart, "/readyz").json()["status"], "ready");
    assert_eq!(get(apart, "/views").status, 404);
    assert_eq!(get(apart, "/counter/stream").status, 404);
    assert_eq!(request(apart, "POST", "/metrics", &[]).status, 405);
    assert_eq!(
        send(apart, b"GET /\x80 HTTP/1.1\r\n\r\n", "GET").status,
        400
    );

    assert_eq!(get(gateway.address, "/metrics").status, 404);
    assert_eq!(get(gateway.address, "/healthz").status, 200);
    assert_eq!(get(gateway.address, "/counter").status, 401);
    let text = get(apart, "/metrics").text();
    assert!(
        text.contains("viewcast_tokens_refused_total{reason=\"missing\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("viewcast_http_responses_total{status=\"401\"} 1\n"),
        "{text}"
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
