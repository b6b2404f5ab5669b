//! Messages to events: only whole closed timestamps leave here. Pure.
//!
//! A timestamp is closed by a row at a later one, since rows come in the order
//! of time, or by progress above it: progress at `t` closes what is below `t`.

use crate::limits::{SNAPSHOT_BEHIND_MS_MAX, TIME_BACK_MAX_MS};
use crate::model::delta::{Change, Delta};
use crate::model::event::TailEvent;
use crate::model::position::Timestamp;
use crate::model::row::Row;
use crate::model::view::{View, ViewBuilder};

mod error;

pub use error::AssemblerError;

/// Where a tail starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With a snapshot. It is told once it is known to hold at `floor`, the
    /// last timestamp that an earlier connection closed: a server may show its
    /// contents a little before that, and time must not go back.
    Snapshot {
        /// The last timestamp closed so far.
        floor: Option<Timestamp>,
        /// The time that the upstream's clock has shown so far; `floor` may
        /// be far beyond it, since a view may be known ahead of time.
        reached: Option<Timestamp>,
    },
    /// With the changes after this closed timestamp.
    Resume(Timestamp),
}

/// Rows of a timestamp that may not be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// Their time.
    pub timestamp: Timestamp,
    /// How many rows the view has at that time if these are all: copies
    /// counted.
    pub copies: i128,
}

#[derive(Debug)]
enum State {
    Snapshot {
        builder: Box<ViewBuilder>,
        floor: Option<Timestamp>,
        reached: Option<Timestamp>,
    },
    Deltas,
}

/// Collects messages until their timestamp is closed.
#[derive(Debug)]
pub struct Assembler {
    state: State,
    /// The time that the changes were asked for from.
    resumed: Option<Timestamp>,
    /// The last timestamp told as closed.
    closed: Option<Timestamp>,
    /// The time of the rows that are being collected; in a snapshot also the
    /// time it is of, once known.
    open: Option<Timestamp>,
    /// The last progress.
    progress: Option<Timestamp>,
    /// The changes at `open`, unless in a snapshot.
    pending: Vec<Change>,
    /// Bytes of JSON collected and not told.
    bytes: u64,
    bytes_max: u64,
    /// Sum of all diffs since the snapshot began; `None` when resumed, where
    /// the sum before is not known.
    copies: Option<i128>,
    /// After what was told last nothing changes up to here.
    rest: Option<Timestamp>,
    /// Whether the snapshot is of a time long before one that was.
    went_back: bool,
}

impl Assembler {
    /// Nothing received yet. Collecting more than `bytes_max` bytes of rows
    /// without telling them is an error.
    pub fn new(start: Start, bytes_max: u64) -> Self {
        let (state, closed, copies) = match start {
            Start::Snapshot { floor, reached } => {
                let state = State::Snapshot {
                    builder: Box::default(),
                    floor,
                    reached,
                };
                (state, None, Some(0))
            }
            Start::Resume(closed) => (State::Deltas, Some(closed), None),
        };
        Assembler {
            state,
            resumed: closed,
            closed,
            open: None,
            progress: None,
            pending: Vec::new(),
            bytes: 0,
            bytes_max,
            copies,
            rest: None,
            went_back: false,
        }
    }

    /// The last timestamp told as closed on this connection.
    pub fn closed(&self) -> Option<Timestamp> {
        self.closed
    }

