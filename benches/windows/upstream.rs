//! The upstream's role: a view of customers' orders, and a plain feed of the
//! same changes for the reference loop.
//!
//! Customer `k` has `ROWS` orders with the number 0, which stay. Each change
//! puts one order in the place of the customer's last one: with the number 1,
//! then 2, and so on. Several changes share a timestamp, as they do where
//! Materialize ticks.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::pgwire::{self, Frontend};
use crate::{Filling, Io, now_us};

/// The first timestamp; only growth matters.
const BEGIN: u64 = 1_700_000_000_000;

/// Bytes of a snapshot that are written at once.
const PIECE_BYTES: usize = 1 << 20;

/// What to change, once the order has come.
#[derive(Clone, Copy)]
struct Order {
    /// Changed rows in all.
    rows: u64,
    /// Of them at one timestamp.
    batch: u64,
    /// Changed rows a second.
    rate: f64,
    /// The customers that they belong to, in turn.
    first: u64,
    customers: u64,
}

struct Shared {
    order: Mutex<Option<Order>>,
    given: Condvar,
    customers: u64,
    rows: u64,
    pad: Filling,
}

impl Shared {
    fn await_order(&self) -> Order {
        let mut order = self.order.lock().unwrap();
        loop {
            if let Some(order) = *order {
                return order;
            }
            order = self.given.wait(order).unwrap();
        }
    }
}

/// `upstream CUSTOMERS ROWS PAD`: says its two ports, waits for
/// `go ROWS BATCH RATE FIRST CUSTOMERS`.
pub fn run(arguments: &[String]) -> Io<()> {
    let number = |at: usize| -> u64 { arguments[at].parse().unwrap() };
    let shared = Arc::new(Shared {
        order: Mutex::new(None),
        given: Condvar::new(),
        customers: number(0),
        rows: number(1),
        pad: Filling(usize::try_from(number(2)).unwrap()),
    });
    let view = TcpListener::bind("127.0.0.1:0")?;
    let feed = TcpListener::bind("127.0.0.1:0")?;
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    println!("ports {} {}", port(&view), port(&feed));
    let for_feed = Arc::clone(&shared);
    thread::spawn(move || serve_feed(&feed, &for_feed));
    let for_view = Arc::clone(&shared);
    thread::spawn(move || {
        for socket in view.incoming().map_while(Result::ok) {
            let shared = Arc::clone(&for_view);
            thread::spawn(move || {
                let _ = serve_view(socket, &shared);
            });
        }
    });
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<f64> = line
            .split(' ')
            .skip(1)
            .map(|w| w.parse().unwrap())
            .collect();
        *shared.order.lock().unwrap() = Some(Order {
            rows: words[0] as u64,
            batch: words[1] as u64,
            rate: words[2],
            first: words[3] as u64,
            customers: words[4] as u64,
        });
        shared.given.notify_all();
    }
    Ok(())
}

/// Calls `write` with the customers and numbers of each batch at its time.
fn emit(order: Order, mut write: impl FnMut(u64, &[(u64, u64)]) -> Io<()>) -> Io<()> {
    let begin = Instant::now();
    let mut batch = Vec::new();
    for number in 0..order.rows.div_ceil(order.batch) {
        let from = number * order.batch;
        let due = begin + Duration::from_secs_f64(from as f64 / order.rate);
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        batch.clear();
        let rows = from..order.rows.min(from + order.batch);
        let row = |row| {
            (
                order.first + row % order.customers,
                row / order.customers + 1,
            )
        };
        batch.extend(rows.map(row));
        write(number + 1, &batch)?;
    }
    Ok(())
}

/// The reference loop's feed: customer, number and moment, 24 bytes each.
fn serve_feed(listener: &TcpListener, shared: &Shared) {
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    let order = shared.await_order();
    let mut out = Vec::new();
    let _ = emit(order, |_, batch| {
        out.clear();
        let now = now_us();
        for (customer, seq) in batch {
            for word in [*customer, *seq, now] {
                out.extend_from_slice(&word.to_be_bytes());
            }
        }
        socket.write_all(&out)
    });
    let _ = socket.read(&mut [0]);
}

