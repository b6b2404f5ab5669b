//! The log of a view, shared by all threads: the publisher appends to it, and each
//! thread copies the pointers that are new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::position::{Position, Timestamp};
use crate::model::retention::{Entry, Resume, Retention};
use crate::model::terms::{Terms, Twice};
use crate::model::window::Layout;
use crate::relay::event::dictionary::Shelf;
use crate::relay::event::frame::Frame;
use crate::relay::log::bases::Bases;
use crate::relay::log::jobs::Jobs;
use crate::relay::log::long_backlogs::LongBacklogs;
use crate::relay::log::runs::Runs;
use crate::relay::log::shapes::Shapes;

/// What every relay of the view copies from.
#[derive(Debug)]
pub struct Log {
    /// How the view's rows are laid out.
    pub layout: Arc<Layout>,
    /// After so long a silence a stream is told that nothing has changed.
    pub heartbeat: Duration,
    /// By which columns windows look for changes.
    pub shapes: Shapes,
    /// What its events are compressed with for who has it.
    pub shelf: Shelf,
    /// Who merges backlogs, and frees what is large.
    pub jobs: Arc<dyn Jobs>,
    state: Mutex<LogState>,
}

/// The part of a log that changes.
#[derive(Debug)]
pub struct LogState {
    /// The frames kept.
    pub retention: Retention<Arc<Frame>>,
    /// Of what it is the log, and was.
    pub terms: Terms,
    /// The bases; none until someone asks for one.
    pub bases: Bases,
    /// Large deltas that are read in place of backlogs.
    pub long_backlogs: LongBacklogs,
    /// Runs of entries that were merged.
    pub runs: Runs,
    /// The latest position that a client has gone on from with nothing to send.
    pub resumed: Timestamp,
    /// Whether the last word on the upstream that was told in the log, if one
    /// was, is that it is live. What is known of it, `Status` has.
    pub live: bool,
    /// Whether the last frame is in: nothing will follow.
    pub ended: bool,
}

impl Log {
    /// A log that begins where a view stands; times that come twice are told.
    pub fn new(
        position: Position,
        twice: Option<Twice>,
        layout: Arc<Layout>,
        heartbeat: Duration,
        jobs: Arc<dyn Jobs>,
    ) -> Self {
        Log {
            layout,
            heartbeat,
            shapes: Shapes::default(),
            shelf: Shelf::default(),
            state: Mutex::new(LogState {
                retention: Retention::new(position.timestamp),
                terms: Terms::new(position.incarnation, twice),
                bases: Bases::new(Arc::clone(&jobs)),
                long_backlogs: LongBacklogs::new(Arc::clone(&jobs)),
                runs: Runs::default(),
                resumed: Timestamp::MIN,
                live: true,
                ended: false,
            }),
            jobs,
        }
    }

    /// A log of the same view without anything, from a position on.
    pub fn empty(&self, position: Position) -> Self {
        let (layout, jobs) = (Arc::clone(&self.layout), Arc::clone(&self.jobs));
        Log::new(position, None, layout, self.heartbeat, jobs)
    }

    /// The state, locked; hold it for the copy of a few pointers only.
    pub fn lock(&self) -> MutexGuard<'_, LogState> {
        // A poisoned lock only says that a thread panicked elsewhere: the state is
        // valid between any two statements, so it can be used on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the last frame of all.
    pub fn end(&self, frame: Frame, now_ms: u64) {
        let mut state = self.lock();
        let head = state.retention.head();
        if !state.ended {
            state.retention.push(Entry {
                after: head,
                timestamp: head,
                has_changes: false,
                bytes: frame.bytes_kept(),
                at_ms: now_ms,
                frame: Arc::new(frame),
            });
        }
        state.ended = true;
    }
}

impl LogState {
    /// What a client of the whole view needs that comes back with a position.
    pub fn resume(&self, position: Position) -> Resume {
        match self.terms.hold(position, |it| it) {
            true => self.retention.since(position.timestamp),
            false => Resume::Base,
        }
    }

    /// Whether the whole view is still what it was at a position that a client brings
    /// back; not, if that cannot be told.
    pub fn is_unchanged_since(&self, position: Position) -> bool {
        self.terms.hold(position, |it| it) && self.retention.is_unchanged_since(position.timestamp)
    }
}
