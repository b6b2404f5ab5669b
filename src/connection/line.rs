//! Connections that can be hung up from another thread.
//!
//! The client library waits for a server without a limit, and nothing but the
//! end of its socket ends that. It does not hand its sockets out either, but to
//! what makes TLS of them. So that is what it is given here, with TLS and
//! without: the negotiation is done on this side (see `dial`), and the socket
//! stays in reach (see `wire`).

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use postgres::config::SslMode as Negotiated;

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

    /// Whether hanging up ends its connection.
    pub fn is_in_reach(&self) -> bool {
        self.state().way.is_some()
    }

    /// How the next connection is made, if its socket is in reach.
    pub(super) fn set_way(&self, way: Option<Way>) {
        self.state().way = way;
    }

    /// How the connection was made; `None` if its socket is not in reach.
    pub(super) fn way(&self) -> Option<Way> {
        self.state().way
    }

    /// To be called before each wait for the socket.
    pub(super) fn check(&self, context: &Context<'_>) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

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
