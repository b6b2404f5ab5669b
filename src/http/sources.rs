//! The views that are served, in the order they were chosen.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Addr;

use crate::limits::VIEWS_MAX;
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
    /// What the operator says it is, if anything.
    pub description: Option<Arc<str>>,
    /// What the operator says of its rows.
    pub rules: Arc<Rules>,
}

/// The views there are, which come and go where a pattern has chosen them.
/// A clone shows the same.
#[derive(Clone, Default)]
pub struct Sources {
    all: Arc<Mutex<Arc<Vec<Source>>>>,
    /// Names that were served until the settings named them no longer.
    removed: Arc<Mutex<BTreeSet<String>>>,
    /// What names more of them, as the catalog has them.
    patterns: Arc<Vec<ViewPattern>>,
    /// How the catalog stands that is to say what there is, until it was read.
    awaited: Arc<Mutex<Option<Upstream>>>,
}

impl Sources {
    /// None yet. If a catalog is `awaited`, patterns will add some, and the gateway
    /// is not ready before it has been read.
    pub fn new(patterns: Vec<ViewPattern>, awaited: Option<Upstream>) -> Self {
        Sources {
            all: Arc::default(),
            removed: Arc::default(),
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

    /// Whether a view of this name would be served if there were one, or was until
    /// the settings named it no longer.
    pub fn may_serve(&self, name: &str) -> bool {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.contains(name) || self.patterns.iter().any(|pattern| pattern.names(name))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Source>)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut all));
    }

    /// One more, at the end.
    pub fn add(&self, source: Source) {
        self.change(|all| all.push(source));
    }

    /// One in place of the one of its name.
    pub fn replace(&self, source: Source) {
        self.change(|all| {
            let mut all = all.iter_mut();
            if let Some(old) = all.find(|it| it.shared.name == source.shared.name) {
                *old = source;
            }
        });
    }

    /// The same one is described in other words.
    pub fn describe(&self, name: &str, description: Option<Arc<str>>) {
        self.change(|all| {
            if let Some(source) = all.iter_mut().find(|it| it.shared.name == name) {
                source.description = description;
            }
        });
    }

    /// In this order; those that it does not name come last.
    pub fn arrange(&self, names: &[&str]) {
        self.change(|all| {
            all.sort_by_key(|source| {
                let place = names.iter().position(|name| *name == source.shared.name);
                place.unwrap_or(names.len())
            });
        });
    }

    /// One less, that the settings do not name any more. Who has it beside others
    /// on one stream is still served those.
    pub fn remove_for_good(&self, name: &str) {
        self.remove(name);
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        if removed.len() < VIEWS_MAX {
            removed.insert(name.to_owned());
        }
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
