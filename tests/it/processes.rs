//! Real processes that are killed, stopped and started again in loops, under
//! many clients.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::oracle::wire::{How, Read, Wire};
use crate::soak;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::over::Over;
use crate::support::proxy::Proxy;
use crate::support::sse::{Event, Stream};
use crate::support::standin::{StandIn, TextRows, text_rows};
use crate::support::table::Table;

const VIEWS: [&str; 3] = ["counter", "top10", "edits_by_language"];

/// The same after every restart: the same environment, with other data.
const ENVIRONMENT: &str = "test-region-00000000-0000-4000-8000-000000000001-0";

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// What the clients and the test tell each other.
struct Board {
    gateway: SocketAddr,
    /// Where the upstream is now, past the proxy, and since when.
    upstream: Mutex<String>,
    since: AtomicU64,
    /// The contents of each view at each id, as a hash: the same for everybody.
    sums: Mutex<HashMap<(usize, u64), u64>>,
    /// Compared with another client, and with the upstream itself.
    agreed: AtomicUsize,
    witnessed: [AtomicUsize; VIEWS.len()],
    /// The last timestamp of each client.
    reached: Vec<AtomicU64>,
    lost: AtomicUsize,
    is_over: AtomicBool,
}

fn start_stand_in() -> (StandIn, u64) {
    let since = now_ms();
    let arguments = [
        "--tick",
        "100ms",
        "--rate",
        "60",
        "--seed-edits",
        "200",
        "--demo-environment",
        ENVIRONMENT,
    ];
    (StandIn::start(&arguments), since)
}

fn address_of(url: &str) -> SocketAddr {
    let rest = url.split('@').nth(1).expect("a user first");
    rest.split('/').next().unwrap().parse().expect("an address")
}

/// Follows one stream to the end of the test: it may never end by itself.
fn follow(board: &Board, place: usize) -> Table {
    let view = place % VIEWS.len();
    let path = format!("/{}/stream", VIEWS[view]);
    let mut wire =
        Wire::open(board.gateway, &path, None, How::default()).expect("the gateway is there");
    let mut table = Table::default();
    while !board.is_over.load(Ordering::SeqCst) {
        let event = match wire.read() {
            Read::Event(event) => event,
            Read::Nothing => continue,
            other => panic!("the stream of client {place} ended: {other:?}"),
        };
        // Not left to a witness: it may be asking the upstream that hangs.
        if event.data == "\"lost\"" {
            board.lost.fetch_add(1, Ordering::SeqCst);
        }
        let has_id = event.id.is_some();
        table.apply(&Event {
            name: event.name,
            id: event.id,
            data: event.data,
        });
        let (Some(timestamp), true) = (table.timestamp, has_id) else {
            continue;
        };
        let mut hasher = DefaultHasher::new();
        table.rows.hash(&mut hasher);
        let sum = hasher.finish();
        let known = *board
            .sums
            .lock()
            .unwrap()
            .entry((view, timestamp))
            .or_insert(sum);
        assert_eq!(
            known, sum,
            "two clients differ at {timestamp} of {}",
            VIEWS[view]
        );
        board.agreed.fetch_add(1, Ordering::SeqCst);
        board.reached[place].store(timestamp, Ordering::SeqCst);
    }
    table
}

/// Asks the upstream itself, past gateway and proxy; `None` while it is away.
fn asked(
    client: &mut Option<(String, Client)>,
    url: &str,
    view: &str,
    timestamp: u64,
) -> Option<TextRows> {
    if client
        .as_ref()
        .is_none_or(|(known, open)| known != url || open.is_closed())
    {
        let open = Client::connect(url, NoTls).ok()?;
        *client = Some((url.to_owned(), open));
    }
    let (_, open) = client.as_mut()?;
    let sql = format!("SELECT * FROM {view} AS OF {timestamp}");
    let mut rows = TextRows::new();
    for message in open.simple_query(&sql).ok()? {
        if let SimpleQueryMessage::Row(row) = message {
            let fields = (0..row.len()).map(|at| row.get(at).map(str::to_owned));
            *rows.entry(fields.collect()).or_default() += 1;
        }
    }
    Some(rows)
}

