//! What subscribers have received, whatever they are connected by: every event is
//! checked for its number and its rows.

use flate2::{Decompress, FlushDecompress};
use hdrhistogram::Histogram;
use memchr::memmem;
use zstd::bulk::Decompressor;

use crate::Io;

/// What the gzip header takes; deflate begins behind it.
const GZIP_HEAD_BYTES: usize = 10;

/// A subscriber, as far as it has read.
struct Peer {
    /// An event of which a part is still to come.
    event: Vec<u8>,
    /// Bases that are still to come.
    bases: usize,
    has_base: bool,
    /// The number of the next event.
    next: u64,
    inflate: Option<Decompress>,
    /// Bytes of the gzip header that are still to come.
    gzip_head: usize,
}

/// How what comes is unpacked.
pub enum Unpack {
    Nothing,
    Gzip,
    /// By a dictionary: each chunk holds whole frames.
    Dictionary(Box<Decompressor<'static>>),
}

impl Unpack {
    pub fn with(dictionary: &str) -> Io<Unpack> {
        let decompressor = Decompressor::with_dictionary(dictionary.as_bytes())?;
        Ok(Unpack::Dictionary(Box::new(decompressor)))
    }
}

pub struct Tally {
    unpack: Unpack,
    peers: Vec<Peer>,
    /// Rows of a base; -1: there is none.
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
    has_said: bool,
}

impl Tally {
    /// `SUBSCRIBERS ROWS EVENTS every|last BASES`, and how they unpack what they get.
    pub fn new(arguments: [&str; 5], unpack: Unpack) -> Self {
        let [count, rows, events, mode, bases] = arguments;
        let peer = || Peer {
            event: Vec::new(),
            bases: bases.parse().unwrap(),
            has_base: false,
            next: 1,
            inflate: matches!(unpack, Unpack::Gzip).then(|| Decompress::new(false)),
            gzip_head: GZIP_HEAD_BYTES,
        };
        Tally {
            peers: (0..count.parse().unwrap()).map(|_: usize| peer()).collect(),
            unpack,
            rows: rows.parse().unwrap(),
            events: events.parse().unwrap(),
            only_last: mode == "last",
            joined: 0,
            finished: 0,
            received: 0,
            frames: 0,
            bytes: 0,
            base_bytes: 0,
            unpacked: vec![0; 256 * 1024],
            latency: Histogram::new(3).unwrap(),
            has_said: false,
        }
    }

    /// Says `joined` once all have; whether nothing more is to come.
    pub fn is_over(&mut self) -> bool {
        if self.joined == self.peers.len() && !self.has_said {
            self.has_said = true;
            println!("joined");
        }
        self.has_said && (self.events == 0 || self.finished == self.peers.len())
    }

    /// Says what was measured, and waits until told to leave: idle subscribers are
    /// what is measured, too.
    pub fn report(&self) -> Io<()> {
        println!(
            "received {} {} {} {} {}",
            self.received, self.finished, self.frames, self.bytes, self.base_bytes
        );
        for value in self.latency.iter_recorded() {
            println!(
                "latency {} {}",
                value.value_iterated_to(),
                value.count_at_value()
            );
        }
        println!("end");
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    }

    /// The answer's head is there.
    pub fn head(&mut self, at: usize) {
        if self.rows < 0 {
            self.peers[at].has_base = true;
            self.joined += 1;
        }
    }

    /// Bytes have come over the connection, framing included.
    pub fn bytes(&mut self, at: usize, length: usize) {
        match self.peers[at].has_base {
            true => self.bytes += length as u64,
            false => self.base_bytes += length as u64,
        }
    }

    /// A piece of the body.
    pub fn body(&mut self, at: usize, bytes: &[u8], now: u64) {
        match &mut self.unpack {
            Unpack::Nothing => self.payload(at, bytes, now),
            Unpack::Gzip => self.inflate(at, bytes, now),
            Unpack::Dictionary(decompressor) => {
                let mut out = std::mem::take(&mut self.unpacked);
                let length = decompressor.decompress_to_buffer(bytes, &mut out[..]);
                self.payload(at, &out[..length.expect("frames")], now);
                self.unpacked = out;
            }
        }
    }

    fn inflate(&mut self, at: usize, mut bytes: &[u8], now: u64) {
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
            let Some(name) = event.strip_prefix(b"event: ") else {
                continue;
            };
            // Of several views it begins with the view's.
            let of_view = name.strip_prefix(b"v.").or(name.strip_prefix(b"w."));
            let name = of_view.unwrap_or(name);
            if name.starts_with(b"delta\n") {
                self.delta(at, event, now);
            } else if name.starts_with(b"base\n") && self.rows >= 0 {
                let rows = memmem::find_iter(event, b"\"seq\":0,").count();
                assert_eq!(rows as i64, self.rows, "rows of subscriber {at}'s base");
                assert!(!self.peers[at].has_base, "a second base");
                self.peers[at].bases -= 1;
                if self.peers[at].bases == 0 {
                    self.peers[at].has_base = true;
                    self.joined += 1;
                }
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
