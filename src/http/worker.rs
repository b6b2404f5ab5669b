//! The views as one HTTP worker sees them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::relay::shell::relay_actor::Relay;
use crate::relay::thread::thread_view::ThreadView;

use super::bearer::Access;
use super::error::HttpError;
use super::gateway::Gateway;
use super::sources::{Source, Sources};

/// The path name that stands for the first view chosen.
const DEFAULT_VIEW: &str = "view";

/// One worker's relays, by view name.
pub struct WorkerViews {
    sources: Sources,
    attached: RefCell<HashMap<String, Rc<RefCell<ThreadView>>>>,
}

impl WorkerViews {
    /// Starts this worker's relays of the views there are; call it on the
    /// worker's thread.
    pub fn attach(gateway: &Gateway) -> Self {
        let views = WorkerViews {
            sources: gateway.sources.clone(),
            attached: RefCell::default(),
        };
        for source in gateway.sources.all().iter() {
            views.relay(source);
        }
        views
    }

    /// The relay of a view, started if there is none of it yet.
    fn relay(&self, (shared, publisher): &Source) -> Rc<RefCell<ThreadView>> {
        let mut attached = self.attached.borrow_mut();
        if let Some(local) = attached.get(&shared.name)
            // An earlier view of the same name may have come and gone.
            && Arc::ptr_eq(&local.borrow().shared, shared)
        {
            return Rc::clone(local);
        }
        let local = Relay::attach(shared, publisher);
        attached.insert(shared.name.clone(), Rc::clone(&local));
        local
    }

    /// The views that are served.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The view of this name, or the first one for `view`, if it may be seen.
    ///
    /// A name that is not granted is refused before it is looked for: the
    /// answer does not tell whether there is such a view.
    pub fn find(&self, name: &str, access: &Access) -> Result<Rc<RefCell<ThreadView>>, HttpError> {
        let all = self.sources.all();
        let default = || all.first().filter(|_| name == DEFAULT_VIEW);
        let named = all.iter().find(|(shared, _)| shared.name == name);
        let found = named.or_else(default);
        let may_see = match found {
            Some((shared, _)) => access.may_see(&shared.name),
            None => access.may_see(name),
        };
        if !may_see {
            return Err(HttpError::Forbidden);
        }
        match found {
            Some(source) => Ok(self.relay(source)),
            None => {
                // The view is gone: its relay on this worker is dropped.
                self.attached.borrow_mut().remove(name);
                Err(HttpError::UnknownView)
            }
        }
    }
}
