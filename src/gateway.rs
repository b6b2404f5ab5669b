//! Wires tails, publishers, relays and HTTP together for a configuration, and
//! takes them apart at shutdown.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, Arbiter, ArbiterHandle};
use actix_web::dev::Server;
use actix_web::rt::time::sleep;
use actix_web::rt::{System, spawn};
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{info, warn};
use socket2::{Domain, Socket, Type};
use tokio::sync::Semaphore;

use crate::config::views::{ViewChoice, What};
use crate::config::{Config, Dialect};
use crate::http::client_address::TrustedProxies;
use crate::http::connection::connections;
use crate::http::limit::{Admission, Limits};
use crate::http::policy::Policy;
use crate::http::tls::TlsError;
use crate::http::views::{Gateway, Source, Sources};
use crate::limits::{FILES_RESERVED, LISTEN_BACKLOG, SNAPSHOTS_MAX, TAIL_CHANNEL_EVENTS};
use crate::model::retention::RetentionLimits;
use crate::process;
use crate::relay::publish::publisher::{Again, Publisher, Settings, Wake};
use crate::relay::shared_view::SharedView;
use crate::relay::shell::merger::merger;
use crate::relay::wake_flag::WakeFlag;
use crate::tail::{self, Catalog, TailError, TailHandle, TailSettings, TailView};

mod doors;
mod patterns;
mod renewal;
mod shutdown;

use renewal::Nudges;
use shutdown::Signals;

/// Why the gateway stopped though nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is taken, or not ours.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No thread, no signal handler: the machine is out of something.
    #[error("could not start")]
    Start(#[source] io::Error),
    /// A view cannot be tailed, now or ever.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// A certificate that was good when the configuration was read.
    #[error("certificate cannot be shown")]
    Certificate(#[from] TlsError),
    /// The HTTP server ended.
    #[error("HTTP server failed")]
    Serve(#[source] io::Error),
}

impl GatewayError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            GatewayError::Listen { .. } => {
                Some("Choose another address with --listen, or port 0 for any free one.".to_owned())
            }
            GatewayError::Tail(error) => error.hint(),
            GatewayError::Start(_) | GatewayError::Certificate(_) | GatewayError::Serve(_) => None,
        }
    }
}

/// A view's tail, where its publisher can find it; none once it was stopped.
type TailSlot = Arc<Mutex<Option<TailHandle>>>;

/// Runs until a signal or a fatal error; returns when all streams have ended.
pub fn run(config: &Config) -> Result<(), GatewayError> {
    System::new().block_on(serve(config))
}

/// Has SIGHUP and its like end nothing from now on; [`run`] answers them.
pub fn survive_hangups() -> Result<(), GatewayError> {
    System::new()
        .block_on(async { Nudges::new() })
        .map(drop)
        .map_err(GatewayError::Start)
}

/// Waits for a signal and does nothing else.
pub fn until_signal() -> Result<(), GatewayError> {
    System::new().block_on(async {
        let mut signals = Signals::new().map_err(GatewayError::Start)?;
        signals.next().await;
        Ok(())
    })
}

async fn serve(config: &Config) -> Result<(), GatewayError> {
    let nudges = Nudges::new().map_err(GatewayError::Start)?;
    let (fatal_sender, fatal) = bounded(1);
    let (mut sources, mut tails) = (Vec::new(), Vec::new());
    let catalog = patterns::catalog(config)?;
    let has_patterns = patterns::patterns(config).next().is_some();
    for view in &config.views {
        if let What::Pattern(_) = view.what {
            continue;
        }
        let (source, tail, _) = start_view(config, view, &catalog, &fatal_sender)?;
        sources.push(source);
        tails.push(tail);
    }
    let policy = Arc::new(doors::policy(config));
    let gateway = Gateway {
        sources: Sources::new(sources, has_patterns),
        admission: Arc::new(Admission::new(limits(config))),
        snapshots: Arc::new(Semaphore::new(SNAPSHOTS_MAX)),
        proxies: Arc::new(TrustedProxies::new(
            config.connections.trusted_proxies.clone(),
        )),
        policy: Arc::clone(&policy),
        compress: config.compress,
        heartbeat: config.heartbeat,
    };
    let certificate = doors::certificate(config)?;
    let tls = certificate.as_ref().map(|known| known.config());
    let tls = tls.transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = bind(config, gateway.clone(), tls);
    let (server, address) = server.map_err(|source| GatewayError::Listen {
        address: config.listen,
        source,
    })?;
    info!("listening on {scheme}://{address}");
    warn_if_open(address, &policy);
    doors::keep_keys(config, Arc::clone(&policy));
    renewal::follow(nudges, config, certificate, policy);
    let handle = server.handle();
    let server = spawn(server);
    let mut signals = Signals::new().map_err(GatewayError::Start)?;
    let outcome = tokio::select! {
        () = signals.next() => Ok(()),
        error = fatal_error(fatal) => Err(GatewayError::Tail(error)),
        error = patterns::follow(config, &gateway.sources, &mut tails, &catalog) => Err(error),
        ended = server => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(GatewayError::Serve(error)),
            Err(error) => Err(GatewayError::Serve(io::Error::other(error))),
        },
    };
    if outcome.is_ok() {
        shutdown::drain(&gateway, config.patience.drain, &mut signals).await;
    }
    shutdown::end(&gateway, &tails, &handle).await;
    outcome
}

/// Binds the address; the one that it is.
fn listen(config: &Config) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(config.listen), Type::STREAM, None)?;
    // A gateway that was just stopped leaves the port in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&config.listen.into())?;
    let backlog = i32::try_from(LISTEN_BACKLOG).unwrap_or(i32::MAX);
    socket.listen(backlog)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Starts the HTTP workers, with TLS if there is something to show.
