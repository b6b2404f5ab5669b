//! The rows of a window as they are now, for who asks once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

use crate::model::position::Position;
use crate::model::window::Window;
use crate::relay::event::body::Extent;
use crate::relay::event::long_event::Reading;
use crate::relay::log::bases::Base;
use crate::relay::log::window_request::WindowRequest;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::seat::Choose;
use crate::relay::thread::thread_view::ThreadView;
use crate::relay::thread::waiter::Waiter;

/// What there is of a window.
#[derive(Debug)]
pub enum Found {
    /// What the client has is still right: it has the rows of this position.
    Unchanged(Position),
    /// The rows at a position.
    Rows {
        /// Where they stand.
        position: Position,
        /// The array.
        rows: Rows,
    },
    /// Nothing is known of the view yet.
    NotLoaded,
    /// There is no such window, in words that are fit for browsers.
    Refused(String),
}

/// An array of rows.
#[derive(Debug)]
pub enum Rows {
    /// All of it.
    Whole(Bytes),
    /// Read slice by slice; how long it is turns out at the end.
    Read(Reading),
}

/// Somebody who asks for the rows of a window.
pub struct WindowRows {
    waiter: Waiter,
    choose: Choose,
    /// The positions that the client has rows of.
    known: Vec<Position>,
    request: Option<Arc<WindowRequest>>,
}

impl WindowRows {
    /// Asks for the window that is chosen, unless it is still what it was at one of
    /// these positions.
    pub fn new(thread: &Rc<RefCell<ThreadView>>, choose: Choose, known: Vec<Position>) -> Self {
        WindowRows {
            waiter: Waiter::new(thread),
            choose,
            known,
            request: None,
        }
    }

    /// What was found; else the task is woken when there is more to say.
    pub fn poll(&mut self, now: Instant, waker: &Waker) -> Poll<Found> {
        if let Some(request) = &self.request {
            match request.answered() {
                Some(Some(base)) => return Poll::Ready(found(base)),
                // The view is another one by now.
                Some(None) => self.request = None,
                None => return self.wait(waker),
            }
        }
        let Some(log) = self.waiter.current_log(now) else {
            return Poll::Ready(Found::NotLoaded);
        };
        let mut log = log.borrow_mut();
        // The client may have come with what another thread has told it.
        log.follow(now);
        let window = match (self.choose)(log.layout()) {
            Ok(window) => window,
            Err(reason) => return Poll::Ready(Found::Refused(reason)),
        };
        if let Some(known) = self.unchanged(&log, &window) {
            return Poll::Ready(Found::Unchanged(known));
        }
        let request = Arc::new(log.request(Arc::new(window)));
        self.request = Some(Arc::clone(&request));
        self.waiter.want_window(request);
        self.wait(waker)
    }

    fn wait(&self, waker: &Waker) -> Poll<Found> {
        self.waiter.wait(waker);
        Poll::Pending
    }

    /// The latest position of the client's since which nothing of the window has
    /// changed. Where it takes too long to say, it counts as changed.
    fn unchanged(&self, log: &LocalLog, window: &Window) -> Option<Position> {
        let (latest, is_its) = log.latest(&self.known, Some(window))?;
        (is_its && log.is_window_unchanged(window, latest.timestamp)).then_some(latest)
    }
}

fn found(base: &Arc<Base>) -> Found {
    let rows = match &base.short {
        Some(event) => {
            // `data: ` before the array, and a line break behind it.
            let data = event.data();
            let end = data.len().saturating_sub(1);
            Rows::Whole(data.slice(DATA.len().min(end)..end))
        }
        None => Rows::Read(base.read(Extent::Array)),
    };
    Found::Rows {
        position: base.position,
        rows,
    }
}

/// How a line of data begins.
const DATA: &str = "data: ";
