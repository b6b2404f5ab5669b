//! A stream's place among those who are woken at news.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::relay::log::window_request::WindowRequest;
use crate::relay::thread::local_log::LocalLog;
use crate::relay::thread::round::WriteNews;
use crate::relay::thread::thread_view::ThreadView;

/// A place among those who are woken at news; given back on drop.
pub struct Waiter {
    thread: Rc<RefCell<ThreadView>>,
    place: usize,
}

impl Waiter {
    /// A new place.
    pub fn new(thread: &Rc<RefCell<ThreadView>>) -> Self {
        let place = thread.borrow_mut().enter();
        Waiter {
            thread: Rc::clone(thread),
            place,
        }
    }

    /// What the subscribers of this thread and view see.
    pub fn thread(&self) -> Ref<'_, ThreadView> {
        self.thread.borrow()
    }

    /// The current log, also if the thread is yet to be told of it.
    pub fn current_log(&self, now: Instant) -> Option<Rc<RefCell<LocalLog>>> {
        self.thread.borrow_mut().current_log(now)
    }

    /// Wakes the task at the next news.
    pub fn wait(&self, waker: &Waker) {
        self.thread.borrow_mut().wait(self.place, waker);
    }

    /// Has the thread write to this socket at news, until the place is left.
    pub fn serve(&self, outlet: Rc<dyn WriteNews>) {
        self.thread.borrow_mut().rounds.enter(self.place, outlet);
    }

    /// The thread writes there no more.
    pub fn leave_outlet(&self) {
        let outlet = self.thread.borrow_mut().rounds.leave(self.place);
        // Dropped after the borrow: it may be the last of its kind.
        drop(outlet);
    }

    /// Asks the publisher for a base that the log still continues.
    pub fn want_base(&self) {
        self.thread.borrow().want(|shared| &shared.base_wanted);
    }

    /// Asks the publisher for the rows of a window.
    pub fn want_window(&self, request: Arc<WindowRequest>) {
        self.thread.borrow().want_window(request);
    }

    /// Asks the publisher for a base of the rows as they are now.
    pub fn want_latest(&self) {
        self.thread.borrow().want(|shared| &shared.latest_wanted);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.thread.borrow_mut().leave(self.place);
    }
}