fn bind(
    config: &Config,
    gateway: Gateway,
    tls: Option<rustls::ServerConfig>,
) -> io::Result<(Server, SocketAddr)> {
    let (listener, address) = listen(config)?;
    let stall_timeout = config.patience.stall_timeout;
    let server = Server::build()
        .workers(config.workers)
        .disable_signals()
        .listen("http", listener, move || {
            connections(gateway.clone(), stall_timeout, tls.clone())
        })?;
    Ok((server.run(), address))
}

/// Starts one view: its publisher on a thread of its own, and its tail.
fn start_view(
    config: &Config,
    view: &ViewChoice,
    catalog: &Catalog,
    fatal: &Sender<TailError>,
) -> Result<(Source, TailSlot, ArbiterHandle), GatewayError> {
    let mut shared = SharedView::new(view.name.clone(), merger(), process::now());
    shared.description.clone_from(&view.description);
    let shared = Arc::new(shared);
    let (sender, events) = bounded(TAIL_CHANNEL_EVENTS);
    let pending = Arc::new(WakeFlag::default());
    let tail = TailSlot::default();

    let settings = Settings {
        heartbeat: config.heartbeat,
        min_interval: config.min_interval,
        retention: RetentionLimits {
            bytes_max: config.retention_bytes,
            age_ms_max: u64::try_from(config.retention_age.as_millis()).unwrap_or(u64::MAX),
        },
        view_bytes_max: config.max_view_bytes,
        upstream_timeout: config.upstream_timeout,
    };
    // The publisher is there before its tail: until then there is nothing to
    // start again from a snapshot.
    let for_resync = Arc::clone(&tail);
    let resync = Box::new(move |again: Again| {
        let slot = for_resync.lock().unwrap_or_else(PoisonError::into_inner);
        match (slot.as_ref(), again) {
            (Some(tail), Again::Inconsistent { reason, held }) => tail.resync(&reason, held),
            (Some(tail), Again::TooLarge) => tail.too_large(),
            (None, _) => {}
        }
    });
    let (for_publisher, flag) = (Arc::clone(&shared), Arc::clone(&pending));
    let arbiter = Arbiter::new().handle();
    let publisher = Publisher::start_in_arbiter(&arbiter, move |_| {
        Publisher::new(for_publisher, settings, events, flag, resync)
    });

    let addr = publisher.clone();
    let wake = move || {
        if pending.raise() {
            addr.do_send(Wake);
        }
    };
    let mut settings = tail_settings(config, view);
    settings.catalog = Some(catalog.clone());
    let handle = tail::spawn(settings, sender, wake, fatal.clone())?;
    *tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    Ok(((shared, publisher), tail, arbiter))
}

fn tail_settings(config: &Config, view: &ViewChoice) -> TailSettings {
    let view = tail_view(config, view);
    let connector = config.upstream.connector(config.session.clone());
    let mut settings = TailSettings::new(view, connector);
    settings.upstream_timeout = config.upstream_timeout;
    settings.reconnect_max = config.reconnect_max;
    settings.unclosed_bytes_max = config.max_view_bytes;
    settings.dialect = dialect(config);
    settings
}

fn dialect(config: &Config) -> Option<tail::Dialect> {
    match config.dialect {
        Dialect::Auto => None,
        Dialect::Tail => Some(tail::Dialect::Tail),
        Dialect::Subscribe => Some(tail::Dialect::Subscribe),
    }
}

fn tail_view(config: &Config, view: &ViewChoice) -> TailView {
    let mut tailed = TailView {
        name: view.name.clone(),
        columns: view.columns.clone(),
        ..TailView::default()
    };
    match &view.what {
        What::Query(query) => tailed.query = Some(query.clone()),
        // Never tailed itself: what it names is.
        What::Pattern(_) => {}
        What::Relation(relation) => {
            tailed.sql = relation.to_sql();
            tailed.parts = relation.parts().to_vec();
            if tail::is_of_one_replica(&tailed) {
                let session = &config.session;
                let facts = [&session.cluster, &session.cluster_replica];
                tailed.facts = facts.map(|fact| fact.clone().unwrap_or_default()).to_vec();
            }
        }
    }
    tailed
}

/// Who may open a stream; a limit that the system will not let us reach is
/// worth knowing before the day it matters.
fn limits(config: &Config) -> Limits {
    let connections = &config.connections;
    let needed = connections
        .max
        .saturating_add(FILES_RESERVED)
        .saturating_add(config.views.len().saturating_mul(2));
    if let Some(files) = process::open_files_max().filter(|files| *files < needed) {
        warn!(
            "{} streams may be open, but only {files} files: raise the limit of open files \
             (ulimit -n, LimitNOFILE=) or lower --max-connections",
            connections.max
        );
    }
    Limits {
        connections: connections.max,
        per_address: connections.max_per_address,
        per_view: connections.max_per_view,
    }
}

/// Streams are served to whoever reaches the port, unless tokens are asked for.
fn warn_if_open(address: SocketAddr, policy: &Policy) {
    if policy.tokens.is_none() && !address.ip().is_loopback() {
        warn!("{address} can be reached from other machines, and anyone there may read the views");
    }
}

/// Waits for a tail to give up. Tails are plain threads, so the channel is
/// looked at now and then; they give up at the start or never.
async fn fatal_error(fatal: Receiver<TailError>) -> TailError {
    loop {
        if let Ok(error) = fatal.try_recv() {
            return error;
        }
        sleep(Duration::from_millis(50)).await;
    }
}
