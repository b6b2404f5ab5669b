//! One measurement: upstream, server and clients, from start to end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::cases::{Case, Server, Way, What};
use crate::process::Process;
use crate::{secure, setting, words};

/// Descriptors of a process are limited; so many subscribers a client.
const SUBSCRIBERS_PER_CLIENT: usize = 15_000;

#[derive(Clone, Default)]
pub struct Measured {
    /// Server's microseconds per event and subscriber, or per subscriber.
    pub cpu_us: f64,
    /// The clients' microseconds for the same. On a loopback connection the kernel does
    /// part of each side's work in the other's time, now more of it and now less.
    pub client_us: f64,
    /// Server's milliseconds for all events.
    pub cpu_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// Resident per subscriber.
    pub kib: f64,
    /// Writes to sockets per event and subscriber, as the gateway counts them.
    pub writes: f64,
    /// Frames that each subscriber was sent.
    pub frames: f64,
    /// Bytes that each subscriber was sent.
    pub bytes: f64,
}

impl Measured {
    pub fn print(&self, case: &Case, who: &str) {
        let Measured {
            cpu_us,
            client_us,
            p50_ms,
            p99_ms,
            max_ms,
            kib,
            writes,
            frames,
            bytes,
            ..
        } = self;
        println!(
            "{:<34} {who:<16} {:>6} subscribers  pad {:>5}  rows {:>7}  cpu {cpu_us:>8.2} us  \
             clients {client_us:>8.2} us  p50 {p50_ms:>8.2}  p99 {p99_ms:>8.2}  max {max_ms:>8.2} ms  {kib:>7.2} KiB  \
             {writes:>5.2} writes/event  {frames:>6.0} frames  {bytes:>9.0} bytes",
            case.name, case.subscribers, case.pad, case.rows
        );
    }
}

/// Measures one server.
pub fn measure(case: &Case, server: &Server) -> Measured {
    let views = if server.way.is_several() { 2 } else { 1 };
    let mut upstream = Process::role(&words(&[
        &"upstream",
        &case.rows,
        &case.pad,
        &case.kept,
        &views,
    ]));
    let folder = tempfile::tempdir().unwrap();
    secure::write_certificate(folder.path());
    let ports = upstream.await_text("ports ");
    let (view_port, feed_port) = ports.split_once(' ').unwrap();
    let (process, address) = match server.gateway {
        Some(arguments) => start_gateway(view_port, arguments, server.way, folder.path()),
        None => start_reference(case, server, feed_port, folder.path()),
    };
    // Who has a position needs no base, however large the view is.
    let path = match (case.what, server.gateway) {
        (What::Growth, Some(_)) => format!("/v/stream?last-event-id={}", position(&address)),
        _ if server.way.is_several() && server.gateway.is_some() => {
            "/stream?view=v&view=w".to_owned()
        }
        _ => "/v/stream".to_owned(),
    };
    sleep(Duration::from_millis(300));
    let (cpu_before, kib_before) = (process.cpu_ns(), process.resident_kib());
    let clients = start_clients(case, server, &address, &path, folder.path());
    let joined = process.cpu_ns();
    let clients_ns = || clients.iter().map(Process::cpu_ns).sum::<u64>() as f64;
    let clients_joined = clients_ns();
    sleep(Duration::from_millis(500));
    let subscribers = case.subscribers as f64;
    let mut measured = Measured {
        kib: (process.resident_kib() - kib_before) / subscribers,
        cpu_us: (joined - cpu_before) as f64 / 1e3 / subscribers,
        client_us: clients_joined / 1e3 / subscribers,
        ..Measured::default()
    };
    if case.events == 0 {
        measured.bytes = Results::of(&clients).base_bytes as f64 / subscribers;
        measured.frames = 1.0;
        measured.cpu_ms = (joined - cpu_before) as f64 / 1e6;
        return measured;
    }
    // Those of one view without TLS are asked for what they count.
    let counts = server
        .gateway
        .filter(|_| !server.way.is_secure() && views == 1);
    let writes_before = counts.map(|_| counter(&address, "viewcast_writes_total"));
    let frames_before = counts.map(|_| counter(&address, "viewcast_sent_frames_total"));
    let before = process.cpu_ns();
    upstream.tell(&format!("go {} {}", case.events, case.rate));
    let results = Results::of(&clients);
    let spent = (process.cpu_ns() - before) as f64;
    let clients_spent = clients_ns() - clients_joined;
    let expected = case.subscribers as u64 * case.events;
    if case.kept == 0 {
        assert_eq!(results.received, expected, "events of {}", case.name);
    }
    assert_eq!(
        results.finished, case.subscribers as u64,
        "subscribers with the last event"
    );
    measured.cpu_us = spent / 1e3 / expected as f64;
    measured.client_us = clients_spent / 1e3 / expected as f64;
    measured.cpu_ms = spent / 1e6;
    let ms = |quantile| results.latency.value_at_quantile(quantile) as f64 / 1e3;
    (measured.p50_ms, measured.p99_ms, measured.max_ms) = (ms(0.5), ms(0.99), ms(1.0));
    measured.bytes = results.bytes as f64 / subscribers;
    measured.frames = results.frames as f64 / subscribers;
    if let (Some(writes), Some(frames)) = (writes_before, frames_before) {
        measured.writes = (counter(&address, "viewcast_writes_total") - writes) / expected as f64;
        let told = counter(&address, "viewcast_sent_frames_total") - frames;
        let seen = results.frames as f64;
        assert!(
            (told - seen).abs() < 0.5,
            "{told} frames counted, {seen} seen"
        );
    }
    measured
}

