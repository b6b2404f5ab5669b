//! Real proxies with the files of `config/`: events come through at once, who
//! leaves is noticed, ids pass, nothing is packed twice, and a restart of the
//! gateway ends no bare `EventSource`. `make test` installs the proxies.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::{Event, Stream};

mod files;
mod started;

use started::{Kind, Proxy, free_address};

/// The longest that an event may take through a proxy. A time in a test is an
/// exception here: lateness is what is tested, and a proxy that waits for more
/// to send waits 200 ms. It is the median of 20 that counts, each measured
/// against the same event on a stream without the proxy, so that a busy machine,
/// which delays both, does not count.
const LATE: Duration = Duration::from_millis(50);
const MEASURED: usize = 20;

fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    server
}

/// A gateway that is silent unless there is something to say.
fn gateway(server: &Materialize, more: &[&str]) -> Gateway {
    let url = server.url();
    // Also where the upstream has nothing to say for long.
    let silent = ["--heartbeat", "1h", "--upstream-timeout", "1h"];
    let least = [&["--upstream", &url, "--view", "v"], &silent[..]].concat();
    let gateway = Gateway::start(&[&least, more].concat());
    gateway.await_ready();
    gateway
}

/// The stream's next event with changes.
fn next_delta(stream: &mut Stream) -> Event {
    loop {
        let event = stream.next().expect("the stream goes on");
        if event.name == "delta" && event.data != "[]" {
            return event;
        }
    }
}

fn next_base(stream: &mut Stream) -> Event {
    loop {
        let event = stream.next().expect("the stream goes on");
        if event.name == "base" {
            return event;
        }
    }
}

