//! The client's role: thousands of subscribers on one thread, each of whose
//! events is looked at (`tally`).
//!
//! It has to be much cheaper than the server, or it is itself what is
//! measured: epoll, one buffer for all, no copy but for what arrives in parts.

use std::io::{ErrorKind, Read, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use memchr::memmem;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConnection;
use sha2::{Digest as _, Sha256};

use crate::stamped::Stamped;
use crate::tally::{Tally, Unpack};
use crate::{Io, secure};

/// Longest time without any event at all before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection, as far as it has been read.
struct Link {
    socket: Stamped,
    session: Option<Box<ClientConnection>>,
    /// A chunk of which a part is still to come, from its header on.
    chunk: Vec<u8>,
    has_head: bool,
}

struct Clients {
    links: Vec<Link>,
    tally: Tally,
}

/// `client ADDRESS PATH SUBSCRIBERS ROWS EVENTS every|last ENCODING CERTIFICATE|- REUSED BASES`:
/// says `joined` when every subscriber has its bases, and what it measured when each
/// has every event. `{}` in the path stands for the subscriber's number, from zero.
pub fn run(arguments: &[String]) -> Io<()> {
    let address: SocketAddr = arguments[0].parse().unwrap();
    let word = |at: usize| arguments[at].as_str();
    let count: usize = word(2).parse().unwrap();
    let tls = (word(7) != "-").then(|| secure::client(Path::new(word(7)), &[]));
    let (accept, unpack) = match word(6) {
        "gzip" => ("accept-encoding: gzip\r\n".to_owned(), Unpack::Gzip),
        "dcz" => {
            let dictionary = dictionary(address, &word(1).replace("stream", "dictionary"))?;
            let name = BASE64_STANDARD.encode(Sha256::digest(&dictionary));
            let accept = format!("accept-encoding: dcz\r\navailable-dictionary: :{name}:\r\n");
            (accept, Unpack::with(&dictionary)?)
        }
        _ => (String::new(), Unpack::Nothing),
    };
    let mut poll = Poll::new()?;
    let mut links = Vec::with_capacity(count);
    for token in 0..count {
        let path = word(1).replace("{}", &token.to_string());
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{accept}\r\n");
        let mut socket = std::net::TcpStream::connect(address)?;
        let mut session = match &tls {
            Some(tls) => Some(Box::new(secure::connect(tls, &mut socket)?)),
            None => None,
        };
        if word(8) == "true" {
            socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
            answered(&mut socket)?;
        }
        match &mut session {
            Some(session) => {
                rustls::Stream::new(&mut **session, &mut socket).write_all(request.as_bytes())?;
            }
            None => socket.write_all(request.as_bytes())?,
        }
        let mut socket = Stamped::new(socket)?;
        poll.registry()
            .register(&mut socket.socket, Token(token), Interest::READABLE)?;
        links.push(Link {
            socket,
            session,
            chunk: Vec::new(),
            has_head: false,
        });
    }
    let tally = Tally::new([word(2), word(3), word(4), word(5), word(9)], unpack);
    let mut clients = Clients { links, tally };
    let mut buffer = vec![0; 256 * 1024];
    let mut events = Events::with_capacity(1024);
    let mut last = Instant::now();
    while !clients.tally.is_over() && last.elapsed() < PATIENCE {
        poll.poll(&mut events, Some(Duration::from_secs(1)))?;
        if !events.is_empty() {
            last = Instant::now();
        }
        for event in &events {
            clients.read(event.token().0, &mut buffer)?;
        }
    }
    clients.tally.report()
}

impl Clients {
    fn read(&mut self, at: usize, buffer: &mut [u8]) -> Io<()> {
        loop {
            let length = match self.links[at].read(buffer) {
                Ok(0) => panic!("subscriber {at} was disconnected"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let now = self.links[at].socket.arrived;
            self.tally.bytes(at, length);
            let mut pending = std::mem::take(&mut self.links[at].chunk);
            if pending.is_empty() {
                let taken = self.chunks(at, &buffer[..length], now);
                pending.extend_from_slice(&buffer[taken..length]);
            } else {
                pending.extend_from_slice(&buffer[..length]);
                let taken = self.chunks(at, &pending, now);
                pending.drain(..taken);
            }
            self.links[at].chunk = pending;
            // Less than it could be is all there is; the next edge will tell. Of a
            // session of TLS it is not: there it is what was in one record.
            if length < buffer.len() && self.links[at].session.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes the whole chunks at the beginning; how many bytes they are.
    fn chunks(&mut self, at: usize, bytes: &[u8], now: u64) -> usize {
        let mut taken = 0;
        if !self.links[at].has_head {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
                return 0;
            };
            assert!(
                bytes.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(bytes)
            );
            self.links[at].has_head = true;
            self.tally.head(at);
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
            self.tally.body(at, &chunk[..size], now);
            taken += line + 2 + size + 2;
        }
    }
}

impl Link {
    /// Reads what is there, decrypted where need be.
    fn read(&mut self, buffer: &mut [u8]) -> Io<usize> {
        let Some(session) = &mut self.session else {
            return self.socket.read(buffer);
        };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if session.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().unwrap();
        }
    }
}

/// Fetches a view's dictionary.
fn dictionary(address: SocketAddr, path: &str) -> Io<String> {
    let mut socket = std::net::TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes())?;
    let answer = answered(&mut socket)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Ok(body.to_owned())
}

/// Reads an answer that has a length.
fn answered(socket: &mut impl Read) -> Io<String> {
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let length = socket.read(&mut buffer)?;
        assert!(length > 0, "no answer");
        text.extend_from_slice(&buffer[..length]);
        let answer = String::from_utf8_lossy(&text);
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        if body.len() >= length {
            return Ok(answer.into_owned());
        }
    }
}
