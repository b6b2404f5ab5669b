//! One measurement: upstream, server and clients, from start to end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::words;

/// Descriptors of a process are limited; so many subscribers a client.
const SUBSCRIBERS_PER_CLIENT: usize = 15_000;

/// Who serves.
#[derive(Clone, Copy, PartialEq)]
pub enum Server {
    /// A loop with a map from a customer to its sockets.
    Loop,
    /// The gateway.
    Viewcast,
}

/// What is asked of it.
#[derive(Clone)]
pub struct Case {
    pub server: Server,
    /// Customers of the view, and rows of each.
    pub customers: u64,
    pub rows: u64,
    pub subscribers: usize,
    /// Their path; `{}` is the number of each.
    pub path: &'static str,
    /// Rows of each one's base.
    pub base: u64,
    pub changes: Option<Changes>,
}

/// Changed rows while they listen.
#[derive(Clone, Copy)]
pub struct Changes {
    pub rows: u64,
    /// Of them at one timestamp.
    pub batch: u64,
    pub rate: f64,
    /// Whose they are, in turn.
    pub first: u64,
    pub customers: u64,
    /// Whether each reaches one subscriber at least.
    pub is_delivered: bool,
    /// Whether who is behind may be sent several as one.
    pub may_merge: bool,
}

/// Bytes that fill each row, so that it has some 170.
pub const PAD: u64 = 110;

#[derive(Clone, Copy, Default)]
pub struct Measured {
    /// Microseconds that letting in one subscriber took.
    pub join_us: f64,
    /// Microseconds for one event that was delivered.
    pub event_us: f64,
    /// Microseconds for one row that changed.
    pub row_us: f64,
    /// Rows a second, from the first change to the last subscriber's last event.
    pub rows_per_second: f64,
    /// KiB resident a subscriber, when all are in.
    pub kib: f64,
    /// Bytes of the view's indexes, a row.
    pub index_bytes: f64,
}

pub fn measure(case: &Case) -> Measured {
    let mut upstream = Process::role(&words(&[&"upstream", &case.customers, &case.rows, &PAD]));
    let ports = upstream.await_text("ports ");
    let (view_port, feed_port) = ports.split_once(' ').unwrap();
    let (process, address) = match case.server {
        Server::Viewcast => start_gateway(view_port),
        Server::Loop => start_loop(case, feed_port),
    };
    // The index is built when it is first needed, which is not what joining costs.
    if case.server == Server::Viewcast && case.path.contains("eq.") {
        await_answer(&address, "/v?customer=eq.0");
    }
    sleep(Duration::from_millis(500));
    let (cpu_before, kib_before) = (process.cpu_ns(), process.resident_kib());
    let clients = start_clients(case, &address);
    let joined = process.cpu_ns();
    sleep(Duration::from_millis(500));
    let subscribers = case.subscribers as f64;
    let mut measured = Measured {
        join_us: (joined - cpu_before) as f64 / 1e3 / subscribers,
        kib: (process.resident_kib() - kib_before) / subscribers,
        ..Measured::default()
    };
    if case.server == Server::Viewcast {
        let all_rows = (case.customers * case.rows) as f64;
        measured.index_bytes = metric(&address, "viewcast_window_index_bytes") / all_rows;
    }
    let Some(changes) = case.changes else {
        return measured;
    };
    let (cpu, begin) = (process.cpu_ns(), Instant::now());
    upstream.tell(&format!(
        "go {} {} {} {} {}",
        changes.rows, changes.batch, changes.rate, changes.first, changes.customers
    ));
    let received = if changes.is_delivered {
        let received = received(&clients);
        measured.rows_per_second = changes.rows as f64 / begin.elapsed().as_secs_f64();
        received
    } else {
        await_rows(&address, changes.rows.div_ceil(changes.batch));
        0
    };
    let spent = (process.cpu_ns() - cpu) as f64 / 1e3;
    measured.row_us = spent / changes.rows as f64;
    measured.event_us = spent / received.max(1) as f64;
    measured
}

fn start_gateway(port: &str) -> (Process, String) {
    let url = format!("postgres://materialize@127.0.0.1:{port}/materialize");
    let arguments = words(&[
        &"--upstream",
        &url,
        &"--view",
        &"v",
        &"--filter",
        &"v:customer",
        &"--listen",
        &"127.0.0.1:0",
        &"--heartbeat",
        &"1h",
        &"--max-connections",
        &"20000",
        &"--retention-bytes",
        &"1GiB",
    ]);
    let process = Process::gateway(&arguments);
    let (mut address, mut is_loaded) = (None, false);
    while address.is_none() || !is_loaded {
        let line = process.line();
        if let Some((_, rest)) = line.split_once("listening on http://") {
            address = Some(rest.trim().to_owned());
        }
        is_loaded |= line.contains(" rows at ");
    }
    (process, address.unwrap())
}

fn start_loop(case: &Case, feed_port: &str) -> (Process, String) {
    let customers = case.subscribers as u64;
    let process = Process::role(&words(&[
        &"reference",
        &customers,
        &case.rows,
        &PAD,
        &case.subscribers,
        &feed_port,
    ]));
    let address = process.await_text("listening on http://");
    (process, address)
}

fn start_clients(case: &Case, address: &str) -> Vec<Process> {
    let changes = case.changes.filter(|changes| changes.is_delivered);
    let events = changes.map_or(0, |it| it.rows / it.customers);
    let mode = match changes.is_some_and(|changes| changes.may_merge) {
        true => "last",
        false => "every",
    };
    assert!(case.subscribers <= SUBSCRIBERS_PER_CLIENT);
    let client = Process::role(&words(&[
        &"client",
        &address,
        &case.path,
        &case.subscribers,
        &case.base,
        &events,
        &mode,
        &"identity",
        &"-",
        &false,
        &1,
    ]));
    client.await_text("joined");
    vec![client]
}

/// Events that the clients have received, when each has its last one.
fn received(clients: &[Process]) -> u64 {
    let count = |client: &Process| {
        let line = client.await_text("received ");
        let words: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        client.await_text("end");
        words[0]
    };
    clients.iter().map(count).sum()
}

/// Waits until so many timestamps with changes have come.
fn await_rows(address: &str, deltas: u64) {
    while metric(address, "viewcast_deltas_total") < deltas as f64 {
        sleep(Duration::from_millis(100));
    }
}

/// Asks until there is an answer with rows.
fn await_answer(address: &str, path: &str) {
    while !ask(address, path).starts_with("HTTP/1.1 200 ") {
        sleep(Duration::from_millis(100));
    }
}

fn get(address: &str, path: &str) -> String {
    let text = ask(address, path);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    text
}

fn ask(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

fn metric(address: &str, name: &str) -> f64 {
    let metrics = get(address, "/metrics");
    let begin = format!("{name}{{view=\"v\"}} ");
    let mut lines = metrics.lines();
    let line = lines.find_map(|line| line.strip_prefix(begin.as_str()));
    line.unwrap_or_else(|| panic!("{name} in {metrics}"))
        .parse()
        .unwrap()
}