/// Waits until the gateway serves so many streams.
fn await_subscribers(gateway: &Gateway, wanted: u64) {
    let deadline = Instant::now() + PATIENCE;
    let line = format!("viewcast_subscribers{{view=\"v\"}} {wanted}");
    while !get(gateway.address, "/metrics").text().contains(&line) {
        assert!(
            Instant::now() < deadline,
            "not {wanted} subscribers in time"
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The stream through a proxy, once it has found the gateway.
fn open(proxy: &Proxy, headers: &[(&str, &str)]) -> Stream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut answer = get(proxy.address, "/v");
        if answer.status == 200 {
            answer.text();
            return Stream::open_with(proxy.address, "/v/stream", headers);
        }
        assert!(Instant::now() < deadline, "the proxy finds no gateway");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Commits a row and measures by how much it is later through the proxy.
fn lateness(server: &Materialize, n: usize, direct: &mut Stream, proxied: &mut Stream) -> Duration {
    server.commit("v", vec![(row([&n.to_string()]), 1)]);
    let expected = next_delta(direct);
    let sent = Instant::now();
    assert_eq!(next_delta(proxied), expected);
    sent.elapsed()
}

fn passes_streams_on(kind: Kind) {
    let server = server();
    let gateway = gateway(&server, &[]);
    // So that leaving is not noticed for the silence that follows it.
    let patient: &[(&str, &str)] = match kind {
        Kind::Nginx => &[("read_timeout 60s", "read_timeout 1h")],
        Kind::Haproxy => &[("client 60s", "client 1h"), ("server 60s", "server 1h")],
        Kind::Apache => &[("ProxyTimeout 60", "ProxyTimeout 3600")],
        Kind::Envoy => &[("idle_timeout: 60s", "idle_timeout: 3600s")],
        Kind::Caddy | Kind::Varnish | Kind::Lighttpd => &[],
    };
    let proxy = Proxy::start_changed(kind, gateway.address, patient);
    let mut proxied = open(&proxy, &[]);
    let mut direct = Stream::open(gateway.address, "/v/stream");
    assert_eq!(next_base(&mut proxied), next_base(&mut direct));
    let times = (0..MEASURED).map(|n| lateness(&server, n, &mut direct, &mut proxied));
    let late = median(times.collect());
    assert!(late < LATE, "{kind:?}: events are {late:?} late");

    // Who left is gone, though nothing is sent that could fail; behind those
    // that look only when they write, after two more events.
    let id = proxied.last_id.clone().expect("an id");
    await_subscribers(&gateway, 2);
    drop(proxied);
    if !kind.tells_at_once() {
        for n in 0..2 {
            server.commit("v", vec![(row([&n.to_string()]), 1)]);
            std::thread::park_timeout(LATE);
        }
    }
    await_subscribers(&gateway, 1);

    // With its id it goes on without a base, in the header and in the query.
    server.commit("v", vec![(row(["100"]), 1)]);
    let missed = next_delta(&mut direct);
    let mut resumed = Stream::resume(proxy.address, "/v/stream", &id);
    assert_eq!(resumed.next().expect("what was missed"), missed);
    let path = format!("/v/stream?last-event-id={id}");
    let mut resumed = Stream::open(proxy.address, &path);
    assert_eq!(resumed.next().expect("what was missed"), missed);
}

#[test]
fn proxies_nginx_passes_streams_on_at_once() {
    passes_streams_on(Kind::Nginx);
}

#[test]
fn proxies_haproxy_passes_streams_on_at_once() {
    passes_streams_on(Kind::Haproxy);
}

#[test]
fn proxies_caddy_passes_streams_on_at_once() {
    passes_streams_on(Kind::Caddy);
}

#[test]
fn proxies_varnish_passes_streams_on_at_once() {
    passes_streams_on(Kind::Varnish);
}

#[test]
fn proxies_apache_passes_streams_on_at_once() {
    passes_streams_on(Kind::Apache);
}

#[test]
fn proxies_lighttpd_passes_streams_on_at_once() {
    passes_streams_on(Kind::Lighttpd);
}

#[test]
fn proxies_envoy_passes_streams_on_at_once() {
    passes_streams_on(Kind::Envoy);
}

/// Envoy's own compression, before what is there.
const ENVOY_GZIP: &str = r#"                http_filters:
                  - name: envoy.filters.http.compressor
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor
                      response_direction_config:
                        common_config:
                          min_content_length: 1
                          content_type: [text/event-stream]
                      compressor_library:
                        name: gzip
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip
"#;

/// A packed stream comes through as it was packed, also by a proxy that would
/// compress it itself, and at once.
#[test]
fn proxies_pack_nothing_twice() {
    let server = server();
    let gateway = gateway(&server, &["--compress", "auto"]);
    let haproxy =
        "option abortonclose\n    compression algo gzip\n    compression type text/event-stream";
    for (kind, changes) in [
        (Kind::Nginx, vec![]),
        (
            Kind::Nginx,
            vec![(
                "gzip off;",
                "gzip on; gzip_types text/event-stream; gzip_min_length 0;",
            )],
        ),
        (Kind::Haproxy, vec![]),
        (Kind::Haproxy, vec![("option abortonclose", haproxy)]),
        (Kind::Caddy, vec![]),
        (
            Kind::Caddy,
            vec![("\treverse_proxy", "\tencode gzip\n\treverse_proxy")],
        ),
        (Kind::Varnish, vec![]),
        (Kind::Apache, vec![]),
        (
            Kind::Apache,
            vec![(
                "SetEnv no-gzip 1",
                "AddOutputFilterByType DEFLATE text/event-stream",
            )],
        ),
        (Kind::Lighttpd, vec![]),
        (Kind::Envoy, vec![]),
        (
            Kind::Envoy,
            vec![("                http_filters:\n", ENVOY_GZIP)],
        ),
    ] {
        let proxy = Proxy::start_changed(kind, gateway.address, &changes);
        let mut proxied = open(&proxy, &[("Accept-Encoding", "gzip")]);
        assert!(proxied.is_packed(), "{kind:?}");
        let mut direct = Stream::open(gateway.address, "/v/stream");
        // The one layer undone, it is text.
        assert_eq!(next_base(&mut proxied), next_base(&mut direct));
        lateness(&server, 1, &mut direct, &mut proxied);
    }
}

/// npm's `eventsource`, with nothing around it, through all of them at once.
#[test]
fn proxies_let_a_bare_eventsource_outlive_the_gateway() {
    let gateway = free_address();
    let proxies = Kind::ALL.map(|kind| Proxy::start(kind, gateway));
    let urls = proxies
        .each_ref()
        .map(|proxy| format!("http://{}", proxy.address));
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec", "proxies.test.mjs"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser"))
        .env("GATEWAY_BIN", env!("CARGO_BIN_EXE_viewcast"))
        .env("GATEWAY_ADDRESS", gateway.to_string())
        .env("PROXY_URLS", urls.join(","))
        .output()
        .expect("node starts; `make prepare` installs it");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
}
