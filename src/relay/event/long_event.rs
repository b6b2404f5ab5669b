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
use crate::model::delta::Delta;
use crate::model::frozen::Frozen;
use crate::model::picked::Picked;
use crate::model::position::Position;
use crate::relay::event::body::{Body, END_BYTES, Extent, Place};
use crate::relay::event::encoded::Encoded;
use crate::relay::event::form::{Form, Framed};
use crate::relay::event::names::EVENT_ABANDONED;
use crate::relay::event::packed::{Packed, Piece};
use crate::relay::event::packing::{Packing, PerPacking};

/// An event that is read in slices.
#[derive(Debug)]
pub struct LongEvent {
    position: Position,
    body: Body,
    /// The event in slices, each compressed when it is wanted first.
    packed: PerPacking<PackedSlices>,
    /// The plain slices that were read last, each at its number modulo so many:
    /// those who begin together read the same ones. None while nobody reads.
    recent: Mutex<Vec<Option<PlainSlice>>>,
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

/// None, until somebody wants them.
type PackedSlices = OnceLock<Box<[OnceLock<PackedSlice>]>>;

#[derive(Debug)]
struct PackedSlice {
    packed: Packed,
    /// Where the next one begins.
    end: Place,
}

impl LongEvent {
    /// A base of these rows.
    pub fn rows(rows: Frozen, position: Position) -> Self {
        LongEvent::new(Body::Rows(rows), position)
    }

    /// A base of a window's rows.
    pub fn picked(rows: Picked, position: Position) -> Self {
        LongEvent::new(Body::Picked(rows), position)
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
            packed: PerPacking::default(),
            recent: Mutex::default(),
            readers: AtomicUsize::new(0),
        }
    }

    /// Whether anybody reads it.
    pub fn is_read(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }

    /// The plain slice at this number, which begins at this place.
    fn plain(&self, number: usize, extent: Extent, place: Place) -> PlainSlice {
        if let Some(known) = known(&self.recent(), number, extent) {
            return known.clone();
        }
        let (mut end, mut out) = (place, Framed::buffer(BASE_SLICE_BYTES));
        let full = BASE_SLICE_BYTES.saturating_sub(END_BYTES);
        let what = (extent, self.position);
        self.body.write(what, &mut end, full, &mut out);
        let slice = PlainSlice {
            number,
            extent,
            framed: Framed::finish(out),
            end,
        };
        let (mut recent, at) = (self.recent(), number % SLICES_KEPT);
        let length = recent.len().max(at + 1);
        recent.resize(length, None);
        if let Some(kept) = recent.get_mut(at) {
            *kept = Some(slice.clone());
        }
        drop(recent);
        slice
    }

    /// The slices are right between any two statements, so they still are where
    /// a thread panicked that held them.
    fn recent(&self) -> MutexGuard<'_, Vec<Option<PlainSlice>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The compressed slice at this number, which begins at this place.
    fn packed(&self, at: usize, place: Place, packing: &Packing) -> Option<&PackedSlice> {
        let all = self.packed.get(packing).get_or_init(|| {
            // A slice is shorter by a character that would be cut, at the most.
            let bytes = usize::try_from(self.body.bytes()).unwrap_or(usize::MAX);
            let slices = bytes / LONG_PACK_BYTES.saturating_sub(4) + 2;
            (0..slices).map(|_| OnceLock::new()).collect()
        });
        let slice = all.get(at)?.get_or_init(|| {
            let (mut end, mut plain) = (place, Vec::with_capacity(LONG_PACK_BYTES + END_BYTES));
            let what = (Extent::Event, self.position);
            self.body.write(what, &mut end, LONG_PACK_BYTES, &mut plain);
            PackedSlice {
                packed: Packed::of(&plain, packing),
                end,
            }
        });
        Some(slice)
    }
}

/// The slice at this number, if it is one of those that are kept.
fn known(recent: &[Option<PlainSlice>], number: usize, extent: Extent) -> Option<&PlainSlice> {
    let kept = recent.get(number % SLICES_KEPT)?.as_ref()?;
    ((kept.number, kept.extent) == (number, extent)).then_some(kept)
}

/// Slices that come next. The event is not given up while they are held.
#[derive(Debug, Default)]
pub struct Upcoming {
    /// Each as its reader takes it.
    pub slices: Vec<Bytes>,
    _long: Option<Arc<LongEvent>>,
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
    /// Nothing yet: it takes a while to find, and others come first.
    Later,
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
            place: long.body.start(),
            slices: 0,
        }
    }

    /// Of an event that was read as a whole.
    pub fn over() -> Self {
        Reading {
            long: Weak::new(),
            extent: Extent::Event,
            place: Place::over(),
            slices: 0,
        }
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

    /// Slices behind the last one that are kept for others: the rest of the event if
    /// that is `most` slices or fewer, else one. Each is still to be taken as the
    /// next. Writing more of a long event at once saves calls, but costs more than
    /// it saves where many read it (docs/PERFORMANCE.md).
    pub fn upcoming(&self, form: &Form, most: usize) -> Upcoming {
        let kept = self.long.upgrade().filter(|_| form.packing.is_none());
        let Some(long) = kept else {
            return Upcoming::default();
        };
        let (recent, mut rest) = (long.recent(), Vec::new());
        let (mut number, mut is_over) = (self.slices, self.place.is_over);
        while !is_over
            && rest.len() < most
            && let Some(known) = known(&recent, number, self.extent)
            && known.framed.length() > 0
        {
            rest.push(known);
            (number, is_over) = (number.saturating_add(1), known.end.is_over);
        }
        if !is_over {
            rest.truncate(1);
        }
        let slices = rest.iter().map(|known| known.framed.form(form)).collect();
        drop(recent);
        Upcoming {
            slices,
            _long: Some(long),
        }
    }

    /// The next slice; compressed for the first who wants it so, and shared
    /// with all who follow.
    pub fn next(&mut self, form: &Form) -> Slice {
        if self.place.is_over {
            return Slice::End;
        }
        let Some(long) = self.long.upgrade() else {
            return Slice::GivenUp;
        };
        // A window's rows are looked for while they are read: how many slices they
        // make is not known before.
        let is_sought = matches!(long.body, Body::Picked(_));
        let number = self.slices;
        self.slices = self.slices.saturating_add(1);
        if let Some(packing) = form.packing.as_ref().filter(|_| !is_sought) {
            let Some(slice) = long.packed(number, self.place, packing) else {
                return Slice::End;
            };
            self.place = slice.end;
            return Slice::Bytes(slice.packed.piece(form));
        }
        let slice = long.plain(number, self.extent, self.place);
        self.place = slice.end;
        if slice.framed.length() == 0 {
            return Slice::Later;
        }
        Slice::Bytes(match &form.packing {
            Some(packing) => Packed::of(&slice.framed.event(), packing).piece(form),
            None => {
                let bytes = slice.framed.form(form);
                Piece { bytes, sum: None }
            }
        })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(long) = self.long.upgrade()
            && long.readers.fetch_sub(1, Ordering::AcqRel) == 1
        {
            *long.recent() = Vec::new();
        }
    }
}

/// What ends an event that was given up: it becomes one that clients ignore.
/// Its name is said again, and the last one counts. The line of data, if it has
/// begun, ends at the line break before the name; an event never lacks data.
pub fn abandoned(has_data: bool) -> String {
    let data = if has_data { "" } else { "data: []" };
    format!("{data}\nevent: {EVENT_ABANDONED}\n\n")
}

#[cfg(test)]
mod tests;
