//! Events that are too large to be handed out at once.
//!
//! Whoever reads one makes a slice at a time, from memory that all share, and
//! holds nothing but that slice and a place. So it costs the process nothing
//! to give such an event up while somebody reads it: the stream then ends
//! between two events, and its client comes back for what there is by then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;

use crate::limits::{BASE_SLICE_BYTES, LONG_PACK_BYTES, SLICES_KEPT};
use crate::model::append::append;
use crate::model::delta::{Change, Delta};
use crate::model::frozen::{Frozen, Progress};
use crate::model::position::Position;
use crate::relay::event::encoded::Encoded;

use crate::relay::event::form::{Form, Framed};
use crate::relay::event::gzip::{Packed, Piece};
use crate::relay::event::names::{
    EVENT_ABANDONED, EVENT_BASE, EVENT_DELTA, KEY_DELETE, KEY_INSERT, tail,
};

/// Bytes at the end of an event that are never cut: an id must be there whole
/// or not at all.
const END_BYTES: usize = 128;

/// What an event is made of.
#[derive(Debug)]
enum Body {
    /// A base: an array of rows.
    Rows(Frozen),
    /// Changes.
    Changes(Delta),
    /// The event as it was encoded for all.
    Encoded(Bytes, Bytes),
}

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

/// An event that is read in slices.
#[derive(Debug)]
pub struct LongEvent {
    position: Position,
    body: Body,
    /// The event in slices, each compressed when it is wanted first.
    packed: OnceLock<Box<[OnceLock<PackedSlice>]>>,
    /// The plain slices that were read last, each at its number modulo so many:
    /// those who begin together read the same ones. None while nobody reads.
    recent: Mutex<[Option<PlainSlice>; SLICES_KEPT]>,
    /// Who reads it now.
    readers: AtomicUsize,
}

#[derive(Clone, Debug)]
struct PlainSlice {
    number: usize,
    extent: Extent,
    framed: Framed,
    /// Where the next one begins.
    end: Place,
}

#[derive(Debug)]
struct PackedSlice {
    packed: Packed,
    /// Where the next one begins.
    end: Place,
}

/// How far an event was read.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    is_begun: bool,
    is_over: bool,
    rows: Progress,
    /// The change, how many of its copies are out, and which part of the text
    /// of the next.
    change: usize,
    copies: u64,
    part: usize,
    bytes: usize,
}

impl LongEvent {
    /// A base of these rows.
    pub fn rows(rows: Frozen, position: Position) -> Self {
        LongEvent::new(Body::Rows(rows), position)
    }

    /// A delta.
    pub fn changes(delta: Delta, position: Position) -> Self {
        LongEvent::new(Body::Changes(delta), position)
    }

    /// An event that was encoded already.
    pub fn encoded(event: &Encoded, position: Position) -> Self {
        LongEvent::new(Body::Encoded(event.event(), event.data()), position)
    }

    fn new(body: Body, position: Position) -> Self {
        LongEvent {
            position,
            body,
            packed: OnceLock::new(),
            recent: Mutex::default(),
            readers: AtomicUsize::new(0),
        }
    }

    /// Whether anybody reads it.
    pub fn is_read(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }

    /// Appends what comes next, about until `out` has so many bytes, and never
    /// to the middle of a character.
    fn write(&self, extent: Extent, place: &mut Place, full: usize, out: &mut Vec<u8>) {
        let event = match &self.body {
            Body::Encoded(event, data) => {
                let bytes = if extent == Extent::Event { event } else { data };
                return write_bytes(bytes, place, full, out);
            }
            Body::Rows(_) => EVENT_BASE,
            Body::Changes(_) => EVENT_DELTA,
        };
        if !place.is_begun {
            let head = match extent {
                Extent::Event => format!("event: {event}\ndata: ["),
                Extent::Data => "data: [".to_owned(),
                Extent::Array => "[".to_owned(),
            };
            out.extend_from_slice(head.as_bytes());
            place.is_begun = true;
        }
        place.is_over = match &self.body {
            Body::Rows(rows) => rows.write(&mut place.rows, full, out),
            Body::Changes(delta) => write_changes(delta.changes(), place, full, out),
            Body::Encoded(..) => true,
        };
        if place.is_over {
            // The last comma becomes the bracket that closes.
            if out.last() == Some(&b',') {
                out.pop();
            }
            out.push(b']');
            match extent {
                Extent::Event => out.extend_from_slice(tail(self.position).as_bytes()),
                Extent::Data => out.push(b'\n'),
                Extent::Array => {}
            }
        }
    }

