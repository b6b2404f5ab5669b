//! Starting and stopping a tail.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::connection::Connector;
use crate::limits::TAIL_STOP_WAIT;
use crate::model::event::Heard;
use crate::model::position::Timestamp;
use crate::tail::TailError;
use crate::tail::past::Past;
use crate::tail::settings::TailSettings;
use crate::tail::view_tail::{Effect, ViewTail};

use super::catalog::{Catalog, CatalogSettings};
use super::view_threads::{Outlets, ViewThreads};
use super::{probe, reader, watch};

/// Starts tailing a view: its events go into `out`, which should be bounded,
/// since a full channel is what slows the reading; `wake` is called after each.
/// What the connector leaves open of application name, timeouts and TCP
/// keep-alive is filled in. Without a catalog, one is asked for this view alone.
/// If the view does not exist when the upstream is first reached, that goes to
/// `fatal` and the tail is over.
pub fn spawn(
    settings: TailSettings,
    connector: Connector,
    catalog: Option<Catalog>,
    out: Sender<Heard>,
    wake: impl Fn() + Send + Sync + 'static,
    fatal: Sender<TailError>,
) -> Result<TailHandle, TailError> {
    let catalog = match catalog {
        Some(catalog) => catalog,
        None => {
            let mut alone = CatalogSettings::new(connector.clone());
            alone.rules.upstream_timeout = settings.upstream_timeout;
            Catalog::start(alone)?
        }
    };
    let chance = fastrand::Rng::new();
    let tail = ViewTail::new(catalog.next_key(), settings, chance, Instant::now());
    let asked = catalog.clone();
    let outlets = Outlets {
        out,
        wake: Box::new(wake),
        fatal,
        inquire: Box::new(move |inquiry| asked.inquire(inquiry)),
    };
    let threads = Arc::new(ViewThreads::new(tail, connector, outlets, work));
    watch::register(&threads)?;
    catalog.register(&threads);
    threads.do_effects();
    Ok(TailHandle { threads })
}

/// What a thread of a view does.
fn work(threads: &Arc<ViewThreads>, effect: Effect) {
    match effect {
        Effect::StartReader { generation, cause } => reader::run(threads, generation, cause),
        Effect::StartProbe { generation } => probe::run(threads, generation),
        // Takes no thread.
        Effect::Inquire(_) => {}
    }
}

/// A running tail; it stops when this is dropped.
pub struct TailHandle {
    threads: Arc<ViewThreads>,
}

impl TailHandle {
    /// Ends the tail and waits a bounded time for its threads. A thread that
    /// hangs on a dead connection is left behind: it can tell nothing any
    /// more, and the process may exit without it.
    pub fn stop(self) {
        self.threads.stop();
        self.threads.wait_for_threads(TAIL_STOP_WAIT);
    }

    /// Ends the tail; what the view's next one is to know.
    pub fn past(self) -> Past {
        self.threads.stop();
        self.threads.tail().past()
    }

    /// See `ViewTail::resync`.
    pub fn resync(&self, reason: &str, held: Option<Timestamp>) {
        self.threads.tail().resync(reason, held);
        self.threads.do_effects();
    }

    /// See `ViewTail::too_large`.
    pub fn too_large(&self) {
        self.threads.tail().too_large();
        self.threads.do_effects();
    }
}

impl Drop for TailHandle {
    fn drop(&mut self) {
        self.threads.stop();
    }
}
