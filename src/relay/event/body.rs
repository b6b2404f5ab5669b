//! What large events are made of, written out a part at a time.

use bytes::Bytes;

use crate::model::append::append;
use crate::model::delta::{Change, Delta};
use crate::model::frozen::{self, Frozen};
use crate::model::picked::{self, Picked};
use crate::model::position::Position;
use crate::relay::event::names::{EVENT_BASE, EVENT_DELTA, KEY_DELETE, KEY_INSERT, push_tail};

/// Bytes at the end of an event that are never cut: an id must be there whole
/// or not at all.
pub const END_BYTES: usize = 128;

/// How much of an event is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Event,
    /// The line of data with its line break.
    Data,
    /// The array of rows or changes.
    Array,
}

/// What an event is made of.
#[derive(Debug)]
pub(super) enum Body {
    /// A base: an array of rows.
    Rows(Frozen),
    /// A base of a window.
    Picked(Picked),
    /// Changes.
    Changes(Delta),
    /// The event as it was encoded for all, and its line of data.
    Encoded(Bytes, Bytes),
}

/// How far an event was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    is_begun: bool,
    pub(super) is_over: bool,
    at: At,
}

/// How far that is in what the event is made of.
#[derive(Clone, Copy, Debug)]
enum At {
    Rows(frozen::Progress),
    /// The comma behind the last row may be owed: it is written when another row
    /// comes.
    Picked(picked::Progress, bool),
    Changes(Written),
    Bytes(usize),
}

/// How far changes were written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    /// The change, how many of its copies are out, and how much of the next: so
    /// many parts of its text, and bytes of one more.
    change: usize,
    copies: u64,
    part: usize,
    bytes: usize,
}

impl Place {
    /// The end of any event.
    pub(super) fn over() -> Self {
        Place {
            is_begun: true,
            is_over: true,
            at: At::Bytes(0),
        }
    }
}

impl Body {
    /// The beginning.
    pub(super) fn start(&self) -> Place {
        let at = match self {
            Body::Rows(_) => At::Rows(frozen::Progress::default()),
            Body::Picked(_) => At::Picked(picked::Progress::default(), false),
            Body::Changes(_) => At::Changes(Written::default()),
            Body::Encoded(..) => At::Bytes(0),
        };
        Place {
            is_begun: false,
            is_over: false,
            at,
        }
    }

    /// Bytes of the event, about.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Body::Rows(rows) => rows.bytes(),
            Body::Picked(rows) => rows.bytes_max(),
            Body::Changes(delta) => listed_bytes(delta),
            Body::Encoded(event, _) => u64::try_from(event.len()).unwrap_or(u64::MAX),
        }
    }

    /// Appends what comes next, about until `out` has so many bytes, and never
    /// to the middle of a character.
    pub(super) fn write(
        &self,
        (extent, position): (Extent, Position),
        place: &mut Place,
        full: usize,
        out: &mut Vec<u8>,
    ) {
        if let (Body::Encoded(event, data), At::Bytes(at)) = (self, &mut place.at) {
            let bytes = if extent == Extent::Event { event } else { data };
            place.is_over = write_bytes(bytes, at, full, out);
            return;
        }
        if !place.is_begun {
            let event = match self {
                Body::Changes(_) => EVENT_DELTA,
                _ => EVENT_BASE,
            };
            let head = match extent {
                Extent::Event => format!("event: {event}\ndata: ["),
                Extent::Data => "data: [".to_owned(),
                Extent::Array => "[".to_owned(),
            };
            out.extend_from_slice(head.as_bytes());
            place.is_begun = true;
        }
        place.is_over = match (self, &mut place.at) {
            (Body::Rows(rows), At::Rows(at)) => rows.write(at, full, out),
            (Body::Picked(rows), At::Picked(at, owes)) => write_picked(rows, at, owes, full, out),
            (Body::Changes(delta), At::Changes(at)) => {
                write_changes(delta.changes(), at, full, out)
            }
            // A place is of the event that it was begun with.
            _ => true,
        };
        if place.is_over {
            // The last comma becomes the bracket that closes.
            if out.last() == Some(&b',') {
                out.pop();
            }
            out.push(b']');
            match extent {
                Extent::Event => push_tail(position, out),
                Extent::Data => out.push(b'\n'),
                Extent::Array => {}
            }
        }
    }
}

/// Appends a window's rows. Only at the end it is known which of them is the last
/// one, so the comma behind each is left to what follows.
fn write_picked(
    rows: &Picked,
    at: &mut picked::Progress,
    owes_comma: &mut bool,
    full: usize,
    out: &mut Vec<u8>,
) -> bool {
    if *owes_comma {
        out.push(b',');
    }
    let before = out.len();
    let is_over = rows.write(at, full, out);
    if out.len() > before {
        *owes_comma = out.last() == Some(&b',');
    }
    if *owes_comma {
        out.pop();
    }
    is_over
}

/// Appends a part of an event that was encoded already; whether it is the last one.
fn write_bytes(bytes: &[u8], at: &mut usize, full: usize, out: &mut Vec<u8>) -> bool {
    let room = full.saturating_sub(out.len());
    let mut end = at.saturating_add(room);
    if end.saturating_add(END_BYTES) > bytes.len() {
        end = bytes.len();
    }
    let is_within = |end: usize| bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
    while is_within(end) {
        end -= 1;
    }
    out.extend_from_slice(bytes.get(*at..end).unwrap_or_default());
    *at = end;
    end == bytes.len()
}

/// What stands around a change's row.
fn around(change: &Change) -> [&'static str; 3] {
    let key = match change.diff < 0 {
        true => KEY_DELETE,
        false => KEY_INSERT,
    };
    ["{\"", key, "\":"]
}

/// What stands behind a change's row.
const BEHIND: &str = "},";

/// Bytes of the changes with a comma behind each.
pub fn listed_bytes(delta: &Delta) -> u64 {
    let length = |change: &Change| {
        let around: usize = around(change).iter().map(|text| text.len()).sum();
        let one = around + change.row.text().len() + BEHIND.len();
        let copies = change.diff.unsigned_abs();
        copies.saturating_mul(u64::try_from(one).unwrap_or(u64::MAX))
    };
    let all = delta.changes().iter().map(length);
    all.fold(0, u64::saturating_add)
}

/// Appends changes, each with a comma, until `out` has so many bytes; whether
/// that was all.
fn write_changes(changes: &[Change], place: &mut Written, full: usize, out: &mut Vec<u8>) -> bool {
    while let Some(change) = changes.get(place.change) {
        let [open, key, colon] = around(change);
        let parts = [open, key, colon, change.row.text(), BEHIND];
        while place.copies < change.diff.unsigned_abs() {
            while let Some(part) = parts.get(place.part) {
                if !append(part, &mut place.bytes, full, out) {
                    return false;
                }
                (place.part, place.bytes) = (place.part + 1, 0);
            }
            (place.copies, place.part) = (place.copies + 1, 0);
        }
        (place.change, place.copies) = (place.change + 1, 0);
    }
    true
}
