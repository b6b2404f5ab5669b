//! A stream on the socket of its connection.

use std::io::{self, IoSlice};
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::rt::net::TcpStream;
use bytes::Bytes;

use crate::relay::deliver::outlet::Served;
use crate::relay::deliver::socket::{Broken, Socket, Tried};
use crate::relay::shell::alarm::Alarm;
use crate::relay::subscribe::source::Source;

impl Socket for TcpStream {
    fn try_write(&self, bytes: &[u8]) -> Tried {
        tried(TcpStream::try_write(self, bytes))
    }

    fn try_write_all(&self, first: &[u8], others: &[Bytes]) -> Tried {
        if others.is_empty() {
            return Socket::try_write(self, first);
        }
        tried(self.try_write_vectored(&parts(first, others)))
    }

    fn try_read(&self, bytes: &mut [u8]) -> Tried {
        tried(TcpStream::try_read(self, bytes))
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        TcpStream::poll_write_ready(self, context).map_err(|_| Broken)
    }

    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        TcpStream::poll_read_ready(self, context).map_err(|_| Broken)
    }
}

/// These, one behind the other.
pub(super) fn parts<'a>(first: &'a [u8], others: &'a [Bytes]) -> Vec<IoSlice<'a>> {
    let others = others.iter().map(|bytes| IoSlice::new(bytes));
    iter::once(IoSlice::new(first)).chain(others).collect()
}

pub(super) fn tried(result: io::Result<usize>) -> Tried {
    match result {
        Ok(length) => Tried::Done(length),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Tried::Later,
        Err(_) => Tried::Broken,
    }
}

/// A stream on a socket: the future ends when the stream has, and dropping it
/// ends the stream.
pub struct Delivery<S> {
    served: Served<S>,
    alarm: Alarm,
}

impl<S: Socket> Delivery<S> {
    /// Serves the stream on the socket, behind the head of the response.
    pub fn new(socket: S, head: Vec<u8>, source: Source) -> Self {
        Delivery {
            served: Served::new(socket, head, source),
            alarm: Alarm::default(),
        }
    }

    /// The socket, which is closed when this is dropped.
    pub fn socket(&self) -> &S {
        self.served.socket()
    }
}

impl<S: Socket> Future for Delivery<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let polled = self.served.poll(now, context);
        if polled.is_pending() {
            let at = self.served.wake_at(now);
            self.alarm.set(at, context);
        }
        polled
    }
}
