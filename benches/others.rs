//! What does that which others ask for cost a subscriber who asks for nothing?
//!
//!     cargo bench --bench others
//!     OTHERS_SECONDS=3 cargo bench --bench others
//!
//! One subscriber of the real binary is sent one small delta after the other,
//! fifty a second, and the time from the row's COPY to the client's read is
//! taken. First it is alone; then 150 clients a second come back to positions
//! all over a log of 140,000 deltas, each another one, plain and compressed;
//! then, on a view of 375 MiB, ten clients read the rows without a pause, at
//! 20 MB/s each, while another asks for their head again and again. Each is
//! compared with the same subscriber alone, on the same gateway, just before.
//!
//! Clients and upstream are threads of this program, on the same processors as
//! the gateway: so the load they make themselves is part of what is measured,
//! and the ratios are an upper bound. Takes about a minute.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "a program for developers, not part of the library"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../tests/it/support/pgwire.rs"]
mod pgwire;
#[path = "fanout/process.rs"]
mod process;
#[path = "report.rs"]
mod report;

use pgwire::Frontend;
use process::Process;
use report::{Goal, row as line};

const BEGIN: u64 = 1_795_383_343_145;

/// Deltas that are kept before anybody comes back.
const DELTAS: u64 = 140_000;

/// Clients that come back, a second.
const RESUMES: f64 = 150.0;

/// Rows of the large view, and bytes of each.
const ROWS: u64 = 6_000;
const ROW_BYTES: usize = 64 * 1024;

/// Clients that read them, and bytes a second of each.
const POLLERS: usize = 10;
const POLLED: f64 = 20e6;

/// Deltas a second whose time is taken.
const RATE: f64 = 50.0;

/// Time for anything before something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

fn seconds() -> f64 {
    let given = std::env::var_os("OTHERS_SECONDS");
    let given = given.and_then(|text| text.to_str()?.parse().ok());
    given.unwrap_or(8.0)
}

fn update(out: &mut Vec<u8>, time: u64, diff: i64, key: u64, text: &str) {
    let line = format!("{time}\tf\t{diff}\t{key}\t{text}\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

fn progress(out: &mut Vec<u8>, time: u64) {
    let line = format!("{time}\tt\t\\N\t\\N\t\\N\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

/// A number for each step, in no order of their texts.
fn mixed(step: u64) -> u64 {
    step.wrapping_mul(2_654_435_761) % 4_294_967_291
}

/// An upstream of one view, of which one row is replaced at each step.
struct Upstream {
    address: SocketAddr,
    more: SyncSender<Vec<u8>>,
    step: u64,
}

impl Upstream {
    fn start(rows: u64, row_bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (more, follows) = sync_channel(16);
        let follows = Arc::new(Mutex::new(follows));
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let follows = Arc::clone(&follows);
                // An error is the end of the connection, whatever it is.
                thread::spawn(move || serve(socket, rows, row_bytes, &follows).ok());
            }
        });
        Upstream {
            address,
            more,
            step: 0,
        }
    }

    /// Replaces the row that changes so often, each time at its own timestamp.
    fn replace(&mut self, times: u64) -> u64 {
        let mut out = Vec::new();
        for _ in 0..times {
            self.step += 1;
            let time = BEGIN + self.step;
            update(&mut out, time, -1, mixed(self.step - 1), "x");
            update(&mut out, time, 1, mixed(self.step), "x");
        }
        progress(&mut out, BEGIN + self.step + 1);
        self.more.send(out).unwrap();
        BEGIN + self.step
    }
}

fn serve(
    mut socket: TcpStream,
    rows: u64,
    row_bytes: usize,
    follows: &Mutex<Receiver<Vec<u8>>>,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let pgwire::Startup::Session(_) = pgwire::startup(&mut socket)? else {
        return Ok(());
    };
    socket.write_all(&pgwire::welcome(1, &pgwire::settings()))?;
    loop {
        match pgwire::read(&mut socket)? {
            Frontend::Query(sql) => {
                let mut answer = answer(&sql);
                answer.extend(pgwire::ready());
                socket.write_all(&answer)?;
            }
            Frontend::Execute => {
                let mut out = pgwire::copy_out(5);
                progress(&mut out, BEGIN);
                update(&mut out, BEGIN, 1, mixed(0), "x");
                let text = "x".repeat(row_bytes);
                for row in 0..rows {
                    update(&mut out, BEGIN, 1, u64::from(u32::MAX) + row, &text);
                    socket.write_all(&out)?;
                    out.clear();
                }
                progress(&mut out, BEGIN + 1);
                socket.write_all(&out)?;
                while let Ok(bytes) = follows.lock().unwrap().recv() {
                    socket.write_all(&bytes)?;
                }
                return Ok(());
            }
            Frontend::Terminate => return Ok(()),
            other => socket.write_all(&pgwire::formality(&other))?,
        }
    }
}

fn answer(sql: &str) -> Vec<u8> {
    let text = |value: &str| Some(value.to_owned());
    let one = |value: &str| pgwire::rows(&["value"], &[vec![text(value)]]);
    match sql {
        "SELECT mz_version()" => one("v26.17.0-dev.0 (892cf626b)"),
        "SELECT mz_environment_id()" => one("environment"),
        _ if sql.starts_with("SELECT id, schema_id, type FROM") => {
            let row = vec![text("u1"), text("u3"), text("view")];
            pgwire::rows(&["id", "schema_id", "type"], &[row])
        }
        _ if sql.starts_with("SELECT * FROM") => pgwire::rows(&["key", "text"], &[]),
        _ if sql.starts_with("SHOW COLUMNS") => {
            let rows = [("key", "bigint"), ("text", "text")];
            let rows = rows.map(|(name, kind)| vec![text(name), text("t"), text(kind)]);
            pgwire::rows(&["name", "nullable", "type"], &rows)
        }
        _ => pgwire::error("42601", "not in the script"),
    }
}

fn gateway(upstream: &Upstream) -> (Process, String) {
    let url = format!("postgres://materialize@{}/materialize", upstream.address);
    let arguments = [
        "--upstream",
        &url,
        "--view",
        "v",
        "--listen",
        "127.0.0.1:0",
        "--heartbeat",
        "1h",
        "--compress",
        "auto",
        "--retention-bytes",
        "256MiB",
    ];
    let process = Process::gateway(&arguments.map(str::to_owned));
    let address = process.await_text("listening on http://");
    let deadline = Instant::now() + PATIENCE;
    while !text(&address, "/readyz").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "not ready in time");
        thread::park_timeout(Duration::from_millis(5));
    }
    (process, address)
}

