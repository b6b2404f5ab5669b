//! A thread's copy of one log: the pointers, without the lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::limits::{CATCH_UP_FRAMES_MAX, GATHER_BYTES_MAX, MERGES_KNOWN_MAX};
use crate::model::position::{Position, Timestamp};
use crate::model::retention::{Cursor, Retention};
use crate::model::terms::Terms;
use crate::model::window::Layout;
use crate::relay::counters::StreamCounters;
use crate::relay::event::body::Extent;
use crate::relay::event::form::Form;
use crate::relay::event::frame::{Frame, Kind};
use crate::relay::event::long_event::Reading;
use crate::relay::event::packed::{Piece, Pieces};
use crate::relay::event::packing::PerPacking;
use crate::relay::log::backlog::{Merge, Waiting};
use crate::relay::log::bases::Base;
use crate::relay::log::shared_log::{Log, LogState};
use crate::relay::thread::next::{Due, Next};
use crate::relay::thread::windows::Windows;

mod of_window;
mod positions;

/// The thread's copy of one log, shared by its subscribers.
#[derive(Debug)]
pub struct LocalLog {
    /// What it is a copy of.
    pub source: Arc<Log>,
    /// The frames.
    pub frames: Retention<Arc<Frame>>,
    /// Of what they are.
    pub terms: Terms,
    /// The base for who joins.
    pub base: Option<Arc<Base>>,
    /// Whether the upstream can be reached.
    pub live: bool,
    /// Whether nothing follows the last frame.
    pub ended: bool,
    /// Cursors of the frames that are no deltas: `upstream` and `gone`.
    words: VecDeque<Cursor>,
    /// The last backlogs that were merged, for others who are as far behind.
    merges: VecDeque<Arc<Merge>>,
    /// The last frames that were gathered, and the log's end then.
    gathered: Option<Gathered>,
    /// The same, compressed.
    gathered_packed: PerPacking<Option<Gathered>>,
    /// The windows of it that are open.
    pub(super) windows: Windows,
    /// Up to here the sockets were written to.
    written: Cursor,
    /// Up to here they are in the round that is going on.
    round: Cursor,
}

/// Several frames' chunks as one piece of memory, for one write.
#[derive(Debug)]
struct Gathered {
    from: Cursor,
    to: Cursor,
    /// Where the log ended: further on, there may be more to gather.
    end: Cursor,
    chunks: Piece,
}

impl LocalLog {
    /// A copy of the log as it is now.
    pub fn new(source: Arc<Log>) -> Self {
        let (frames, terms) = {
            let state = source.lock();
            (state.retention.clone(), state.terms.clone())
        };
        let mut log = LocalLog {
            windows: Windows::new(&source),
            source,
            written: frames.end(),
            round: frames.end(),
            frames,
            terms,
            base: None,
            live: true,
            ended: false,
            words: VecDeque::new(),
            merges: VecDeque::new(),
            gathered: None,
            gathered_packed: PerPacking::default(),
        };
        log.note_words(log.frames.first());
        let source = Arc::clone(&log.source);
        log.copy(&source.lock());
        log
    }

    /// Copies what is new, and tells the windows that are open.
    pub fn follow(&mut self, now: Instant) {
        let (source, end) = (Arc::clone(&self.source), self.frames.end());
        self.copy(&source.lock());
        self.windows.take_in(&self.frames, &self.terms, end, now);
    }

    /// The sockets are written to from now on, each up to here at the least.
    pub(super) fn begin_round(&mut self) {
        self.round = self.frames.end();
        self.windows.begin_round();
    }

    /// All of them have been, if there are any: counts how long the deltas took.
    pub(super) fn end_round(&mut self, counters: Option<&StreamCounters>, now: Instant) {
        let from = std::mem::replace(&mut self.written, self.round);
        let Some(counters) = counters.filter(|_| from < self.round) else {
            return;
        };
        self.count_delivery(from, self.round, counters, now);
    }

    /// What lies between two places was sent to all who are to be sent it: counts how
    /// long the deltas took.
    pub(super) fn count_delivery(
        &self,
        from: Cursor,
        to: Cursor,
        counters: &StreamCounters,
        now: Instant,
    ) {
        let count = usize::try_from(to.since(from)).unwrap_or(usize::MAX);
        let entries = self.frames.from(from).into_iter().flatten().take(count);
        for came in entries.filter_map(|entry| entry.frame.came) {
            counters.delivery.count(came.since(now));
            counters.age.count(came.age(now));
        }
    }

