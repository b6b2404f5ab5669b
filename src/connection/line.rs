//! Connections that can be hung up from another thread.
//!
//! The client library waits for a server without a limit, and nothing but the
//! end of its socket ends that. It does not hand its sockets out either, but to
//! what makes TLS of them. So that is what it is given here, with TLS and
//! without: the negotiation is done on this side, and the socket stays in reach.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postgres::Socket;
use postgres::config::SslMode as Negotiated;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::limits::CONNECT_TIMEOUT;

/// The question whether the server has TLS, and its answer if so.
const ASK_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const HAS_TLS: u8 = b'S';

type BoxError = Box<dyn Error + Send + Sync>;
type Rustls = <MakeRustlsConnect as MakeTlsConnect<Reached>>::TlsConnect;
type RustlsStream = <MakeRustlsConnect as MakeTlsConnect<Reached>>::Stream;

/// What a thread is connected by, for the others to hang up. One that was hung
/// up takes no connection any more.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<State>>);

/// How TLS is negotiated.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub mode: Negotiated,
    /// Whether the server is asked first if it has TLS.
    pub asks: bool,
}

#[derive(Default)]
struct State {
    is_hung_up: bool,
    /// How the connection was made, if its socket is in reach.
    way: Option<Way>,
    /// Whoever waits for the socket.
    waker: Option<Waker>,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection, and whatever waits for it. Never blocks.
    pub fn hang_up(&self) {
        let waker = {
            let mut state = self.state();
            state.is_hung_up = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it was hung up, so that nothing waits for its connection.
    pub fn is_hung_up(&self) -> bool {
        let state = self.state();
        state.is_hung_up && state.way.is_some()
    }

    /// How the next connection is made, if its socket is in reach.
    pub(super) fn set_way(&self, way: Option<Way>) {
        self.state().way = way;
    }

    /// What makes a connection beside this one, for a moment and without TLS;
    /// `None` if this one's socket is not in reach.
    pub(super) fn dialer(&self) -> Option<Dialer> {
        Some(Dialer {
            line: Line::default(),
            tls: None,
            way: self.state().way?,
            limit: Some(CONNECT_TIMEOUT),
        })
    }

    /// To be called before each wait for the socket.
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        let mut state = self.state();
        if state.is_hung_up {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection was given up",
            ));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => state.waker = Some(context.waker().clone()),
        }
        Ok(())
    }
}

/// Makes connections that are in reach.
#[derive(Clone)]
pub(super) struct Dialer {
    pub line: Line,
    /// What makes TLS.
    pub tls: Option<MakeRustlsConnect>,
    pub way: Way,
    /// The longest that the negotiation may take, if it is bounded.
    pub limit: Option<Duration>,
}

impl MakeTlsConnect<Socket> for Dialer {
    type Stream = Wire;
    type TlsConnect = Dial;
    type Error = BoxError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Dial, BoxError> {
        let tls = match &mut self.tls {
            Some(maker) => Some(MakeTlsConnect::<Reached>::make_tls_connect(maker, host)?),
            None => None,
        };
        Ok(Dial {
            line: self.line.clone(),
            tls,
            way: self.way,
            limit: self.limit,
        })
    }
}

/// Makes one connection.
pub(super) struct Dial {
    line: Line,
    tls: Option<Rustls>,
    way: Way,
    limit: Option<Duration>,
}

impl TlsConnect<Socket> for Dial {
    type Stream = Wire;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, BoxError>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let limit = self.limit;
        let dialed = self.dial(socket);
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
        let mut socket = Reached {
            socket,
            line: self.line,
        };
        let Some(tls) = self.tls.filter(|_| self.way.mode != Negotiated::Disable) else {
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
        let stream = tls.connect(socket).await?;
        Ok(Wire::Tls(Box::new(stream)))
    }
}

async fn ask_for_tls(socket: &mut Reached) -> io::Result<u8> {
    socket.write_all(&ASK_FOR_TLS).await?;
    socket.read_u8().await
}

/// A socket that can be hung up.
pub(super) struct Reached {
    socket: Socket,
    line: Line,
}

impl AsyncRead for Reached {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.check(context)?;
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Reached {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.check(context)?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check(context)?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check(context)?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// A connection, with TLS or without.
pub(super) enum Wire {
    Plain(Reached),
    Tls(Box<RustlsStream>),
    /// It broke before it was known which; whoever uses it first is told how.
    Broken(Option<io::Error>),
}

fn broken(error: &mut Option<io::Error>) -> io::Error {
    error
        .take()
        .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Wire::Broken(error) => Poll::Ready(Err(broken(error))),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            Wire::Broken(error) => Poll::Ready(Err(broken(error))),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            Wire::Broken(error) => Poll::Ready(Err(broken(error))),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Wire::Broken(error) => Poll::Ready(Err(broken(error))),
        }
    }
}

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Wire::Tls(stream) => stream.channel_binding(),
            Wire::Plain(_) | Wire::Broken(_) => ChannelBinding::none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::connection::tls::{SslMode, Tls};
    use crate::connection::{Connector, Credentials, Current, Session};

    #[test]
    fn line_that_is_hung_up_ends_who_waits_for_a_server_that_is_silent() {
        for mode in [SslMode::Disable, SslMode::Prefer, SslMode::Require] {
            for direct in [false, true] {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                let url = format!("postgres://u@127.0.0.1:{port}/d");
                let mut config: postgres::Config = url.parse().unwrap();
                if direct && mode == SslMode::Require {
                    config.ssl_negotiation(postgres::config::SslNegotiation::Direct);
                }
                let credentials = Credentials {
                    passwords: vec![None],
                    tls: Tls::new(mode, None, None, direct).unwrap(),
                };
                let current = Current::new(credentials);
                let connector = Connector::new(&config, current, Session::default());
                let line = Line::default();
                let (tell, told) = mpsc::sync_channel(1);
                let (dialed, waits) = (line.clone(), connector.clone());
                thread::spawn(move || tell.send(waits.connect_on(&dialed).is_err()));
                let (mut silent, _) = listener.accept().unwrap();
                // It has begun to talk.
                io::Read::read_exact(&mut silent, &mut [0]).unwrap();
                assert!(told.try_recv().is_err(), "it waits");
                line.hang_up();
                let ended = told.recv_timeout(Duration::from_secs(10));
                assert_eq!(ended, Ok(true), "{mode:?}");
                // What comes too late is ended, too.
                assert!(connector.connect_on(&line).is_err());
            }
        }
    }
}
