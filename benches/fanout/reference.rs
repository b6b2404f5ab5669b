//! The references' role: what fan-out costs if there is nothing but fan-out.
//!
//! One thread. Each event is encoded once, chunk header included, appended to
//! one log of bytes, and written to every socket without blocking. `bare`
//! calls `write` once per socket and event; `gathering` once per socket for
//! all that has come since, which is as cheap as it gets under a burst;
//! `deflating` compresses for each socket by itself, as middleware does.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use mio::{Events, Interest, Poll, Token};
use rustls::{ServerConfig, ServerConnection};

use crate::{Filling, Io, secure};

/// What a gzip stream begins with.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                    cache-control: no-store\r\ntransfer-encoding: chunked\r\n\r\n";

/// Everything that was ever said, and where each event ends in it.
#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The events alone, for who compresses them.
    texts: Vec<String>,
}

impl Log {
    fn push(&mut self, event: &str, id: u64, data: &str) {
        let text = format!("event: {event}\ndata: [{data}]\nid: {id}-5f3a9c01b2d4\n\n");
        let chunk = format!("{:X}\r\n{text}\r\n", text.len());
        self.bytes.extend_from_slice(chunk.as_bytes());
        self.ends.push(self.bytes.len());
        self.texts.push(text);
    }
}

struct Peer {
    socket: TcpStream,
    /// Bytes of the log it has.
    sent: usize,
    /// Its session of TLS; what that has no room for stays in it.
    session: Option<ServerConnection>,
    /// Its own compression, and what of that had no room.
    deflate: Option<(Compress, Vec<u8>)>,
}

/// `reference bare|gathering|deflating SUBSCRIBERS ROWS PAD FEED-PORT CERTIFICATE|-`
pub fn run(arguments: &[String]) -> Io<()> {
    let number = |at: usize| -> u64 { arguments[at].parse().unwrap() };
    let gathers = arguments[0] == "gathering";
    let deflates = arguments[0] == "deflating";
    let pad = Filling(usize::try_from(number(3)).unwrap());
    let row = |seq: u64, at: u64| {
        let pad = pad.of(if seq == 0 { at } else { seq });
        format!("{{\"seq\":{seq},\"at\":{at},\"pad\":\"{pad}\"}}")
    };
    let mut log = Log::default();
    let base: Vec<String> = (0..number(2)).map(|at| row(0, at)).collect();
    log.push("base", 1_700_000_000_000, &base.join(","));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut feed = TcpStream::connect(("127.0.0.1", u16::try_from(number(4)).unwrap()))?;
    let tls = (arguments[5] != "-").then(|| secure::server(Path::new(&arguments[5])));
    let mut peers = (0..number(1))
        .map(|_| accept(&listener, &log, deflates, tls.as_ref()))
        .collect::<Io<Vec<_>>>()?;
    catch_up(&mut peers, &log)?;

    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        match feed.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(()),
            Ok(length) => filled += length,
            Err(error) if would_block(&error) => {}
            Err(error) => return Err(error),
        }
        let first = log.ends.len();
        let whole = filled - filled % 16;
        for record in buffer[..whole].chunks(16) {
            let word = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().unwrap());
            let data = format!("{{\"insert\":{}}}", row(word(0), word(8)));
            log.push("delta", 1_700_000_000_000 + word(0), &data);
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        let ends = match gathers {
            true => &log.ends[log.ends.len() - 1..],
            // Also without news: what did not fit before.
            false => &log.ends[first.min(log.ends.len() - 1)..],
        };
        let mut is_behind = false;
        if deflates {
            for peer in &mut peers {
                is_behind |= !compress(peer, &log.texts[first..])?;
            }
            feed.set_read_timeout(is_behind.then_some(Duration::from_millis(1)))?;
            continue;
        }
        for end in ends {
            is_behind = false;
            for peer in &mut peers {
                is_behind |= !write(peer, &log, *end)?;
            }
        }
        // Whoever had no room is looked at again soon.
        feed.set_read_timeout(is_behind.then_some(Duration::from_millis(1)))?;
    }
}