    /// Lets go all that it holds: whoever still reads it ends.
    pub fn forget(&mut self) {
        let position = self.position();
        self.source = Arc::new(self.source.empty(position));
        self.frames.forget_all();
        self.windows.forget(&self.source);
        self.base = None;
        self.words.clear();
        self.merges.clear();
        self.gathered = None;
        self.gathered_packed = PerPacking::default();
    }

    fn copy(&mut self, state: &LogState) {
        let end = self.frames.end();
        self.frames.follow(&state.retention);
        if self.terms.count() != state.terms.count() {
            self.terms.clone_from(&state.terms);
        }
        self.note_words(end);
        self.base = state.bases.current().cloned();
        self.live = state.live;
        self.ended = state.ended;
    }

    /// Notes where frames are that are no deltas, from a place on.
    fn note_words(&mut self, from: Cursor) {
        let first = self.frames.first();
        while self.words.front().is_some_and(|word| *word < first) {
            self.words.pop_front();
        }
        let mut place = from.max(first);
        for entry in self.frames.from(place).into_iter().flatten() {
            if entry.frame.changes().is_none() {
                self.words.push_back(place);
            }
            place = place.next();
        }
    }

    /// Where the last frame is that is no delta, if there is one.
    pub(super) fn last_word(&self) -> Option<Cursor> {
        self.words.back().copied()
    }

    /// Whether it is a copy of this one.
    pub fn is_of(&self, source: &Arc<Log>) -> bool {
        Arc::ptr_eq(source, &self.source)
    }

    /// Whether what follows the cursor is not kept any more.
    pub fn is_forgotten(&self, cursor: Cursor) -> bool {
        self.frames.from(cursor).is_none()
    }

