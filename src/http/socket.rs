//! What the kernel is told of each connection.
//!
//! A peer that is gone without a word, or that never reads, must neither hold
//! a connection for ever nor make the kernel keep megabytes for it. The kernel
//! knows best whether a peer makes progress, so it is asked to end those that
//! do not; nothing here looks at connections one by one.

use std::any::Any;
use std::io;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use log::debug;
use socket2::{SockRef, TcpKeepalive};

use crate::limits::{KEEPALIVE_INTERVAL_MIN, SOCKET_UNSENT_BYTES_MAX};

/// Sets up a connection that was just accepted, with or without TLS.
pub fn on_connect(connection: &dyn Any, stall_timeout: Duration) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        set_up(stream, stall_timeout);
    } else if let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() {
        set_up(stream.get_ref().0, stall_timeout);
    }
}

/// Sets up a connection that was just accepted.
pub fn set_up(stream: &TcpStream, stall_timeout: Duration) {
    if let Err(error) = try_set_up(stream, stall_timeout) {
        // It is served all the same: most peers read what they asked for.
        debug!("options of a connection could not be set: {error}");
    }
}

fn try_set_up(stream: &TcpStream, stall_timeout: Duration) -> io::Result<()> {
    // An event waits for no acknowledgement of the one before.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // Asks an idle peer whether it is still there.
    let keepalive = TcpKeepalive::new()
        .with_time((stall_timeout / 2).max(KEEPALIVE_INTERVAL_MIN))
        .with_interval((stall_timeout / 6).max(KEEPALIVE_INTERVAL_MIN));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        // Ends the connection when what was sent is not acknowledged, or the
        // peer's window stays shut, for so long.
        socket.set_tcp_user_timeout(Some(stall_timeout))?;
        // What a peer has no room for stays in the frames that all share, and
        // not once per connection in the kernel.
        socket.set_tcp_notsent_lowat(SOCKET_UNSENT_BYTES_MAX)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::rt::net::TcpListener;

    #[actix_web::test]
    async fn socket_sends_small_events_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap());
        let (_peer, accepted) = tokio::join!(peer, listener.accept());
        let (stream, _) = accepted.unwrap();
        assert!(!stream.nodelay().unwrap());
        set_up(&stream, Duration::from_secs(60));
        assert!(stream.nodelay().unwrap());
    }
}
