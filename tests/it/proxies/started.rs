//! Proxies on free ports, each with our own file of `config/` but for the
//! addresses in it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::gateway::PATIENCE;

use super::files::{Site, command_of};

/// A proxy that there is a file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Haproxy,
    Caddy,
    Varnish,
    Apache,
    Lighttpd,
    Envoy,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Nginx,
        Kind::Haproxy,
        Kind::Caddy,
        Kind::Varnish,
        Kind::Apache,
        Kind::Lighttpd,
        Kind::Envoy,
    ];

    /// Whether the gateway hears at once that a client left. The others look
    /// when they write, and find it out at the second event.
    pub fn tells_at_once(self) -> bool {
        !matches!(self, Kind::Apache | Kind::Lighttpd)
    }
}

/// A running proxy, killed when the test is over.
pub struct Proxy {
    child: Child,
    pub address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has just now. A proxy cannot tell which one it was given
/// for port 0, so it is drawn here.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

impl Proxy {
    /// Starts one in front of a gateway.
    pub fn start(kind: Kind, gateway: SocketAddr) -> Self {
        Proxy::start_changed(kind, gateway, &[])
    }

    /// The same, with more replaced in its file.
    pub fn start_changed(kind: Kind, gateway: SocketAddr, changes: &[(&str, &str)]) -> Self {
        // Somebody else may take the port before it does.
        for _ in 0..5 {
            if let Some(proxy) = Proxy::try_start(kind, gateway, changes) {
                return proxy;
            }
        }
        panic!("{kind:?} does not start");
    }

    fn try_start(kind: Kind, gateway: SocketAddr, changes: &[(&str, &str)]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let site = Site {
            folder: directory.path(),
            address,
            gateway,
            changes,
        };
        let mut command = command_of(kind, &site);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{command:?} does not start ({error}); `make prepare` installs it")
        });
        let mut proxy = Proxy {
            child,
            address,
            _directory: directory,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if proxy
                .child
                .try_wait()
                .expect("it can be waited for")
                .is_some()
            {
                return None;
            }
            assert!(Instant::now() < deadline, "{kind:?} does not listen");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Some(proxy)
    }
}
