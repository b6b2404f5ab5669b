//! What a stream of several views sends that belongs to none of them:
//! `consistent`, comments, `retry:`.

use super::Joint;
use crate::limits::RETRY_MS;
use crate::model::position::{Position, Timestamp};
use crate::relay::event::frame::consistent;
use crate::relay::event::names::COMMENT;
use crate::relay::event::notices::farewell;
use crate::relay::subscribe::joint::ids::id_of;

impl Joint {
    /// Adds bytes that belong to no view; they are counted with the first one's.
    pub(super) fn own(&mut self, bytes: &[u8]) {
        self.out.own(bytes);
        if let Some(part) = self.parts.first() {
            part.tally.thread.count_bytes(bytes.len());
        }
    }

    /// The last block of a stream that ends though its views go on.
    pub(super) fn say_farewell(&mut self, reason: &str) {
        let farewell = farewell(self.rng.u64(RETRY_MS), reason);
        self.own(&farewell);
    }

    /// All views stand at this time.
    pub(super) fn say_consistent(&mut self, time: Timestamp) {
        (self.is_owed, self.is_silent) = (false, false);
        let mut positions: Vec<Option<Position>> = vec![None; self.parts.len()];
        for part in &self.parts {
            if let Some(position) = positions.get_mut(part.rank) {
                *position = part.at;
            }
        }
        // No id is sent twice: ids grow strictly along a stream.
        let is_news = self.known.as_ref() != Some(&positions);
        let id = is_news.then(|| id_of(&positions));
        self.known = Some(positions);
        self.out.begin_event();
        self.own(&consistent(time, id.as_deref()));
        if let Some(part) = self.parts.first() {
            part.tally.count_frames(1);
        }
    }

    /// A heartbeat while the views have not reached a later common time.
    pub(super) fn say_again(&mut self) {
        self.is_silent = false;
        match self.time.filter(|_| !self.is_owed) {
            Some(time) => {
                self.out.begin_event();
                self.own(&consistent(time, None));
            }
            None => self.own(COMMENT),
        }
    }
}