fn accept(
    listener: &TcpListener,
    log: &Log,
    deflates: bool,
    tls: Option<&Arc<ServerConfig>>,
) -> Io<Peer> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    if let Some(tls) = tls {
        return accept_secure(socket, log, tls);
    }
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let length = socket.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..length]);
    }
    socket.write_all(HEAD.as_bytes())?;
    if deflates {
        let head = format!("{:X}\r\n", GZIP_HEAD.len()).into_bytes();
        socket.write_all(&[&head[..], &GZIP_HEAD, b"\r\n"].concat())?;
        let deflate = (Compress::new(Compression::new(6), false), Vec::new());
        let mut peer = Peer {
            socket,
            sent: 0,
            session: None,
            deflate: Some(deflate),
        };
        compress(&mut peer, &log.texts)?;
        peer.socket.set_nonblocking(true)?;
        return Ok(peer);
    }
    socket.set_nonblocking(true)?;
    let mut peer = Peer {
        socket,
        sent: 0,
        session: None,
        deflate: None,
    };
    // What does not fit is written when all are in: who connects first reads
    // nothing until the last is connected.
    write(&mut peer, log, log.bytes.len())?;
    Ok(peer)
}

fn accept_secure(mut socket: TcpStream, log: &Log, tls: &Arc<ServerConfig>) -> Io<Peer> {
    let mut session = secure::accept(tls, &mut socket)?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    while !request.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..length]);
    }
    stream.write_all(HEAD.as_bytes())?;
    socket.set_nonblocking(true)?;
    let mut peer = Peer {
        socket,
        sent: 0,
        session: Some(session),
        deflate: None,
    };
    write(&mut peer, log, log.bytes.len())?;
    Ok(peer)
}

/// Writes the rest of a large base to each, as it has room.
fn catch_up(peers: &mut [Peer], log: &Log) -> Io<()> {
    let end = log.bytes.len();
    let is_behind = |peer: &Peer| peer.deflate.is_none() && peer.sent < end;
    let mut poll = Poll::new()?;
    let mut watched = Vec::new();
    for (at, peer) in peers.iter().enumerate().filter(|(_, peer)| is_behind(peer)) {
        let mut socket = mio::net::TcpStream::from_std(peer.socket.try_clone()?);
        poll.registry()
            .register(&mut socket, Token(at), Interest::WRITABLE)?;
        watched.push(socket);
    }
    let mut events = Events::with_capacity(1024);
    let mut left = watched.len();
    while left > 0 {
        poll.poll(&mut events, None)?;
        for event in &events {
            let peer = &mut peers[event.token().0];
            if is_behind(peer) && write_all_room(peer, log, end)? {
                left -= 1;
            }
        }
    }
    Ok(())
}

/// Writes until there is no room or nothing left; whether the latter.
fn write_all_room(peer: &mut Peer, log: &Log, end: usize) -> Io<bool> {
    loop {
        let before = peer.sent;
        if write(peer, log, end)? {
            return Ok(true);
        }
        if peer.sent == before {
            return Ok(false);
        }
    }
}

/// Compresses and writes events, each flushed, as far as there is room; whether
/// there was.
fn compress(peer: &mut Peer, texts: &[String]) -> Io<bool> {
    let Some((deflate, unsent)) = &mut peer.deflate else {
        return Ok(true);
    };
    for text in texts {
        let mut packed = Vec::with_capacity(text.len() + text.len() / 1000 + 64);
        deflate
            .compress_vec(text.as_bytes(), &mut packed, FlushCompress::Sync)
            .unwrap();
        unsent.extend_from_slice(format!("{:X}\r\n", packed.len()).as_bytes());
        unsent.extend_from_slice(&packed);
        unsent.extend_from_slice(b"\r\n");
    }
    while !unsent.is_empty() {
        match peer.socket.write(unsent) {
            Ok(length) => drop(unsent.drain(..length)),
            Err(error) if would_block(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Writes up to `end`, as far as there is room; whether there was.
fn write(peer: &mut Peer, log: &Log, end: usize) -> Io<bool> {
    if let Some(session) = &mut peer.session {
        if peer.sent < end && !session.wants_write() {
            peer.sent += session.writer().write(&log.bytes[peer.sent..end])?;
        }
        while session.wants_write() {
            match session.write_tls(&mut peer.socket) {
                Ok(_) => {}
                Err(error) if would_block(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        return Ok(peer.sent >= end);
    }
    if peer.sent >= end {
        return Ok(true);
    }
    match peer.socket.write(&log.bytes[peer.sent..end]) {
        Ok(length) => peer.sent += length,
        Err(error) if would_block(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(peer.sent >= end)
}

fn would_block(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
