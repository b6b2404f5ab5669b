//! The upstream's role: enough of Materialize to stream one view, and a plain
//! feed of the same events for the reference loops.
//!
//! Every event is one row that carries its number and the moment it was
//! written, so that whoever reads it last knows what it missed and how long it
//! took.

use std::collections::VecDeque;
use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::pgwire::{self, Frontend};
use crate::{Filling, Io, now_us};

/// The first timestamp; only growth matters.
const BEGIN: u64 = 1_700_000_000_000;

/// What to emit, once the order has come.
#[derive(Clone, Copy)]
struct Order {
    events: u64,
    rate: f64,
}

struct Shared {
    order: Mutex<Option<Order>>,
    given: Condvar,
    /// Rows of the snapshot.
    rows: u64,
    /// Filling of each row's last column.
    pad: Filling,
    /// Events that stay in the view; 0: all.
    kept: u64,
    /// Views that share the events in turn.
    views: u64,
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

/// `upstream ROWS PAD KEPT VIEWS`: says its two ports, waits for `go EVENTS RATE`.
pub fn run(arguments: &[String]) -> Io<()> {
    let number = |at: usize| -> u64 { arguments[at].parse().unwrap() };
    let shared = Arc::new(Shared {
        order: Mutex::new(None),
        given: Condvar::new(),
        rows: number(0),
        pad: Filling(usize::try_from(number(1)).unwrap()),
        kept: number(2),
        views: number(3),
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
        let words: Vec<&str> = line.split(' ').collect();
        *shared.order.lock().unwrap() = Some(Order {
            events: words[1].parse().unwrap(),
            rate: words[2].parse().unwrap(),
        });
        shared.given.notify_all();
    }
    Ok(())
}

/// Calls `write` with each event's number at its time, from 1 on.
fn emit(order: Order, mut write: impl FnMut(u64) -> Io<()>) -> Io<()> {
    let begin = Instant::now();
    for event in 1..=order.events {
        let due = begin + Duration::from_secs_f64((event - 1) as f64 / order.rate);
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        write(event)?;
    }
    Ok(())
}

/// The reference loops' feed: the number and the moment, sixteen bytes each.
fn serve_feed(listener: &TcpListener, shared: &Shared) {
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    let order = shared.await_order();
    let _ = emit(order, |event| {
        let mut record = [0; 16];
        record[..8].copy_from_slice(&event.to_be_bytes());
        record[8..].copy_from_slice(&now_us().to_be_bytes());
        socket.write_all(&record)
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
                let is_second = prepared.contains("\"w\"");
                copy(&mut socket, shared, u64::from(is_second))?;
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
        _ if sql.ends_with(" LIMIT 0") => pgwire::rows(&["seq", "at", "pad"], &[]),
        _ if sql.starts_with("SHOW COLUMNS FROM ") => pgwire::rows(
            &["name", "nullable", "type"],
            &[("seq", "bigint"), ("at", "bigint"), ("pad", "text")]
                .map(|(name, kind)| vec![text(name), text("t"), text(kind)]),
        ),
        _ => pgwire::error("42601", "the bench has no answer to this"),
    }
}

fn update(out: &mut Vec<u8>, timestamp: u64, diff: i64, (seq, at): (u64, u64), pad: &Filling) {
    // The rows of the snapshot all have the number 0.
    let pad = pad.of(if seq == 0 { at } else { seq });
    let line = format!("{timestamp}\tf\t{diff}\t{seq}\t{at}\t{pad}\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

fn progress(out: &mut Vec<u8>, timestamp: u64) {
    let line = format!("{timestamp}\tt\t\\N\t\\N\t\\N\t\\N\n");
    out.extend(pgwire::message(b'd', line.as_bytes()));
}

/// A snapshot of rows with the number 0, then an event per timestamp.
fn copy(socket: &mut TcpStream, shared: &Shared, view: u64) -> Io<()> {
    let mut out = pgwire::copy_out(6);
    progress(&mut out, BEGIN);
    for row in 0..shared.rows {
        update(&mut out, BEGIN, 1, (0, row), &shared.pad);
    }
    progress(&mut out, BEGIN + 1);
    socket.write_all(&out)?;
    let order = shared.await_order();
    let mut standing = VecDeque::new();
    emit(order, |event| {
        out.clear();
        if event % shared.views != view {
            progress(&mut out, BEGIN + event + 1);
            return socket.write_all(&out);
        }
        let row = (event, now_us());
        standing.push_back(row);
        if shared.kept > 0 && standing.len() as u64 > shared.kept {
            let gone = standing.pop_front().unwrap();
            update(&mut out, BEGIN + event, -1, gone, &shared.pad);
        }
        update(&mut out, BEGIN + event, 1, row, &shared.pad);
        progress(&mut out, BEGIN + event + 1);
        socket.write_all(&out)
    })?;
    loop {
        // Until the gateway leaves.
        pgwire::read(socket)?;
    }
}
