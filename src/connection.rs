//! Connections to a Materialize: several hosts in order, TLS, what the session
//! is set to. Blocking.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::config::{
    ChannelBinding, Host, LoadBalanceHosts, SslMode as Negotiated, SslNegotiation,
};
use postgres::{CancelToken, Client, Config, NoTls};

use crate::limits::{CONNECT_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES};

mod credentials;
mod dial;
mod error;
mod files;
mod joining;
mod line;
mod login;
mod scram;
mod session;
pub mod tls;
mod wire;

pub use credentials::{Credentials, Current, Passwords, ReadPasswords};
use dial::{Dialer, Undialed};
pub use error::{ConnectError, chain};
use files::with_files;
pub use line::Line;
use line::Way;
use login::Login;
use scram::SaltedPasswords;
pub use session::Session;
use tls::Tls;

/// What connects to a Materialize, as often as it is asked to. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    /// One configuration for each host, in the order they are tried, without
    /// what the credentials have.
    hosts: Arc<[Config]>,
    shuffled: bool,
    credentials: Current,
    /// What the passwords are read by before each connection.
    reader: Option<Arc<dyn ReadPasswords>>,
    session: Session,
    salted: Arc<SaltedPasswords>,
    /// Whether going on without TLS was said already.
    fell_back: Arc<AtomicBool>,
}

impl Connector {
    /// A connector to the hosts of a configuration. Each connection takes the
    /// credentials that are in force when it is made.
    pub fn new(config: &Config, credentials: Current, session: Session) -> Self {
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        Connector {
            hosts: (0..count).map(|at| of_host(config, at)).collect(),
            shuffled: config.get_load_balance_hosts() == LoadBalanceHosts::Random,
            credentials,
            reader: None,
            session,
            salted: Arc::default(),
            fell_back: Arc::default(),
        }
    }

    /// The connector with passwords that are read before each connection.
    pub fn reading(self, reader: Option<Arc<dyn ReadPasswords>>) -> Self {
        Connector { reader, ..self }
    }

    /// The connector with what its configuration leaves open filled in:
    /// application name, timeouts, TCP keep-alive.
    pub fn completed(&self, upstream_timeout: Duration) -> Self {
        let hosts = self.hosts.iter();
        Connector {
            hosts: hosts
                .map(|host| completed(host, upstream_timeout))
                .collect(),
            ..self.clone()
        }
    }

    /// What the session is set to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// A new connection to the first host that takes it.
    pub fn connect(&self) -> Result<Client, ConnectError> {
        self.connect_on(&Line::default())
    }

    /// The same; it ends when the line is hung up.
    pub fn connect_on(&self, line: &Line) -> Result<Client, ConnectError> {
        let credentials = match &self.reader {
            Some(reader) => {
                let read = self.credentials.read_by(reader.as_ref());
                read.map_err(ConnectError::Password)?
            }
            None => self.credentials.get(),
        };
        let mut order: Vec<(usize, &Config)> = self.hosts.iter().enumerate().collect();
        if self.shuffled {
            fastrand::shuffle(&mut order);
        }
        let mut failure = None;
        for (at, host) in order {
            let host = credentials.complete(host, at);
            let source = match self.connect_to(&host, &credentials.tls, line) {
                Ok(mut client) => {
                    self.session.apply(&mut client)?;
                    return Ok(client);
                }
                Err(source) => source,
            };
            let error = ConnectError::host(place(&host), self.hosts.len() > 1, source);
            if error.is_refused_login() || error.is_without_files() {
                // The next one would hear it all the same, or not at all.
                return Err(error);
            }
            if let Some(earlier) = failure.replace(error) {
                log::debug!("{earlier}; trying the next host");
            }
        }
        Err(failure.unwrap_or(ConnectError::NoHost))
    }

