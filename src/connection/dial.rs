//! Making connections whose sockets stay in reach: TLS is negotiated here, and
//! the session begun, in the place where the client library would make TLS.

use std::error::Error;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::time::Duration;

use postgres::Socket;
use postgres::config::SslMode as Negotiated;
use postgres::tls::{MakeTlsConnect, TlsConnect};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::limits::CONNECT_TIMEOUT;

use super::line::{Line, Way};
use super::login::{Begun, Login};
use super::wire::{Reached, Wire};

/// The question whether the server has TLS, and its answer if so.
const ASK_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const HAS_TLS: u8 = b'S';

/// What the library connects to where no port is given.
const DEFAULT_PORT: u16 = 5432;

type BoxError = Box<dyn Error + Send + Sync>;

/// Why there is no connection to a host.
#[derive(Debug)]
pub(super) enum Undialed {
    /// The library tried.
    Failed(postgres::Error),
    /// Its name could not be resolved.
    Unresolved(io::Error),
    /// The process, or the machine, has no file left for it.
    NoFiles(String),
}

/// The addresses of a host, looked up on this thread: the library would take one
/// more for that, which stays with the connection for a while, and would panic
/// where there is none.
pub(super) fn addresses(name: &str, host: &postgres::Config) -> Result<Vec<IpAddr>, Undialed> {
    let port = host.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
    let found = (name, port).to_socket_addrs();
    let found = found.map_err(Undialed::Unresolved)?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Makes connections that are in reach.
#[derive(Clone)]
pub(super) struct Dialer {
    pub line: Line,
    /// What makes TLS.
    pub tls: Option<TlsConnector>,
    pub way: Way,
    /// What the session is begun with; `None` to cancel what another does.
    pub login: Option<Login>,
    /// The longest that the negotiation may take, if it is bounded.
    pub limit: Option<Duration>,
}

impl Dialer {
    /// What makes a connection beside that of a line, for a moment; `None` if
    /// that one's socket is not in reach.
    pub fn beside(line: &Line, tls: Option<TlsConnector>) -> Option<Self> {
        Some(Dialer {
            line: Line::default(),
            tls,
            way: line.way()?,
            login: None,
            limit: Some(CONNECT_TIMEOUT),
        })
    }
}

impl MakeTlsConnect<Socket> for Dialer {
    type Stream = Begun;
    type TlsConnect = Dial;
    type Error = BoxError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Dial, BoxError> {
        let tls = match &self.tls {
            Some(tls) => Some((tls.clone(), ServerName::try_from(host.to_owned())?)),
            None => None,
        };
        Ok(Dial {
            line: self.line.clone(),
            tls,
            way: self.way,
            login: self.login.clone(),
            limit: self.limit,
        })
    }
}

/// Makes one connection.
pub(super) struct Dial {
    line: Line,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    way: Way,
    login: Option<Login>,
    limit: Option<Duration>,
}

impl TlsConnect<Socket> for Dial {
    type Stream = Begun;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Begun, BoxError>> + Send>>;

    fn connect(mut self, socket: Socket) -> Self::Future {
        let (limit, login) = (self.limit, self.login.take());
        let dialed = async move {
            let wire = self.dial(socket).await?;
            match (login, &wire) {
                (Some(login), Wire::Plain(_) | Wire::Tls(_)) => Ok(login.begin(wire).await),
                _ => Ok(Begun::untouched(wire)),
            }
        };
        Box::pin(async move {
            match limit {
                Some(limit) => tokio::time::timeout(limit, dialed).await?,
                None => dialed.await,
            }
        })
    }
}

impl Dial {
    async fn dial(self, socket: Socket) -> Result<Wire, BoxError> {
        let mut socket = Reached::new(socket, self.line);
        let Some((tls, name)) = self.tls.filter(|_| self.way.mode != Negotiated::Disable) else {
            return Ok(Wire::Plain(socket));
        };
        if self.way.asks {
            match ask_for_tls(&mut socket).await {
                Ok(HAS_TLS) => {}
                Ok(_) if self.way.mode == Negotiated::Require => {
                    return Err("server does not support TLS".into());
                }
                Ok(_) => return Ok(Wire::Plain(socket)),
                // Not an error of TLS, but of the connection.
                Err(error) => return Ok(Wire::Broken(Some(error))),
            }
        }
        let stream = tls.connect(name, socket).await?;
        Ok(Wire::Tls(Box::new(stream)))
    }
}

async fn ask_for_tls(socket: &mut Reached) -> io::Result<u8> {
    socket.write_all(&ASK_FOR_TLS).await?;
    socket.read_u8().await
}
