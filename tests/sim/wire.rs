//! A client's way from bytes to events. It shares no code with the gateway.

use serde::Deserialize;

use viewcast::relay::event::packing::Packing;

use crate::truth::hash;

#[path = "../it/support/frames.rs"]
mod frames;
mod gunzip;

use frames::Frames;
use gunzip::Gunzip;

/// An event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: Option<String>,
    pub id: Option<String>,
    pub retry: Option<u64>,
}

/// A compressed stream, as far as it has come.
#[derive(Debug)]
enum Packed {
    Gzip(Box<Gunzip>),
    Dictionary(Box<Frames>),
}

/// Takes bytes as they come: chunks around, then lines.
#[derive(Debug, Default)]
pub struct Parser {
    is_chunked: bool,
    has_head: bool,
    raw: Vec<u8>,
    /// What unpacks the stream, if it is compressed.
    packed: Option<Packed>,
    text: Vec<u8>,
    event: Event,
    /// The chunk that ends all has come.
    pub is_over: bool,
}

impl Parser {
    /// Of a stream with a head and chunks, or of an event stream alone; either
    /// of them may be compressed.
    pub fn new(is_chunked: bool, packing: Option<&Packing>) -> Self {
        Parser {
            is_chunked,
            has_head: !is_chunked,
            packed: packing.map(|packing| match packing {
                Packing::Gzip => Packed::Gzip(Box::default()),
                Packing::Dictionary(it) => Packed::Dictionary(Box::new(Frames::with(it.text()))),
            }),
            ..Parser::default()
        }
    }

    /// The events that these bytes complete.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        match self.is_chunked {
            true => self.raw.extend_from_slice(bytes),
            false => self.say(bytes)?,
        }
        self.unwrap()?;
        let mut events = Vec::new();
        let text = std::mem::take(&mut self.text);
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', &text) {
            let line = std::str::from_utf8(&text[begin..end]).map_err(|error| error.to_string())?;
            begin = end + 1;
            if let Some(event) = self.line(line)? {
                events.push(event);
            }
        }
        self.text = text;
        self.text.drain(..begin);
        Ok(events)
    }

    /// Whether it is in the middle of an event.
    pub fn is_within(&self) -> bool {
        self.event != Event::default() || !self.text.is_empty()
    }

    /// How a stream that has ended should not have.
    pub fn ended(&self) -> Option<&'static str> {
        if self.is_within() {
            return Some("within an event");
        }
        let is_whole = match &self.packed {
            None => true,
            Some(Packed::Gzip(gzip)) => gzip.is_whole(),
            Some(Packed::Dictionary(frames)) => frames.has_begun(),
        };
        (!is_whole).then_some("without the end of what is compressed")
    }

    /// The id of an event whose data are still to come.
    pub fn early_id(&self) -> Option<&str> {
        let id = self.event.id.as_deref();
        id.filter(|_| self.event.data.is_none())
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.packed {
            Some(Packed::Gzip(gzip)) => gzip.take(bytes, &mut self.text)?,
            Some(Packed::Dictionary(frames)) => {
                let said = frames.unpack(bytes);
                let said = said.map_err(|error| format!("what is compressed: {error}"))?;
                self.text.extend_from_slice(&said);
            }
            None => self.text.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn unwrap(&mut self) -> Result<(), String> {
        let find = |bytes: &[u8], what: &[u8]| memchr::memmem::find(bytes, what);
        if !self.has_head {
            let Some(end) = find(&self.raw, b"\r\n\r\n") else {
                return Ok(());
            };
            self.raw.drain(..end + 4);
            self.has_head = true;
        }
        if !self.is_chunked {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.raw);
        let mut rest = &raw[..];
        while let Some(end) = find(rest, b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).ok();
            let size = size.and_then(|text| usize::from_str_radix(text, 16).ok());
            let size = size.ok_or_else(|| format!("no size of a chunk: {:?}", &rest[..end]))?;
            let Some(chunk) = rest.get(end + 2..end + 2 + size + 2) else {
                break;
            };
            if self.is_over {
                return Err("bytes behind the last chunk".to_owned());
            }
            self.is_over = size == 0;
            self.say(&chunk[..size])?;
            rest = &rest[end + 2 + size + 2..];
        }
        let taken = raw.len() - rest.len();
        self.raw = raw;
        self.raw.drain(..taken);
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<Option<Event>, String> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Ok((event != Event::default()).then_some(event));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "" => {}
            "event" => self.event.name = value,
            "data" if self.event.data.is_some() => return Err("data over two lines".to_owned()),
            "data" => self.event.data = Some(value),
            "id" => self.event.id = Some(value),
            "retry" => self.event.retry = value.parse().ok(),
            _ => return Err(format!("a line of no field: {line:.80}")),
        }
        Ok(None)
    }
}

#[derive(Deserialize)]
struct Shown {
    // Of a window perhaps only one of them.
    // Numbers that JavaScript does not hold come as strings; ours are small.
    n: Option<i64>,
    s: Option<String>,
}

#[derive(Deserialize)]
struct Change {
    insert: Option<Shown>,
    delete: Option<Shown>,
}

fn hash_of(row: &Shown) -> u128 {
    hash(row.n, row.s.as_deref())
}

/// The hashes of a base's rows.
pub fn rows_of(data: &str) -> Result<Vec<u128>, String> {
    let rows: Vec<Shown> = serde_json::from_str(data).map_err(|error| error.to_string())?;
    Ok(rows.iter().map(hash_of).collect())
}

/// The hashes of a delta's rows, each with the copies that it adds or takes.
pub fn changes_of(data: &str) -> Result<Vec<(u128, i64)>, String> {
    let changes: Vec<Change> = serde_json::from_str(data).map_err(|error| error.to_string())?;
    let mut has_insert = false;
    let mut found = Vec::new();
    for change in &changes {
        match (&change.insert, &change.delete) {
            (Some(row), None) => {
                has_insert = true;
                found.push((hash_of(row), 1));
            }
            (None, Some(row)) if !has_insert => found.push((hash_of(row), -1)),
            _ => return Err("a delete behind an insert, or neither".to_owned()),
        }
    }
    Ok(found)
}
