//! An upstream as it is shown: a URL that means the same.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::config::{
    ChannelBinding, Host, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs,
};

use super::{MASK, PasswordSource, Upstream};

/// What a part of a URL need not escape.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

impl fmt::Display for Upstream {
    /// A URL rebuilt from what was understood, so that nothing misunderstood,
    /// such as half a password, can show, and all that is obeyed does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = encoded(self.config.get_user().unwrap_or_default());
        // A password from elsewhere is found there again.
        let password = match self.has_own_password {
            true => format!(":{MASK}"),
            false => String::new(),
        };
        let database = encoded(self.config.get_dbname().unwrap_or_default());
        let authority = authority(&self.config);
        write!(f, "postgres://{user}{password}@{authority}/{database}")?;
        let ours = self.ours.iter().filter(|(key, _)| self.is_obeyed(key));
        let ours = ours.map(|(key, value)| (*key, value.clone()));
        let shown = parameters(&self.config, &self.given).chain(ours);
        for (at, (key, value)) in shown.enumerate() {
            let before = if at == 0 { '?' } else { '&' };
            write!(f, "{before}{key}={}", encoded(&value))?;
        }
        Ok(())
    }
}

impl Upstream {
    /// Whether both are one address, the password included that it has.
    pub fn is_same(&self, other: &Upstream) -> bool {
        let is_one = self.to_string() == other.to_string();
        let own = |upstream: &Upstream| {
            let password = upstream.config.get_password().map(<[u8]>::to_vec);
            password.filter(|_| upstream.has_own_password)
        };
        is_one && own(self) == own(other)
    }

    /// Whether a parameter that the crate does not know changes anything.
    fn is_obeyed(&self, key: &str) -> bool {
        match key {
            "sslrootcert" | "sslcert" | "sslkey" => self.parameter("sslmode") != Some("disable"),
            "passfile" => matches!(self.source, PasswordSource::Passfile(_)),
            _ => true,
        }
    }
}

/// Hosts with their ports, as a URL lists them.
fn authority(config: &postgres::Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(host) if host.contains(':') => format!("[{}]", host.replace('%', "%25")),
        Host::Tcp(host) => encoded(host),
        #[cfg(unix)]
        Host::Unix(path) => encoded(&path.to_string_lossy()),
    });
    let ports = config.get_ports();
    let with_ports = hosts.enumerate().map(|(at, host)| {
        // One port given counts for every host.
        match ports.get(at).or(ports.first()) {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    });
    with_ports.collect::<Vec<_>>().join(",")
}

/// The parameters that the crate obeys, where they are not its defaults. `given`
/// are those that the address has: of the others we fill some in later.
fn parameters(
    config: &postgres::Config,
    given: &[String],
) -> impl Iterator<Item = (&'static str, String)> {
    let is_given = |key: &str| given.iter().any(|other| other == key);
    let seconds = |time: &Duration| time.as_secs().to_string();
    let text = |text: Option<&str>| text.map(str::to_owned);
    let probes = config.get_keepalives();
    let idle = Some(config.get_keepalives_idle()).filter(|_| probes && is_given("keepalives_idle"));
    let interval = config.get_keepalives_interval().filter(|_| probes);
    let retries = config.get_keepalives_retries().filter(|_| probes);
    [
        ("hostaddr", addresses(config)),
        ("options", text(config.get_options())),
        ("application_name", text(config.get_application_name())),
        ("sslnegotiation", negotiation(config)),
        ("channel_binding", binding(config)),
        ("connect_timeout", config.get_connect_timeout().map(seconds)),
        (
            "tcp_user_timeout",
            config.get_tcp_user_timeout().map(seconds),
        ),
        ("keepalives", (!probes).then(|| "0".to_owned())),
        ("keepalives_idle", idle.as_ref().map(seconds)),
        ("keepalives_interval", interval.as_ref().map(seconds)),
        ("keepalives_retries", retries.map(|count| count.to_string())),
        ("target_session_attrs", attributes(config)),
        ("load_balance_hosts", order(config)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
}

/// The addresses, where the hosts are not the same ones already.
fn addresses(config: &postgres::Config) -> Option<String> {
    let addresses = config.get_hostaddrs();
    let is_host = |(host, address): (&Host, &IpAddr)| match host {
        Host::Tcp(host) => *host == address.to_string(),
        #[cfg(unix)]
        Host::Unix(_) => false,
    };
    let said = config.get_hosts().iter().zip(addresses).all(is_host);
    let texts = addresses.iter().map(IpAddr::to_string);
    (!said).then(|| texts.collect::<Vec<_>>().join(","))
}

fn negotiation(config: &postgres::Config) -> Option<String> {
    match config.get_ssl_negotiation() {
        SslNegotiation::Direct => Some("direct".to_owned()),
        _ => None,
    }
}

fn binding(config: &postgres::Config) -> Option<String> {
    match config.get_channel_binding() {
        ChannelBinding::Disable => Some("disable".to_owned()),
        ChannelBinding::Require => Some("require".to_owned()),
        _ => None,
    }
}

fn attributes(config: &postgres::Config) -> Option<String> {
    match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => Some("read-write".to_owned()),
        TargetSessionAttrs::ReadOnly => Some("read-only".to_owned()),
        _ => None,
    }
}

fn order(config: &postgres::Config) -> Option<String> {
    match config.get_load_balance_hosts() {
        LoadBalanceHosts::Random => Some("random".to_owned()),
        _ => None,
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
