//! The clients' role: thousands of subscribers on one thread, each of whose
//! events is looked at.
//!
//! It has to be much cheaper than the server, or it is itself what is
//! measured: epoll, one buffer for all, no copy but for what arrives in parts.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flate2::{Decompress, FlushDecompress};
use hdrhistogram::Histogram;
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::{Io, now_us};

/// Longest time without any event at all before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a gzip stream before its first block, without a name and the like.
const GZIP_HEAD_BYTES: usize = 10;

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
    /// Unpacks what was asked for packed.
    inflate: Option<Decompress>,
    /// Bytes of the packed stream's head that are still to come.
    gzip_head: usize,
}

struct Clients {
    peers: Vec<Peer>,
    /// Rows of the base; negative where the subscribers need none.
    rows: i64,
    events: u64,
    /// Whether events may be left out that a later one has undone.
    only_last: bool,
    joined: usize,
    finished: usize,
    received: u64,
    /// Deltas, and bytes since the base.
    frames: u64,
    bytes: u64,
    /// Bytes up to the base.
    base_bytes: u64,
    unpacked: Vec<u8>,
    latency: Histogram<u64>,
}

/// `client ADDRESS PATH SUBSCRIBERS ROWS EVENTS every|last ENCODING`: says `joined` when every
/// subscriber has its base, and what it measured when each has every event. `{}` in the path
/// stands for the subscriber's number, from zero.
pub fn run(arguments: &[String]) -> Io<()> {
    let address: SocketAddr = arguments[0].parse().unwrap();
    let number = |at: usize| -> u64 { arguments[at].parse().unwrap() };
    let count = usize::try_from(number(2)).unwrap();
    let is_packed = arguments[6] == "gzip";
    let mut poll = Poll::new()?;
    let accept = if is_packed {
        "accept-encoding: gzip\r\n"
    } else {
        ""
    };
    let mut peers = Vec::with_capacity(count);
    for token in 0..count {
        let mut socket = std::net::TcpStream::connect(address)?;
        let path = arguments[1].replace("{}", &token.to_string());
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{accept}\r\n");
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
            inflate: is_packed.then(|| Decompress::new(false)),
            gzip_head: GZIP_HEAD_BYTES,
        });
    }
    let mut clients = Clients {
        peers,
        rows: arguments[3].parse().unwrap(),
        events: number(4),
        only_last: arguments[5] == "last",
        joined: 0,
        finished: 0,
        received: 0,
        frames: 0,
        bytes: 0,
        base_bytes: 0,
        unpacked: vec![0; 256 * 1024],
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
    println!(
        "received {} {} {} {} {}",
        clients.received, clients.finished, clients.frames, clients.bytes, clients.base_bytes
    );
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
            match self.peers[at].has_base {
                true => self.bytes += length as u64,
                false => self.base_bytes += length as u64,
            }
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
            if self.rows < 0 {
                self.peers[at].has_base = true;
                self.joined += 1;
            }
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
            if self.peers[at].inflate.is_some() {
                self.unpack(at, &chunk[..size], now);
            } else {
                self.payload(at, &chunk[..size], now);
            }
            taken += line + 2 + size + 2;
        }
    }

    fn unpack(&mut self, at: usize, mut bytes: &[u8], now: u64) {
        let head = self.peers[at].gzip_head.min(bytes.len());
        self.peers[at].gzip_head -= head;
        bytes = &bytes[head..];
        let mut inflate = self.peers[at].inflate.take().unwrap();
        let mut out = std::mem::take(&mut self.unpacked);
        loop {
            let (before, after) = (inflate.total_in(), inflate.total_out());
            inflate
                .decompress(bytes, &mut out, FlushDecompress::Sync)
                .expect("deflate");
            bytes = &bytes[(inflate.total_in() - before) as usize..];
            let length = (inflate.total_out() - after) as usize;
            if length > 0 {
                self.payload(at, &out[..length], now);
            }
            if bytes.is_empty() && length < out.len() {
                break;
            }
        }
        self.unpacked = out;
        self.peers[at].inflate = Some(inflate);
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
            let event = without_retry(event);
            if event.starts_with(b"event: delta\n") {
                self.delta(at, event, now);
            } else if event.starts_with(b"event: base\n") && self.rows >= 0 {
                let rows = memmem::find_iter(event, b"\"seq\":0,").count();
                assert_eq!(rows as i64, self.rows, "rows of subscriber {at}'s base");
                assert!(!self.peers[at].has_base, "a second base");
                self.peers[at].has_base = true;
                self.joined += 1;
            }
        }
    }

    /// A delta may hold several events, merged for who is behind; none may be
    /// missing and none may come twice.
    fn delta(&mut self, at: usize, event: &[u8], now: u64) {
        self.frames += 1;
        let inserted = b"\"insert\":{\"seq\":";
        let mut rows: Vec<(u64, u64)> = memmem::find_iter(event, inserted)
            .map(|place| {
                let text = &event[place + inserted.len()..];
                let (seq, text) = digits(text);
                (seq, digits(&text[b",\"at\":".len()..]).0)
            })
            .collect();
        rows.sort_unstable();
        for (seq, sent) in rows {
            let peer = &mut self.peers[at];
            if self.only_last {
                assert!(seq >= peer.next, "an event of subscriber {at} comes again");
            } else {
                assert_eq!(seq, peer.next, "the next event of subscriber {at}");
            }
            peer.next = seq + 1;
            self.received += 1;
            self.latency.record(now.saturating_sub(sent)).unwrap();
            if seq == self.events {
                self.finished += 1;
            }
        }
    }
}

/// The event without the line that the first one begins with: when to come back.
fn without_retry(event: &[u8]) -> &[u8] {
    match memmem::find(event, b"\n") {
        Some(end) if event.starts_with(b"retry: ") => &event[end + 1..],
        _ => event,
    }
}

fn digits(text: &[u8]) -> (u64, &[u8]) {
    let end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..end]).unwrap().parse();
    (number.unwrap(), &text[end..])
}
