//! What does a view of millions of rows cost: to load, to hold, and when one
//! row of it changes?
//!
//!     cargo bench --bench snapshot
//!     SNAPSHOT_ROWS=1000000 SNAPSHOT_ROUNDS=1 cargo bench --bench snapshot
//!
//! A scripted server streams a prepared snapshot over TCP on loopback, one row
//! a message as Materialize does, to two readers in turn: a loop over the
//! postgres crate's `CopyOutReader` that throws everything away, and the real
//! binary with a subscriber that waits for its base. Wall time is from the
//! COPY's first byte to the last one read, and to the first byte of `base`; CPU
//! time is what reader and binary have used by then, the binary's start
//! included. Five million rows take some 3 GiB in all, and two minutes.
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

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

#[path = "../tests/it/support/pgwire.rs"]
mod pgwire;
#[path = "fanout/process.rs"]
mod process;
#[path = "report.rs"]
mod report;

use pgwire::Frontend;
use process::Process;
use report::{Goal, number, row as line, spread};

const BEGIN: u64 = 1_795_383_343_145;

/// Rows of the views of which one row is changed.
const GROWTH: [usize; 3] = [5_000, 200_000, 5_000_000];

/// Rows that change at once, in a view of the second of these sizes.
const CHANGED: [usize; 4] = [10, 100, 1_000, 10_000];

/// Single changes that are timed, one after the other.
const CHANGES: usize = 1_000;

fn setting(name: &str, default: usize) -> usize {
    let given = std::env::var_os(name);
    given
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(default)
}

fn row(number: usize) -> String {
    let page = number % 977;
    format!(
        "User number {number}\tTalk:A page of some length {page}\tsome more words that a row may well have"
    )
}

fn update(out: &mut Vec<u8>, time: u64, diff: i64, row: &str) {
    let line = format!("{time}\tf\t{diff}\t{row}\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

fn progress(out: &mut Vec<u8>, time: u64) {
    let line = format!("{time}\tt\t\\N\t\\N\t\\N\t\\N\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

/// The messages of a snapshot.
fn snapshot(rows: usize) -> Vec<u8> {
    let mut out = Vec::new();
    progress(&mut out, BEGIN);
    (0..rows).for_each(|number| update(&mut out, BEGIN, 1, &row(number)));
    progress(&mut out, BEGIN + 1);
    out
}

/// What a COPY sends, and when it began to.
struct Server {
    address: SocketAddr,
    data: Arc<Mutex<Arc<Vec<u8>>>>,
    /// Snapshots by their rows: it takes longer to make them than to load them.
    prepared: BTreeMap<usize, Arc<Vec<u8>>>,
    began: Receiver<Instant>,
    /// Sends what follows a snapshot on the stream that is open.
    more: SyncSender<Vec<u8>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let data = Arc::new(Mutex::new(Arc::new(Vec::new())));
        let (says, began) = sync_channel(16);
        let (more, follows) = sync_channel(16);
        let follows = Arc::new(Mutex::new(follows));
        let shown = Arc::clone(&data);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let session = Session {
                    data: Arc::clone(&*shown.lock().unwrap()),
                    says: says.clone(),
                    follows: Arc::clone(&follows),
                };
                // An error is the end of the connection, whatever it is.
                std::thread::spawn(move || session.serve(socket).ok());
            }
        });
        Server {
            address,
            data,
            prepared: BTreeMap::new(),
            began,
            more,
        }
    }

    fn url(&self) -> String {
        format!("postgres://materialize@{}/materialize", self.address)
    }

    fn show(&mut self, rows: usize) {
        let prepared = self.prepared.entry(rows);
        let data = prepared.or_insert_with(|| Arc::new(snapshot(rows)));
        *self.data.lock().unwrap() = Arc::clone(data);
    }

    /// The gateway is gone: the stream it read ends, too.
    fn end(&self) {
        self.more.send(Vec::new()).unwrap();
    }
}

struct Session {
    data: Arc<Vec<u8>>,
    says: SyncSender<Instant>,
    follows: Arc<Mutex<Receiver<Vec<u8>>>>,
}

