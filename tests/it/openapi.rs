//! `/openapi.json`: a validator and a client in Python compare it with what the
//! gateway answers; here it is compared with the paths that there are.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::gateway::Gateway;
use crate::support::http::{get, request};

#[test]
fn openapi_is_valid_and_the_gateway_answers_as_it_says() {
    let gateway = Gateway::demo(&["--filter", "top10:count", "--compress", "auto"]);
    gateway.await_ready();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("VIEWCAST_TEST_PYTHON")
        .map_or_else(|| root.join("target/venv/bin/python"), PathBuf::from);
    let output = Command::new(python)
        .arg(root.join("tests/py/openapi.py"))
        .arg(format!("http://{}", gateway.address))
        .output()
        .expect("python starts; `make prepare` installs it");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// A path that is added to the application, and not to the document, fails here.
#[test]
fn openapi_has_the_paths_that_there_are_and_names_no_view() {
    let gateway = Gateway::demo(&[]);
    let mut answer = get(gateway.address, "/openapi.json");
    let text = answer.text();
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let described = document["paths"].as_object().expect("paths").keys();
    let mut described: Vec<&str> = described.map(String::as_str).collect();
    let routes = include_str!("../../src/http/routes.rs");
    let routes = routes.split(".route(\"").skip(1);
    let mut routes: Vec<&str> = routes.filter_map(|rest| rest.split('"').next()).collect();
    described.sort_unstable();
    routes.sort_unstable();
    assert_eq!(described, routes);
    assert_eq!(document["openapi"], "3.2.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for view in ["top10", "edits_by_language", "hot_pages"] {
        assert!(!text.contains(view), "it tells of no view");
    }
    let tag = answer.header("etag").expect("a tag");
    let again = request(
        gateway.address,
        "GET",
        "/openapi.json",
        &[("If-None-Match", tag)],
    );
    assert_eq!(again.status, 304);
}
