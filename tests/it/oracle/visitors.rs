//! Those who are no clients of the rows: who asks for snapshots again and again,
//! and compares them, and who takes a place and does not read. They must change
//! nothing for the others, and leave nothing behind.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::arena::Arena;
use super::changes::base_of;
use super::client::Wrong;
use super::tally::{DIVERGENCE, FORMAT, count};
use super::windows::Window;
use crate::support::dice::Dice;
use crate::support::http2::{self, literal};

/// How long a visitor waits for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// One visitor, and its own dice.
pub struct Visitor<'a> {
    arena: &'a Arena<'a>,
    dice: Dice,
}

impl<'a> Visitor<'a> {
    pub fn new(arena: &'a Arena<'a>, seed: u64) -> Self {
        Visitor {
            arena,
            dice: Dice::new(seed),
        }
    }

    /// Comes and goes until the views are about to end.
    pub fn run(mut self) {
        while !self.arena.is_over() && self.arena.end_of(0).is_none() {
            let (address, _) = self.arena.slot(self.dice.below(2));
            let view = self.dice.below(self.arena.seen.len());
            let done = match self.dice.below(10) {
                0..4 => self.poll(address, view),
                4 => self.stand(address, &format!("GET /v{view} HTTP/1.1\r\n")),
                5 => self.stand(address, &format!("GET /v{view}/stream HTTP/1.1\r\n")),
                6 => self.stand(address, "GET /stream?view=v0 HTTP/1.1\r\n"),
                7 => self.read_slowly(address, view),
                _ => self.shut_windows(address, view),
            };
            match done {
                Some(kind) => self.arena.tally.fault(kind),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Asks for the rows, and compares them with what is true at that time.
    fn poll(&mut self, address: SocketAddr, view: usize) -> Option<&'static str> {
        let method = match self.dice.percent(30) {
            true => "HEAD",
            false => "GET",
        };
        let window = Window::draw(&mut self.dice);
        let mut path = format!("/v{view}");
        if let Some(window) = &window {
            let histories = self.arena.histories.read().unwrap();
            let column = histories.column_of(view).unwrap_or_default();
            path = path + "?" + &window.query(column);
        }
        let request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let mut socket = ask(address, &request, false)?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).ok()?;
        if method == "GET"
            && let Err((kind, text)) = self.compare(view, window.as_ref(), &answer)
        {
            let text = format!("GET {path} of {address}: {text}");
            self.arena.fail(kind, text);
        }
        thread::sleep(Duration::from_millis(self.dice.between(0, 60)));
        Some("snapshot asked for")
    }

    fn compare(&self, view: usize, window: Option<&Window>, answer: &[u8]) -> Result<(), Wrong> {
        let text = std::str::from_utf8(answer).map_err(|_| (FORMAT, "not UTF-8".to_owned()))?;
        // The gateway was killed, or is not there yet.
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Ok(());
        };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
        };
        let length = header("content-length").and_then(|text| text.parse().ok());
        if !head.starts_with("HTTP/1.1 200")
            || length.is_some_and(|length: usize| body.len() < length)
        {
            return Ok(());
        }
        // A large window comes in chunks.
        if window.is_some() && length.is_none() {
            return Ok(());
        }
        let (Some(tag), Some(_)) = (header("etag"), length) else {
            return Err((FORMAT, format!("rows without a tag or a length: {head}")));
        };
        let tag = tag.trim_matches('"');
        let Some((timestamp, incarnation)) = tag.split_once('-') else {
            return Err((FORMAT, format!("a tag that is no position: {tag}")));
        };
        let timestamp = timestamp
            .parse()
            .map_err(|_| (FORMAT, format!("tag {tag}")))?;
        let (_, sum) = base_of(body, &mut self.arena.seen[view].lock().unwrap())?;
        count(&self.arena.tally.comparisons);
        let histories = self.arena.histories.read().unwrap();
        let candidates = histories.of_view(view, timestamp, sum, window);
        drop(histories);
        if candidates.is_empty() {
            return Err((DIVERGENCE, format!("at {tag}: {body:.400}")));
        }
        match self.arena.is_one_life(incarnation, &candidates) {
            true => Ok(()),
            false => Err((DIVERGENCE, format!("{tag} is of another view than before"))),
        }
    }

    /// Takes a place and does not read.
    fn stand(&mut self, address: SocketAddr, request: &str) -> Option<&'static str> {
        let socket = ask(address, request, true)?;
        self.wait();
        drop(socket);
        Some("peer that does not read")
    }

    /// Reads a few bytes now and then.
    fn read_slowly(&mut self, address: SocketAddr, view: usize) -> Option<&'static str> {
        let mut socket = ask(address, &format!("GET /v{view}/stream HTTP/1.1\r\n"), true)?;
        let mut piece = [0; 64];
        for _ in 0..self.dice.between(5, 60) {
            if self.arena.is_over() || !matches!(socket.read(&mut piece), Ok(1..)) {
                break;
            }
            thread::sleep(Duration::from_millis(self.dice.between(1, 60)));
        }
        Some("peer that reads slowly")
    }

    /// Streams over HTTP/2 whose windows are shut or nearly so; some are reset.
    fn shut_windows(&mut self, address: SocketAddr, view: usize) -> Option<&'static str> {
        let mut socket = connect(address, true)?;
        let window = match self.dice.percent(50) {
            true => 0,
            false => 64,
        };
        let mut bytes = http2::preface(window);
        let streams = u32::try_from(self.dice.between(1, 5)).unwrap();
        for stream in 0..streams {
            let path = match self.dice.below(3) {
                0 => "/stream?view=v0".to_owned(),
                1 => format!("/v{view}"),
                _ => format!("/v{view}/stream"),
            };
            let headers = [
                literal(":method", "GET"),
                literal(":scheme", "http"),
                literal(":path", &path),
                literal(":authority", "127.0.0.1"),
            ];
            bytes.extend(http2::frame(1, 5, 2 * stream + 1, &headers.concat()));
        }
        socket.write_all(&bytes).ok()?;
        for stream in 0..streams {
            if self.dice.percent(40) {
                let reset = http2::frame(3, 0, 2 * stream + 1, &8_u32.to_be_bytes());
                socket.write_all(&reset).ok()?;
            }
        }
        self.wait();
        Some("shut windows of HTTP/2")
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_millis(self.dice.between(10, 1_500));
        while Instant::now() < until && !self.arena.is_over() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn connect(address: SocketAddr, is_narrow: bool) -> Option<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).ok()?;
    if is_narrow {
        socket.set_recv_buffer_size(4 * 1024).ok()?;
    }
    socket.connect_timeout(&address.into(), ANSWER).ok()?;
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(ANSWER)).ok()?;
    Some(socket)
}

/// Sends a request, of which this is the first lines.
fn ask(address: SocketAddr, request: &str, is_narrow: bool) -> Option<TcpStream> {
    let mut socket = connect(address, is_narrow)?;
    let request = format!("{request}Host: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    Some(socket)
}
