//! A stream's place at an open window; given back on drop.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::model::position::{Incarnation, Timestamp};
use crate::model::retention::Cursor;
use crate::model::window::{Layout, Window};
use crate::relay::event::form::Form;
use crate::relay::log::bases::Base;
use crate::relay::shared_view::SharedView;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::next::Due;
use crate::relay::thread::round::WriteNews;
use crate::relay::thread::thread_view::ThreadView;

/// Says which window of a view a stream shows, once its columns are known; or why
/// there is none, in words that are fit for browsers.
pub type Choose = Rc<dyn Fn(&Arc<Layout>) -> Result<Window, String>>;

/// A place at a window of one log.
pub struct Seat {
    shared: Arc<SharedView>,
    log: Rc<RefCell<LocalLog>>,
    /// The window's number and the place among its readers.
    at: (usize, usize),
}

impl Seat {
    /// A new place, at the window as it is read by others already or not.
    pub fn take(
        log: &Rc<RefCell<LocalLog>>,
        shared: &Arc<SharedView>,
        window: Window,
        is_alone: bool,
        now: Instant,
    ) -> Self {
        let (at, is_new) = log.borrow_mut().enter_window(window, is_alone, now);
        if is_new {
            shared.open_window();
        }
        Seat {
            shared: Arc::clone(shared),
            log: Rc::clone(log),
            at,
        }
    }

    /// The window.
    pub fn window(&self) -> Option<Arc<Window>> {
        self.log.borrow().window(self.at)
    }

    /// Of what the window is at this time.
    pub fn incarnation_at(&self, timestamp: Timestamp) -> Option<Incarnation> {
        self.log.borrow().window_incarnation(self.at, timestamp)
    }

    /// Whether it is at a window of this log.
    pub fn is_of(&self, log: &Rc<RefCell<LocalLog>>) -> bool {
        Rc::ptr_eq(&self.log, log)
    }

    /// The rows to begin with, if they are there and the log goes on from them.
    pub fn base(&self) -> Option<Arc<Base>> {
        self.log.borrow().window_base(self.at)
    }

    /// Asks the publisher for the rows to begin with, unless somebody on the thread
    /// has done so; who waits at the window is woken when they are there.
    pub fn want_base(&self, thread: &ThreadView) {
        let request = self.log.borrow_mut().want_window_base(self.at);
        if let Some(request) = request {
            thread.want_window(request);
        }
    }

    /// The stream stands at this place and time: it is woken at what comes behind
    /// it, or the thread writes to its outlet.
    pub fn follow(
        &self,
        at: (Cursor, Timestamp),
        outlet: Option<Weak<dyn WriteNews>>,
        now: Instant,
    ) {
        let mut log = self.log.borrow_mut();
        log.follow_window(self.at, at, outlet, now);
    }

    /// What comes next for a stream that has everything before a place, with changes
    /// up to a time.
    pub fn due(&self, cursor: Cursor, until: Timestamp, form: &Form) -> Due {
        let mut log = self.log.borrow_mut();
        log.due_of_window(self.at, cursor, until, form)
    }

    /// Whether there is something, as far as can be told without looking for it.
    pub fn is_due(&self, cursor: Cursor, until: Timestamp) -> bool {
        self.log.borrow().is_due_of_window(self.at, cursor, until)
    }

    /// Whether what comes behind this place is at hand.
    pub fn holds(&self, cursor: Cursor) -> bool {
        self.log.borrow().window_holds(self.at, cursor)
    }

    /// Whether what comes behind this place has to be looked for in the log.
    pub fn is_behind(&self, cursor: Cursor) -> bool {
        self.log.borrow().is_window_behind(self.at, cursor)
    }

    /// Whether that is not kept any more.
    pub fn is_forgotten(&self, cursor: Cursor) -> bool {
        self.log.borrow().is_window_forgotten(self.at, cursor)
    }

    /// The time of the view's last change in this log, for a stream that has
    /// everything.
    pub fn unchanged_since(&self, log: &LocalLog, cursor: Cursor) -> Option<Timestamp> {
        let is_due = log.is_due_of_window(self.at, cursor, Timestamp::MAX);
        (!is_due).then(|| log.frames.changed())
    }

    /// Wakes the task at the next news of the window.
    pub fn wait(&self, waker: &Waker) {
        self.log.borrow_mut().wait_at_window(self.at, waker);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.log.borrow_mut().leave_window(self.at) {
            self.shared.close_window();
        }
    }
}
