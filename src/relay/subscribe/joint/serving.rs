//! A stream of several views whose socket the thread writes to at news.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::Joint;
use super::output::Taken;
use super::part::Part;
use crate::relay::subscribe::subscriber::News;
use crate::relay::thread::round::WriteNews;

impl Joint {
    /// Frames the bytes in chunks, and has the thread write to the outlet at news of
    /// its views instead of waking a task. Returns the first bytes.
    pub fn serve(&mut self, outlet: Rc<dyn WriteNews>) -> Bytes {
        self.out.form.is_chunked = true;
        // What is news of a window is told to tasks alone.
        let place = self.cohort.as_ref().map(|cohort| cohort.enter(outlet));
        self.place.set(place);
        Bytes::new()
    }

    /// The thread writes to the outlet no more.
    pub fn leave(&self) {
        if let (Some(cohort), Some(place)) = (&self.cohort, self.place.take()) {
            cohort.leave(place);
        }
    }

    /// Whether the thread writes to an outlet.
    pub(super) fn is_served(&self) -> bool {
        self.place.get().is_some()
    }

    /// Counts a write to the socket.
    pub fn count_write(&self) {
        match (&self.cohort, self.parts.first()) {
            (Some(cohort), _) => cohort.count_write(),
            (None, Some(part)) => part.tally.thread.count_write(),
            (None, None) => {}
        }
    }

    /// What the thread is to do when there is news of a view.
    pub fn news(&mut self, now: Instant) -> News {
        if self.is_last {
            return News::Task;
        }
        let silence_at = self.silence_at;
        match self.next(now, true) {
            Taken::Bytes(bytes) => News::Bytes(bytes),
            // The task says the end, sets the alarm anew if it comes earlier, and waits for
            // what is not news of a view: where it stands with others, there is none.
            _ if self.is_over
                || self.silence_at.is_some() && self.silence_at != silence_at
                || self.standing.is_none() && self.parts.iter().any(Part::needs_task) =>
            {
                News::Task
            }
            Taken::Later => News::Task,
            Taken::Nothing | Taken::GivenUp => News::None,
        }
    }
}
