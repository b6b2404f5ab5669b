//! A subscriber: a socket, lines, and what EventSource does between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::writer::TABLE;

/// A browser waits this long where nothing else is said.
const RETRY: Duration = Duration::from_secs(2);

/// How often each thing was said.
#[derive(Clone, Debug, Default)]
pub struct Said {
    bases: usize,
    deltas: usize,
    gone: Vec<String>,
    lost: usize,
    connections: usize,
}

impl Said {
    /// What was said since an earlier moment, in words.
    pub fn since(&self, before: &Said) -> String {
        let mut words = Vec::new();
        let connections = self.connections - before.connections;
        let bases = self.bases - before.bases;
        if connections > 0 {
            words.push(format!("{connections} reconnected"));
        }
        words.extend(
            self.gone[before.gone.len()..]
                .iter()
                .map(|it| format!("`gone` ({it})")),
        );
        if self.lost > before.lost {
            words.push(format!("{} `lost`", self.lost - before.lost));
        }
        words.push(match bases {
            0 => "deltas only".to_owned(),
            1 => "1 base".to_owned(),
            n => format!("{n} bases"),
        });
        words.join(", ")
    }
}

#[derive(Default)]
struct State {
    /// The values of the first column of all rows.
    rows: BTreeSet<u64>,
    /// When each change was seen, and a row of it.
    changes: Vec<(Instant, u64)>,
    /// When each row was seen first.
    seen: BTreeMap<u64, Instant>,
    said: Said,
    last_id: Option<String>,
    retry: Option<Duration>,
}

pub struct Client {
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
}

impl Client {
    /// Reads the path from the first of the gateways that answers.
    pub fn start(gateways: Vec<SocketAddr>, path: String) -> Self {
        let client = Client {
            state: Arc::default(),
            is_over: Arc::default(),
        };
        let (state, is_over) = (Arc::clone(&client.state), Arc::clone(&client.is_over));
        thread::spawn(move || {
            let mut tried = 0;
            while !is_over.load(Ordering::Relaxed) {
                let address = gateways[tried % gateways.len()];
                if read(address, &path, &state, &is_over).is_err() {
                    tried += 1;
                }
                let retry = state.lock().unwrap().retry.unwrap_or(RETRY);
                // Where another gateway is, a proxy in front asks it at once.
                let wait = if gateways.len() > 1 {
                    retry.min(Duration::from_millis(100))
                } else {
                    retry
                };
                thread::sleep(wait);
                state.lock().unwrap().said.connections += 1;
            }
        });
        client
    }

    /// Waits until there is a base; whether one came.
    pub fn await_rows(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.state.lock().unwrap().said.bases == 0 && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        self.state.lock().unwrap().said.bases > 0
    }

    /// When a row was seen, if it is within the time.
    pub fn await_row(&self, row: u64, patience: Duration) -> Option<Instant> {
        let end = Instant::now() + patience;
        loop {
            let seen = self.state.lock().unwrap().seen.get(&row).copied();
            if seen.is_some() || Instant::now() > end {
                return seen;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The longest time without a change between two moments; from the first on,
    /// only those of this table count.
    pub fn gap(&self, begin: Instant, end: Instant, table: u64) -> Duration {
        let state = self.state.lock().unwrap();
        let changes = state.changes.iter();
        let counted = changes.filter(|(at, row)| *at <= begin || row / TABLE == table);
        let inside = counted.map(|(at, _)| *at);
        let before = inside.clone().filter(|at| *at <= begin).max();
        let mut last = before.unwrap_or(begin);
        let mut longest = Duration::ZERO;
        for at in inside.filter(|at| *at > begin && *at <= end) {
            longest = longest.max(at.duration_since(last));
            last = at;
        }
        longest.max(end.saturating_duration_since(last))
    }

    pub fn said(&self) -> Said {
        self.state.lock().unwrap().said.clone()
    }

    /// The rows, once they are the expected ones or the time is over.
    pub fn settle(&self, expected: &BTreeSet<u64>, patience: Duration) -> (BTreeSet<u64>, Said) {
        let end = Instant::now() + patience;
        loop {
            let state = self.state.lock().unwrap();
            if state.rows == *expected || Instant::now() > end {
                return (state.rows.clone(), state.said.clone());
            }
            drop(state);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Reads one answer to its end.
fn read(
    address: SocketAddr,
    path: &str,
    state: &Mutex<State>,
    is_over: &AtomicBool,
) -> std::io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let last_id = state.lock().unwrap().last_id.clone();
    let id = last_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{id}\r\n"
    )?;
    let mut socket = BufReader::new(socket);
    let mut line = String::new();
    loop {
        line.clear();
        if socket.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let (mut name, mut data, mut id) = (String::new(), String::new(), None);
    let mut text = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        // HTTP/1.1 is answered in chunks.
        line.clear();
        socket.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        if length == 0 {
            return Ok(());
        }
        let mut chunk = vec![0; length + 2];
        socket.read_exact(&mut chunk)?;
        text.extend_from_slice(&chunk[..length]);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => data.push_str(value),
                "id" => id = Some(value.to_owned()),
                "retry" => {
                    let retry = value.parse().ok().map(Duration::from_millis);
                    state.lock().unwrap().retry = retry;
                }
                "" if line.is_empty() => {
                    let mut state = state.lock().unwrap();
                    state.take(&name, &data);
                    if let Some(id) = id.take() {
                        state.last_id = Some(id);
                    }
                    name.clear();
                    data.clear();
                }
                _ => {}
            }
        }
    }
    Ok(())
}

impl State {
    fn take(&mut self, name: &str, data: &str) {
        let value: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
        let entries = value.as_array().cloned().unwrap_or_default();
        let now = Instant::now();
        let mut of_it = None;
        match name {
            "base" => {
                self.said.bases += 1;
                self.rows = entries.iter().filter_map(number).collect();
                of_it = self.rows.iter().max().copied();
                for row in &self.rows {
                    self.seen.entry(*row).or_insert(now);
                }
            }
            "delta" if !entries.is_empty() => {
                self.said.deltas += 1;
                for entry in &entries {
                    if let Some(row) = number(&entry["delete"]) {
                        self.rows.remove(&row);
                    }
                    if let Some(row) = number(&entry["insert"]) {
                        self.rows.insert(row);
                        self.seen.entry(row).or_insert(now);
                        of_it = Some(row);
                    }
                }
            }
            "gone" => {
                let reason = value["reason"].as_str();
                self.said
                    .gone
                    .push(reason.unwrap_or("no reason").to_owned());
                return;
            }
            "upstream" => {
                self.said.lost += usize::from(value == "lost");
                return;
            }
            _ => return,
        }
        self.changes.extend(of_it.map(|row| (now, row)));
    }
}

/// The first column of a row.
fn number(row: &serde_json::Value) -> Option<u64> {
    row["a"].as_u64()
}
