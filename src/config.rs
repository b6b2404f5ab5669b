//! The configuration: flags, environment and file merged and validated as a whole
//! before any port opens. Read again at SIGHUP, it is another value (`reload`).
//!
//! Flags win over the environment, that over the file, and the file over the
//! default. Each stays text until it has won, and all are read by one parser.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::settings::serve;
use crate::cli::{Flags, StandIn, StandInDialect};
use crate::connection::Session;
use crate::limits;

pub mod access;
pub mod connections;
mod dialect;
mod edits;
pub mod environment;
pub mod error;
mod file;
mod layer;
mod layers;
mod merge;
mod password;
pub mod place;
pub mod reload;
mod report;
mod spelling;
mod times;
mod toml_source;
pub mod upstream;
mod value;
pub mod views;

use access::Access;
use connections::{Connections, Patience};
pub use dialect::Dialect;
use edits::{Edits, merge_demo};
pub use environment::Environment;
use error::ConfigErrors;
use merge::views::DefaultViews;
use merge::{Entry, Merge};
use place::Place;
use times::{merge_retention, merge_upstream_times};
use upstream::Upstream;
use views::ViewChoice;
use views::problem::ViewProblem;

/// What a gateway runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Materialize to tail.
    pub upstream: Upstream,
    /// What each session is set to.
    pub session: Session,
    /// The views to stream: at least one, no two the same; the first is the
    /// default view.
    pub views: Vec<ViewChoice>,
    /// Where to serve HTTP; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The path that everything is below: none, or with a slash before it.
    pub base_path: Option<String>,
    /// Where to serve what monitoring asks for, apart from clients.
    pub metrics_listen: Option<SocketAddr>,
    /// Who may ask for what.
    pub access: Access,
    /// Whether a line of the log is an object of JSON.
    pub logs_json: bool,
    /// HTTP threads, 1 to [`limits::WORKERS_MAX`].
    pub workers: usize,
    /// How many streams are served, and to whom.
    pub connections: Connections,
    /// How long connections are waited for.
    pub patience: Patience,
    /// Silence after which an idle view sends an empty delta.
    pub heartbeat: Duration,
    /// The shortest time between two deltas with changes.
    pub min_interval: Duration,
    /// Whether a view that the role may not read any more is gone.
    pub is_gone_when_revoked: bool,
    /// Whether streams are compressed for who accepts it.
    pub compress: bool,
    /// Whether the SQL of a view is shown to who sees all of it.
    pub shows_sql: bool,
    /// Bytes of deltas kept per view for resume.
    pub retention_bytes: u64,
    /// Age of the oldest delta kept per view for resume.
    pub retention_age: Duration,
    /// Bytes of JSON a view may have, copies counted.
    pub max_view_bytes: u64,
    /// Silence of the upstream after which it is looked after.
    pub upstream_timeout: Duration,
    /// The longest wait between two attempts to connect to the upstream.
    pub reconnect_max: Duration,
    /// How often the catalog is asked what the views' names mean.
    pub catalog_interval: Duration,
    /// How to ask the upstream for a view's changes.
    pub dialect: Dialect,
    /// What is shown, for people; the demo says so.
    pub about: Option<String>,
    /// Each setting as `check-config` prints it, to find what has changed.
    shown: Shown,
}

/// Settings by their keys, each with its value as text, secrets masked.
type Shown = Vec<(&'static str, Option<String>)>;

/// What a demo runs with.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    gateway: Config,
    /// The Materialize to replay the edits into; `None` for the stand-in.
    pub replay_into: Option<Upstream>,
    /// Edits a second.
    pub rate: f64,
    /// Edits that are already in at the start.
    pub seed_edits: usize,
    /// Where to read edits as they happen; `None` plays the recording alone.
    pub live: Option<String>,
    /// The stand-in closes one timestamp every so often.
    pub tick: Duration,
    /// Whether to run the stand-in alone, without the gateway.
    pub only_upstream: bool,
    /// Where the stand-in accepts connections; `None` for any loopback port.
    pub listen_upstream: Option<SocketAddr>,
    /// The generation that the stand-in behaves like; `None` for its own choice.
    pub stand_in_dialect: Option<StandInDialect>,
    /// The stand-in's environment; `None` for a new one.
    pub stand_in_environment: Option<String>,
}

