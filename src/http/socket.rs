//! What the kernel is told of each connection.
//!
//! A peer that is gone without a word must not hold a connection for ever, nor
//! one that does not read make the kernel keep megabytes for it. Who makes no
//! progress is ended by `progress`, not by the kernel: its `TCP_USER_TIMEOUT`
//! counts from the first probe of a shut window until the window holds the
//! whole of the next segment, and so resets peers that read slowly.

use std::io;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use log::debug;
use socket2::{SockRef, TcpKeepalive};

use crate::limits::{KEEPALIVE_INTERVAL_MIN, KEEPALIVE_PROBES, SOCKET_UNSENT_BYTES_MAX};

use super::progress::Watch;

/// Sets up a connection that was just accepted.
pub fn set_up(stream: &TcpStream, watch: &Watch) {
    if let Err(error) = try_set_up(stream, watch.stall_timeout()) {
        // The connection is served without it: most peers read what they asked
        // for.
        debug!("options of a connection could not be set: {error}");
    }
    if !watch.is_told() {
        fall_back(stream, watch.stall_timeout());
    }
}

fn try_set_up(stream: &TcpStream, stall_timeout: Duration) -> io::Result<()> {
    // An event is sent at once, without waiting for the acknowledgement of
    // the one before (Nagle's algorithm is off).
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // Asks an idle peer whether it is still there.
    let keepalive = TcpKeepalive::new()
        .with_time((stall_timeout / 2).max(KEEPALIVE_INTERVAL_MIN))
        .with_interval((stall_timeout / 6).max(KEEPALIVE_INTERVAL_MIN));
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    // What a peer has no room for stays in the frames that all share, and not
    // once per connection in the kernel.
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(SOCKET_UNSENT_BYTES_MAX)?;
    Ok(())
}

/// Where the kernel does not tell what a peer has taken, it is left to the
/// kernel's own timeout to end peers that take nothing. That also ends some that
/// read slowly.
fn fall_back(stream: &TcpStream, stall_timeout: Duration) {
    #[cfg(target_os = "linux")]
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(stall_timeout)) {
        debug!("a stalled peer will not be noticed: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, stall_timeout);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::progress::Sweep;
    use actix_web::rt::net::TcpListener;

    #[actix_web::test]
    async fn socket_sends_small_events_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap());
        let (_peer, accepted) = tokio::join!(peer, listener.accept());
        let (stream, _) = accepted.unwrap();
        assert!(!stream.nodelay().unwrap());
        let watch = Sweep::start(Duration::from_secs(60)).watch(&stream);
        set_up(&stream, &watch);
        assert!(stream.nodelay().unwrap());
    }
}