fn ask(address: &str, method: &str, path: &str, more: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    socket
}

fn text(address: &str, path: &str) -> String {
    let mut text = String::new();
    let mut socket = ask(address, "GET", path, "connection: close\r\n");
    socket.read_to_string(&mut text).unwrap();
    text
}

/// The position that the view stands at, once it has reached a time.
fn position(address: &str, time: u64) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let views = text(address, "/views");
        let (_, rest) = views.split_once("\"position\":\"").unwrap();
        let (position, _) = rest.split_once('"').unwrap();
        let (at, _) = position.split_once('-').unwrap();
        if at.parse::<u64>().unwrap() >= time {
            return position.to_owned();
        }
        assert!(Instant::now() < deadline, "not there in time");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// The times of one subscriber's deltas, in seconds.
fn latencies(upstream: &mut Upstream, address: &str) -> Vec<f64> {
    let time = upstream.replace(1);
    let id = position(address, time);
    let resume = format!("last-event-id: {id}\r\n");
    let mut stream = BufReader::new(ask(address, "GET", "/v/stream", &resume));
    let count = (seconds() * RATE) as usize;
    let begin = Instant::now();
    let mut taken = Vec::new();
    for turn in 0..count {
        let due = begin + Duration::from_secs_f64(turn as f64 / RATE);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let began = Instant::now();
        let mark = format!("id: {}-", upstream.replace(1));
        let mut line = String::new();
        while !line.starts_with(&mark) {
            line.clear();
            assert!(
                stream.read_line(&mut line).unwrap() > 0,
                "the stream has ended"
            );
        }
        taken.push(began.elapsed().as_secs_f64());
    }
    taken
}

fn percentile(taken: &[f64], of_a_thousand: usize) -> f64 {
    let mut sorted = taken.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * of_a_thousand / 1_000]
}

/// Clients come back, each to another position, until told to stop.
fn resume(address: &str, incarnation: &str, is_packed: bool, stop: &AtomicBool) -> u64 {
    let answered = AtomicU64::new(0);
    let asked = AtomicU64::new(0);
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = asked.fetch_add(1, Ordering::Relaxed);
                    let due = begin + Duration::from_secs_f64(number as f64 / RESUMES);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let at = BEGIN + 1 + number * 7_919 % (DELTAS - 1_000);
                    let mut more = format!("last-event-id: {at}-{incarnation}\r\n");
                    if is_packed {
                        more.push_str("accept-encoding: gzip\r\n");
                    }
                    await_delta(ask(address, "GET", "/v/stream", &more), is_packed);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    answered.load(Ordering::Relaxed)
}

