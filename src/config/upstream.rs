//! The address of a Materialize, with its secret masked wherever it is shown.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use postgres::config::{Host, SslNegotiation};

use super::environment::{Environment, variable};
use super::error::ConfigError;
use super::place::Place;
use crate::connection::tls::Tls;
use crate::connection::{Connector, Credentials, Current, Passwords, ReadPasswords, Session};
use crate::limits;

mod command;
pub mod files;
mod parameters;
mod renewal;
mod shown;
mod tls;

use command::PasswordCommand;
use parameters::value_of;

/// What stands for a password wherever an address is shown. Read back, it is no
/// password: what `check-config` prints can be completed by the other ways to
/// give one.
pub const MASK: &str = "***";

/// A Materialize to connect to.
///
/// `Debug` and `Display` mask the password; only [`Upstream::postgres`] and
/// [`Upstream::connector`] hand it on. All clones share the credentials.
#[derive(Clone)]
pub struct Upstream {
    config: postgres::Config,
    /// What is in force of passwords and certificates.
    credentials: Current,
    /// The parameters that the crate does not know: the value given last.
    ours: Vec<(&'static str, String)>,
    /// Which of the others were given, in the crate's spelling.
    given: Vec<String>,
    /// Whether the address has a password, or the mask of one.
    has_own_password: bool,
    /// Where the password comes from that it does not have.
    source: PasswordSource,
    /// Where the address stands.
    place: Place,
}

/// Where a password comes from that the address does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordSource {
    /// The address, a variable or nowhere: it does not change.
    #[default]
    Fixed,
    /// A file that holds nothing else.
    File(PathBuf),
    /// A password file as libpq has it.
    Passfile(PathBuf),
    /// A command that prints it.
    Command(Arc<PasswordCommand>),
}

impl Upstream {
    /// Reads a postgres URL or a key=value string, with its files; fills in the
    /// port, user and database that it leaves out, and from libpq's variables
    /// what it says nothing about of TLS.
    pub fn parse(
        text: &str,
        place: &Place,
        environment: &dyn Environment,
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
        if shows_a_password(&config) || !has_matching_hosts(&config) {
            return Err(invalid());
        }
        complete(&mut config, &split.given);
        let ours = with_variables(split.ours, environment)?;
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let tls = tls::read(&ours, direct, place)?;
        let own = config.get_password().map(<[u8]>::to_vec);
        let has_own_password = own.is_some();
        let password = own.filter(|own| own.as_slice() != MASK.as_bytes());
        let passwords = vec![password; config.get_hosts().len()];
        Ok(Self {
            config,
            credentials: Current::new(Credentials { passwords, tls }),
            ours,
            given: split.given,
            has_own_password,
            source: PasswordSource::default(),
            place: place.clone(),
        })
    }

    /// The server at this address, with a Materialize's default user and database.
    pub fn at(address: SocketAddr) -> Self {
        let mut config = postgres::Config::new();
        config.host(&address.ip().to_string()).port(address.port());
        complete(&mut config, &[]);
        let (passwords, tls) = (vec![None], Tls::off());
        Self {
            config,
            credentials: Current::new(Credentials { passwords, tls }),
            ours: Vec::new(),
            given: Vec::new(),
            has_own_password: false,
            source: PasswordSource::default(),
            place: Place::Default(None),
        }
    }

    /// What to connect with, a password for all hosts included.
    pub fn postgres(&self) -> &postgres::Config {
        &self.config
    }

    /// What connects, with TLS and a session's settings.
    pub fn connector(&self, session: Session) -> Connector {
        let reader: Option<Arc<dyn ReadPasswords>> = match self.source {
            PasswordSource::Fixed => None,
            _ => Some(Arc::new(self.passwords())),
        };
        Connector::new(&self.config, self.credentials.clone(), session).reading(reader)
    }

    /// Whether there is a password for every host.
    pub fn has_password(&self) -> bool {
        self.credentials.get().passwords.iter().all(Option::is_some)
    }

    /// Whether the address has the mask of a password in place of one.
    pub fn is_masked(&self) -> bool {
        self.config.get_password() == Some(MASK.as_bytes())
    }

    /// Sets the password of every host, and where it comes from.
    pub fn set_password(&mut self, password: &str, source: PasswordSource) {
        self.config.password(password);
        let password = Some(password.as_bytes().to_vec());
        self.put(vec![password; self.config.get_hosts().len()]);
        self.source = source;
    }

