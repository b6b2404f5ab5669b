//! The views as one HTTP worker sees them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use actix_web::HttpRequest;
use tokio::sync::Semaphore;

use crate::relay::publish::publisher::Publisher;
use crate::relay::shared_view::SharedView;
use crate::relay::shell::relay_actor::Relay;
use crate::relay::thread::thread_view::ThreadView;

use super::bearer::Access;
use super::client_address::TrustedProxies;
use super::error::HttpError;
use super::limit::{Admission, Permit};
use super::policy::Policy;
use super::refusal::Refusal;

/// The path name that stands for the first view chosen.
const DEFAULT_VIEW: &str = "view";

/// A view and the actor that publishes it.
pub type Source = (Arc<SharedView>, Addr<Publisher>);

/// The views there are, which come and go where a pattern has chosen them.
/// A clone shows the same.
#[derive(Clone, Default)]
pub struct Sources {
    all: Arc<Mutex<Arc<Vec<Source>>>>,
    /// Whether the catalog has not been read yet that is to say what there is.
    awaited: Arc<AtomicBool>,
}

impl Sources {
    /// These; more are to come if `awaited`, before which no one is ready.
    pub fn new(all: Vec<Source>, awaited: bool) -> Self {
        Sources {
            all: Arc::new(Mutex::new(Arc::new(all))),
            awaited: Arc::new(AtomicBool::new(awaited)),
        }
    }

    /// Those there are now.
    pub fn all(&self) -> Arc<Vec<Source>> {
        // Replaced as a whole: whole also after a panic elsewhere.
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

/// What all workers share.
#[derive(Clone)]
pub struct Gateway {
    /// The views in the order they were chosen.
    pub sources: Sources,
    /// Who may ask for what.
    pub policy: Arc<Policy>,
    /// Who may open one stream more.
    pub admission: Arc<Admission>,
    /// Places for answers with a view's rows.
    pub snapshots: Arc<Semaphore>,
    /// Who may say on whose behalf it asks.
    pub proxies: Arc<TrustedProxies>,
    /// Whether streams are compressed for who accepts it.
    pub compress: bool,
    /// Silence after which a stream of several views says that nothing changed.
    pub heartbeat: Duration,
}

impl Gateway {
    /// A place for one more stream of these views, or why there is none.
    pub fn admit(
        &self,
        request: &HttpRequest,
        views: &[Arc<SharedView>],
    ) -> Result<Permit, Refusal> {
        if views.iter().any(|shared| shared.is_closing()) {
            return Err(Refusal::Closing);
        }
        let address = self.proxies.client_address(request);
        self.admission.admit(address, views).map_err(Refusal::Over)
    }
}

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
            // One of the same name may have come and gone before.
            && Arc::ptr_eq(&local.borrow().shared, shared)
        {
            return Rc::clone(local);
        }
        let local = Relay::attach(shared, publisher);
        attached.insert(shared.name.clone(), Rc::clone(&local));
        local
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
                // What is no more needs no relay.
                self.attached.borrow_mut().remove(name);
                Err(HttpError::UnknownView)
            }
        }
    }
}
