//! What a stream of several views is to show.

use std::cell::RefCell;
use std::rc::Rc;

use crate::model::position::Position;
use crate::relay::thread::cohort::Cohort;
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

/// The streams of these views on the thread. Those of windows have nothing in common.
pub(super) fn cohort_of(views: &[Chosen]) -> Option<Rc<Cohort>> {
    let whole = views.iter().map(|view| match view.window {
        None => Some((Rc::clone(&view.local), view.name.as_str())),
        Some(_) => None,
    });
    let whole: Vec<_> = whole.collect::<Option<_>>()?;
    Some(ThreadView::cohort(&whole))
}