    /// Takes the password of every host from what this command prints, each time
    /// that one is needed.
    pub fn set_password_command(&mut self, line: &str) {
        self.source = PasswordSource::Command(Arc::new(PasswordCommand::new(line)));
    }

    /// The password file that the address names, if it does.
    pub fn passfile(&self) -> Option<PathBuf> {
        self.parameter("passfile").map(PathBuf::from)
    }

    /// Takes each host's password from the text of a password file; whether
    /// there was any.
    pub fn take_passwords(&mut self, text: &str, passfile: PathBuf) -> bool {
        let passwords = passwords_in(&self.config, text);
        let found = passwords.iter().any(Option::is_some);
        self.put(passwords);
        self.source = PasswordSource::Passfile(passfile);
        found
    }

    fn put(&self, passwords: Passwords) {
        self.credentials.replace_passwords(passwords);
    }

    /// The value of a parameter that the crate does not know.
    fn parameter(&self, key: &str) -> Option<&str> {
        value_of(&self.ours, key)
    }
}

/// What a password file has for each host.
fn passwords_in(config: &postgres::Config, passfile: &str) -> Passwords {
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or_default();
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate();
    let found = hosts.map(|(at, host)| {
        let host = match host {
            Host::Tcp(host) => host.as_str(),
            #[cfg(unix)]
            Host::Unix(_) => "localhost",
        };
        let port = ports.get(at).or(ports.first()).copied();
        let port = port.unwrap_or(limits::UPSTREAM_PORT_DEFAULT).to_string();
        files::find(passfile, [host, &port, database, user]).map(String::into_bytes)
    });
    found.collect()
}

/// The parameters as they are in force: of each the value that was given last,
/// or else that of libpq's variable.
fn with_variables(
    given: Vec<(&'static str, String)>,
    environment: &dyn Environment,
) -> Result<Vec<(&'static str, String)>, ConfigError> {
    let mut ours: Vec<(&'static str, String)> = Vec::new();
    for (key, value) in given {
        ours.retain(|(other, _)| *other != key);
        ours.push((key, value));
    }
    for (key, name) in [
        ("sslmode", "PGSSLMODE"),
        ("sslrootcert", "PGSSLROOTCERT"),
        ("sslcert", "PGSSLCERT"),
        ("sslkey", "PGSSLKEY"),
    ] {
        let value = variable(environment, name);
        let Some(value) = value.filter(|_| value_of(&ours, key).is_none()) else {
            continue;
        };
        let text = value.into_string().map_err(|_| ConfigError::NotUnicode {
            place: Place::Environment(name.to_owned()),
        })?;
        ours.push((key, text));
    }
    Ok(ours)
}

/// Fills in what an address leaves out; `given` are the parameters it has.
fn complete(config: &mut postgres::Config, given: &[String]) {
    if config.get_ports().is_empty() {
        config.port(limits::UPSTREAM_PORT_DEFAULT);
    }
    if config.get_user().is_none() {
        config.user(limits::UPSTREAM_USER_DEFAULT);
    }
    if config.get_dbname().is_none() {
        config.dbname(limits::UPSTREAM_USER_DEFAULT);
    }
    if !given.iter().any(|key| key == "keepalives_idle") {
        config.keepalives_idle(limits::KEEPALIVE_IDLE);
    }
}

/// Whether there is a host, and an address and a port for each or one port for
/// all.
fn has_matching_hosts(config: &postgres::Config) -> bool {
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    let ports = config.get_ports();
    let fits = |count: usize| count == hosts;
    hosts > 0
        && (addresses == 0 || fits(addresses))
        && (ports.len() <= 1 || fits(ports.len()))
        && !ports.contains(&0)
}

/// Whether something that is shown holds what looks like a password: an address
/// put where a host or a name belongs, or a value left out, as in
/// "user= password=...", which takes in what follows.
fn shows_a_password(config: &postgres::Config) -> bool {
    let is_no_host = |host: &Host| match host {
        Host::Tcp(name) => name.is_empty() || name.contains(['@', '/', '?', '=']),
        Host::Unix(path) => path.to_string_lossy().contains('@'),
    };
    let shown = [
        config.get_user(),
        config.get_dbname(),
        config.get_application_name(),
        config.get_options(),
    ];
    let is_address = |value: &str| {
        // Up to the last one: a name before the first may have none.
        let authority = value.rsplit_once('@');
        authority.is_some_and(|(before, _)| before.contains(':'))
    };
    let takes_in = |value: &str| value.contains("password=") || is_address(value);
    config.get_hosts().iter().any(is_no_host) || shown.into_iter().flatten().any(takes_in)
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({self})")
    }
}
