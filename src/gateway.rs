//! Wires tails, publishers, relays and HTTP together for a configuration, and
//! takes them apart at shutdown.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::Server;
use actix_web::rt::{System, spawn};
use log::{info, warn};
use socket2::{Domain, Socket, Type};
use tokio::sync::{Semaphore, mpsc};

use crate::config::Config;
use crate::config::reload::Reread;
use crate::http::connection::connections;
use crate::http::gateway::Gateway;
use crate::http::leases::Leases;
use crate::http::places::Places;
use crate::http::policy::PolicyInForce;
use crate::http::routes::app;
use crate::http::sources::Sources;
use crate::http::watched::watched;
use crate::limits::{LISTEN_BACKLOG, SNAPSHOTS_MAX};
use crate::model::upstream::Upstream;
use crate::process;

pub mod checkup;
mod doors;
pub mod drain;
mod error;
mod files;
mod patterns;
mod publishers;
mod reload;
mod renewal;
mod running;
mod service_manager;
mod shutdown;
mod start;
pub mod types;
mod views;

use drain::Drain;
pub use error::GatewayError;
use files::{connecting, make_room, warn_of_files};
use reload::Reload;
use renewal::{Files, Nudges};
use service_manager::ServiceManager;
use shutdown::{Ending, Signals};
use views::Views;

/// Runs until a signal or a fatal error; returns when all streams have ended.
/// `again` reads the configuration anew.
pub fn run(config: &Config, again: Reread<Config>) -> Result<(), GatewayError> {
    System::new().block_on(serve(config, again))
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

async fn serve(config: &Config, again: Reread<Config>) -> Result<(), GatewayError> {
    tell_start(config);
    let nudges = Nudges::new().map_err(GatewayError::Start)?;
    let patterns: Vec<_> = patterns::patterns(config).cloned().collect();
    let keys = doors::keyring(config);
    let policy = PolicyInForce::new(doors::policy(config, keys.as_ref()));
    let certificate = doors::certificate(config)?;
    let awaited = (!patterns.is_empty()).then(|| Upstream::new(process::now().wall_ms));
    let gateway = Gateway {
        leases: Leases::default(),
        sources: Sources::new(patterns, awaited),
        places: Places::new(doors::limits(config)),
        snapshots: Arc::new(Semaphore::new(SNAPSHOTS_MAX)),
        policy,
        base_path: config.base_path.as_deref().unwrap_or_default().into(),
        metrics_apart: config.metrics_listen.is_some(),
        counts: Arc::default(),
        compress: config.compress,
        certificate: certificate.clone(),
        about: config.about.as_deref().map(Arc::from),
        connecting,
        heartbeat: config.heartbeat,
    };
    let mut views = Views::start(config, &gateway)?;
    make_room(&gateway);
    warn_of_files(config);
    let tls = certificate.as_ref().map(|known| known.config());
    let tls = tls.transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (server, address) = bind(config, &gateway, tls)?;
    info!("listening on {scheme}://{address}{}", gateway.base_path);
    warn_if_open(address, keys.is_some());
    doors::keep_keys(config, keys.as_ref());
    let files = Files::of(config, certificate, keys);
    let (views_change, mut changes) = mpsc::channel(1);
    let reload = Reload::new(config, again, files, (&gateway, views_change));
    reload::follow(nudges, reload);
    let handle = server.handle();
    let server = spawn(server);
    let mut signals = Signals::new().map_err(GatewayError::Start)?;
    let manager = ServiceManager::find();
    manager.listens();
    let outcome = tokio::select! {
        () = signals.next() => Ok(()),
        error = views.follow(&mut changes) => Err(error),
        ended = server => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(GatewayError::Serve(error)),
            Err(error) => Err(GatewayError::Serve(io::Error::other(error))),
        },
    };
    manager.ends();
    views.tell_who_waits();
    let begun = match outcome {
        Ok(()) => Drain::begin(config.patience.drain, Instant::now()),
        Err(_) => Drain::at_once(Instant::now()),
    };
    let ending = Ending {
        gateway: &gateway,
        tails: views.tails(),
        server: &handle,
    };
    ending.follow(begun, &mut signals).await;
    outcome
}

/// Binds an address; the one that it is.
fn listen(wanted: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, None)?;
    // A gateway that was just stopped leaves the port in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&wanted.into())?;
    let backlog = i32::try_from(LISTEN_BACKLOG).unwrap_or(i32::MAX);
    socket.listen(backlog)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Starts the HTTP workers, with TLS if there is something to show, and with a
/// port of its own for monitoring if one is asked for.
fn bind(
    config: &Config,
    gateway: &Gateway,
    tls: Option<rustls::ServerConfig>,
) -> Result<(Server, SocketAddr), GatewayError> {
    let at = |address| move |source| GatewayError::Listen { address, source };
    let (listener, address) = listen(config.listen).map_err(at(config.listen))?;
    let stall_timeout = config.patience.stall_timeout;
    let mut server = Server::build().workers(config.workers).disable_signals();
    let served = gateway.clone();
    let make = move || {
        let gateway = served.clone();
        connections(move || app(gateway.clone()), stall_timeout, tls.clone())
    };
    let listened = server.listen("http", listener, make);
    server = listened.map_err(at(config.listen))?;
    if let Some(wanted) = config.metrics_listen {
        let (listener, address) = listen(wanted).map_err(at(wanted))?;
        let gateway = gateway.clone();
        let make = move || {
            let gateway = gateway.clone();
            connections(move || watched(gateway.clone()), stall_timeout, None)
        };
        server = server
            .listen("metrics", listener, make)
            .map_err(at(wanted))?;
        info!("metrics on http://{address}/metrics");
    }
    Ok((server.run(), address))
}

/// What is started, in one line: for who reads the log later.
fn tell_start(config: &Config) {
    let (version, commit) = (process::VERSION, process::COMMIT);
    let views = config.views.len();
    let tokens = match config.access.tokens {
        Some(_) => "tokens asked for",
        None => "no tokens asked for",
    };
    let tls = match config.access.certificate {
        Some(_) => "TLS",
        None => "no TLS",
    };
    info!(
        version, commit, views;
        "viewcast {version} (commit {commit}): views or patterns: {views} of {}, {} threads, \
         {} streams at the most, {tokens}, {tls}",
        config.upstream, config.workers, config.connections.max
    );
}

/// Streams are served to whoever reaches the port, unless tokens are asked for.
fn warn_if_open(address: SocketAddr, asks_for_tokens: bool) {
    if !asks_for_tokens && !address.ip().is_loopback() {
        warn!("{address} can be reached from other machines, and anyone there may read the views");
    }
}