    /// Takes one update.
    pub fn update(
        &mut self,
        timestamp: Timestamp,
        diff: i64,
        row: &str,
    ) -> Result<Option<TailEvent>, AssemblerError> {
        // Progress at `t` has promised that nothing comes below `t`; what was
        // told up to `closed` is final; rows come in the order of time.
        let told = [self.open, self.progress, self.closed.map(Timestamp::next)];
        let told = told.into_iter().flatten().max();
        if let Some(held) = told.filter(|held| timestamp < *held) {
            return Err(AssemblerError::UpdateWentBack {
                held,
                given: timestamp,
            });
        }
        if self.closed == Some(timestamp) {
            // Only at the end of time, where `next` has nowhere to go.
            return Err(AssemblerError::UpdateWentBack {
                held: timestamp,
                given: timestamp,
            });
        }
        let event = match self.open {
            Some(open) if open < timestamp => self.close(open)?,
            _ => None,
        };
        self.open = Some(timestamp);
        let length = u64::try_from(row.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        if self.bytes > self.bytes_max {
            return Err(AssemblerError::TooLarge {
                max: self.bytes_max,
                is_snapshot: self.awaits_snapshot(),
            });
        }
        self.copies = self.copies.map(|sum| sum.saturating_add(i128::from(diff)));
        match &mut self.state {
            State::Snapshot { builder, .. } => builder.add(row, diff),
            State::Deltas => self.pending.push(Change {
                row: Row::from(row),
                diff,
            }),
        }
        Ok(event)
    }

    /// Takes a progress row.
    pub fn progress(&mut self, at: Timestamp) -> Result<Option<TailEvent>, AssemblerError> {
        if let Some(held) = self.progress.filter(|held| at < *held) {
            return Err(AssemblerError::ProgressWentBack { held, given: at });
        }
        self.progress = Some(at);
        if matches!(self.state, State::Snapshot { .. }) && self.open.is_none() {
            // The first word of a newer server is the time its snapshot is of;
            // the rows of that very time are still to come.
            self.open = Some(at);
            return Ok(None);
        }
        match at.closed_below() {
            Some(closed) => self.close(closed),
            None => Ok(None),
        }
    }

    /// Everything up to and including `through` is closed.
    fn close(&mut self, through: Timestamp) -> Result<Option<TailEvent>, AssemblerError> {
        match &mut self.state {
            State::Snapshot {
                builder,
                floor,
                reached,
            } => {
                let Some(open) = self.open.filter(|open| *open <= through) else {
                    return Ok(None);
                };
                let is_back = is_back_by(open, *reached, TIME_BACK_MAX_MS);
                if floor.is_some_and(|floor| through < floor) && !is_back {
                    return Ok(None);
                }
                // At its own time if that can be: who is known far ahead has
                // been what it is since then, and holds up nobody.
                let at = floor.filter(|_| !is_back).map_or(open, |it| it.max(open));
                self.went_back = is_back && is_back_by(open, *reached, SNAPSHOT_BEHIND_MS_MAX);
                let view = std::mem::take(builder).finish(at)?;
                self.told(at, through);
                self.state = State::Deltas;
                Ok(Some(TailEvent::Snapshot(view)))
            }
            State::Deltas => {
                if self.closed.is_some_and(|closed| through <= closed) {
                    return Ok(None);
                }
                if self.pending.is_empty() {
                    self.told(through, through);
                    return Ok(Some(TailEvent::Progress(through)));
                }
                match self.open {
                    Some(open) if open <= through => {
                        let changes = std::mem::take(&mut self.pending);
                        // At the rows' own time, not at the later one that is
                        // closed too: a position between the two, from another
                        // gateway, includes these changes already.
                        self.told(open, through);
                        Ok(Some(TailEvent::Delta(Delta::new(open, changes))))
                    }
                    // Below the rows being collected nothing changed; that
                    // can wait until they are told.
                    _ => Ok(None),
                }
            }
        }
    }

    /// What is told stands at a time, and is closed through a later one.
    fn told(&mut self, at: Timestamp, through: Timestamp) {
        self.closed = Some(at);
        self.rest = (through > at).then_some(through);
        self.open = None;
        self.bytes = 0;
    }

    /// What was closed together with what was told last, and is to be told
    /// after it: that nothing changed since.
    pub fn rest(&mut self) -> Option<TailEvent> {
        let rest = self.rest.take()?;
        self.closed = Some(rest);
        Some(TailEvent::Progress(rest))
    }

    /// Whether the snapshot was of a time so long before what was reached that
    /// the upstream's time has gone back.
    pub fn has_gone_back(&self) -> bool {
        self.went_back
    }

    /// The last progress.
    pub fn progressed(&self) -> Option<Timestamp> {
        self.progress
    }

    /// Whether it began with the changes after a time.
    pub fn is_resumed(&self) -> bool {
        self.resumed.is_some()
    }

    /// Whether it began so, and nothing later was told.
    pub fn is_where_it_began(&self) -> bool {
        self.is_resumed() && self.closed == self.resumed
    }

    /// The last progress, if it is more than the time that was asked for: a
    /// server repeats that as its first word, also one that is still to come.
    pub fn promised(&self) -> Option<Timestamp> {
        self.progress.filter(|it| Some(*it) > self.resumed)
    }

    /// Whether nothing at all has come.
    pub fn is_untouched(&self) -> bool {
        self.open.is_none() && self.progress.is_none() && self.closed.is_none()
    }

    /// Whether the snapshot has not been told yet.
    pub fn awaits_snapshot(&self) -> bool {
        matches!(self.state, State::Snapshot { .. })
    }

    /// Rows of a snapshot that came and are not closed, with what a count of
    /// the view must give at their time if they are all: part of a snapshot
    /// counts less than the whole. `None` where there are none.
    pub fn unclosed(&self) -> Option<Unclosed> {
        let State::Snapshot { builder, .. } = &self.state else {
            return None;
        };
        match (self.open, self.copies) {
            (Some(timestamp), Some(copies)) if !builder.is_empty() => {
                Some(Unclosed { timestamp, copies })
            }
            _ => None,
        }
    }

    /// Whether changes came that are not closed. A count cannot tell whether
    /// they are all, since a part of them may add up to the same.
    pub fn has_unclosed_changes(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Another connection saw the view empty at this time, before anything
    /// came on this one: an old server says nothing about an empty view.
    pub fn found_empty(&mut self, at: Timestamp) -> Option<TailEvent> {
        let State::Snapshot { floor, reached, .. } = &self.state else {
            return None;
        };
        let is_back = is_back_by(at, *reached, TIME_BACK_MAX_MS);
        if !self.is_untouched() || floor.is_some_and(|floor| at < floor) && !is_back {
            return None;
        }
        self.went_back = is_back_by(at, *reached, SNAPSHOT_BEHIND_MS_MAX);
        self.told(at, at);
        self.state = State::Deltas;
        Some(TailEvent::Snapshot(View::empty(at)))
    }

    /// Another connection counted the view at the time of the unclosed rows:
    /// they are complete if they still are the ones asked about.
    pub fn found_complete(
        &mut self,
        counted: Unclosed,
    ) -> Result<Option<TailEvent>, AssemblerError> {
        if self.unclosed() != Some(counted) {
            return Ok(None);
        }
        if let State::Snapshot { floor, reached, .. } = &self.state {
            self.open = Some(became_final(counted.timestamp, *floor, *reached));
        }
        self.close(counted.timestamp)
    }

    /// Whether the rows being collected stand at the end of time, where an old
    /// server puts the rows of a constant view.
    pub fn is_at_end_of_time(&self) -> bool {
        self.open == Some(Timestamp::MAX) || self.closed == Some(Timestamp::MAX)
    }

    /// The server has ended the tail, and it is known that the view is final:
    /// tells what was collected and completion. `now` is the upstream's time,
    /// as far as it is known.
    pub fn finish(&mut self, now: Option<Timestamp>) -> Result<Vec<TailEvent>, AssemblerError> {
        let mut events = Vec::new();
        // A view without rows whose time was never told stands, like every
        // constant view of an old server, at the end of time.
        let through = match (self.open, self.closed) {
            (Some(open), _) => Some(open),
            (None, None) => Some(Timestamp::MAX),
            (None, Some(_)) => None,
        };
        if let Some(through) = through {
            let (mut open, mut through, mut is_back) = (through, through, false);
            if let State::Snapshot { floor, reached, .. } = &self.state {
                let back = |now| is_back_by(now, *reached, SNAPSHOT_BEHIND_MS_MAX);
                // What never changes is the same before and after.
                is_back = now.is_some_and(back) && *floor != Some(Timestamp::MAX);
                if !is_back {
                    open = became_final(through, *floor, now.or(*reached));
                    // It is the same at all times to come.
                    through = floor.map_or(through, |floor| floor.max(through));
                }
            }
            self.open = Some(open);
            events.extend(self.close(through)?);
            self.went_back |= is_back;
            events.extend(self.rest());
        }
        events.push(TailEvent::Complete);
        Ok(events)
    }
}

/// Since when a view at the end of time has been what it is: who holds what it
/// was before would otherwise be between the two for ever.
fn became_final(through: Timestamp, floor: Option<Timestamp>, now: Option<Timestamp>) -> Timestamp {
    match floor {
        Some(floor) if through == Timestamp::MAX && floor < through => {
            now.map_or(floor.next(), |now| now.max(floor.next()))
        }
        _ => through,
    }
}

/// Whether a time is by more than so much before what the clock has shown.
fn is_back_by(time: Timestamp, reached: Option<Timestamp>, ms_max: u64) -> bool {
    let by = |reached: Timestamp| reached.get().saturating_sub(time.get());
    reached.is_some_and(|reached| by(reached) > ms_max)
}

#[cfg(test)]
mod tests;
