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
use super::window::Seen;

/// The path name that stands for the first view chosen.
const DEFAULT_VIEW: &str = "view";

/// One worker's relays, by view name.
pub struct WorkerViews {
    sources: Sources,
    /// The views there were when this was last looked at.
    seen: RefCell<Arc<Vec<Source>>>,
    attached: RefCell<HashMap<String, Rc<RefCell<ThreadView>>>>,
}

impl WorkerViews {
    /// Starts this worker's relays of the views there are; call it on the
    /// worker's thread.
    pub fn attach(gateway: &Gateway) -> Self {
        let views = WorkerViews {
            sources: gateway.sources.clone(),
            seen: RefCell::default(),
            attached: RefCell::default(),
        };
        for source in gateway.sources.all().iter() {
            views.relay(source);
        }
        views
    }

    /// The relay of a view, started if there is none of it yet.
    fn relay(&self, source: &Source) -> Rc<RefCell<ThreadView>> {
        let Source {
            shared, publisher, ..
        } = source;
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

    /// Lets go of the relays of views that are not served any more.
    fn let_go(&self, all: &Arc<Vec<Source>>) {
        // Held, so that a list that has changed is another one.
        let seen = self.seen.replace(Arc::clone(all));
        if !Arc::ptr_eq(&seen, all) {
            let is_served = |local: &Rc<RefCell<ThreadView>>| {
                let local = local.borrow();
                all.iter().any(|it| Arc::ptr_eq(&it.shared, &local.shared))
            };
            self.attached
                .borrow_mut()
                .retain(|_, local| is_served(local));
        }
    }

    /// The views that are served.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The view of this name, or the first one for `view`, if it may be seen.
    ///
    /// A name that is not granted is refused before it is looked for: the
    /// answer does not tell whether there is such a view.
    pub fn find(&self, name: &str, access: &Access) -> Result<Seen, HttpError> {
        let all = self.sources.all();
        self.let_go(&all);
        let default = || all.first().filter(|_| name == DEFAULT_VIEW);
        let named = all.iter().find(|source| source.shared.name == name);
        let Some(source) = named.or_else(default) else {
            access.sees(name, &[])?;
            return Err(HttpError::UnknownView);
        };
        let sees = access.sees(&source.shared.name, &source.rules.rows)?;
        Ok(Seen::new(
            self.relay(source),
            Arc::clone(&source.rules),
            sees,
        ))
    }
}
