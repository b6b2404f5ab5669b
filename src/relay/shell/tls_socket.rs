//! A socket whose bytes are encrypted, each event for each client, from memory
//! that all share.
//!
//! The session holds no more than the records that the socket had no room for.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use bytes::Bytes;
use rustls::ServerConnection;

use super::delivery::{parts, tried};
use crate::relay::deliver::socket::{Broken, Socket, Tried};

/// A socket and the TLS session on it, behind the handshake.
pub struct TlsSocket {
    socket: TcpStream,
    session: RefCell<Box<ServerConnection>>,
    /// The session may hold bytes that are decrypted, of which the socket tells nothing.
    is_unread: Cell<bool>,
}

impl TlsSocket {
    /// The session goes on on this socket.
    pub fn new(socket: TcpStream, session: ServerConnection) -> Self {
        TlsSocket {
            socket,
            session: RefCell::new(Box::new(session)),
            is_unread: Cell::new(true),
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Encrypts these, one behind the other, as far as the session takes them, and
    /// writes as much of that as there is room for.
    fn write(&self, parts: &[IoSlice<'_>]) -> Tried {
        let mut session = self.session.borrow_mut();
        let Ok(taken) = session.writer().write_vectored(parts) else {
            return Tried::Broken;
        };
        match flush(&self.socket, &mut session) {
            Tried::Broken => Tried::Broken,
            Tried::Done(_) | Tried::Later => Tried::Done(taken),
        }
    }

    /// Reads what was decrypted already; decrypts what has come.
    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session.borrow_mut();
        loop {
            match session.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            self.is_unread.set(false);
            session.read_tls(&mut Now(&self.socket))?;
            session.process_new_packets().map_err(io::Error::other)?;
            self.is_unread.set(true);
        }
    }
}

/// Writes the records that wait, as far as there is room: none is left, or it is
/// too early for the rest.
fn flush(socket: &TcpStream, session: &mut ServerConnection) -> Tried {
    while session.wants_write() {
        match tried(session.write_tls(&mut Now(socket))) {
            Tried::Done(0) => return Tried::Broken,
            Tried::Done(_) => {}
            other => return other,
        }
    }
    Tried::Done(0)
}

impl Socket for TlsSocket {
    fn try_write(&self, bytes: &[u8]) -> Tried {
        self.write(&[IoSlice::new(bytes)])
    }

    fn try_write_all(&self, first: &[u8], others: &[Bytes]) -> Tried {
        self.write(&parts(first, others))
    }

    fn holds_back(&self) -> bool {
        self.session.borrow().wants_write()
    }

    fn try_flush(&self) -> Tried {
        flush(&self.socket, &mut self.session.borrow_mut())
    }

    fn say_end(&self) {
        self.session.borrow_mut().send_close_notify();
    }

    fn try_read(&self, bytes: &mut [u8]) -> Tried {
        tried(self.read(bytes))
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Socket::poll_write_ready(&self.socket, context)
    }

    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.is_unread.get() {
            return Poll::Ready(Ok(()));
        }
        Socket::poll_read_ready(&self.socket, context)
    }
}

/// A socket that is read and written without waiting.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