impl Session {
    fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
        socket.set_nodelay(true)?;
        let pgwire::Startup::Session(_) = pgwire::startup(&mut socket)? else {
            return Ok(());
        };
        socket.write_all(&pgwire::welcome(1, &pgwire::settings()))?;
        let mut prepared = String::new();
        loop {
            match pgwire::read(&mut socket)? {
                Frontend::Query(sql) => {
                    let mut answer = answer(&sql);
                    answer.extend(pgwire::ready());
                    socket.write_all(&answer)?;
                }
                Frontend::Execute => self.copy(&mut socket, prepared.contains("SUBSCRIBE"))?,
                Frontend::Terminate => return Ok(()),
                other => {
                    socket.write_all(&pgwire::formality(&other))?;
                    if let Frontend::Parse(sql) = other {
                        prepared = sql;
                    }
                }
            }
        }
    }

    /// Sends the snapshot, and either what follows or the end.
    fn copy(&self, socket: &mut TcpStream, goes_on: bool) -> std::io::Result<()> {
        socket.write_all(&pgwire::copy_out(6))?;
        self.says.send(Instant::now()).unwrap();
        for part in self.data.chunks(1 << 18) {
            socket.write_all(part)?;
        }
        if goes_on {
            // Nothing more comes when the reader is gone.
            while let Ok(bytes) = self.follows.lock().unwrap().recv()
                && !bytes.is_empty()
            {
                socket.write_all(&bytes)?;
            }
        }
        socket.write_all(&pgwire::message(b'c', &[]))?;
        socket.write_all(&pgwire::complete("COPY 0"))
    }
}

fn answer(sql: &str) -> Vec<u8> {
    let text = |value: &str| Some(value.to_owned());
    let one = |value: &str| pgwire::rows(&["value"], &[vec![text(value)]]);
    let names = ["user", "page", "comment"];
    match sql {
        "SELECT mz_version()" => one("v26.17.0-dev.0 (892cf626b)"),
        "SELECT mz_environment_id()" => one("environment"),
        _ if sql.starts_with("SELECT id, schema_id, type FROM") => {
            let row = vec![text("u1"), text("u3"), text("view")];
            pgwire::rows(&["id", "schema_id", "type"], &[row])
        }
        _ if sql.starts_with("SELECT * FROM") => pgwire::rows(&names, &[]),
        _ if sql.starts_with("SHOW COLUMNS") => {
            let rows = names.map(|name| vec![text(name), text("t"), text("text")]);
            pgwire::rows(&["name", "nullable", "type"], &rows)
        }
        _ => pgwire::error("42601", "not in the script"),
    }
}

/// Wall and CPU seconds.
#[derive(Clone, Copy)]
struct Spent {
    wall: f64,
    cpu: f64,
}

/// Reads the snapshot with the crate's reader and throws it away.
fn discard(server: &Server) -> Spent {
    let cpu = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let mut client = postgres::Client::connect(&server.url(), postgres::NoTls).unwrap();
    let mut reader = client.copy_out("COPY everything").unwrap();
    let begin = cpu();
    loop {
        let length = reader.fill_buf().unwrap().len();
        if length == 0 {
            break;
        }
        reader.consume(length);
    }
    Spent {
        wall: server.began.recv().unwrap().elapsed().as_secs_f64(),
        cpu: cpu() - begin,
    }
}

/// A gateway on a free port, with its address.
fn gateway(server: &Server) -> (Process, String) {
    let url = server.url();
    let arguments = [
        "--upstream",
        &url,
        "--view",
        "v",
        "--listen",
        "127.0.0.1:0",
        "--heartbeat",
        "1h",
    ];
    let process = Process::gateway(&arguments.map(str::to_owned));
    let address = process.await_text("listening on http://");
    (process, address)
}

fn get(address: &str, path: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    BufReader::with_capacity(1 << 18, socket)
}

