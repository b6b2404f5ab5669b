//! The views that are served, in the order they were chosen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;

use crate::relay::shared_view::SharedView;
use crate::relay::shell::publisher_actor::PublisherActor;

/// A view and the actor that publishes it.
pub type Source = (Arc<SharedView>, Addr<PublisherActor>);

/// The views there are, which come and go where a pattern has chosen them.
/// A clone shows the same.
#[derive(Clone, Default)]
pub struct Sources {
    all: Arc<Mutex<Arc<Vec<Source>>>>,
    /// Whether patterns were chosen and the catalog has not been read yet.
    awaited: Arc<AtomicBool>,
}

impl Sources {
    /// These views. `awaited`: patterns will add more, and the gateway is not
    /// ready before the catalog has been read.
    pub fn new(all: Vec<Source>, awaited: bool) -> Self {
        Sources {
            all: Arc::new(Mutex::new(Arc::new(all))),
            awaited: Arc::new(AtomicBool::new(awaited)),
        }
    }

    /// Those there are now.
    pub fn all(&self) -> Arc<Vec<Source>> {
        // The list is only ever replaced whole, so it is good even if a thread
        // panicked while it held the lock.
        Arc::clone(&self.all.lock().unwrap_or_else(PoisonError::into_inner))
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
        self.change(|all| all.retain(|(shared, _)| shared.name != name));
    }

    /// The catalog was read.
    pub fn set_resolved(&self) {
        self.awaited.store(false, Ordering::Release);
    }

    /// Whether the catalog has yet to say which views there are.
    pub fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Acquire)
    }
}