impl DemoConfig {
    /// Whether a line of the log is an object of JSON.
    pub fn logs_json(&self) -> bool {
        self.gateway.logs_json
    }

    /// The gateway's, once it is known where its upstream is and what it shows.
    pub fn gateway(&self, upstream: Upstream, about: String) -> Config {
        Config {
            upstream,
            about: Some(about),
            ..self.gateway.clone()
        }
    }
}

/// The configuration of `viewcast serve`, or everything wrong with it.
pub fn load(flags: &Flags, environment: &dyn Environment) -> Result<Config, ConfigErrors> {
    let mut merge = Merge::new(flags, environment);
    let config = merge_serve(&mut merge);
    let (config, entries) = merge.finish(config)?;
    Ok(config.showing(entries))
}

impl Config {
    fn showing(mut self, entries: Vec<Entry>) -> Self {
        let shown = entries.into_iter().map(|entry| (entry.key, entry.toml));
        self.shown = shown.collect();
        self
    }
}

/// Where a gateway is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Its address, as it was told.
    pub address: SocketAddr,
    /// Whether it speaks TLS there.
    pub is_tls: bool,
}

/// Where the gateway of these layers listens, whatever else is in them.
pub fn listening(flags: &Flags, environment: &dyn Environment) -> Result<Listening, ConfigErrors> {
    let mut merge = Merge::new(flags, environment);
    let address = merge.one(serve::listen, value::address());
    let certificate = merge.optional(serve::tls_cert, value::text());
    let listening = address
        .zip(certificate)
        .map(|(address, certificate)| Listening {
            address,
            is_tls: certificate.is_some(),
        });
    merge.finish(listening).map(|(listening, _)| listening)
}

/// The configuration of `viewcast demo`, or everything wrong with it.
pub fn load_demo(
    flags: &Flags,
    stand_in: &StandIn,
    environment: &dyn Environment,
) -> Result<DemoConfig, ConfigErrors> {
    let mut merge = Merge::new(flags, environment);
    let replay_into = merge.upstream(serve::upstream, password::SETTINGS);
    // Replaced by `DemoConfig::gateway`, the only way to this configuration.
    let upstream = Upstream::at(SocketAddr::from((
        [127, 0, 0, 1],
        limits::UPSTREAM_PORT_DEFAULT,
    )));
    let views = DefaultViews {
        names: match &replay_into {
            Some(Some(_)) => limits::DEMO_REPLAY_VIEWS,
            _ => limits::DEMO_VIEWS,
        },
        filters: limits::DEMO_FILTERS,
    };
    let gateway = merge_common(&mut merge, Some(upstream), views);
    let is_default = matches!(merge.place(serve::show_sql), Some(Place::Default(_)));
    let gateway = gateway.map(|gateway| Config {
        shows_sql: gateway.shows_sql || is_default,
        ..gateway
    });
    let edits = merge_demo(&mut merge);
    if let (Some(Some(_)), Some(Edits { live: Some(_), .. })) = (&replay_into, &edits) {
        merge.together(
            "live",
            "upstream",
            "Live edits go to the stand-in, into an upstream the recording is replayed: \
             leave one of the two out.",
        );
    }
    let config = match (gateway, replay_into, edits) {
        (Some(gateway), Some(replay_into), Some(edits)) => Some(DemoConfig {
            gateway,
            replay_into,
            rate: edits.rate,
            seed_edits: edits.seed_edits,
            live: edits.live,
            tick: edits.tick,
            only_upstream: stand_in.only_upstream,
            listen_upstream: stand_in.listen_upstream,
            stand_in_dialect: stand_in.demo_dialect,
            stand_in_environment: stand_in.demo_environment.clone(),
        }),
        _ => None,
    };
    let (mut config, entries) = merge.finish(config)?;
    config.gateway = config.gateway.showing(entries);
    Ok(config)
}

/// What `viewcast check-config` prints: the merged configuration as TOML, its
/// secrets masked, each value with the layer it came from.
pub fn check(
    flags: &Flags,
    environment: &dyn Environment,
) -> Result<(Config, String), ConfigErrors> {
    let mut merge = Merge::new(flags, environment);
    let config = merge_serve(&mut merge);
    // The file may also hold the demo's keys: a wrong one is worth knowing.
    let edits = merge_demo(&mut merge);
    let ((config, _), entries) = merge.finish(config.zip(edits))?;
    Ok((config, report::render(&entries)))
}

