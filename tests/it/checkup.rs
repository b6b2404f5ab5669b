//! `viewcast check-config --connect`: what a gateway would not get is said before
//! one is started.

use std::process::{Command, Output};

use crate::support::standin::StandIn;

fn check(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_viewcast"))
        .args(["check-config", "--connect"])
        .args(arguments)
        .env_clear()
        .output()
        .expect("run viewcast");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, shown)
}

#[test]
fn checkup_finds_what_a_gateway_needs() {
    let server = StandIn::start(&[]);
    let filter = "top10:user";
    let views = ["--view", "counter,top10,public.*", "--filter", filter];
    let (output, shown) = check(&[&["--upstream", &*server.url], &views[..]].concat());
    assert!(output.status.success(), "{shown}{output:?}");
    assert!(
        shown.contains("# counter: 3 columns, may be read\n"),
        "{shown}"
    );
    // One that only the pattern names.
    assert!(shown.contains("# public.hot_pages: "), "{shown}");
    assert!(!shown.contains("WRONG"), "{shown}");
    // The whole output is a configuration still.
    assert!(shown.contains("view = ["), "{shown}");
    let is_good = |line: &str| line.starts_with('#') || line.contains(" = ");
    assert!(
        shown.lines().all(|line| line.is_empty() || is_good(line)),
        "{shown}"
    );
}

#[test]
fn checkup_says_each_thing_that_is_wrong() {
    let server = StandIn::start(&[]);
    let views = [
        "--view",
        "counter,no_such_view",
        "--filter",
        "counter:colour",
    ];
    let (output, shown) = check(&[&["--upstream", &*server.url], &views[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("# WRONG: no_such_view: "), "{shown}");
    assert!(
        shown.contains("# WRONG: counter: there is no column colour\n"),
        "{shown}"
    );
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("would need and not get: 2"), "{error}");

    let nobody = ["--upstream", "postgres://127.0.0.1:1/x", "--view", "v"];
    let (output, shown) = check(&nobody);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("# WRONG: postgres://"), "{shown}");
}
