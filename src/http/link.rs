//! A connection as HTTP reads and writes it, with TLS or without. What was read
//! to find out which protocol the client speaks can be read again (`Begun`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Transport;

/// A connection, whatever encrypts it.
pub trait Link: AsyncRead + AsyncWrite + Unpin {
    /// Whether streams may be written into the socket itself.
    const IS_PLAIN: bool;

    /// That socket.
    fn into_socket(self) -> Option<TcpStream>;
}

impl Link for Transport {
    const IS_PLAIN: bool = true;

    fn into_socket(self) -> Option<TcpStream> {
        Transport::into_socket(self)
    }
}

impl Link for TlsStream<Transport> {
    const IS_PLAIN: bool = false;

    fn into_socket(self) -> Option<TcpStream> {
        None
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
