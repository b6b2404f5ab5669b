//! `--base-path`: everything is below it, and says so.

use crate::support::gateway::{Gateway, Process};
use crate::support::http::{Response, get, send};
use crate::support::sse::Stream;

/// A demo below a path.
pub fn below(path: &str, more: &[&str]) -> Gateway {
    let demo = [
        "demo",
        "--tick",
        "50ms",
        "--rate",
        "400",
        "--listen",
        "127.0.0.1:0",
    ];
    let process = Process::start(&[&demo[..], &["--base-path", path], more].concat());
    let line = process.await_log("listening on http://");
    let (_, address) = line.split_once("http://").expect("an address");
    let address = address.strip_suffix(path).expect("its path");
    let address = address.parse().expect("an address");
    let gateway = Gateway { process, address };
    gateway.await_ready();
    gateway
}

#[test]
fn base_path_is_before_all_that_clients_ask_for() {
    let gateway = below("/live", &["--view", "counter,top10"]);
    let get = |path: &str| get(gateway.address, path);
    let moved = get("/live");
    assert_eq!(moved.status, 308);
    assert_eq!(moved.header("location"), Some("/live/"));
    for path in [
        "/live/",
        "/live/assets/viewcast.js",
        "/live/counter",
        "/live/%63ounter",
    ] {
        assert_eq!(get(path).status, 200, "{path}");
    }
    for path in [
        "/",
        "/views",
        "/counter",
        "/assets/viewcast.js",
        "/livecounter",
        "/live/live",
    ] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    // Who watches the process may know the path or not.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(get(path).status, 200, "{path}");
        assert_eq!(get(&format!("/live{path}")).status, 200, "{path}");
    }

    let list = get("/live/views").json();
    assert_eq!(list["gateway"]["base_path"], "/live");
    assert_eq!(list["gateway"]["protocol"], viewcast::process::PROTOCOL);
    assert_eq!(list["views"][0]["stream"], "/live/counter/stream");
    assert_eq!(list["views"][0]["sql"], "/live/counter/sql");
    assert_eq!(get("/live/counter/sql").status, 200);
    Stream::open(gateway.address, "/live/counter/stream").expect("base");
    Stream::open(gateway.address, "/live/stream?view=counter&view=top10").expect("counter.base");
    assert_eq!(
        get("/live/openapi.json").json()["servers"][0]["url"],
        "/live"
    );
}

#[test]
fn base_path_changes_nothing_of_who_may_ask() {
    let gateway = below("/a/b", &["--view", "counter"]);
    let ask = |path: &str| -> Response {
        let head = format!("GET {path} HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n");
        send(gateway.address, head.as_bytes(), "GET")
    };
    assert_eq!(ask("/a/b/views").status, 403);
    assert_eq!(ask("/a/b/counter/stream").status, 403);
    for path in ["/healthz", "/a/b/healthz", "/a/b/readyz"] {
        assert_eq!(ask(path).status, 200, "{path}");
    }
    assert!(!ask("/a/b/metrics").text().contains("view=\"counter\""));
}
