//! Why the gateway stopped though nobody asked it to.

use std::io;
use std::net::SocketAddr;

use crate::http::tls::TlsError;
use crate::model::reason::Reason;
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
    /// What a view is cannot be found out.
    #[error("view \"{view}\" could not be described")]
    Undescribed {
        /// As given.
        view: String,
        /// What came of asking.
        source: Box<TailError>,
    },
    /// Which views patterns name cannot be found out.
    #[error("the catalog could not be asked for the views of patterns: {0}")]
    Unlisted(Reason),
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
            GatewayError::Undescribed { source, .. } => source.hint(),
            GatewayError::Unlisted(_)
            | GatewayError::Start(_)
            | GatewayError::Certificate(_)
            | GatewayError::Serve(_) => None,
        }
    }
}