/// A client that compares with the upstream at every id it can.
fn witness(board: &Board, view: usize) -> Table {
    let mut stream = Stream::open(board.gateway, &format!("/{}/stream", VIEWS[view]));
    let mut table = Table::default();
    let mut client = None;
    while !board.is_over.load(Ordering::SeqCst) {
        let event = stream.next().expect("the stream goes on");
        table.apply(&event);
        let (Some(timestamp), true) = (table.timestamp, event.id.is_some()) else {
            continue;
        };
        let url = board.upstream.lock().unwrap().clone();
        // The one before the last restart cannot be asked any more.
        if timestamp <= board.since.load(Ordering::SeqCst) {
            continue;
        }
        let answer = asked(&mut client, &url, VIEWS[view], timestamp);
        if let Some(expected) = answer
            && timestamp > board.since.load(Ordering::SeqCst)
        {
            assert_eq!(
                text_rows(&table.rows),
                expected,
                "{} at {timestamp}",
                VIEWS[view]
            );
            board.witnessed[view].fetch_add(1, Ordering::SeqCst);
        }
    }
    table
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE * 2;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn processes_upstream_killed_again_and_again_keeps_every_client_on_one_base() {
    let is_long = soak::seconds().is_some();
    // Every fourth time it is stopped, not killed: a hundred times it is.
    let (rounds, clients) = if is_long { (133, 200) } else { (4, 30) };
    let (mut stand_in, since) = start_stand_in();
    let proxy = Proxy::start(address_of(&stand_in.url));
    let url = format!("postgres://materialize@{}/materialize", proxy.address);
    let mut arguments = vec!["--upstream", &url, "--heartbeat", "300ms"];
    arguments.extend(["--upstream-timeout", "700ms", "--reconnect-max", "200ms"]);
    arguments.extend(VIEWS.iter().flat_map(|view| ["--view", view]));
    let gateway = Gateway::start_heard(&arguments, false);
    gateway.await_ready();
    let board = Board {
        gateway: gateway.address,
        upstream: Mutex::new(stand_in.url.clone()),
        since: AtomicU64::new(since),
        sums: Mutex::default(),
        agreed: AtomicUsize::new(0),
        witnessed: Default::default(),
        reached: (0..clients).map(|_| AtomicU64::new(0)).collect(),
        lost: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    };
    let (mut kills, mut stops) = (0, 0);
    let tables: Vec<Table> = thread::scope(|scope| {
        let board = &board;
        let mut threads: Vec<_> = (0..clients)
            .map(|place| scope.spawn(move || follow(board, place)))
            .collect();
        threads.extend((0..VIEWS.len()).map(|view| scope.spawn(move || witness(board, view))));
        // However the loop ends, the clients end with it.
        let over = Over(&board.is_over);
        for round in 0..rounds {
            await_agreement(board);
            if round % 4 == 3 {
                stops += 1;
                let lost = board.lost.load(Ordering::SeqCst);
                stand_in.process.signal("STOP");
                wait_for("lost", || board.lost.load(Ordering::SeqCst) > lost);
                stand_in.process.signal("CONT");
            } else {
                kills += 1;
                stand_in.process.signal("KILL");
                let since;
                (stand_in, since) = start_stand_in();
                board.since.store(since, Ordering::SeqCst);
                board.upstream.lock().unwrap().clone_from(&stand_in.url);
                proxy.point_at(address_of(&stand_in.url));
            }
        }
        await_agreement(board);
        let end = now_ms();
        wait_for("all clients at the end", || {
            board
                .reached
                .iter()
                .all(|reached| reached.load(Ordering::SeqCst) >= end)
        });
        drop(over);
        threads
            .into_iter()
            .map(|thread| thread.join().expect("exact"))
            .collect()
    });
    assert!(
        tables.iter().all(|table| table.bases == 1),
        "one base in all [P8]"
    );
    let witnessed: usize = board
        .witnessed
        .iter()
        .map(|count| count.load(Ordering::SeqCst))
        .sum();
    let agreed = board.agreed.load(Ordering::SeqCst);
    soak::report(
        "upstream killed and stopped under clients",
        &format!(
            "{kills:>10}  kills\n{stops:>10}  stops\n{clients:>10}  clients, one base each in all\n{agreed:>10}  comparisons among clients\n{witnessed:>10}  comparisons with the upstream itself"
        ),
    );
}

/// Waits until every view was compared with the upstream that is there now.
fn await_agreement(board: &Board) {
    let before = board
        .witnessed
        .each_ref()
        .map(|count| count.load(Ordering::SeqCst));
    wait_for("a comparison of every view", || {
        let counts = board.witnessed.iter().zip(before);
        counts
            .clone()
            .all(|(count, before)| count.load(Ordering::SeqCst) > before)
    });
}

/// What "where resume was possible" means for a gateway that starts anew: its
/// log begins at its snapshot, so a client that is not before that goes on
/// without a base, and every other one has exactly one.
#[test]
fn processes_gateway_killed_again_and_again_resumes_whoever_is_not_before_its_snapshot() {
    let is_long = soak::seconds().is_some();
    let (rounds, clients) = if is_long { (50, 200) } else { (4, 12) };
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer"), ("b", "text")]);
    server.commit("v", vec![(row(["1", "x"]), 3)]);
    let url = server.url();
    let start = || {
        Gateway::start_heard(
            &["--upstream", &url, "--view", "v", "--heartbeat", "200ms"],
            false,
        )
    };
    let mut gateway = start();
    let mut tables: Vec<(Table, String)> = (0..clients)
        .map(|_| (Table::default(), "none".to_owned()))
        .collect();
    let (mut bases, mut resumed) = (0, 0);
    for round in 0..=rounds {
        let mut streams: Vec<Stream> = tables
            .iter()
            .map(|(_, id)| Stream::resume(gateway.address, "/v/stream", id))
            .collect();
        // Time stands still while the gateway is away in every other round.
        let may_resume = round % 2 == 1;
        gateway.await_ready();
        let at = server.commit(
            "v",
            vec![(row(["1", "x"]), 1), (row(["2", "y"]), round % 3)]
                .into_iter()
                .filter(|(_, diff)| *diff != 0)
                .collect(),
        );
        let expected: TextRows = server
            .contents_at("v", at)
            .into_iter()
            .map(|(row, copies)| (row, u64::try_from(copies).unwrap()))
            .collect();
        for ((table, id), stream) in tables.iter_mut().zip(&mut streams) {
            let before = table.bases;
            table.read_until(stream, |table| table.timestamp >= Some(at));
            assert_eq!(text_rows(&table.rows), expected, "round {round}");
            let new = table.bases - before;
            assert_eq!(new, usize::from(!may_resume), "round {round}");
            bases += new;
            resumed += usize::from(may_resume);
            *id = stream.last_id.clone().expect("an id");
        }
        if round == rounds {
            break;
        }
        gateway.process.signal("KILL");
        if may_resume {
            server.commit("v", vec![(row(["3", "meanwhile"]), 1)]);
        }
        gateway = start();
    }
    soak::report(
        "gateway killed under clients that come back",
        &format!(
            "{rounds:>10}  kills\n{clients:>10}  clients\n{bases:>10}  bases\n{resumed:>10}  resumed without a base"
        ),
    );
}