    fn connect_to(&self, host: &Config, tls: &Tls, line: &Line) -> Result<Client, Undialed> {
        match self.dial(host, tls, line) {
            Err(Undialed::Failed(error)) if tls.falls_back() && error::is_of_tls(&error) => {
                let first = !self.fell_back.swap(true, Ordering::Relaxed);
                let level = if first {
                    log::Level::Warn
                } else {
                    log::Level::Debug
                };
                log::log!(
                    level,
                    "no TLS with {}: {}; going on without it, as sslmode=prefer allows",
                    place(host),
                    error::chain(&error)
                );
                self.dial(host.clone().ssl_mode(Negotiated::Disable), tls, line)
            }
            outcome => outcome,
        }
    }

    /// Connects to a host in a way that the line can end. The library lets nobody
    /// near the socket where a host has no name: a local one, or one that is given
    /// by its address alone. What hangs there hangs until the socket ends, and the
    /// library logs in by itself.
    fn dial(&self, host: &Config, tls: &Tls, line: &Line) -> Result<Client, Undialed> {
        let Some(Host::Tcp(name)) = host.get_hosts().first() else {
            line.set_way(None);
            return with_files(|| match tls.maker() {
                Some(maker) => host.connect(maker),
                None => host.connect(NoTls),
            });
        };
        let way = Way {
            mode: host.get_ssl_mode(),
            asks: host.get_ssl_negotiation() == SslNegotiation::Postgres,
        };
        line.set_way(Some(way));
        let dialer = Dialer {
            line: line.clone(),
            tls: tls.connector(),
            way,
            login: Some(Login::of(host, &self.salted)),
            limit: None,
        };
        // The library leaves the negotiation to the dialer by this alone, and
        // the login has seen to its being bound.
        let mut direct = host.clone();
        direct
            .ssl_mode(Negotiated::Require)
            .ssl_negotiation(SslNegotiation::Direct)
            .channel_binding(ChannelBinding::Prefer);
        if !host.get_hostaddrs().is_empty() {
            return with_files(|| direct.connect(dialer));
        }
        let mut failure = None;
        for address in dial::addresses(name, host)? {
            let connected = with_files(|| direct.clone().hostaddr(address).connect(dialer.clone()));
            match connected {
                Err(Undialed::Failed(error)) => failure = Some(Undialed::Failed(error)),
                outcome => return outcome,
            }
        }
        Err(failure.unwrap_or_else(|| Undialed::Unresolved(io::ErrorKind::NotFound.into())))
    }

    /// Asks the server to end what a line's connection is doing. Says nothing about
    /// the outcome, since the server does not either.
    pub fn cancel(&self, token: &CancelToken, line: &Line) {
        let tls = self.credentials.get().tls.clone();
        let sent = with_files(|| {
            match (Dialer::beside(line, tls.connector()), tls.maker()) {
                (Some(dialer), _) => token.cancel_query(dialer),
                // The token knows whether its connection is encrypted.
                (None, Some(maker)) => token.cancel_query(maker),
                (None, None) => token.cancel_query(NoTls),
            }
        });
        if let Err(why) = sent {
            let error = ConnectError::host("the upstream".to_owned(), false, why);
            log::debug!("cancelling a query failed: {}", error::chain(&error));
        }
    }
}

/// A connector without TLS or session settings.
impl From<Config> for Connector {
    fn from(config: Config) -> Self {
        let password = config.get_password().map(<[u8]>::to_vec);
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
        let credentials = Credentials {
            passwords: vec![password; hosts],
            tls: Tls::off(),
        };
        Connector::new(&config, Current::new(credentials), Session::default())
    }
}