/// Reads lines until one begins so; that line.
fn await_line(stream: &mut BufReader<TcpStream>, start: &str) -> String {
    let mut line = Vec::new();
    loop {
        line.clear();
        // Only the beginning is kept: the line of a base is as long as itself.
        let length = stream
            .by_ref()
            .take(200)
            .read_until(b'\n', &mut line)
            .unwrap();
        assert!(length > 0, "the stream has ended");
        if line.starts_with(start.as_bytes()) {
            return String::from_utf8_lossy(&line).trim_end().to_owned();
        }
    }
}

fn status(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

fn await_ready(address: &str) {
    while !status(address, "/readyz").starts_with("HTTP/1.1 200") {
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Loads the view for a subscriber that waits; when its base begins.
fn load(server: &Server) -> Spent {
    // The subscriber is there before the upstream's first byte.
    let (process, address) = gateway(server);
    let mut stream = get(&address, "/v/stream");
    await_line(&mut stream, "event: base");
    let wall = server.began.recv().unwrap().elapsed().as_secs_f64();
    // Its start is counted, too: some milliseconds.
    let cpu = process.cpu_ns() as f64 / 1e9;
    server.end();
    Spent { wall, cpu }
}

fn load_and_discard(server: &Server, rows: usize, rounds: usize) -> Vec<String> {
    println!("| snapshot of {rows} rows | wall s | CPU s | CPU ns a row |\n|---|---|---|---|");
    let mut rounds_spent = Vec::new();
    for round in 0..rounds {
        // In turn who is first: the machine may get warmer, or busier.
        let (thrown, loaded) = if round % 2 == 0 {
            let thrown = discard(server);
            (thrown, load(server))
        } else {
            let loaded = load(server);
            (discard(server), loaded)
        };
        for (name, spent) in [
            ("read and thrown away", thrown),
            ("read to `base` ready", loaded),
        ] {
            let each = spent.cpu * 1e9 / rows as f64;
            let Spent { wall, cpu } = spent;
            println!("| {name} | {wall:.2} | {cpu:.2} | {each:.0} |");
        }
        rounds_spent.push((thrown, loaded));
    }
    println!();
    let compare = |what: &str, pick: fn(&Spent) -> f64, goal| {
        let seconds = |each: fn(&(Spent, Spent)) -> &Spent| {
            let (median, ..) = spread(rounds_spent.iter().map(|both| pick(each(both))));
            format!("{median:.2} s")
        };
        let ratios = rounds_spent
            .iter()
            .map(|(thrown, loaded)| pick(loaded) / pick(thrown));
        let what = format!("snapshot of {rows} rows to `base` ready; read and thrown away, {what}");
        line(
            &what,
            &seconds(|both| &both.0),
            &seconds(|both| &both.1),
            ratios,
            goal,
        )
    };
    vec![
        compare("wall time", |spent| spent.wall, Goal::AtMost(1.5)),
        compare("CPU time", |spent| spent.cpu, Goal::AtMost(1.5)),
    ]
}

/// What a gateway has resident that holds the view, for nobody.
fn resident(server: &Server) -> f64 {
    let (process, address) = gateway(server);
    await_ready(&address);
    server.began.recv().unwrap();
    let bytes = process.resident_kib() * 1024.0;
    server.end();
    bytes
}

/// Loads a view nobody looks at; the memory it takes.
fn memory(server: &mut Server, rows: usize, rounds: usize) -> Vec<String> {
    let keys = "{\"user\":\"\",\"page\":\"\",\"comment\":\"\"}".len() - 2;
    let json: usize = (0..rows).map(|number| row(number).len() + keys).sum();
    server.show(1);
    let small = resident(server);
    server.show(rows);
    let taken: Vec<f64> = (0..rounds).map(|_| resident(server) - small).collect();
    let goal = 1.5 * json as f64 + 32.0 * rows as f64;
    let mib = |bytes: f64| format!("{:.0} MiB", bytes / 1_048_576.0);
    let ours = mib(spread(taken.clone()).0);
    println!("memory of {rows} rows, {json} bytes of JSON: {taken:?} bytes\n");
    vec![
        line(
            &format!("memory of {rows} rows; 1.5 x their JSON and 32 bytes a row"),
            &mib(goal),
            &ours,
            taken.iter().map(|bytes| bytes / goal),
            Goal::AtMost(1.0),
        ),
        line(
            &format!("memory of {rows} rows; their JSON"),
            &mib(json as f64),
            &ours,
            taken.iter().map(|bytes| bytes / json as f64),
            Goal::Words("the line above"),
        ),
    ]
}

/// What one delta costs a gateway with one subscriber.
struct Cost {
    /// CPU microseconds.
    cpu: f64,
    /// From the upstream's write to the subscriber's read, in microseconds.
    latency: f64,
    worst: f64,
}

/// So many rows are replaced by others, again and again.
fn replace(server: &mut Server, rows: usize, changed: usize) -> Cost {
    server.show(rows);
    let (process, address) = gateway(server);
    await_ready(&address);
    server.began.recv().unwrap();
    let views = status(&address, "/views");
    let (_, rest) = views.split_once("\"position\":\"").unwrap();
    let (position, _) = rest.split_once('"').unwrap();
    // Resumed, so that no base has to be read first.
    let mut stream = get(&address, &format!("/v/stream?last-event-id={position}"));
    await_line(&mut stream, "retry:");
    let turns = (CHANGES / changed).max(20);
    let idle = process.cpu_ns();
    let mut latencies = Vec::new();
    for turn in 0..turns {
        let time = BEGIN + 10 + turn as u64;
        let mut bytes = Vec::new();
        for place in 0..changed {
            // Scattered over the whole view, each row once in a pass.
            let gone = (turn * changed + place) * 7919 % rows;
            let pass = (turn * changed + place) / rows;
            update(&mut bytes, time, -1, &row(gone + pass * rows));
            update(&mut bytes, time, 1, &row(gone + (pass + 1) * rows));
        }
        progress(&mut bytes, time + 1);
        let begin = Instant::now();
        server.more.send(bytes).unwrap();
        await_line(&mut stream, &format!("id: {time}-"));
        latencies.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    let cpu = (process.cpu_ns() - idle) as f64 / 1e3 / turns as f64;
    drop(process);
    server.end();
    let (latency, _, worst) = spread(latencies);
    Cost {
        cpu,
        latency,
        worst,
    }
}

/// One row changes in views of several sizes, and many rows in one view.
fn growth(server: &mut Server, rows_max: usize, rounds: usize) -> Vec<String> {
    println!(
        "| rows of the view | rows replaced | CPU us a delta | CPU us a row | latency us, median | worst |\n|---|---|---|---|---|---|"
    );
    let mut measure = |rows: usize, changed: usize| {
        let cost = replace(server, rows, changed);
        println!(
            "| {rows} | {changed} | {:.1} | {:.2} | {:.0} | {:.0} |",
            cost.cpu,
            cost.cpu / changed as f64,
            cost.latency,
            cost.worst
        );
        cost.cpu
    };
    let (small, large) = (GROWTH[0], GROWTH[2].min(rows_max));
    let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        of_small.push(measure(small, 1));
        measure(GROWTH[1], 1);
        of_large.push(measure(large, 1));
    }
    for changed in CHANGED {
        measure(GROWTH[1], changed);
    }
    let micros = |of: &Vec<f64>| format!("{} us", number(spread(of.clone()).0));
    let ratios = of_large
        .iter()
        .zip(&of_small)
        .map(|(large, small)| large / small);
    vec![line(
        &format!("one row replaced in a view of {large} rows; of {small}, whole gateway, CPU"),
        &micros(&of_small),
        &micros(&of_large),
        ratios,
        Goal::Words("independent of the size"),
    )]
}

fn main() {
    let rows = setting("SNAPSHOT_ROWS", 5_000_000);
    let rounds = setting("SNAPSHOT_ROUNDS", 3);
    let mut server = Server::start();
    server.show(rows);
    let mut goals = load_and_discard(&server, rows, rounds);
    goals.extend(memory(&mut server, rows, rounds));
    goals.extend(growth(&mut server, rows, rounds));
    report::print(&goals);
}
