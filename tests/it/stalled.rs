//! Peers that read nothing [P11]: they are closed after the stall timeout, and
//! until then cost a bounded amount of memory.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::support::gateway::{Gateway, PATIENCE, Process};
use crate::support::http::get;
use crate::support::kernel::connections;
use crate::support::materialize::{Generation, Materialize, Values};
use crate::support::sse::Stream;
use crate::support::table::Table;

/// Asks for a stream and never reads; its kernel takes a few KiB for it.
fn never_reads(address: SocketAddr, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket
        .connect(&address.into())
        .expect("the gateway accepts");
    let mut socket = TcpStream::from(socket);
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    socket
        .write_all(head.as_bytes())
        .expect("the request is sent");
    socket
}

fn subscribers(gateway: &Gateway, view: usize) -> u64 {
    let list = get(gateway.address, "/views").json();
    list["views"][view]["subscribers"]
        .as_u64()
        .expect("a count")
}

fn await_subscribers(gateway: &Gateway, view: usize, count: u64) {
    let deadline = Instant::now() + PATIENCE;
    while subscribers(gateway, view) != count {
        assert!(Instant::now() < deadline, "not {count} in time");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn stalled_peer_is_closed_while_others_go_on() {
    let views = ["--view", "user_edits", "--stall-timeout", "1s"];
    let gateway = Gateway::demo(&views);
    let mut reader = Stream::open(gateway.address, "/user_edits/stream");
    let mut table = Table::default();
    table.apply(&reader.expect("base"));
    let _stalled = [(); 3].map(|()| never_reads(gateway.address, "/user_edits/stream"));
    await_subscribers(&gateway, 0, 4);
    let deadline = Instant::now() + PATIENCE;
    while subscribers(&gateway, 0) > 1 {
        let before = table.deltas;
        table.read_until(&mut reader, |table| table.deltas > before);
        assert!(Instant::now() < deadline, "a stalled peer is still there");
    }
    let before = table.deltas;
    table.read_until(&mut reader, |table| table.deltas > before + 3);
    assert_eq!(table.bases, 1);
}

/// Real hosts with a real cable between them, as far as the kernel can tell:
/// a peer that is gone without a word answers nothing at all.
#[test]
fn stalled_peer_whose_cable_is_pulled_is_let_go() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pulled-cable.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pulled-cable");
    std::fs::create_dir_all(&folder).expect("a folder");
    let output = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_viewcast"))
        .current_dir(&folder)
        .output()
        .expect("the script runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said, "streams before: 2\nstreams after: 0\n", "{errors}");
}

#[test]
fn stalled_idle_peer_is_asked_whether_it_is_there() {
    let gateway = Gateway::demo(&["--view", "mz_catalog.mz_views", "--heartbeat", "1h"]);
    let mut stream = Stream::open(gateway.address, "/mz_catalog.mz_views/stream");
    stream.expect("base");
    let client = stream.response.local_port();
    let find = || {
        let mut all = connections().into_iter();
        all.find(|one| one.local == gateway.address.port() && one.remote == client)
    };
    // 02 is the keep-alive timer; before it, a last acknowledgement may be due.
    let deadline = Instant::now() + PATIENCE;
    while !find().is_some_and(|one| one.timer.starts_with("02:")) {
        assert!(Instant::now() < deadline, "no keep-alive is due");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Rows of the view, and how many of its rows change in each tenth of a second.
const ROWS: u64 = 2_000;
const CHANGES: u64 = 100;

const STALLED: usize = 1_000;

/// What the documentation promises (docs/OPERATIONS.md, Capacity): bytes of the
/// process for a stalled subscriber, and of the kernel for its connection.
const PROCESS_BYTES_EACH: u64 = 96 * 1024;
const KERNEL_BYTES_EACH: u64 = 128 * 1024;

/// What the process may take beside its subscribers: the view and the retention
/// of this test many times over, for each of two workers, and the allocator's.
const PROCESS_BYTES_BESIDE: u64 = 64 * 1024 * 1024;

fn row(number: u64) -> Values {
    vec![
        Some(number.to_string()),
        Some(format!(
            "some text that makes the row {number} about a hundred bytes of JSON long"
        )),
    ]
}

/// Replaces the oldest rows by new ones, ten times a second, until told to
/// stop; `last` is the time of the last change.
fn change(upstream: &Materialize, stop: &AtomicBool, last: &AtomicU64) {
    let mut next = ROWS;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let mut changes = Vec::new();
        for _ in 0..CHANGES / 2 {
            changes.push((row(next - ROWS), -1));
            changes.push((row(next), 1));
            next += 1;
        }
        last.store(upstream.commit("hot", changes), Ordering::Relaxed);
        // The pace is part of what is tested, not a wait for something.
        due += Duration::from_millis(100);
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
}

fn resident_bytes(process: &Process) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    1024 * kibibytes.expect("VmRSS").parse::<u64>().expect("a number")
}

/// Reads until told to stop, and then up to the last change.
fn read_all(gateway: &Gateway, stop: &AtomicBool, last: &AtomicU64) -> Table {
    let mut reader = Stream::open(gateway.address, "/hot/stream");
    let mut table = Table::default();
    table.read_until(&mut reader, |table| {
        let is_over = stop.load(Ordering::Relaxed);
        is_over && table.timestamp >= Some(last.load(Ordering::Relaxed))
    });
    table
}

/// `VIEWCAST_STALLED_SECONDS=300` is what `make stalled` runs.
#[test]
fn stalled_thousand_cost_a_bounded_amount_of_memory() {
    let seconds = std::env::var_os("VIEWCAST_STALLED_SECONDS").map_or(8, |text| {
        let text = text.into_string().expect("UTF-8");
        text.parse().expect("VIEWCAST_STALLED_SECONDS is a number")
    });
    let upstream = Materialize::start(Generation::Modern);
    upstream.create_view("hot", &[("number", "bigint"), ("text", "text")]);
    upstream.commit("hot", (0..ROWS).map(|number| (row(number), 1)).collect());
    let gateway = Gateway::start(&[
        "--upstream",
        &upstream.url(),
        "--view",
        "hot",
        "--workers",
        "2",
        "--retention-bytes",
        "4MiB",
        "--stall-timeout",
        "1h",
    ]);
    gateway.await_ready();
    let open = |_| never_reads(gateway.address, "/hot/stream");
    let stalled: Vec<TcpStream> = (0..STALLED).map(open).collect();
    await_subscribers(&gateway, 0, u64::try_from(STALLED).unwrap());

    let (stop, last) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut resident, mut kernel) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| change(&upstream, &stop, &last));
        let reader = scope.spawn(|| read_all(&gateway, &stop, &last));
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            resident = resident.max(resident_bytes(&gateway.process));
            let ours = connections().into_iter();
            let ours = ours.filter(|one| one.local == gateway.address.port());
            kernel = kernel.max(ours.map(|one| one.unacknowledged).sum());
            std::thread::park_timeout(Duration::from_millis(250));
        }
        stop.store(true, Ordering::Relaxed);
        // And who reads has it all.
        let table = reader.join().expect("it reads to the end");
        assert_eq!(table.bases, 1);
        assert_eq!(table.rows.values().sum::<u64>(), ROWS);
        println!("{} deltas read meanwhile", table.deltas);
    });
    let count = u64::try_from(STALLED).unwrap();
    println!(
        "{seconds} s: {} KiB resident, {} KiB in the kernel's send queues",
        resident / 1024,
        kernel / 1024
    );
    assert!(
        resident < PROCESS_BYTES_BESIDE + count * PROCESS_BYTES_EACH,
        "{resident}"
    );
    assert!(kernel < count * KERNEL_BYTES_EACH, "{kernel}");
    assert!(kernel > 0, "nobody was stalled");
    drop(stalled);
    await_subscribers(&gateway, 0, 0);
}