/// The configuration of one of several hosts. The crate would try them all by
/// itself, but with one password and without saying which of them failed.
fn of_host(config: &Config, at: usize) -> Config {
    let mut host = Config::new();
    match config.get_hosts().get(at) {
        Some(Host::Tcp(name)) => drop(host.host(name)),
        #[cfg(unix)]
        Some(Host::Unix(path)) => drop(host.host_path(path)),
        None => {}
    }
    if let Some(address) = config.get_hostaddrs().get(at) {
        host.hostaddr(*address);
    }
    // One port given counts for every host.
    let ports = config.get_ports();
    if let Some(port) = ports.get(at).or(ports.first()) {
        host.port(*port);
    }
    if let Some(user) = config.get_user() {
        host.user(user);
    }
    if let Some(database) = config.get_dbname() {
        host.dbname(database);
    }
    if let Some(options) = config.get_options() {
        host.options(options);
    }
    if let Some(name) = config.get_application_name() {
        host.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        host.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        host.tcp_user_timeout(*timeout);
    }
    host.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        host.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        host.keepalives_retries(retries);
    }
    host.ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    host
}

/// The configuration with what the operator left open filled in.
fn completed(config: &Config, upstream_timeout: Duration) -> Config {
    let mut config = config.clone();
    if config.get_application_name().is_none() {
        config.application_name(concat!("viewcast/", env!("CARGO_PKG_VERSION")));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT.min(upstream_timeout));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(upstream_timeout);
    }
    // The time before the first probe is filled in where the address is read:
    // afterwards the crate's own default cannot be told from the operator's.
    if config.get_keepalives() {
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(KEEPALIVE_INTERVAL);
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(KEEPALIVE_RETRIES);
        }
    }
    config.notice_callback(|notice| log::debug!("notice from Materialize: {}", notice.message()));
    config
}

/// A host and its port, for logs.
fn place(config: &Config) -> String {
    let host = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => name.clone(),
        #[cfg(unix)]
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => String::new(),
    };
    match config.get_ports().first() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connector_tries_each_host_with_its_port_and_password() {
        let config: Config = "postgres://u@a:1,b:2/d?options=-c%20x%3D1".parse().unwrap();
        let passwords = vec![None, Some(b"of b".to_vec())];
        let tls = Tls::off();
        let current = Current::new(Credentials { passwords, tls });
        let connector = Connector::new(&config, current.clone(), Session::default());
        let listed: Vec<_> = connector.hosts.iter().map(place).collect();
        assert_eq!(listed, ["a:1", "b:2"]);
        let completed = |at: usize| current.get().complete(&connector.hosts[at], at);
        let (a, b) = (completed(0), completed(1));
        assert_eq!(a.get_password(), None);
        assert_eq!(b.get_password(), Some(b"of b".as_slice()));
        assert_eq!(b.get_options(), Some("-c x=1"));
        assert_eq!((b.get_user(), b.get_dbname()), (Some("u"), Some("d")));
        // What is put in their place counts from then on.
        let passwords = vec![Some(b"new".to_vec()), None];
        let tls = Tls::off();
        current.replace(Credentials { passwords, tls });
        assert_eq!(completed(0).get_password(), Some(b"new".as_slice()));
        assert_eq!(completed(1).get_password(), None);
    }

    #[test]
    fn connector_completed_fills_in_only_what_is_left_open() {
        let given = "postgres://u@h:1/d?application_name=own&tcp_user_timeout=7&keepalives=0";
        for (url, name, timeout, keepalives) in [
            ("postgres://u@h:1/d", None, 3, Some(KEEPALIVE_INTERVAL)),
            (given, Some("own"), 7, None),
        ] {
            let config: Config = url.parse().unwrap();
            let connector = Connector::from(config).completed(Duration::from_secs(3));
            let host = connector.hosts.first().unwrap();
            let viewcast = concat!("viewcast/", env!("CARGO_PKG_VERSION"));
            assert_eq!(host.get_application_name(), Some(name.unwrap_or(viewcast)));
            let user_timeout = Duration::from_secs(timeout);
            assert_eq!(host.get_tcp_user_timeout(), Some(&user_timeout));
            assert_eq!(host.get_keepalives(), keepalives.is_some());
            assert_eq!(host.get_keepalives_interval(), keepalives);
            assert_eq!(host.get_connect_timeout(), Some(&Duration::from_secs(3)));
        }
    }
}
