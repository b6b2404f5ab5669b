//! The address of a Materialize, with its secret masked wherever it is shown.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::config::{Host, SslNegotiation};

use super::error::{ConfigError, Place};
use super::layer::{Environment, variable};
use crate::connection::tls::{Roots, SslMode, Tls};
use crate::connection::{Connector, Session};
use crate::limits;

pub mod files;
mod parameters;

use files::FileProblem;

/// What stands for a password wherever an address is shown.
pub const MASK: &str = "***";

/// What a part of a URL need not escape.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The value of `sslrootcert` that means the machine's own roots.
const SYSTEM_ROOTS: &str = "system";

/// A Materialize to connect to.
///
/// `Debug` and `Display` mask the password; only [`Upstream::postgres`] and
/// [`Upstream::connector`] hand it on.
#[derive(Clone)]
pub struct Upstream {
    config: postgres::Config,
    tls: Tls,
    /// The parameters that the crate does not know, as they were given.
    ours: Vec<(&'static str, String)>,
    /// Passwords of single hosts, in their order, where there is none for all.
    passwords: Vec<Option<String>>,
}

impl Upstream {
    /// Reads a postgres URL or a key=value string, with its files; fills in the
    /// port, user and database that it leaves out, and from libpq's variables
    /// what it says nothing about of TLS.
    pub fn parse(
        text: &str,
        place: &Place,
        environment: &Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let invalid = || ConfigError::Upstream {
            place: place.clone(),
        };
        let split = parameters::split(text.trim()).map_err(|key| ConfigError::Parameter {
            key,
            place: place.clone(),
        })?;
        let mut config: postgres::Config = split.rest.parse().map_err(|_| invalid())?;
        if config.get_hosts().is_empty() {
            // TLS wants a name, be it an address.
            for address in config.get_hostaddrs().to_vec() {
                config.host(&address.to_string());
            }
        }
        if shows_a_password(&config) {
            return Err(invalid());
        }
        let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
        let ports = config.get_ports().len();
        if hosts == 0 || (addresses > 0 && addresses != hosts) || (ports > 1 && ports != hosts) {
            return Err(invalid());
        }
        if config.get_ports().is_empty() {
            config.port(limits::UPSTREAM_PORT_DEFAULT);
        }
        if config.get_user().is_none() {
            config.user(limits::UPSTREAM_USER_DEFAULT);
        }
        if config.get_dbname().is_none() {
            config.dbname(limits::UPSTREAM_USER_DEFAULT);
        }
        let mut ours = split.ours;
        for (key, name) in [
            ("sslmode", "PGSSLMODE"),
            ("sslrootcert", "PGSSLROOTCERT"),
            ("sslcert", "PGSSLCERT"),
            ("sslkey", "PGSSLKEY"),
        ] {
            let text = variable(environment, name).and_then(|text| text.into_string().ok());
            if let Some(text) = text.filter(|_| !ours.iter().any(|(given, _)| *given == key)) {
                ours.push((key, text));
            }
        }
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let tls = tls(&ours, direct, place)?;
        Ok(Self {
            config,
            tls,
            ours,
            passwords: Vec::new(),
        })
    }

    /// The server at this address, with a Materialize's default user and database.
    pub fn at(address: SocketAddr) -> Self {
        let mut config = postgres::Config::new();
        config
            .host(&address.ip().to_string())
            .port(address.port())
            .user(limits::UPSTREAM_USER_DEFAULT)
            .dbname(limits::UPSTREAM_USER_DEFAULT);
        Self {
            config,
            tls: Tls::off(),
            ours: Vec::new(),
            passwords: Vec::new(),
        }
    }

    /// What to connect with, password included.
    pub fn postgres(&self) -> &postgres::Config {
        &self.config
    }

    /// What connects, with TLS and a session's settings.
    pub fn connector(&self, session: Session) -> Connector {
        Connector::new(&self.config, &self.passwords, self.tls.clone(), session)
    }

    /// Whether there is a password for every host.
    pub fn has_password(&self) -> bool {
        let each = !self.passwords.is_empty() && self.passwords.iter().all(Option::is_some);
        self.config.get_password().is_some() || each
    }

    /// Sets the password of every host.
    pub fn set_password(&mut self, password: &str) {
        self.config.password(password);
    }

    /// The password file that the address names, if it does.
    pub fn passfile(&self) -> Option<PathBuf> {
        last(&self.ours, "passfile").map(PathBuf::from)
    }

    /// Takes each host's password from the text of a password file; whether
    /// there was any.
    pub fn take_passwords(&mut self, passfile: &str) -> bool {
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or_default();
        let ports = self.config.get_ports();
        let found = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(at, host)| {
                let host = match host {
                    Host::Tcp(host) => host.as_str(),
                    #[cfg(unix)]
                    Host::Unix(_) => "localhost",
                };
                let port = ports.get(at).or(ports.first()).copied();
                let port = port.unwrap_or(limits::UPSTREAM_PORT_DEFAULT).to_string();
                files::find(passfile, [host, &port, database, user])
            });
        self.passwords = found.collect();
        self.passwords.iter().any(Option::is_some)
    }

