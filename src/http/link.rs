//! A connection as HTTP reads and writes it, with TLS or without. What was read
//! to find out which protocol the client speaks can be read again (`Begun`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::transport::Transport;
use crate::relay::shell::delivery::Delivery;
use crate::relay::shell::tls_socket::TlsSocket;
use crate::relay::subscribe::source::Source;

/// A connection, whatever encrypts it.
pub trait Link: AsyncRead + AsyncWrite + Unpin {
    /// Serves a stream on it behind the head of the response, and nothing else from
    /// now on.
    fn deliver(self, head: Vec<u8>, source: Source) -> Option<Outgoing>;
}

/// A stream on its way out.
pub enum Outgoing {
    /// On a socket.
    Plain(Delivery<TcpStream>),
    /// On one with TLS.
    Secure(Delivery<TlsSocket>),
}

impl Outgoing {
    /// Goes on with the stream; ready when it has ended.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Outgoing::Plain(delivery) => Pin::new(delivery).poll(context),
            Outgoing::Secure(delivery) => Pin::new(delivery).poll(context),
        }
    }

    /// The socket, which is closed when this is dropped.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Outgoing::Plain(delivery) => delivery.socket(),
            Outgoing::Secure(delivery) => delivery.socket().socket(),
        }
    }
}

impl Link for Transport {
    fn deliver(self, head: Vec<u8>, source: Source) -> Option<Outgoing> {
        let delivery = Delivery::new(self.into_socket()?, head, source);
        Some(Outgoing::Plain(delivery))
    }
}

impl Link for TlsStream<Transport> {
    fn deliver(self, head: Vec<u8>, source: Source) -> Option<Outgoing> {
        let (transport, session) = self.into_inner();
        let socket = TlsSocket::new(transport.into_socket()?, session);
        Some(Outgoing::Secure(Delivery::new(socket, head, source)))
    }
}

/// A connection from which something was read already, to be read again.
pub struct Begun<IO> {
    io: IO,
    /// The bytes that were read.
    heard: Vec<u8>,
}

impl<IO: Link> Begun<IO> {
    /// The connection, on which this was read.
    pub fn new(io: IO, heard: Vec<u8>) -> Self {
        Begun { io, heard }
    }
}

impl<IO: Link> AsyncRead for Begun<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.heard.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let length = self.heard.len().min(buffer.remaining());
        buffer.put_slice(self.heard.get(..length).unwrap_or_default());
        self.heard.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<IO: Link> AsyncWrite for Begun<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
