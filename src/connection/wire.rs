//! A connection whose socket is in reach, with TLS or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use postgres::Socket;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream as RustlsStream;

use super::line::Line;

/// A socket that can be hung up.
pub(super) struct Reached {
    socket: Socket,
    line: Line,
}

impl Reached {
    /// A socket that the line hangs up.
    pub fn new(socket: Socket, line: Line) -> Self {
        Reached { socket, line }
    }
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
    Tls(Box<RustlsStream<Reached>>),
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

impl Wire {
    /// The server's certificate, if it is with TLS.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Wire::Tls(stream) => stream.get_ref().1.peer_certificates()?.first(),
            Wire::Plain(_) | Wire::Broken(_) => None,
        }
    }
}
