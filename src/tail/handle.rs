//! Starting and stopping a tail.

use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::limits::TAIL_STOP_WAIT;
use crate::model::event::TailEvent;
use crate::model::position::Timestamp;

use super::error::TailError;
use super::gate::Gate;
use super::shared::Shared;
use super::{Catalog, CatalogSettings, TailSettings, watch};

/// Starts tailing a view: its events go into `out`, which should be bounded,
/// since a full channel is what slows the reading; `wake` is called after each.
/// If the view does not exist when the upstream is first reached, that goes to
/// `fatal` and the tail is over.
pub fn spawn(
    settings: TailSettings,
    out: Sender<TailEvent>,
    wake: impl Fn() + Send + Sync + 'static,
    fatal: Sender<TailError>,
) -> Result<TailHandle, TailError> {
    let gate = Gate::new(&settings.view.name, out, Box::new(wake));
    let catalog = match &settings.catalog {
        Some(catalog) => catalog.clone(),
        None => Catalog::start(CatalogSettings {
            upstream_timeout: settings.upstream_timeout,
            ..CatalogSettings::new(settings.connector.clone())
        })?,
    };
    let shared = Arc::new(Shared::new(settings, gate, fatal, catalog));
    watch::register(&shared)?;
    shared.catalog.register(&shared);
    shared.start_reader(shared.gate.generation(), None);
    Ok(TailHandle { shared })
}

/// A running tail; it stops when this is dropped.
pub struct TailHandle {
    shared: Arc<Shared>,
}

impl TailHandle {
    /// Ends the tail and waits a bounded time for its threads. A thread that
    /// hangs on a dead connection is left behind: it can tell nothing any
    /// more, and the process may exit without it.
    pub fn stop(self) {
        self.shared.stop();
        self.shared.wait_for_threads(TAIL_STOP_WAIT);
    }

    /// The publisher found what it was told to be inconsistent, and stands at
    /// this time: starts again with a snapshot. Events already in the channel
    /// still come; whoever calls this ignores them up to the next snapshot.
    pub fn resync(&self, reason: &str, held: Option<Timestamp>) {
        let reason = reason.to_string();
        self.start_again(TailError::Resync { reason, held });
    }

    /// The publisher found the view larger than it may be: starts again after
    /// a while, with a snapshot.
    pub fn too_large(&self) {
        self.start_again(TailError::TooLarge);
    }

    fn start_again(&self, cause: TailError) {
        let next = self.shared.gate.supersede_any();
        self.shared.start_reader(next, Some(cause));
    }
}

impl Drop for TailHandle {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