/// Reads until the delta is there; of a compressed stream, so many bytes.
fn await_delta(mut socket: TcpStream, is_packed: bool) {
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = socket.read(&mut piece).unwrap();
        assert!(length > 0, "the stream has ended");
        got.extend_from_slice(&piece[..length]);
        let find = |wanted: &[u8]| got.windows(wanted.len()).position(|it| it == wanted);
        let is_there = match is_packed {
            // The first words take half as much.
            true => find(b"\r\n\r\n").is_some_and(|head| got.len() > head + 120),
            false => find(b"event: delta").is_some(),
        };
        if is_there {
            return;
        }
    }
}

/// Reads the rows again and again at a limited pace, until told to stop; the
/// bytes that were read.
fn poll(address: &str, stop: &AtomicBool) -> u64 {
    let mut all = 0;
    let mut piece = vec![0; 256 * 1024];
    while !stop.load(Ordering::Relaxed) {
        let mut socket = ask(address, "GET", "/v", "connection: close\r\n");
        let (begin, mut read) = (Instant::now(), 0);
        loop {
            match socket.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => read += length,
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let due = begin + Duration::from_secs_f64(read as f64 / POLLED);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        all += read as u64;
    }
    all
}

/// Asks how long the rows are, again and again.
fn ask_head(address: &str, stop: &AtomicBool) -> u64 {
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut socket = ask(address, "HEAD", "/v", "connection: close\r\n");
        socket.read_to_end(&mut Vec::new()).unwrap();
        asked += 1;
    }
    asked
}

/// The subscriber alone, then with what others do; prints both.
fn compare(
    what: &str,
    upstream: &mut Upstream,
    address: &str,
    others: impl FnOnce(&AtomicBool) -> String + Send,
) -> String {
    let alone = latencies(upstream, address);
    let stop = AtomicBool::new(false);
    let (with, did) = thread::scope(|scope| {
        let others = scope.spawn(|| others(&stop));
        let with = latencies(upstream, address);
        stop.store(true, Ordering::Relaxed);
        (with, others.join().unwrap())
    });
    let ms = |taken: &[f64], part| format!("{:.2}", percentile(taken, part) * 1e3);
    for (name, taken) in [("alone", &alone), (what, &with)] {
        println!(
            "| {name} | {} | {} | {} | {} |",
            taken.len(),
            ms(taken, 500),
            ms(taken, 990),
            ms(taken, 1_000)
        );
    }
    println!("| | {did} | | | |");
    let ratio = percentile(&with, 990) / percentile(&alone, 990);
    let name = format!("one subscriber's deltas, p99, with {what}; the same alone");
    let p99 = |taken| format!("{} ms", ms(taken, 990));
    line(&name, &p99(&alone), &p99(&with), [ratio], Goal::AtMost(2.0))
}

fn main() {
    println!("| what others do | deltas | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|");
    let mut goals = Vec::new();
    {
        let mut upstream = Upstream::start(0, 0);
        let (_process, address) = gateway(&upstream);
        for _ in 0..DELTAS / 500 {
            upstream.replace(500);
        }
        let position = position(&address, BEGIN + DELTAS);
        let (_, incarnation) = position.split_once('-').unwrap();
        for is_packed in [false, true] {
            let what = match is_packed {
                false => "150 positions a second brought back",
                true => "150 positions a second brought back, with gzip",
            };
            let others = |stop: &AtomicBool| {
                let answered = resume(&address, incarnation, is_packed, stop);
                format!("{answered} were answered")
            };
            goals.push(compare(what, &mut upstream, &address, others));
        }
    }
    let mut upstream = Upstream::start(ROWS, ROW_BYTES);
    let (_process, address) = gateway(&upstream);
    let others = |stop: &AtomicBool| {
        thread::scope(|scope| {
            let heads = scope.spawn(|| ask_head(&address, stop));
            let polls = [(); POLLERS].map(|()| scope.spawn(|| poll(&address, stop)));
            let bytes: u64 = polls.into_iter().map(|it| it.join().unwrap()).sum();
            let heads = heads.join().unwrap();
            format!("{heads} heads, {} MB read", bytes / 1_000_000)
        })
    };
    let what = "ten who read a view of 375 MiB at 20 MB/s each, and one who asks for its head";
    goals.push(compare(what, &mut upstream, &address, others));
    report::print(&goals);
}