    /// How the view's rows are laid out.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.source.layout
    }

    /// How far it reaches.
    pub fn position(&self) -> Position {
        let timestamp = self.frames.head();
        Position {
            timestamp,
            incarnation: self.terms.at(timestamp),
        }
    }

    /// The time of the last change, for a reader that has been sent all frames.
    /// The log may be known far beyond that time.
    pub fn unchanged_since(&self, cursor: Cursor) -> Option<Timestamp> {
        (cursor == self.frames.end()).then(|| self.frames.changed())
    }

    /// Whether the log began with a constant view.
    pub fn began_final(&self) -> bool {
        self.frames.start() == Timestamp::MAX
    }

    /// Whether a reader who begins at this cursor has to be told that the upstream
    /// is lost, since no frame behind the cursor says so.
    pub fn is_lost_at(&self, cursor: Cursor) -> bool {
        // Looked at first: most often it is not lost.
        let is_later = |word: &&Cursor| **word >= cursor;
        let tells = |word: &Cursor| match self.first(*word) {
            Ok(Some(frame)) => matches!(frame.kind, Kind::Upstream { .. }),
            Ok(None) | Err(Forgotten) => false,
        };
        !self.live && !self.words.iter().rev().take_while(is_later).any(tells)
    }

    /// Whether a reader at this place is sent one delta in place of several.
    pub fn is_far_behind(&self, cursor: Cursor) -> bool {
        self.frames.behind(cursor) > CATCH_UP_FRAMES_MAX
    }

    /// What comes after a place: one frame, or what has come since if it can be
    /// written as it is, or one consolidated delta for a reader that is far
    /// behind.
    pub fn next(&mut self, cursor: Cursor, form: &Form) -> Next {
        if self.is_far_behind(cursor) {
            let end = self.run_end(cursor, self.frames.end());
            let is_long = is_long_run(cursor, end) && !self.is_forgotten(cursor);
            return match is_long {
                true => Next::Merged(self.merge(cursor, end, form)),
                // A word is near, or nothing that could be merged.
                false => self.single(cursor, form),
            };
        }
        if self.frames.behind(cursor) > 1 && form.is_chunked {
            return self.gathered(cursor, form);
        }
        self.single(cursor, form)
    }

    /// The frame that comes after a place.
    pub fn single(&self, cursor: Cursor, form: &Form) -> Next {
        match self.first(cursor) {
            Err(Forgotten) => Next::Forgotten,
            Ok(Some(frame)) => one(frame, cursor, form),
            Ok(None) if self.ended => Next::Ended,
            Ok(None) => Next::Nothing,
        }
    }

    fn first(&self, cursor: Cursor) -> Result<Option<&Arc<Frame>>, Forgotten> {
        let mut entries = self.frames.from(cursor).ok_or(Forgotten)?;
        Ok(entries.next().map(|entry| &entry.frame))
    }

    /// Several frames in one piece. They are copied once for all who stand at
    /// the same place, which after a burst is everybody: cheaper than a list
    /// of pieces that the kernel walks for each socket.
    fn gathered(&mut self, cursor: Cursor, form: &Form) -> Next {
        let end = self.frames.end();
        let gathered = match &form.packing {
            Some(packing) => self.gathered_packed.get_mut(packing),
            None => &mut self.gathered,
        };
        if let Some(known) = gathered
            && (known.from, known.end) == (cursor, end)
        {
            return Next::Bytes(known.chunks.clone(), known.to);
        }
        let Some(entries) = self.frames.from(cursor) else {
            return Next::Forgotten;
        };
        let (mut to, mut chunks) = (cursor, Pieces::default());
        for entry in entries {
            if entry.frame.long.is_some() {
                if to == cursor {
                    return one(&entry.frame, cursor, form);
                }
                break;
            }
            let chunk = entry.frame.encoded.piece(form);
            if to == cursor && chunk.bytes.len() >= GATHER_BYTES_MAX {
                // Large enough to go out alone, and not to be copied.
                return Next::Bytes(chunk, cursor.next());
            }
            if chunks.length() + chunk.bytes.len() > GATHER_BYTES_MAX {
                break;
            }
            chunks.push(&chunk);
            to = to.next();
        }
        let chunks = chunks.finish();
        *gathered = Some(Gathered {
            from: cursor,
            to,
            end,
            chunks: chunks.clone(),
        });
        Next::Bytes(chunks, to)
    }

    /// The place up to another at which a run of deltas ends.
    fn run_end(&self, from: Cursor, until: Cursor) -> Cursor {
        let before = self.words.partition_point(|word| *word < from);
        let word = self.words.get(before);
        word.map_or(until, |word| until.min(*word))
    }

    /// Has the deltas from a place to another merged, or waits for what others
    /// have had merged from there.
    fn merge(&mut self, from: Cursor, to: Cursor, form: &Form) -> Waiting {
        self.merges.retain(|merge| merge.is_good());
        let is_it = |merge: &&Arc<Merge>| {
            let is_near = merge.to <= to && !is_long_run(merge.to, to);
            merge.from == from && is_near
        };
        if let Some(merge) = self.merges.iter().find(is_it) {
            return Waiting::new(merge);
        }
        if self.merges.len() >= MERGES_KNOWN_MAX {
            self.merges.pop_front();
        }
        let (merge, waiting) = Merge::begin(&self.source, (from, to), None, form);
        self.merges.push_back(merge);
        waiting
    }

    /// The place behind the heartbeats that come next, and the frame there, if
    /// it may be told to a reader who is to see changes up to a time only.
    /// Whether the upstream can be reached is no change.
    fn ahead(
        &self,
        cursor: Cursor,
        until: Timestamp,
    ) -> Result<(Cursor, Option<&Arc<Frame>>), Forgotten> {
        let mut place = cursor;
        for entry in self.frames.from(cursor).ok_or(Forgotten)? {
            if !entry.frame.is_heartbeat() {
                // Nor is the end: nothing is held back that comes before it.
                let is_word = matches!(entry.frame.kind, Kind::Upstream { .. } | Kind::Gone);
                let is_due = is_word || entry.timestamp <= until;
                return Ok((place, is_due.then_some(&entry.frame)));
            }
            place = place.next();
        }
        Ok((place, None))
    }

    /// Whether `due` would give something.
    pub fn is_due(&self, cursor: Cursor, until: Timestamp) -> bool {
        !matches!(self.ahead(cursor, until), Ok((_, None)))
    }

    /// What comes after a place for a reader of several views, who is to see
    /// this one's changes up to a time and no further.
    pub fn due(&mut self, cursor: Cursor, until: Timestamp) -> Due {
        let (place, frame) = match self.ahead(cursor, until) {
            Err(Forgotten) => return Due::Forgotten,
            Ok((place, None)) => return Due::Nothing(place),
            Ok((place, Some(frame))) => (place, Arc::clone(frame)),
        };
        let end = self.run_end(place, self.frames.behind_all_until(until));
        if is_long_run(place, end) {
            return Due::Merged(self.merge(place, end, &Form::EVENT));
        }
        Due::Frame(frame, place.next())
    }
}

/// Whether deltas from a place to another are merged.
fn is_long_run(from: Cursor, to: Cursor) -> bool {
    usize::try_from(to.since(from)).is_ok_and(|entries| entries > CATCH_UP_FRAMES_MAX)
}

/// One frame, at once or slice by slice.
fn one(frame: &Frame, cursor: Cursor, form: &Form) -> Next {
    match &frame.long {
        Some(long) => Next::Long(Reading::new(long, Extent::Event), cursor.next()),
        None => Next::Bytes(frame.encoded.piece(form), cursor.next()),
    }
}

/// What lies before the place is not in the log any more.
struct Forgotten;

#[cfg(test)]
mod tests;
