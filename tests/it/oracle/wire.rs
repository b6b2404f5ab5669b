//! A client of one stream that survives everything: no word is expected, and
//! the way a connection ends is an answer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// One event as it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: String,
}

/// What reading has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    Event(Event),
    /// Nothing within the time.
    Nothing,
    /// The stream has ended as it should, between two events.
    Ended,
    /// The connection broke.
    Broken,
    /// What came is not what the contract says.
    Wrong(String),
}

/// How the body's length is told.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Head,
    Chunked,
    UntilClosed,
}

pub struct Wire {
    socket: TcpStream,
    raw: Vec<u8>,
    framing: Framing,
    /// Bytes of the current chunk still to come, with its line end.
    chunk: usize,
    body: Vec<u8>,
    /// Bytes of `body` that hold no end of an event.
    looked: usize,
    is_over: bool,
}

/// How a client asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// The position goes into the query, not the header.
    pub in_query: bool,
    /// Little is buffered for it.
    pub is_narrow: bool,
}

/// The time one read waits.
const LOOK: Duration = Duration::from_millis(100);

impl Wire {
    /// Asks for a stream; `None` if nobody is there.
    pub fn open(address: SocketAddr, path: &str, last_id: Option<&str>, how: How) -> Option<Wire> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).ok()?;
        if how.is_narrow {
            // The kernel then holds little for a reader that stands still.
            socket.set_recv_buffer_size(4 * 1024).ok()?;
        }
        socket
            .connect_timeout(&address.into(), Duration::from_secs(5))
            .ok()?;
        let mut socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(LOOK)).ok()?;
        socket.set_nodelay(true).ok()?;
        let more = if path.contains('?') { '&' } else { '?' };
        let request = match last_id {
            Some(id) if how.in_query => {
                format!("GET {path}{more}lastEventId={id} HTTP/1.1\r\nHost: {address}\r\n\r\n")
            }
            Some(id) => {
                format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: {id}\r\n\r\n")
            }
            None => format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        };
        socket.write_all(request.as_bytes()).ok()?;
        Some(Wire {
            socket,
            raw: Vec::new(),
            framing: Framing::Head,
            chunk: 0,
            body: Vec::new(),
            looked: 0,
            is_over: false,
        })
    }

    /// The next event, or why there is none yet.
    pub fn read(&mut self) -> Read {
        loop {
            if let Some(event) = self.event() {
                return event;
            }
            if self.is_over {
                let rest = String::from_utf8_lossy(&self.body);
                return match rest.trim().is_empty() {
                    true => Read::Ended,
                    false => Read::Wrong(format!("the stream ended inside an event: {rest:.200}")),
                };
            }
            let mut piece = [0; 16 * 1024];
            match self.socket.read(&mut piece) {
                Ok(0) if self.framing == Framing::UntilClosed => self.is_over = true,
                Ok(0) => return Read::Broken,
                Ok(read) => {
                    self.raw.extend_from_slice(&piece[..read]);
                    if let Err(wrong) = self.unframe() {
                        return Read::Wrong(wrong);
                    }
                }
                Err(error) => {
                    return match error.kind() {
                        ErrorKind::WouldBlock | ErrorKind::TimedOut => Read::Nothing,
                        _ => Read::Broken,
                    };
                }
            }
        }
    }

    /// Moves what is whole from `raw` to `body`.
    fn unframe(&mut self) -> Result<(), String> {
        loop {
            match self.framing {
                Framing::Head => {
                    let Some(end) = find(&self.raw, b"\r\n\r\n") else {
                        return Ok(());
                    };
                    let head = String::from_utf8_lossy(&self.raw[..end]).to_ascii_lowercase();
                    if !head.starts_with("http/1.1 200") || !head.contains("text/event-stream") {
                        return Err(format!("not a stream: {head:.300}"));
                    }
                    self.framing = match head.contains("transfer-encoding: chunked") {
                        true => Framing::Chunked,
                        false => Framing::UntilClosed,
                    };
                    self.raw.drain(..end + 4);
                }
                Framing::UntilClosed => {
                    self.body.append(&mut self.raw);
                    return Ok(());
                }
                Framing::Chunked if self.chunk > 0 => {
                    let take = self.raw.len().min(self.chunk);
                    // The last two bytes are the chunk's line end.
                    let data = take.min(self.chunk.saturating_sub(2));
                    self.body.extend_from_slice(&self.raw[..data]);
                    self.raw.drain(..take);
                    self.chunk -= take;
                    if self.chunk > 0 {
                        return Ok(());
                    }
                }
                Framing::Chunked => {
                    let Some(end) = find(&self.raw, b"\r\n") else {
                        return Ok(());
                    };
                    let size = std::str::from_utf8(&self.raw[..end]).ok();
                    let size = size.and_then(|text| usize::from_str_radix(text, 16).ok());
                    let size = size.ok_or("not a chunk's size")?;
                    self.raw.drain(..end + 2);
                    if size == 0 {
                        self.is_over = true;
                        return Ok(());
                    }
                    self.chunk = size + 2;
                }
            }
        }
    }

    /// The first whole event of `body`; comments and `retry` are no events.
    fn event(&mut self) -> Option<Read> {
        loop {
            let from = self.looked.saturating_sub(1);
            let Some(end) = find(&self.body[from..], b"\n\n").map(|at| at + from) else {
                self.looked = self.body.len();
                return None;
            };
            let event = parse(&self.body[..end]);
            self.body.drain(..end + 2);
            self.looked = 0;
            match event {
                Ok(Some(event)) => return Some(Read::Event(event)),
                Ok(None) => {}
                Err(wrong) => return Some(Read::Wrong(wrong)),
            }
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|here| here == wanted)
}

fn parse(block: &[u8]) -> Result<Option<Event>, String> {
    let block = std::str::from_utf8(block).map_err(|_| "not UTF-8".to_owned())?;
    let mut event = Event::default();
    let mut is_event = false;
    for line in block.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value.to_owned(),
            "id" => event.id = Some(value.to_owned()),
            "data" if event.data.is_empty() => {
                is_event = true;
                event.data = value.to_owned();
            }
            "" | "retry" => {}
            other => return Err(format!("a line of an event that says {other:.80?}")),
        }
    }
    Ok(is_event.then_some(event))
}