fn merge_serve(merge: &mut Merge<'_>) -> Option<Config> {
    let upstream = merge.upstream(serve::upstream, password::SETTINGS);
    if let Some(None) = upstream {
        merge.missing(
            "upstream",
            "Name the Materialize to tail, e.g. --upstream \
             postgres://materialize@localhost:6875/materialize, or try `viewcast demo`, which \
             needs none.",
        );
    }
    merge_common(merge, upstream.flatten(), DefaultViews::default())
}

/// The settings that serve and demo share; every one is read even after an
/// error, so that all errors are found.
fn merge_common(
    merge: &mut Merge<'_>,
    upstream: Option<Upstream>,
    views: DefaultViews,
) -> Option<Config> {
    let session = merge_session(merge);
    let views = merge.views(views);
    let listen = merge.one(serve::listen, value::address());
    let base_path = merge.optional(serve::base_path, value::base_path());
    let metrics_listen = merge.optional(serve::metrics_listen, value::address());
    let access = access::merge(merge);
    refuse_rows_without_tokens(merge, views.as_deref(), access.as_ref());
    let logs_json = merge.one(serve::log_format, value::log_format());
    let workers = merge.one(
        serve::workers,
        value::number("a whole number", 1, limits::WORKERS_MAX),
    );
    let connections = connections::merge(merge);
    let heartbeat = merge.one(
        serve::heartbeat,
        value::duration(limits::HEARTBEAT_MIN, limits::HEARTBEAT_MAX, "15s"),
    );
    let patience = connections::merge_patience(merge);
    let min_interval = merge.one(
        serve::min_interval,
        value::duration(Duration::ZERO, limits::MIN_INTERVAL_MAX, "100ms"),
    );
    let is_gone_when_revoked = merge.one(serve::revoked, value::revoked());
    let compress = merge.one(serve::compress, value::compress());
    let shows_sql = merge.one(serve::show_sql, value::switch());
    let retention = merge_retention(merge);
    let max_view_bytes = merge.one(
        serve::max_view_bytes,
        value::size(
            limits::VIEW_BYTES_MAX_MIN,
            limits::VIEW_BYTES_MAX_MAX,
            "4GiB",
        ),
    );
    let times = merge_upstream_times(merge);
    let dialect = merge.one(serve::dialect, value::dialect());
    Some(Config {
        upstream: upstream?,
        session: session?,
        views: views?,
        listen: listen?,
        base_path: base_path?,
        metrics_listen: metrics_listen?,
        access: access?,
        logs_json: logs_json?,
        workers: workers?,
        connections: connections?,
        patience: patience?,
        heartbeat: heartbeat?,
        min_interval: min_interval?,
        is_gone_when_revoked: is_gone_when_revoked?,
        compress: compress?,
        shows_sql: shows_sql?,
        retention_bytes: retention?.0,
        retention_age: retention?.1,
        max_view_bytes: max_view_bytes?,
        upstream_timeout: times?.upstream_timeout,
        reconnect_max: times?.reconnect_max,
        catalog_interval: times?.catalog_interval,
        dialect: dialect?,
        about: None,
        shown: Shown::new(),
    })
}

/// Rows that are shown by claims would be shown to all.
fn refuse_rows_without_tokens(
    merge: &mut Merge<'_>,
    views: Option<&[ViewChoice]>,
    access: Option<&Access>,
) {
    let with_rows = |view: &&ViewChoice| !view.rows.is_empty();
    let view = views.and_then(|views| views.iter().find(with_rows));
    if let (Some(view), Some(Access { tokens: None, .. })) = (view, access) {
        merge.view_problem(&view.name, ViewProblem::NoTokens);
    }
}

/// What each session is set to.
fn merge_session(merge: &mut Merge<'_>) -> Option<Session> {
    let cluster = merge.optional(serve::cluster, value::text());
    let cluster_replica = merge.optional(serve::cluster_replica, value::text());
    let search_path = merge.list(serve::search_path, value::schema(), limits::SCHEMAS_MAX);
    Some(Session {
        cluster: cluster?,
        cluster_replica: cluster_replica?,
        search_path: search_path?,
    })
}