    /// The plain slice at this number, which begins at this place.
    fn plain(&self, number: usize, extent: Extent, place: Place) -> PlainSlice {
        let at = number % SLICES_KEPT;
        if let Some(Some(known)) = self.recent().get(at)
            && (known.number, known.extent) == (number, extent)
        {
            return known.clone();
        }
        let (mut end, mut out) = (place, Framed::buffer(BASE_SLICE_BYTES));
        let full = BASE_SLICE_BYTES.saturating_sub(END_BYTES);
        self.write(extent, &mut end, full, &mut out);
        let slice = PlainSlice {
            number,
            extent,
            framed: Framed::finish(out),
            end,
        };
        if let Some(kept) = self.recent().get_mut(at) {
            *kept = Some(slice.clone());
        }
        slice
    }

    /// The slices are right between any two statements, so they still are where
    /// a thread panicked that held them.
    fn recent(&self) -> MutexGuard<'_, [Option<PlainSlice>; SLICES_KEPT]> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The compressed slice at this number, which begins at this place.
    fn packed(&self, at: usize, place: Place) -> Option<&PackedSlice> {
        let all = self.packed.get_or_init(|| {
            let bytes = match &self.body {
                Body::Rows(rows) => rows.bytes(),
                Body::Changes(delta) => listed_bytes(delta),
                Body::Encoded(event, _) => u64::try_from(event.len()).unwrap_or(u64::MAX),
            };
            // A slice is shorter by a character that would be cut, at the most.
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let slices = bytes / LONG_PACK_BYTES.saturating_sub(4) + 2;
            (0..slices).map(|_| OnceLock::new()).collect()
        });
        let slice = all.get(at)?.get_or_init(|| {
            let (mut end, mut plain) = (place, Vec::with_capacity(LONG_PACK_BYTES + END_BYTES));
            self.write(Extent::Event, &mut end, LONG_PACK_BYTES, &mut plain);
            PackedSlice {
                packed: Packed::of(&plain),
                end,
            }
        });
        Some(slice)
    }
}

fn write_bytes(bytes: &[u8], place: &mut Place, full: usize, out: &mut Vec<u8>) {
    let room = full.saturating_sub(out.len());
    let mut end = place.bytes.saturating_add(room);
    if end.saturating_add(END_BYTES) > bytes.len() {
        end = bytes.len();
    }
    let is_within = |end: usize| bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
    while is_within(end) {
        end -= 1;
    }
    out.extend_from_slice(bytes.get(place.bytes..end).unwrap_or_default());
    (place.bytes, place.is_over) = (end, end == bytes.len());
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
fn write_changes(changes: &[Change], place: &mut Place, full: usize, out: &mut Vec<u8>) -> bool {
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

/// Somebody in the middle of such an event. It does not keep it.
#[derive(Debug)]
pub struct Reading {
    long: Weak<LongEvent>,
    extent: Extent,
    place: Place,
    /// Slices that were read.
    slices: usize,
}

/// What comes next.
#[derive(Debug)]
pub enum Slice {
    /// This.
    Bytes(Piece),
    /// Nothing: that was all.
    End,
    /// The event was given up.
    GivenUp,
}

impl Reading {
    /// From the beginning of an event.
    pub fn new(long: &Arc<LongEvent>, extent: Extent) -> Self {
        long.readers.fetch_add(1, Ordering::AcqRel);
        Reading {
            long: Arc::downgrade(long),
            extent,
            place: Place::default(),
            slices: 0,
        }
    }

    /// It was read as a whole elsewhere.
    pub fn skip(&mut self) {
        self.place.is_over = true;
    }

    /// Whether all of it was read.
    pub fn is_over(&self) -> bool {
        self.place.is_over
    }

    /// Slices that were read.
    pub fn slices(&self) -> usize {
        self.slices
    }

    /// Whether the event was given up before its end.
    pub fn is_given_up(&self) -> bool {
        !self.place.is_over && self.long.strong_count() == 0
    }

    /// The next slice; compressed for the first who wants it so, and shared
    /// with all who follow.
    pub fn next(&mut self, form: Form) -> Slice {
        if self.place.is_over {
            return Slice::End;
        }
        let Some(long) = self.long.upgrade() else {
            return Slice::GivenUp;
        };
        let piece = if form.is_packed() {
            let Some(slice) = long.packed(self.slices, self.place) else {
                return Slice::End;
            };
            self.place = slice.end;
            slice.packed.piece(form)
        } else {
            let slice = long.plain(self.slices, self.extent, self.place);
            self.place = slice.end;
            let bytes = slice.framed.form(form);
            Piece { bytes, sum: None }
        };
        self.slices = self.slices.saturating_add(1);
        Slice::Bytes(piece)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(long) = self.long.upgrade()
            && long.readers.fetch_sub(1, Ordering::AcqRel) == 1
        {
            *long.recent() = Default::default();
        }
    }
}

/// What ends an event that was given up: it becomes one that clients ignore.
/// Its name is said again, and the last one counts; the line of data ends at
/// the line break before it.
pub fn abandoned() -> String {
    format!("\nevent: {EVENT_ABANDONED}\n\n")
}

#[cfg(test)]
mod tests;
