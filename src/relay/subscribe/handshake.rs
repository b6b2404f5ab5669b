//! The handshake of a stream: where the client says it stands, compared with
//! the log, decides whether it is sent deltas or a base.

use std::cell::RefCell;
use std::time::Instant;

use crate::limits::AHEAD_WAIT;
use crate::model::position::Position;
use crate::model::retention::{Cursor, Resume};
use crate::model::window::Window;
use crate::relay::counters::{Outcome, StreamCounters};
use crate::relay::thread::local_log::LocalLog;

/// The positions that a client brought, none for a new one. They count once: of
/// them nothing is held while the stream goes on.
pub struct Handshake(Option<Box<Brought>>);

/// What a client brought.
struct Brought {
    positions: Vec<Position>,
    /// While the client is ahead of this gateway: until when the gateway may catch
    /// up before the client is sent a base.
    ahead_until: Option<Instant>,
}

/// The result of comparing the positions with the log.
pub enum Judged {
    /// The client has this position; the stream continues at this cursor.
    Resumed(Position, Cursor),
    /// The client is ahead of this gateway, which may catch up: wait for news.
    Ahead,
    /// A base is needed. The position that could not be resumed from is given
    /// when this is found, and not again after that.
    Base(Option<Position>),
}

impl Handshake {
    /// A handshake with these positions.
    pub fn new(positions: Vec<Position>) -> Self {
        let is_any = !positions.is_empty();
        Handshake(is_any.then(|| {
            Box::new(Brought {
                positions,
                ahead_until: None,
            })
        }))
    }

    /// Compares the positions, if there are any, with the log, for a stream of the
    /// view, or of a window of it. Any result but `Ahead` is counted, and the positions
    /// are forgotten.
    pub fn judge(
        &mut self,
        log: &RefCell<LocalLog>,
        window: Option<&Window>,
        counters: &StreamCounters,
        now: Instant,
    ) -> Judged {
        let positions = self.0.as_ref().map_or(&[][..], |it| &it.positions);
        let found = log.borrow_mut().resume(positions, window, now);
        let Some((position, found)) = found else {
            return Judged::Base(None);
        };
        counters.count_resume(match found {
            Resume::UpToDate(_) => Outcome::UpToDate,
            Resume::Deltas(_) => Outcome::Deltas,
            Resume::Ahead if now < self.patience_until(now) => return Judged::Ahead,
            Resume::Ahead => Outcome::Ahead,
            Resume::Base => Outcome::Base,
        });
        self.0 = None;
        match found.cursor() {
            Some(cursor) => Judged::Resumed(position, cursor),
            None => Judged::Base(Some(position)),
        }
    }

    /// Until when a client that is ahead waits; set at the first call.
    fn patience_until(&mut self, now: Instant) -> Instant {
        let until = now + AHEAD_WAIT;
        let brought = self.0.as_mut();
        brought.map_or(until, |it| *it.ahead_until.get_or_insert(until))
    }

    /// When it is to be judged again, though there is no news.
    pub fn wake_at(&self) -> Option<Instant> {
        self.0.as_ref()?.ahead_until
    }
}
