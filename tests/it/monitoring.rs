//! The alerts and the dashboard of config/, by a real promtool and against what a
//! real gateway tells. `make test` installs it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::gateway::Gateway;
use crate::support::http::get;
use crate::support::sse::Stream;

const HOME: &str = env!("CARGO_MANIFEST_DIR");

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(HOME)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts; `make prepare` installs it");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn assert_good(output: &Output) {
    let (out, err) = (&output.stdout, &output.stderr);
    let said = [out, err].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{}", said.concat());
}

/// What a gateway tells that serves a stream.
fn scrape() -> String {
    let gateway = Gateway::demo(&["--view", "counter"]);
    let mut stream = Stream::open(gateway.address, "/counter/stream");
    stream.expect("base");
    stream.expect("delta");
    get(gateway.address, "/metrics").text()
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(HOME).join("config").join(name)).expect("our file")
}

/// All texts that stand at this key, however deep.
fn texts_at(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| texts_at(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| texts_at(value, key, found)),
        _ => {}
    }
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    let is_ours = |word: &&str| word.starts_with("viewcast_") || word.starts_with("process_");
    words.filter(is_ours).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&file("grafana-dashboard.json")).expect("JSON")
}

#[test]
fn monitoring_takes_what_the_gateway_tells() {
    assert_good(&promtool(&["check", "metrics"], &scrape()));
}

#[test]
fn monitoring_names_metrics_that_exist() {
    let scraped = scrape();
    let samples = scraped.lines().filter(|line| !line.starts_with('#'));
    let mut known: BTreeSet<&str> = samples
        .map(|line| line.split(['{', ' ']).next().expect("a name"))
        .collect();
    // With TLS: `renewal::certificate_that_has_expired_is_warned_of_at_the_start_and_at_sighup` sees it.
    known.insert("viewcast_certificate_end_seconds");
    let mut asked = Vec::new();
    texts_at(&dashboard(), "expr", &mut asked);
    texts_at(&dashboard(), "query", &mut asked);
    assert!(asked.len() > 20, "{asked:?}");
    let asked = asked.join("\n") + &file("alerts.yaml");
    // A word in an alert's text may be a metric's name, too.
    for name in names(&asked) {
        assert!(known.contains(name), "{name}: {known:#?}");
    }
}

#[test]
fn monitoring_alerts_fire_when_they_should() {
    assert_good(&promtool(&["check", "rules", "config/alerts.yaml"], ""));
    let tests = ["test", "rules", "tests/data/alerts/test.yaml"];
    assert_good(&promtool(&tests, ""));
    // Each of them is tried.
    let tried = std::fs::read_to_string(Path::new(HOME).join(tests[2])).expect("our file");
    for line in file("alerts.yaml").lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            let fires = format!("alertname: {name}\n        exp_alerts:\n          - ");
            assert!(tried.contains(&fires), "{name} is not seen to fire");
        }
    }
}

#[test]
fn monitoring_dashboard_asks_in_promql() {
    let mut asked = Vec::new();
    texts_at(&dashboard(), "expr", &mut asked);
    // promtool takes expressions as rules; what Grafana puts in is put in here.
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (at, asked) in asked.iter().enumerate() {
        let asked = asked.replace("$__rate_interval", "1m");
        let asked = asked.replace("$instance", ".*").replace("$view", ".*");
        assert!(!asked.contains('$'), "{asked}");
        let asked = serde_json::to_string(&asked).expect("text");
        writeln!(rules, "      - {{ record: \"a:{at}\", expr: {asked} }}").expect("a line");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("rules.yaml");
    std::fs::write(&path, rules).expect("written");
    let path = path.display().to_string();
    assert_good(&promtool(&["check", "rules", &path], ""));
}
