//! The catalog, asked on one connection for all views of a gateway: what their
//! names mean, whether a stream that has begun is of the object whose columns
//! were read, and which relations there are for patterns.
//!
//! A stream goes on with its object whatever becomes of the name, and nothing
//! in it tells; only the catalog does.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::connection::Connector;
use crate::limits::{CATALOG_INTERVAL_DEFAULT, UPSTREAM_TIMEOUT_DEFAULT};
use crate::model::name::ViewName;
use crate::model::pattern::ViewPattern;

use super::TailView;
use super::describe::Object;
use super::dialect::Dialect;
use super::error::TailError;
use super::shared::Shared;

mod asker;
mod known;
mod patience;
mod readable;
mod relations;
mod watch;

pub(super) use known::Known;

/// What the catalog is asked with.
#[derive(Clone)]
pub struct CatalogSettings {
    /// Where.
    pub connector: Connector,
    /// The patterns whose relations are looked for.
    pub patterns: Vec<ViewPattern>,
    /// How often it is asked.
    pub interval: Duration,
    /// How long a question may take at the most.
    pub upstream_timeout: Duration,
    /// `None` asks the server.
    pub dialect: Option<Dialect>,
}

impl CatalogSettings {
    /// The defaults for an upstream, without patterns.
    pub fn new(connector: impl Into<Connector>) -> Self {
        CatalogSettings {
            connector: connector.into(),
            patterns: Vec::new(),
            interval: CATALOG_INTERVAL_DEFAULT,
            upstream_timeout: UPSTREAM_TIMEOUT_DEFAULT,
            dialect: None,
        }
    }
}

/// The relations that the patterns name and the role may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// In the order of the patterns.
    pub names: Vec<ViewName>,
    /// Whether each pattern has been answered at least once.
    pub is_whole: bool,
}

/// A handle; the asking ends when all of them are dropped.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
    /// Rung when there is something to ask before the next time.
    bell: Sender<()>,
}

/// What the handles and the thread share.
#[derive(Default)]
struct Inner {
    tails: Mutex<Vec<Weak<Shared>>>,
    /// One for each tail at the most that waits for an answer.
    requests: Mutex<Vec<Request>>,
    /// What the patterns name, unless it was fetched.
    listed: Mutex<Option<Listed>>,
}

/// Whether a view still is what a stream is of.
struct Request {
    view: TailView,
    object: Arc<Object>,
    answer: Sender<Verdict>,
}

/// What came of asking again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The name means the object, and it has these columns.
    Same,
    /// It does not, or is not there.
    Other,
    /// Nobody knows.
    Unanswered {
        /// Why.
        reason: String,
        /// The server has no room for the connection that asks.
        no_room: bool,
    },
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Lists of things that are whole one by one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Catalog {
    /// Starts the thread that asks. It connects when there is something to ask
    /// for, and without a server it waits for one.
    pub fn start(settings: CatalogSettings) -> Result<Self, TailError> {
        let inner = Arc::<Inner>::default();
        let (bell, rung) = bounded(1);
        let watch = watch::Watch::new(settings, Arc::clone(&inner));
        thread::Builder::new()
            .name("catalog".to_string())
            .spawn(move || watch.run(&rung))
            .map_err(TailError::Thread)?;
        Ok(Catalog { inner, bell })
    }

    /// What the patterns name, if it was found anew since the last call.
    pub fn take_listed(&self) -> Option<Listed> {
        lock(&self.inner.listed).take()
    }

    /// From now on the tail is told when its view's name means another object.
    pub(super) fn register(&self, tail: &Arc<Shared>) {
        lock(&self.inner.tails).push(Arc::downgrade(tail));
    }

    /// Asks whether the view still is this object; by a question that begins
    /// after this call.
    pub(super) fn ask(&self, view: &TailView, object: &Arc<Object>) -> Receiver<Verdict> {
        let (answer, answered) = bounded(1);
        lock(&self.inner.requests).push(Request {
            view: view.clone(),
            object: Arc::clone(object),
            answer,
        });
        // Full means that it is rung already.
        let _ = self.bell.try_send(());
        answered
    }
}
