//! Why a view is not live: in words, without those of the server.

use super::{
    Duration, Gateway, Generation, Instant, PATIENCE, Value, await_view, await_word, gateway, get,
    server, view,
};

/// What no answer to a client may hold.
const SECRET: &str = "value-of-a-row";

fn assert_no_secret(gateway: &Gateway) {
    for path in ["/views", "/readyz", "/metrics"] {
        let text = get(gateway.address, path).text();
        assert!(!text.contains(SECRET), "{path}: {text}");
    }
}

#[test]
fn standing_reasons_are_words_of_our_own_with_the_code() {
    for (code, message, words, label) in [
        (
            "42501",
            "permission denied for VIEW",
            "permission denied",
            "denied",
        ),
        (
            "XX000",
            "Evaluation error: invalid input",
            "evaluation error",
            "evaluation_error",
        ),
        (
            "22012",
            "division by zero",
            "evaluation error",
            "evaluation_error",
        ),
        (
            "XX000",
            "result exceeds max size of 1 MB",
            "max_result_size",
            "max_result_size",
        ),
        (
            "0A000",
            "CLUSTER \"c\" has no replicas available",
            "cluster",
            "no_cluster",
        ),
        ("53200", "out of memory", "no room", "no_room"),
        ("57014", "canceling statement", "cancelled", "cancelled"),
        ("58000", "something else", "refused", "refused"),
    ] {
        let server = server(Generation::Modern);
        let gateway = gateway(&server, &["--revoked", "lost"]);
        gateway.await_ready();
        let message = format!("{message}: \"{SECRET}\"");
        for _ in 0..50 {
            server.fail_next_copy(code, &message);
        }
        server.fail_streams("v", code, &message);
        let is_told = |view: &Value| {
            let reason = view["reason"].as_str().unwrap_or_default();
            view["upstream"] == "lost" && reason.contains(words)
        };
        let found = await_view(&gateway, "v", is_told);
        let reason = found["reason"].as_str().unwrap();
        assert!(reason.ends_with(&format!("(SQLSTATE {code})")), "{reason}");
        let metrics = get(gateway.address, "/metrics").text();
        let sample =
            format!("viewcast_upstream_state{{reason=\"{label}\",state=\"lost\",view=\"v\"}} 1");
        assert!(metrics.contains(&sample), "{sample} in {metrics}");
        let ready = get(gateway.address, "/readyz").json();
        assert_eq!(ready["status"], "ready");
        assert_eq!(ready["impaired"][0]["view"], "v");
        assert_eq!(ready["impaired"][0]["since"], found["since"]);
        assert_no_secret(&gateway);
    }
}

/// Before there is a base, too; and what is waited for is named.
#[test]
fn standing_reasons_are_told_of_what_never_was_loaded() {
    let server = server(Generation::Modern);
    for _ in 0..200 {
        server.fail_next_copy("42501", &format!("permission denied for {SECRET}"));
    }
    let gateway = gateway(&server, &[]);
    let is_told = |view: &Value| {
        let reason = view["reason"].as_str().unwrap_or_default();
        view["upstream"] == "loading" && reason.starts_with("permission denied")
    };
    await_view(&gateway, "v", is_told);
    let mut ready = get(gateway.address, "/readyz");
    assert_eq!(ready.status, 503);
    let waiting = ready.json()["waiting"].as_array().expect("a list").len();
    assert_eq!(waiting, 2);
    assert_no_secret(&gateway);
}

/// One that differs in its numbers alone is logged once, and counted.
#[test]
fn standing_errors_are_logged_once_and_counted() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server, &[]);
    gateway.await_ready();
    server.refuse_with(Some(("53300", "too many connections: 1 of 1")));
    server.cut_all();
    await_word(&gateway, "v", "lost");
    let deadline = Instant::now() + PATIENCE;
    let mut attempts = server.refusals();
    for n in 2..10 {
        let message = format!("too many connections: {n} of {}", n * 7);
        server.refuse_with(Some(("53300", &message)));
        attempts += 2;
        while server.refusals() < attempts {
            assert!(Instant::now() < deadline, "no more attempts");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    let lines = gateway.process.log();
    let of_v = lines.iter().filter(|line| line.contains("view \"v\" at"));
    let said: Vec<_> = of_v.filter(|line| line.contains("too many")).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        view(&gateway, "v")["reason"]
            .as_str()
            .unwrap()
            .contains("no room")
    );
    let metrics = get(gateway.address, "/metrics").text();
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("viewcast_connection_failures_total{view=\"v\"} "));
    assert!(counted.unwrap().parse::<u64>().unwrap() >= 4, "{counted:?}");
    server.refuse_with(None);
    let line = gateway.process.await_log("view \"v\": data again after");
    assert!(line.contains("failed attempts: "), "{line}");
}