fn start_gateway(port: &str, more: &[&str], way: Way, folder: &Path) -> (Process, String) {
    let url = format!("postgres://materialize@127.0.0.1:{port}/materialize");
    let mut arguments = words(&[
        &"--upstream",
        &url,
        &"--view",
        &"v",
        &"--listen",
        &"127.0.0.1:0",
        &"--heartbeat",
        &"1h",
    ]);
    if way.is_several() {
        arguments.extend(words(&[&"--view", &"w"]));
    }
    let file = |name: &str| folder.join(name).display().to_string();
    if way.is_secure() {
        let (chain, key) = (file("cert.pem"), file("key.pem"));
        arguments.extend(words(&[&"--tls-cert", &chain, &"--tls-key", &key]));
    }
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    let workers: String = setting("BENCH_WORKERS", String::new());
    if !workers.is_empty() {
        arguments.extend(words(&[&"--workers", &workers]));
    }
    let process = Process::gateway(&arguments);
    let (mut address, mut loading) = (None, if way.is_several() { 2 } else { 1 });
    while address.is_none() || loading > 0 {
        let line = process.line();
        if let Some((_, rest)) = line.split_once("listening on http") {
            let (_, host) = rest.split_once("://").unwrap();
            address = Some(host.trim().to_owned());
        }
        loading -= i32::from(line.contains(" rows at "));
    }
    (process, address.unwrap())
}

/// Where the certificate is, for the roles that need one.
fn certificate(server: &Server, folder: &Path) -> String {
    match server.way.is_secure() {
        true => folder.display().to_string(),
        false => "-".to_owned(),
    }
}

fn start_reference(
    case: &Case,
    server: &Server,
    feed_port: &str,
    folder: &Path,
) -> (Process, String) {
    // Its subscribers to a large view have the base already, too.
    let rows = if case.what == What::Growth {
        0
    } else {
        case.rows
    };
    let folder = certificate(server, folder);
    let arguments: [&dyn ToString; 7] = [
        &"reference",
        &server.reference,
        &case.subscribers,
        &rows,
        &case.pad,
        &feed_port,
        &folder,
    ];
    let process = Process::role(&words(&arguments));
    let address = process.await_text("listening on http://");
    (process, address)
}

fn start_clients(
    case: &Case,
    server: &Server,
    address: &str,
    path: &str,
    folder: &Path,
) -> Vec<Process> {
    let folder = certificate(server, folder);
    let is_reused = server.way == Way::Reused;
    let bases = if server.way.is_several() && server.gateway.is_some() {
        2
    } else {
        1
    };
    let role = if server.way == Way::Http2 {
        "client-http2"
    } else {
        "client"
    };
    let has_base = case.what != What::Growth;
    let rows = if has_base { case.rows as i64 } else { -1 };
    let mode = if case.kept == 0 { "every" } else { "last" };
    let encoding = server.encoding.word();
    let mut left = case.subscribers;
    let mut clients = Vec::new();
    while left > 0 {
        let part = left.min(SUBSCRIBERS_PER_CLIENT);
        let arguments: [&dyn ToString; 11] = [
            &role,
            &address,
            &path,
            &part,
            &rows,
            &case.events,
            &mode,
            &encoding,
            &folder,
            &is_reused,
            &bases,
        ];
        clients.push(Process::role(&words(&arguments)));
        left -= part;
    }
    for client in &clients {
        client.await_text("joined");
    }
    clients
}

/// What the clients have received, and how long it took, in microseconds.
struct Results {
    received: u64,
    finished: u64,
    frames: u64,
    bytes: u64,
    base_bytes: u64,
    latency: Histogram<u64>,
}

impl Results {
    fn of(clients: &[Process]) -> Self {
        let mut results = Results {
            received: 0,
            finished: 0,
            frames: 0,
            bytes: 0,
            base_bytes: 0,
            latency: Histogram::new(3).unwrap(),
        };
        for client in clients {
            loop {
                let line = client.line();
                let words: Vec<&str> = line.split(' ').collect();
                let number = |at: usize| -> u64 { words[at].parse().unwrap() };
                match words[0] {
                    "received" => {
                        results.received += number(1);
                        results.finished += number(2);
                        results.frames += number(3);
                        results.bytes += number(4);
                        results.base_bytes += number(5);
                    }
                    "latency" => results.latency.record_n(number(1), number(2)).unwrap(),
                    _ => break,
                }
            }
        }
        results
    }
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// Where the view stands, once it does.
fn position(address: &str) -> String {
    loop {
        let views = get(address, "/views");
        if let Some((_, rest)) = views.split_once("\"position\":\"") {
            return rest.split_once('"').unwrap().0.to_owned();
        }
        sleep(Duration::from_millis(5));
    }
}

/// A counter of the view.
fn counter(address: &str, name: &str) -> f64 {
    let metrics = get(address, "/metrics");
    let begin = format!("{name}{{view=\"v\"}} ");
    let mut lines = metrics.lines();
    let line = lines.find_map(|line| line.strip_prefix(begin.as_str()));
    line.unwrap_or_else(|| panic!("{name} in {metrics}"))
        .parse()
        .unwrap()
}
