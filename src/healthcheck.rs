//! `viewcast healthcheck`: asks a running gateway whether it is well, for
//! images and units where no `curl` is at hand.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::cli::{Flags, WRONG_USAGE};
use crate::config::environment::Environment;
use crate::config::error::ConfigErrors;
use crate::config::{self, Listening};
use crate::connection::tls::{self, TlsError};
use crate::limits;

/// Why a health check failed.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// The address is no URL of the web.
    #[error("\"{0}\" is not an http or https URL")]
    Url(String),
    /// What tells where the gateway listens cannot be read.
    #[error(transparent)]
    Config(ConfigErrors),
    /// The gateway was told to take any free port.
    #[error("the gateway listens on a port of the system's choice: name its URL")]
    AnyPort,
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody answered in time, or not at all.
    #[error("no answer from {authority}: {error}")]
    Silent {
        /// Host and port asked.
        authority: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The answer was not 200.
    #[error("{authority} answered \"{status}\"")]
    Unwell {
        /// Host and port asked.
        authority: String,
        /// The first line of the answer.
        status: String,
    },
}

impl HealthcheckError {
    /// The exit status, and what to say.
    fn report(&self) -> (u8, String) {
        match self {
            HealthcheckError::Config(errors) => (WRONG_USAGE, errors.report()),
            error => (1, format!("error: {error}\n")),
        }
    }
}

/// Asks the gateway at a URL; without one, the gateway that these flags, the
/// environment and the file configure, on this machine.
///
/// The error is the exit status, and what to say.
pub fn run(
    url: Option<String>,
    flags: &Flags,
    environment: &dyn Environment,
) -> Result<(), (u8, String)> {
    let target = match url {
        Some(url) => Target::parse(&url).ok_or(HealthcheckError::Url(url)),
        None => config::listening(flags, environment)
            .map_err(HealthcheckError::Config)
            .and_then(|listening| Target::of(&listening)),
    };
    let outcome = target.and_then(|target| target.check());
    outcome.map_err(|error| error.report())
}

/// Whom to ask for what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    is_tls: bool,
    /// Whether it is on this machine, where whoever answers is the one that is
    /// meant, by whatever name its certificate is.
    is_here: bool,
    /// Host and port.
    authority: String,
    path: String,
}

impl Target {
    /// The gateway itself, by loopback where it listens on all addresses.
    fn of(listening: &Listening) -> Result<Self, HealthcheckError> {
        let port = listening.address.port();
        if port == 0 {
            return Err(HealthcheckError::AnyPort);
        }
        let ip = match listening.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        Ok(Target {
            is_tls: listening.is_tls,
            is_here: true,
            authority: SocketAddr::new(ip, port).to_string(),
            path: limits::HEALTHCHECK_PATH.to_owned(),
        })
    }

    /// Reads a URL. A line break could smuggle a header in.
    fn parse(url: &str) -> Option<Self> {
        let (is_tls, rest) = match url.strip_prefix("http://") {
            Some(rest) => (false, rest),
            None => (true, url.strip_prefix("https://")?),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = !authority.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic());
        let path = if path.is_empty() { "/" } else { path };
        let bare_host = authority
            .rsplit_once(':')
            .is_none_or(|(_, port)| port.ends_with(']'));
        let port = match (bare_host, is_tls) {
            (false, _) => "",
            (true, false) => ":80",
            (true, true) => ":443",
        };
        let target = Target {
            is_tls,
            is_here: false,
            authority: format!("{authority}{port}"),
            path: path.to_owned(),
        };
        let ip = target.host().parse::<IpAddr>();
        let is_here = target.host() == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        plain.then_some(Target { is_here, ..target })
    }

