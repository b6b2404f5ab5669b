//! Hosts and origins: what pages of others may ask and read.

use super::{claims, gateway_with, token};
use crate::support::gateway::Gateway;
use crate::support::http::{Response, request, send};

const APP: &str = "https://app.example";

fn named(gateway: &Gateway, host: &str) -> u16 {
    // Only HTTP/1.0 may do without.
    let version = if host.is_empty() { "1.0" } else { "1.1" };
    let text = format!("GET /views HTTP/{version}\r\n{host}\r\n");
    send(gateway.address, text.as_bytes(), "GET").status
}

#[test]
fn host_on_loopback_is_ours_or_allowed() {
    let gateway = Gateway::demo(&[]);
    let port = gateway.address.port();
    for good in [
        String::new(),
        format!("Host: localhost:{port}\r\n"),
        format!("Host: 127.0.0.1:{port}\r\n"),
        "Host: LocalHost\r\n".to_owned(),
        format!("Host: [::1]:{port}\r\n"),
    ] {
        assert_eq!(named(&gateway, &good), 200, "{good}");
    }
    for bad in [
        format!("Host: rebound.example:{port}\r\n"),
        "Host: localhost.rebound.example\r\n".to_owned(),
        format!("Host: rebound.example\r\nX-Forwarded-Host: localhost:{port}\r\n"),
        "Host: rebound.example\r\nForwarded: host=localhost\r\n".to_owned(),
    ] {
        assert_eq!(named(&gateway, &bad), 403, "{bad}");
    }
    // The name in the target counts, too.
    let target = "GET http://rebound.example/views HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(send(gateway.address, target.as_bytes(), "GET").status, 403);
    for path in [
        "/",
        "/assets/viewcast.js",
        "/top10/stream",
        "/nosuch",
        "/healthz/",
    ] {
        let text = format!("GET {path} HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
        let mut response = send(gateway.address, text.as_bytes(), "GET");
        assert_eq!(response.status, 403, "{path}");
        assert!(response.text().contains("--allow-host"));
    }
    let allowed = Gateway::demo(&["--allow-host", "rebound.example"]);
    assert_eq!(named(&allowed, "Host: rebound.example:1\r\n"), 200);
    assert_eq!(named(&allowed, "Host: other.example\r\n"), 403);
    // A token is not sent to somebody else's page.
    let tokens = gateway_with("hs256.txt", &[]);
    assert_eq!(named(&tokens, "Host: rebound.example\r\n"), 401);
}

/// Who watches the process names an address, or a name of its own. A page of
/// somebody else's, whose name leads here, learns no view's name from it.
#[test]
fn probes_answer_any_host_and_name_views_to_no_stranger() {
    let elsewhere = ["--allow-host", "live.example.com", "--allow-origin", "*"];
    for gateway in [Gateway::demo(&[]), Gateway::demo(&elsewhere)] {
        gateway.await_ready();
        let get = |target: &str, host: &str| {
            let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: {APP}\r\n\r\n");
            send(gateway.address, text.as_bytes(), "GET")
        };
        for host in [
            "10.1.2.3:8080",
            "[fd00::1]",
            "localhost",
            "rebound.example:8080",
        ] {
            let is_name = host.starts_with("rebound");
            for path in ["/healthz", "/readyz", "/metrics"] {
                for target in [path.to_owned(), format!("http://{host}{path}")] {
                    let mut answer = get(&target, host);
                    assert_eq!(answer.status, 200, "{target} {host}");
                    if host != "localhost" {
                        assert_eq!(shared(&answer), (None, None), "{target} {host}");
                    }
                    let names_views = answer.text().contains("\"counter\"");
                    let expected = path == "/metrics" && !is_name;
                    assert_eq!(names_views, expected, "{target} {host}");
                }
            }
            let status = get("/counter", host).status;
            assert_eq!(
                status,
                if host == "localhost" { 200 } else { 403 },
                "{host}"
            );
        }
    }
    // While a view is not ready, its name is told to whoever may know it.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("postgres://{}", nobody.local_addr().expect("an address"));
    let gateway = Gateway::start(&["--upstream", &url, "--view", "counter"]);
    for (host, names_views) in [("10.1.2.3", true), ("rebound.example", false)] {
        let text = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut answer = send(gateway.address, text.as_bytes(), "GET");
        assert_eq!(answer.status, 503, "{host}");
        assert_eq!(answer.text().contains("\"counter\""), names_views, "{host}");
    }
    // A token is asked for by any name.
    let tokens = gateway_with("hs256.txt", &["--allow-host", "live.example.com"]);
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401)] {
        let text = format!("GET {path} HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
        assert_eq!(
            send(tokens.address, text.as_bytes(), "GET").status,
            status,
            "{path}"
        );
    }
}

fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    request(gateway.address, method, path, headers)
}

/// What the answer says of who may read it: origin, credentials.
fn shared(response: &Response) -> (Option<&str>, Option<&str>) {
    (
        response.header("access-control-allow-origin"),
        response.header("access-control-allow-credentials"),
    )
}

#[test]
fn origin_that_is_allowed_reads_with_credentials_and_no_other_does() {
    let gateway = gateway_with("hs256.txt", &["--allow-origin", APP]);
    let bearer = format!("Bearer {}", token(&claims(&["*"])));
    for (path, status) in [
        ("/views", 200),
        ("/top10", 200),
        ("/top10/stream", 200),
        ("/%", 400),
    ] {
        let headers = [("Authorization", bearer.as_str()), ("Origin", APP)];
        let response = ask(&gateway, "GET", path, &headers);
        assert_eq!(response.status, status, "{path}");
        assert_eq!(shared(&response), (Some(APP), Some("true")), "{path}");
        assert_eq!(response.header("vary"), Some("Origin"), "{path}");
        let exposed = response
            .header("access-control-expose-headers")
            .expect("some");
        assert!(exposed.contains("ETag"), "{exposed}");
        for origin in [
            "https://evil.example",
            "http://app.example",
            "null",
            "https://app.example.evil.example",
        ] {
            let headers = [("Authorization", bearer.as_str()), ("Origin", origin)];
            let response = ask(&gateway, "GET", path, &headers);
            assert_eq!(shared(&response), (None, None), "{path} {origin}");
            assert_eq!(
                response.header("vary"),
                Some("Origin"),
                "caches have to know"
            );
        }
    }
    // Also why it is refused may be read.
    let response = ask(&gateway, "GET", "/top10", &[("Origin", APP)]);
    assert_eq!((response.status, shared(&response).0), (401, Some(APP)));
}

#[test]
fn origin_is_asked_about_before_and_answered() {
    let gateway = gateway_with("hs256.txt", &["--allow-origin", APP]);
    let preflight = |gateway: &Gateway, origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "GET"),
            (
                "Access-Control-Request-Headers",
                "authorization,last-event-id",
            ),
        ];
        ask(gateway, "OPTIONS", "/top10/stream", &headers)
    };
    // Browsers ask without a token.
    let response = preflight(&gateway, APP);
    assert_eq!(response.status, 204);
    assert_eq!(shared(&response), (Some(APP), Some("true")));
    assert_eq!(
        response.header("access-control-allow-methods"),
        Some("GET, HEAD, POST")
    );
    let allowed = response
        .header("access-control-allow-headers")
        .expect("some");
    assert!(
        allowed.contains("Authorization") && allowed.contains("Last-Event-ID"),
        "{allowed}"
    );
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    let refused = preflight(&gateway, "https://evil.example");
    assert_eq!((refused.status, shared(&refused)), (403, (None, None)));
    assert_eq!(
        ask(&gateway, "OPTIONS", "/top10", &[("Origin", APP)]).status,
        405
    );

    let all = Gateway::demo(&["--allow-origin", "*"]);
    let response = preflight(&all, "https://anybody.example");
    assert_eq!(
        (response.status, shared(&response)),
        (204, (Some("*"), None))
    );
    assert_eq!(response.header("vary"), None);

    let none = Gateway::demo(&[]);
    let response = preflight(&none, APP);
    assert_eq!((response.status, shared(&response)), (405, (None, None)));
    assert_eq!(response.header("vary"), None);
}
