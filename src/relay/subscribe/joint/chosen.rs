//! What a stream of several views is to show.

use std::cell::RefCell;
use std::rc::Rc;

use crate::model::position::Position;
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
    /// Whether a position is one of its log's; not, while nothing is known of it.
    pub(super) fn has(&self, position: Position) -> bool {
        let Some(log) = self.local.borrow().log.clone() else {
            return false;
        };
        let log = log.borrow();
        let choose = self.window.as_ref();
        let window = choose.map(|choose| choose(log.layout())).transpose();
        window.is_ok_and(|window| log.holds(position, window.as_ref()))
    }
}
