//! What a stream of several views is to show.

use std::cell::RefCell;
use std::rc::Rc;

use crate::model::position::Position;
use crate::model::terms::Worth;
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
        self.worth(position)
            .is_some_and(|worth| worth != Worth::None)
    }

    /// What a position is worth to its log; `None` where there is no such log or window.
    fn worth(&self, position: Position) -> Option<Worth> {
        let log = self.local.borrow().log.clone()?;
        let log = log.borrow();
        let choose = self.window.as_ref();
        let window = choose.map(|choose| choose(log.layout())).transpose().ok()?;
        Some(log.worth(position, window.as_ref()))
    }
}
