//! Why the gateway stopped though nobody asked it to.

use std::io;
use std::net::SocketAddr;

use crate::http::tls::TlsError;
use crate::tail::TailError;

/// Why the gateway stopped though nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is taken, or not ours.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No thread, no signal handler: the machine is out of something.
    #[error("could not start")]
    Start(#[source] io::Error),
    /// A view cannot be tailed, now or ever.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// The certificate was good when the configuration was read, and is not any
    /// more.
    #[error("certificate cannot be shown")]
    Certificate(#[from] TlsError),
    /// The HTTP server ended.
    #[error("HTTP server failed")]
    Serve(#[source] io::Error),
}

impl GatewayError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            GatewayError::Listen { .. } => {
                Some("Choose another address with --listen, or port 0 for any free one.".to_owned())
            }
            GatewayError::Tail(error) => error.hint(),
            GatewayError::Start(_) | GatewayError::Certificate(_) | GatewayError::Serve(_) => None,
        }
    }
}