    /// The host without its port.
    fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':');
        let host = host.map_or(self.authority.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Sends one GET and is content with a 200.
    fn check(&self) -> Result<(), HealthcheckError> {
        let silent = |error| HealthcheckError::Silent {
            authority: self.authority.clone(),
            error,
        };
        let deadline = Instant::now() + limits::HEALTHCHECK_TIMEOUT;
        let socket = connect(&self.authority).map_err(silent)?;
        let mut socket = Timed { socket, deadline };
        let answer = match self.is_tls {
            false => self.ask(&mut socket),
            true => {
                let session = self.session()?;
                self.ask(&mut StreamOwned::new(session, socket))
            }
        };
        let answer = answer.map_err(silent)?;
        let status = answer.lines().next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => Err(HealthcheckError::Unwell {
                authority: self.authority.clone(),
                status: status.to_owned(),
            }),
        }
    }

    /// TLS to the host.
    fn session(&self) -> Result<ClientConnection, HealthcheckError> {
        let config = Arc::new(tls::of_a_client(!self.is_here)?);
        let host = self.host().to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| HealthcheckError::Url(host))?;
        Ok(ClientConnection::new(config, name).map_err(TlsError::Other)?)
    }

    /// The beginning of the answer.
    fn ask(&self, socket: &mut (impl Read + Write)) -> std::io::Result<String> {
        let Target {
            authority, path, ..
        } = self;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        // In one piece, so that it leaves in one segment.
        socket.write_all(request.as_bytes())?;
        socket.flush()?;
        let mut answer = Vec::new();
        let mut piece = [0; 256];
        // The first line is all that counts; the rest need not be waited for.
        while !answer.contains(&b'\n') && answer.len() < limits::HEALTHCHECK_ANSWER_BYTES_MAX {
            match socket.read(&mut piece)? {
                0 => break,
                read => answer.extend(piece.iter().take(read)),
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// A socket that gives up at a time, however often it is read.
struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    /// The time that is left; a timeout of zero would mean none.
    fn left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Some(left.max(Duration::from_millis(1)))
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.socket.set_read_timeout(self.left())?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.socket.set_write_timeout(self.left())?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

/// Tries each address of the host, as `localhost` has two.
fn connect(authority: &str) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limits::HEALTHCHECK_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(answer: &'static str) -> Result<(), HealthcheckError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("accept");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut piece = [0; 512];
                let read = socket.read(&mut piece).expect("read");
                assert!(read > 0, "the request ended early");
                request.extend_from_slice(&piece[..read]);
            }
            socket.write_all(answer.as_bytes()).expect("write");
            String::from_utf8_lossy(&request).into_owned()
        });
        let target = Target::parse(&format!("http://{address}/healthz"));
        let outcome = target.expect("a URL").check();
        let request = server.join().expect("server");
        assert!(
            request.starts_with("GET /healthz HTTP/1.1\r\n"),
            "{request}"
        );
        outcome
    }

    #[test]
    fn healthcheck_of_200_is_well_and_of_anything_else_is_not() {
        assert!(answered("HTTP/1.1 200 OK\r\n\r\n").is_ok());
        let error = answered("HTTP/1.1 503 Service Unavailable\r\n\r\n").expect_err("503");
        assert!(
            error
                .to_string()
                .ends_with("answered \"HTTP/1.1 503 Service Unavailable\"")
        );
        assert!(answered("").is_err());
        assert!(answered("SSH-2.0-x\r\n").is_err());
    }

    #[test]
    fn healthcheck_url_is_split_or_refused() {
        for (url, is_tls, is_here, authority, path) in [
            ("http://a:1/b/c", false, false, "a:1", "/b/c"),
            ("http://a", false, false, "a:80", "/"),
            ("https://a", true, false, "a:443", "/"),
            ("https://localhost:1/x", true, true, "localhost:1", "/x"),
            ("http://[::1]/x", false, true, "[::1]:80", "/x"),
            ("https://[::1]:9/x", true, true, "[::1]:9", "/x"),
            ("http://127.0.0.2/", false, true, "127.0.0.2:80", "/"),
        ] {
            let (authority, path) = (authority.to_owned(), path.to_owned());
            let expected = Target {
                is_tls,
                is_here,
                authority,
                path,
            };
            assert_eq!(Target::parse(url), Some(expected), "{url}");
        }
        for bad in ["ftp://a/", "a", "http:///x", "http://a/ HTTP/1.1\r\nX: y"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn healthcheck_asks_where_the_gateway_listens() {
        for (address, authority) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:9", "127.0.0.1:9"),
            ("[::]:9", "[::1]:9"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            let address = address.parse().expect("an address");
            let is_tls = true;
            let target = Target::of(&Listening { address, is_tls }).expect("a port");
            assert_eq!(
                (target.authority.as_str(), target.is_tls),
                (authority, true)
            );
        }
        let address = "127.0.0.1:0".parse().expect("an address");
        let is_tls = false;
        assert!(Target::of(&Listening { address, is_tls }).is_err());
    }
}