    /// Hosts with their ports, as a URL lists them.
    fn authority(&self) -> String {
        let mut hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(host) if host.contains(':') => format!("[{host}]"),
                Host::Tcp(host) => host.clone(),
                #[cfg(unix)]
                Host::Unix(path) => encoded(&path.to_string_lossy()),
            })
            .collect();
        if hosts.is_empty() {
            let addresses = self.config.get_hostaddrs().iter();
            hosts = addresses
                .map(|address| SocketAddr::new(*address, 0).ip().to_string())
                .collect();
        }
        let ports = self.config.get_ports();
        let with_ports = hosts.iter().enumerate().map(|(at, host)| {
            // One port given counts for every host.
            match ports.get(at).or(ports.first()) {
                Some(port) => format!("{host}:{port}"),
                None => host.clone(),
            }
        });
        with_ports.collect::<Vec<_>>().join(",")
    }
}

/// Whether something that is shown holds what looks like a password: an address
/// put where a host or a name belongs, or a value left out, as in
/// "user= password=...", which takes in what follows.
fn shows_a_password(config: &postgres::Config) -> bool {
    let is_no_host = |host: &Host| match host {
        Host::Tcp(name) => name.contains(['@', '/', '?', '=']),
        Host::Unix(path) => path.to_string_lossy().contains('@'),
    };
    let shown = [
        config.get_user(),
        config.get_dbname(),
        config.get_application_name(),
        config.get_options(),
    ];
    let is_address = |value: &str| {
        let authority = value.split_once('@');
        authority.is_some_and(|(before, _)| before.contains(':'))
    };
    let takes_in = |value: &str| value.contains("password=") || is_address(value);
    config.get_hosts().iter().any(is_no_host) || shown.into_iter().flatten().any(takes_in)
}

impl fmt::Display for Upstream {
    /// A URL rebuilt from what was understood, so that nothing misunderstood,
    /// such as half a password, can show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = encoded(self.config.get_user().unwrap_or_default());
        let password = match self.has_password() {
            true => format!(":{MASK}"),
            false => String::new(),
        };
        let database = encoded(self.config.get_dbname().unwrap_or_default());
        write!(
            f,
            "postgres://{user}{password}@{}/{database}",
            self.authority()
        )?;
        let extra = [
            ("options", self.config.get_options()),
            ("application_name", self.config.get_application_name()),
        ];
        let ours = self.ours.iter().map(|(key, value)| (*key, value.as_str()));
        let given = extra
            .iter()
            .filter_map(|(key, value)| value.map(|value| (*key, value)))
            .chain(ours);
        for (at, (key, value)) in given.enumerate() {
            let before = if at == 0 { '?' } else { '&' };
            write!(f, "{before}{key}={}", encoded(value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({self})")
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The value given last for a key.
fn last<'o>(ours: &'o [(&'static str, String)], key: &str) -> Option<&'o str> {
    let mut given = ours.iter().rev();
    given
        .find(|(other, _)| *other == key)
        .map(|(_, value)| value.as_str())
}

/// TLS as the parameters ask for it.
fn tls(ours: &[(&'static str, String)], direct: bool, place: &Place) -> Result<Tls, ConfigError> {
    let problem = |key: &'static str, path: &str| {
        let (place, path) = (place.clone(), PathBuf::from(path));
        move |problem: FileProblem| ConfigError::SecretFile {
            what: format!("{key} of {place}"),
            path,
            problem,
        }
    };
    let system = last(ours, "sslrootcert") == Some(SYSTEM_ROOTS);
    let mode = match last(ours, "sslmode") {
        Some(given) => SslMode::ALL
            .into_iter()
            .find_map(|(name, mode)| (name == given).then_some(mode)),
        // As libpq does: who trusts all the world's CAs must look at the name.
        None if system => Some(SslMode::VerifyFull),
        None => Some(SslMode::Prefer),
    };
    let weak = system && mode != Some(SslMode::VerifyFull);
    let Some(mode) = mode.filter(|_| !weak) else {
        let place = place.clone();
        return Err(ConfigError::SslMode { weak, place });
    };
    let roots = match last(ours, "sslrootcert") {
        None => None,
        Some(SYSTEM_ROOTS) => Some(Roots::Platform),
        Some(path) => {
            let found = files::certificates(Path::new(path));
            Some(Roots::Given(found.map_err(problem("sslrootcert", path))?))
        }
    };
    let identity = match (last(ours, "sslcert"), last(ours, "sslkey")) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let certificates = files::certificates(Path::new(certificate))
                .map_err(problem("sslcert", certificate))?;
            let key = files::key(Path::new(key)).map_err(problem("sslkey", key))?;
            Some((certificates, key))
        }
        _ => {
            let place = place.clone();
            return Err(ConfigError::HalfIdentity { place });
        }
    };
    Tls::new(mode, roots, identity, direct).map_err(|error| ConfigError::Tls {
        place: place.clone(),
        error: Box::new(error),
    })
}
