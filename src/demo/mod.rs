//! A stand-in for Materialize: a small but real database server, reached by
//! TCP on loopback only and replaceable by the real one.
//!
//! - `feed`: the recorded edits and the pace at which they come in
//! - `views`, `dataflow`: the views, maintained by differential dataflow; one
//!   tick is one timestamp
//! - `relation`, `kind`, `column`, `catalog`, `relations`, `store`: what relations there are, and their
//!   recent history
//! - `token`, `parser`, `parse_select`, `parse_view`, `parse_change`, `ast`: the few SQL
//!   statements
//! - `session`, `planning`, `plan`, `show`, `table`: what they answer
//! - `options`, `dialect`, `error`: how it is run, and why it could not be
//! - `define`, `define_change`, `upkeep`, `catalog_rows`: views, tables and schemas that
//!   clients create, change and drop
//! - `server`, `wire`, `subscription`: the PostgreSQL wire protocol
//! - `spotlight`: a client of the stand-in's own, which creates views now and then
//! - `live`, `live_feed`: `demo --live`, Wikipedia's edits as they happen
//! - `replay`: `demo --upstream`, the same edits into a real Materialize

#![allow(
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "each one stands beside a comment that states its invariant"
)]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};

use crate::limits;

mod ast;
mod catalog;
mod catalog_rows;
mod column;
mod dataflow;
mod define;
mod define_change;
mod dialect;
mod error;
mod feed;
mod kind;
mod live;
mod live_feed;
mod operators;
mod options;
#[cfg(test)]
mod oracle;
mod parse_change;
mod parse_select;
mod parse_view;
mod parser;
mod plan;
mod planning;
mod refresh;
mod relation;
mod relations;
mod replay;
mod server;
mod session;
mod show;
mod show_create;
mod spotlight;
mod sql_error;
mod sql_error_change;
mod store;
mod subscription;
mod table;
mod token;
mod upkeep;
mod value;
mod views;
mod wire;

pub use dialect::DemoDialect;
pub use error::DemoError;
pub use feed::FeedError;
pub use options::Options;
pub use replay::{prepare, replay};

/// The views that the demo streams, in the order in which a page shows them;
/// the first one is the default view.
pub const VIEWS: [&str; 9] = [
    "counter",
    "top10",
    "edits_by_language",
    "edits_per_minute",
    "hot_pages",
    "user_edits",
    "page_edits",
    "mz_catalog.mz_views",
    "mz_internal.mz_frontiers",
];

/// A running stand-in; stops when dropped.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    stop_dataflow: Option<SyncSender<()>>,
    stop_server: watch::Sender<bool>,
    stop_spotlights: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Demo {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL to give as `--upstream`.
    pub fn upstream_url(&self) -> String {
        format!("postgres://materialize@{}/materialize", self.address)
    }

    /// Ends all connections, as a server does that is shut down, and all threads.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop_dataflow = None;
        self.stop_server.send_replace(true);
        self.stop_spotlights.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the stand-in panicked");
            }
        }
    }
}

/// Starts the stand-in. Returns when it listens and its first timestamp can be
/// read.
pub fn start(options: Options) -> Result<Demo, DemoError> {
    options.validate()?;
    let recording = Arc::new(feed::Recording::load()?);
    // Before 1970 the clock is wrong, and any start will do.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let timestamp_start = u64::try_from(now.as_millis()).unwrap_or_default();
    let (pace, edits, live) = live_feed::edits(&options, &recording, timestamp_start)?;
    let catalog = catalog::Catalog::new(options.dialect);
    let kept_ms = limits::DEMO_HISTORY_TICKS * pace.tick_ms;
    let (store, publisher) = store::Store::new(catalog.relations.len(), timestamp_start, kept_ms);
    let catalog = Arc::new(catalog::SharedCatalog::new(catalog));
    let (requests, requested) = mpsc::channel(limits::DEMO_DEFINITIONS_WAITING_MAX);

    let (address, listener) = listen(options.listen)?;
    let plan = dataflow::Plan {
        recording,
        pace,
        edits,
        catalog: Arc::clone(&catalog),
        requests: requested,
        publisher,
    };
    let (stop_dataflow, stopped) = sync_channel(0);
    let (ready, is_ready) = sync_channel(1);
    let (stop_server, stop) = watch::channel(false);
    let mut demo = Demo {
        address,
        stop_dataflow: Some(stop_dataflow),
        stop_server,
        stop_spotlights: Arc::default(),
        threads: Vec::new(),
    };
    let ready = move || {
        // Whoever started this thread may have given up.
        let _ = ready.send(());
    };
    demo.spawn("demo-dataflow", move || {
        dataflow::run(plan, &stopped, ready)
    })?;
    is_ready.recv().map_err(|_| DemoError::Dataflow)?;

    let database = Arc::new(session::Database {
        catalog,
        store,
        requests,
        environment_id: options
            .environment
            .clone()
            .unwrap_or_else(|| environment_id(options.dialect)),
    });
    if let Some((url, sink)) = live {
        let stop = demo.stop_server.subscribe();
        spawn_unwaited("demo-live", move || live::run(&url, &sink, stop))?;
    }
    let (runtime, listener) = runtime(address, listener)?;
    demo.spawn("demo-server", move || {
        runtime.block_on(server::serve(listener, database, stop))
    })?;
    if options.spotlights {
        let period = options.tick.saturating_mul(limits::DEMO_SPOTLIGHT_TICKS);
        let stop = Arc::clone(&demo.stop_spotlights);
        demo.spawn("demo-spotlight", move || {
            spotlight::run(address, period, &stop)
        })?;
    }
    Ok(demo)
}

/// Starts a thread that nobody waits for at the end, since it may take long:
/// the live feed looks up a name.
fn spawn_unwaited(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), DemoError> {
    let thread = Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(DemoError::Thread)
}

fn listen(address: SocketAddr) -> Result<(SocketAddr, TcpListener), DemoError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    });
    listener.map_err(|source| DemoError::Listen { address, source })
}

/// The server's runtime, of one thread, with the listener registered in it.
fn runtime(
    address: SocketAddr,
    listener: TcpListener,
) -> Result<(tokio::runtime::Runtime, tokio::net::TcpListener), DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoError::Thread)?;
    let inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|source| DemoError::Listen { address, source })?;
    drop(inside);
    Ok((runtime, listener))
}

impl Demo {
    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), DemoError> {
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(DemoError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }
}

/// New with each start, since a new start is a new database; shaped as the real
/// servers' are.
fn environment_id(dialect: DemoDialect) -> String {
    let (high, low) = (fastrand::u64(..), fastrand::u64(..));
    let uuid = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFF,
        low >> 48 & 0xFFF,
        low & 0xFFFF_FFFF_FFFF,
    );
    match dialect {
        DemoDialect::Subscribe => format!("docker-container-{uuid}-0"),
        DemoDialect::Tail => uuid,
    }
}
