//! A socket that tells when what was read of it had arrived.
//!
//! A client of thousands reads one socket after the other, so that the last of them
//! waits for as long as reading all of them takes: half of it is the client's own
//! time. The kernel notes when bytes arrive (`SO_TIMESTAMPNS`, socket(7)), which
//! is what the server has a hand in.

use std::io::{IoSliceMut, Read, Result, Write};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use mio::net::TcpStream;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;

pub struct Stamped {
    pub socket: TcpStream,
    /// Where the kernel writes the time.
    control: Vec<u8>,
    /// When the last of what was read had arrived, in microseconds since the epoch.
    pub arrived: u64,
}

impl Stamped {
    pub fn new(socket: std::net::TcpStream) -> Result<Self> {
        socket.set_nonblocking(true)?;
        setsockopt(&socket.as_fd(), ReceiveTimestampns, &true)?;
        Ok(Stamped {
            socket: TcpStream::from_std(socket),
            control: nix::cmsg_space!(TimeSpec),
            arrived: 0,
        })
    }
}

impl Read for Stamped {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut parts = [IoSliceMut::new(buffer)];
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        let read = recvmsg::<()>(socket, &mut parts, Some(&mut self.control), flags)?;
        let length = read.bytes;
        for message in read.cmsgs()? {
            if let ControlMessageOwned::ScmTimestampns(time) = message {
                let since = Duration::from(time);
                self.arrived = u64::try_from(since.as_micros()).unwrap();
            }
        }
        Ok(length)
    }
}

impl Write for Stamped {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.socket.flush()
    }
}
