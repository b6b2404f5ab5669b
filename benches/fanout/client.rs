//! The clients' role: thousands of subscribers on one thread, each of whose
//! events is looked at.
//!
//! It has to be much cheaper than the server, or it is itself what is
//! measured: epoll, one buffer for all, no copy but for what arrives in parts.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::{Io, now_us};

/// Longest time without any event at all before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// A subscriber, as far as it has read.
struct Peer {
    socket: TcpStream,
    /// A chunk of which a part is still to come, from its header on.
    chunk: Vec<u8>,
    /// An event of which a part is still to come.
    event: Vec<u8>,
    has_head: bool,
    has_base: bool,
    /// The number of the next event.
    next: u64,
}

struct Clients {
    peers: Vec<Peer>,
    rows: u64,
    events: u64,
    joined: usize,
    finished: usize,
    received: u64,
    latency: Histogram<u64>,
}

/// `client ADDRESS PATH SUBSCRIBERS ROWS EVENTS`: says `joined` when every
/// subscriber has its base, and what it measured when each has every event.
pub fn run(arguments: &[String]) -> Io<()> {
    let address: SocketAddr = arguments[0].parse().unwrap();
    let number = |at: usize| -> u64 { arguments[at].parse().unwrap() };
    let count = usize::try_from(number(2)).unwrap();
    let mut poll = Poll::new()?;
    let request = format!("GET {} HTTP/1.1\r\nhost: bench\r\n\r\n", arguments[1]);
    let mut peers = Vec::with_capacity(count);
    for token in 0..count {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.write_all(request.as_bytes())?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry()
            .register(&mut socket, Token(token), Interest::READABLE)?;
        peers.push(Peer {
            socket,
            chunk: Vec::new(),
            event: Vec::new(),
            has_head: false,
            has_base: false,
            next: 1,
        });
    }
    let mut clients = Clients {
        peers,
        rows: number(3),
        events: number(4),
        joined: 0,
        finished: 0,
        received: 0,
        latency: Histogram::new(3).unwrap(),
    };
    let mut buffer = vec![0; 256 * 1024];
    let mut events = Events::with_capacity(1024);
    let mut last = Instant::now();
    let mut has_said = false;
    while clients.finished < count || !has_said {
        poll.poll(&mut events, Some(Duration::from_secs(1)))?;
        if !events.is_empty() {
            last = Instant::now();
        }
        for event in &events {
            clients.read(event.token().0, &mut buffer)?;
        }
        if clients.joined == count && !has_said {
            has_said = true;
            println!("joined");
            if clients.events == 0 {
                break;
            }
        }
        if last.elapsed() > PATIENCE {
            break;
        }
    }
    println!("received {}", clients.received);
    for value in clients.latency.iter_recorded() {
        println!(
            "latency {} {}",
            value.value_iterated_to(),
            value.count_at_value()
        );
    }
    println!("end");
    // Until told to leave: idle subscribers are what is measured, too.
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

impl Clients {
    fn read(&mut self, at: usize, buffer: &mut [u8]) -> Io<()> {
        loop {
            let length = match self.peers[at].socket.read(buffer) {
                Ok(0) => panic!("subscriber {at} was disconnected"),
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let now = now_us();
            let mut pending = std::mem::take(&mut self.peers[at].chunk);
            if pending.is_empty() {
                let taken = self.bytes(at, &buffer[..length], now);
                pending.extend_from_slice(&buffer[taken..length]);
            } else {
                pending.extend_from_slice(&buffer[..length]);
                let taken = self.bytes(at, &pending, now);
                pending.drain(..taken);
            }
            self.peers[at].chunk = pending;
            // Less than it could be is all there is; the next edge will tell.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Takes the whole chunks at the beginning; how many bytes they are.
    fn bytes(&mut self, at: usize, bytes: &[u8], now: u64) -> usize {
        let mut taken = 0;
        if !self.peers[at].has_head {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
                return 0;
            };
            assert!(
                bytes.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(bytes)
            );
            self.peers[at].has_head = true;
            taken = end + 4;
        }
        loop {
            let rest = &bytes[taken..];
            let Some(line) = memmem::find(rest.get(..20).unwrap_or(rest), b"\r\n") else {
                return taken;
            };
            let size = std::str::from_utf8(&rest[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).expect("a chunk's size");
            assert!(size > 0, "subscriber {at}: the stream ended");
            let Some(chunk) = rest.get(line + 2..line + 2 + size + 2) else {
                return taken;
            };
            assert!(chunk.ends_with(b"\r\n"), "a chunk's end");
            self.payload(at, &chunk[..size], now);
            taken += line + 2 + size + 2;
        }
    }

    fn payload(&mut self, at: usize, bytes: &[u8], now: u64) {
        let mut event = std::mem::take(&mut self.peers[at].event);
        if event.is_empty() && bytes.ends_with(b"\n\n") {
            self.events(at, bytes, now);
        } else {
            event.extend_from_slice(bytes);
            if event.ends_with(b"\n\n") {
                self.events(at, &event, now);
                event = Vec::new();
            }
            self.peers[at].event = event;
        }
    }

    /// One or several whole events.
    fn events(&mut self, at: usize, mut bytes: &[u8], now: u64) {
        while let Some(end) = memmem::find(bytes, b"\n\n") {
            let (event, rest) = bytes.split_at(end + 2);
            bytes = rest;
            if event.starts_with(b"event: delta\n") {
                self.delta(at, event, now);
            } else if event.starts_with(b"event: base\n") {
                let rows = memmem::find_iter(event, b"\"seq\":0,").count();
                assert_eq!(rows as u64, self.rows, "rows of subscriber {at}'s base");
                assert!(!self.peers[at].has_base, "a second base");
                self.peers[at].has_base = true;
                self.joined += 1;
            }
        }
    }

    /// A delta may hold several events, merged for who is behind; none may be
    /// missing and none may come twice.
    fn delta(&mut self, at: usize, event: &[u8], now: u64) {
        let mut rows: Vec<(u64, u64)> = memmem::find_iter(event, b"\"seq\":")
            .map(|place| {
                let text = &event[place + 6..];
                let (seq, text) = digits(text);
                (seq, digits(&text[b",\"at\":".len()..]).0)
            })
            .collect();
        rows.sort_unstable();
        for (seq, sent) in rows {
            let peer = &mut self.peers[at];
            assert_eq!(seq, peer.next, "the next event of subscriber {at}");
            peer.next += 1;
            self.received += 1;
            self.latency.record(now.saturating_sub(sent)).unwrap();
            if seq == self.events {
                self.finished += 1;
            }
        }
    }
}

fn digits(text: &[u8]) -> (u64, &[u8]) {
    let end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..end]).unwrap().parse();
    (number.unwrap(), &text[end..])
}
