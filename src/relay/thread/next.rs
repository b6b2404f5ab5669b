//! What comes next for who stands at some place of a log.

use std::sync::Arc;

use crate::model::retention::Cursor;
use crate::relay::counters::Tally;
use crate::relay::event::frame::Frame;
use crate::relay::event::long_event::Reading;
use crate::relay::event::packed::Piece;
use crate::relay::log::backlog::Waiting;

/// What a subscriber at some place of the log is to be given.
#[derive(Debug)]
pub enum Next {
    /// These bytes, frame by frame; it then stands at the cursor.
    Bytes(Piece, Cursor),
    /// This event, slice by slice; it then stands at the cursor.
    Long(Reading, Cursor),
    /// One delta in place of several frames, when it is made.
    Merged(Waiting),
    /// It has everything.
    Nothing,
    /// It has the last frame there will ever be.
    Ended,
    /// What it lacks is forgotten.
    Forgotten,
}

impl Next {
    /// Moves the cursor behind what is taken, and counts it; else what there is
    /// in place of bytes.
    pub fn taken(self, cursor: &mut Cursor, tally: &Tally) -> Result<Piece, Next> {
        match self {
            Next::Bytes(bytes, place) => {
                tally.count_frames(place.since(*cursor));
                *cursor = place;
                Ok(bytes)
            }
            other => Err(other),
        }
    }
}

/// What a reader of several views is to be given of one of them.
#[derive(Debug)]
pub enum Due {
    /// This frame; it then stands at the cursor.
    Frame(Arc<Frame>, Cursor),
    /// One delta in place of several frames, when it is made.
    Merged(Waiting),
    /// Nothing yet; only heartbeats lie before the cursor.
    Nothing(Cursor),
    /// What it lacks is forgotten.
    Forgotten,
}
