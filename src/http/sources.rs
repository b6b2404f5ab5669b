//! The views that are served, in the order they were chosen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Addr;

use crate::model::now::Now;
use crate::model::pattern::ViewPattern;
use crate::model::reason::Reason;
use crate::model::upstream::{Event, Upstream};
use crate::relay::shared_view::SharedView;
use crate::relay::shell::publisher_actor::PublisherActor;

use super::rules::Rules;

/// A view that is served.
#[derive(Clone)]
pub struct Source {
    /// The view.
    pub shared: Arc<SharedView>,
    /// The actor that publishes it.
    pub publisher: Addr<PublisherActor>,
    /// What the operator says of its rows.
    pub rules: Arc<Rules>,
}

/// The views there are, which come and go where a pattern has chosen them.
/// A clone shows the same.
#[derive(Clone, Default)]
pub struct Sources {
    all: Arc<Mutex<Arc<Vec<Source>>>>,
    /// What names more of them, as the catalog has them.
    patterns: Arc<Vec<ViewPattern>>,
    /// How the catalog stands that is to say what there is, until it was read.
    awaited: Arc<Mutex<Option<Upstream>>>,
}

impl Sources {
    /// These views. If a catalog is `awaited`, patterns will add more, and the
    /// gateway is not ready before it has been read.
    pub fn new(all: Vec<Source>, patterns: Vec<ViewPattern>, awaited: Option<Upstream>) -> Self {
        Sources {
            all: Arc::new(Mutex::new(Arc::new(all))),
            patterns: Arc::new(patterns),
            awaited: Arc::new(Mutex::new(awaited)),
        }
    }

    /// Those there are now.
    pub fn all(&self) -> Arc<Vec<Source>> {
        // The list is only ever replaced whole, so it is good even if a thread
        // panicked while it held the lock.
        Arc::clone(&self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a view of this name is served.
    pub fn serves(&self, name: &str) -> bool {
        self.all().iter().any(|it| it.shared.name == name)
    }

    /// Whether a view of this name would be served if there were one.
    pub fn may_serve(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.names(name))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Source>)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut all));
    }

    /// One more, at the end.
    pub fn add(&self, source: Source) {
        self.change(|all| all.push(source));
    }

    /// One less.
    pub fn remove(&self, name: &str) {
        self.change(|all| all.retain(|it| it.shared.name != name));
    }

    /// The catalog was read.
    pub fn set_resolved(&self) {
        *self.lock_awaited() = None;
    }

    /// The catalog could not be read.
    pub fn catalog_failed(&self, reason: Reason, now: Now) {
        if let Some(awaited) = self.lock_awaited().as_mut() {
            // Nobody holds anything of it.
            let _ = awaited.handle(Event::Failed(reason), now.wall_ms);
        }
    }

    /// How the catalog stands, if it has yet to say which views there are.
    pub fn awaited(&self) -> Option<Upstream> {
        self.lock_awaited().clone()
    }

    fn lock_awaited(&self) -> MutexGuard<'_, Option<Upstream>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
