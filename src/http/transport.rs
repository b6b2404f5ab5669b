//! A connection's bytes, with a note of whether the peer has room for more.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::progress::Watch;

/// A socket and the watch over it, below TLS and HTTP.
pub struct Transport {
    /// `None` once it was taken out, after which this is not used any more.
    socket: Option<TcpStream>,
    watch: Watch,
}

impl Transport {
    /// The socket, watched.
    pub fn new(socket: TcpStream, watch: Watch) -> Self {
        Transport {
            socket: Some(socket),
            watch,
        }
    }

    /// The socket alone, to be served by the relay.
    pub fn into_socket(mut self) -> Option<TcpStream> {
        self.socket.take()
    }

    fn socket(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        let socket = self.get_mut().socket.as_mut();
        socket
            .map(Pin::new)
            .ok_or(io::ErrorKind::NotConnected.into())
    }

    fn note<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.watch.set_blocked(polled.is_pending());
        polled
    }
}

/// Has the kernel forget what it still holds for a peer that does not take it:
/// otherwise it would go on asking for minutes.
pub fn forget_unsent(socket: &TcpStream) {
    // If this fails, the kernel keeps the bytes until it gives up the peer.
    drop(SockRef::from(socket).set_linger(Some(Duration::ZERO)));
}

impl Drop for Transport {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket
            && self.watch.is_stalled()
        {
            forget_unsent(socket);
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut *this).socket()?.poll_write(context, bytes);
        this.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let socket = Pin::new(&mut *this).socket()?;
        let written = socket.poll_write_vectored(context, slices);
        this.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(context)
    }
}

impl ActixStream for Transport {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.socket {
            Some(socket) => ActixStream::poll_read_ready(socket, context),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.socket {
            Some(socket) => ActixStream::poll_write_ready(socket, context),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
