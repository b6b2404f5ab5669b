//! The address of a Materialize, with its secret masked wherever it is shown.

use std::fmt;
use std::net::SocketAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::config::{Host, SslMode};

use super::error::{ConfigError, Place};
use crate::limits;

/// What stands for a password wherever an address is shown.
pub const MASK: &str = "***";

/// What a part of a URL need not escape.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A Materialize to connect to.
///
/// `Debug` and `Display` mask the password; only [`Upstream::postgres`] hands
/// it on.
#[derive(Clone)]
pub struct Upstream {
    config: postgres::Config,
}

impl Upstream {
    /// Reads a postgres URL or a key=value string, and fills in the
    /// port, user and database that it leaves out.
    pub fn parse(text: &str, place: &Place) -> Result<Self, ConfigError> {
        let invalid = || ConfigError::Upstream {
            place: place.clone(),
        };
        let mut config: postgres::Config = text.trim().parse().map_err(|_| invalid())?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid());
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(ConfigError::Tls {
                place: place.clone(),
            });
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
        Ok(Self { config })
    }

    /// The server at this address, with a Materialize's default user and database.
    pub fn at(address: SocketAddr) -> Self {
        let mut config = postgres::Config::new();
        config
            .host(&address.ip().to_string())
            .port(address.port())
            .user(limits::UPSTREAM_USER_DEFAULT)
            .dbname(limits::UPSTREAM_USER_DEFAULT);
        Self { config }
    }

    /// What to connect with, password included.
    pub fn postgres(&self) -> &postgres::Config {
        &self.config
    }

    /// Whether the address came with a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Sets the password.
    pub fn set_password(&mut self, password: &str) {
        self.config.password(password);
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
        let given = extra
            .iter()
            .filter_map(|(key, value)| value.map(|value| (key, value)));
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