fn serve_view(mut socket: TcpStream, shared: &Shared) -> Io<()> {
    socket.set_nodelay(true)?;
    if let pgwire::Startup::Cancel(_) = pgwire::startup(&mut socket)? {
        return Ok(());
    }
    socket.write_all(&pgwire::welcome(1, &pgwire::settings()))?;
    let mut prepared = String::new();
    loop {
        match pgwire::read(&mut socket)? {
            Frontend::Query(sql) => {
                let mut answer = answer(&sql);
                answer.extend(pgwire::ready());
                socket.write_all(&answer)?;
            }
            Frontend::Execute => {
                assert!(prepared.starts_with("COPY (SUBSCRIBE "), "{prepared}");
                copy(&mut socket, shared)?;
            }
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

const COLUMNS: [(&str, &str); 4] = [
    ("seq", "bigint"),
    ("at", "bigint"),
    ("customer", "bigint"),
    ("pad", "text"),
];

fn answer(sql: &str) -> Vec<u8> {
    let text = |value: &str| Some(value.to_string());
    match sql {
        "SELECT mz_version()" => {
            pgwire::rows(&["mz_version"], &[vec![text("v26.17.0 (892cf626b)")]])
        }
        "SELECT mz_environment_id()" => {
            pgwire::rows(&["mz_environment_id"], &[vec![text("bench")]])
        }
        _ if sql.starts_with("SELECT id, schema_id, type FROM") => pgwire::rows(
            &["id", "schema_id", "type"],
            &[vec![text("u1"), text("u3"), text("view")]],
        ),
        _ if sql.ends_with(" LIMIT 0") => pgwire::rows(&COLUMNS.map(|(name, _)| name), &[]),
        _ if sql.starts_with("SHOW COLUMNS FROM ") => pgwire::rows(
            &["name", "nullable", "type"],
            &COLUMNS.map(|(name, kind)| vec![text(name), text("t"), text(kind)]),
        ),
        _ => pgwire::error("42601", "the bench has no answer to this"),
    }
}

/// One update of an order: its customer, number and moment.
fn update(out: &mut Vec<u8>, timestamp: u64, diff: i64, order: (u64, u64, u64), pad: &Filling) {
    let (customer, seq, at) = order;
    let pad = pad.of(if seq == 0 { at } else { seq });
    let line = format!("{timestamp}\tf\t{diff}\t{seq}\t{at}\t{customer}\t{pad}\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

fn progress(out: &mut Vec<u8>, timestamp: u64) {
    let line = format!("{timestamp}\tt\t\\N\t\\N\t\\N\t\\N\t\\N\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

fn copy(socket: &mut TcpStream, shared: &Shared) -> Io<()> {
    let mut out = pgwire::copy_out(7);
    progress(&mut out, BEGIN);
    for row in 0..shared.rows {
        for customer in 0..shared.customers {
            update(&mut out, BEGIN, 1, (customer, 0, row), &shared.pad);
        }
        if out.len() > PIECE_BYTES {
            socket.write_all(&out)?;
            out.clear();
        }
    }
    progress(&mut out, BEGIN + 1);
    socket.write_all(&out)?;
    let order = shared.await_order();
    // When each customer's last order was put.
    let mut moments = vec![0; usize::try_from(shared.customers).unwrap()];
    emit(order, |batch, rows| {
        out.clear();
        let (timestamp, now) = (BEGIN + batch, now_us());
        for (customer, seq) in rows {
            let moment = &mut moments[usize::try_from(*customer).unwrap()];
            if *seq > 1 {
                let last = (*customer, *seq - 1, *moment);
                update(&mut out, timestamp, -1, last, &shared.pad);
            }
            *moment = now;
            update(&mut out, timestamp, 1, (*customer, *seq, now), &shared.pad);
        }
        progress(&mut out, timestamp + 1);
        socket.write_all(&out)
    })?;
    loop {
        // Until the gateway leaves.
        pgwire::read(socket)?;
    }
}
