//! The views as one HTTP worker sees them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use actix_web::HttpRequest;

use crate::relay::publisher::Publisher;
use crate::relay::relay::{Local, Relay};
use crate::relay::shared::SharedView;

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

/// What all workers share.
#[derive(Clone)]
pub struct Gateway {
    /// The views in the order they were chosen.
    pub sources: Arc<Vec<Source>>,
    /// Who may ask for what.
    pub policy: Arc<Policy>,
    /// Who may open one stream more.
    pub admission: Arc<Admission>,
    /// Who may say on whose behalf it asks.
    pub proxies: Arc<TrustedProxies>,
}

impl Gateway {
    /// A place for one more stream of the view, or why there is none.
    pub fn admit(
        &self,
        request: &HttpRequest,
        shared: &Arc<SharedView>,
    ) -> Result<Permit, Refusal> {
        if shared.is_closing() {
            return Err(Refusal::Closing);
        }
        let address = self.proxies.client_address(request);
        self.admission.admit(address, shared).map_err(Refusal::Over)
    }
}

/// One worker's relays, by view name.
pub struct WorkerViews {
    by_name: HashMap<String, Rc<RefCell<Local>>>,
    first: Option<Rc<RefCell<Local>>>,
}

impl WorkerViews {
    /// Starts this worker's relays; call it on the worker's thread.
    pub fn attach(gateway: &Gateway) -> Self {
        let attach =
            |(shared, publisher): &Source| (shared.name.clone(), Relay::attach(shared, publisher));
        let locals: Vec<_> = gateway.sources.iter().map(attach).collect();
        WorkerViews {
            first: locals.first().map(|(_, local)| Rc::clone(local)),
            by_name: locals.into_iter().collect(),
        }
    }

    /// The view of this name, or the first one for `view`, if it may be seen.
    ///
    /// A name that is not granted is refused before it is looked for: the
    /// answer does not tell whether there is such a view.
    pub fn find(&self, name: &str, access: &Access) -> Result<&Rc<RefCell<Local>>, HttpError> {
        let default = || self.first.as_ref().filter(|_| name == DEFAULT_VIEW);
        let found = self.by_name.get(name).or_else(default);
        let may_see = match found {
            Some(local) => access.may_see(&local.borrow().shared.name),
            None => access.may_see(name),
        };
        if !may_see {
            return Err(HttpError::Forbidden);
        }
        found.ok_or(HttpError::UnknownView)
    }
}
