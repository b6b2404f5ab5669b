//! What a stream of several views is to show.

use std::cell::RefCell;
use std::rc::Rc;

use crate::model::position::Incarnation;
use crate::relay::thread::seat::Choose;
use crate::relay::thread::thread_view::ThreadView;

/// A view that a stream is to show.
pub struct Chosen {
    /// What the thread knows of it.
    pub local: Rc<RefCell<ThreadView>>,
    /// What its events' names begin with; no line break in it.
    pub name: String,
    /// The window of it; `None` where the whole view is shown.
    pub window: Option<Choose>,
}

impl Chosen {
    /// Of what positions are now; `None` while nothing is known of it.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        let log = self.local.borrow().log.clone()?;
        let log = log.borrow();
        let Some(choose) = &self.window else {
            return Some(log.incarnation());
        };
        let window = choose(log.layout()).ok()?;
        Some(window.incarnation(log.incarnation()))
    }
}
