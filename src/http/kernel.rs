//! What the kernel knows of a TCP connection: how much of what it was given to
//! send the peer has taken.
//!
//! No option of a socket that can be read without unsafe code tells this, and
//! whether a socket takes bytes says little: it does so again only when a large
//! part of what waits in it has left. Linux answers about one connection at a
//! time over a socket of its own (`sock_diag(7)`), within microseconds.
//! Elsewhere, and where a sandbox forbids it, nothing is known.

use std::cell::Cell;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::patience::Standing;

/// Where the kernel is asked.
#[derive(Debug)]
pub struct Kernel {
    socket: Socket,
    /// Of the last question.
    number: Cell<u32>,
}

const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

/// Wants the figures of the connection, `INET_DIAG_INFO`, told.
const WITH_INFO: u8 = 1 << (INET_DIAG_INFO - 1);
const INET_DIAG_INFO: u16 = 2;

/// Where a message has the number of the question.
const NUMBER_AT: usize = 8;

/// Bytes of a message's header; of the answer behind it; of an attribute's.
const HEADER_BYTES: usize = 16;
const ANSWER_BYTES: usize = 72;
const ATTRIBUTE_BYTES: usize = 4;

/// Where the figures stand: `idiag_wqueue` in the answer, and `tcpi_unacked`,
/// `tcpi_last_ack_recv` (in milliseconds) and `tcpi_bytes_acked` in those of the
/// connection.
const WAITING_AT: usize = 60;
const ON_ITS_WAY_AT: usize = 24;
const LAST_ANSWER_AT: usize = 56;
const ACKNOWLEDGED_AT: usize = 120;

/// Bytes of the longest answer: its attributes are a few hundred.
const MESSAGE_BYTES_MAX: usize = 4096;

impl Kernel {
    /// A socket to ask on.
    pub fn open() -> io::Result<Self> {
        if !cfg!(target_os = "linux") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let (domain, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_SOCK_DIAG));
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        // The kernel answers within the call that sends the question, so nothing
        // ever waits here.
        socket.set_nonblocking(true)?;
        let number = Cell::new(0);
        Ok(Kernel { socket, number })
    }

    /// Where the connection between these addresses stands, if that is known.
    pub fn ask(&self, local: SocketAddr, peer: SocketAddr) -> Option<Standing> {
        let number = self.number.get().wrapping_add(1);
        self.number.set(number);
        self.socket.send(&question(local, peer, number)).ok()?;
        let mut scratch = [0; MESSAGE_BYTES_MAX];
        loop {
            let length = (&self.socket).read(&mut scratch).ok()?;
            let message = scratch.get(..length)?;
            // An answer to an earlier question is passed over.
            if message.get(NUMBER_AT..)?.first_chunk() == Some(&number.to_ne_bytes()) {
                return standing(message);
            }
        }
    }
}

/// A message that asks for exactly one connection.
fn question(local: SocketAddr, peer: SocketAddr, number: u32) -> Vec<u8> {
    let (family, scope) = match local {
        SocketAddr::V4(_) => (AF_INET, 0),
        SocketAddr::V6(address) => (AF_INET6, address.scope_id()),
    };
    let mut body = vec![family, IPPROTO_TCP, WITH_INFO, 0];
    // In whatever state it is.
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(local.port().to_be_bytes());
    body.extend(peer.port().to_be_bytes());
    for address in [local.ip(), peer.ip()] {
        let mut place = [0; 16];
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        place.iter_mut().zip(octets).for_each(|(to, of)| *to = of);
        body.extend(place);
    }
    body.extend(scope.to_ne_bytes());
    // Any cookie: the connection that has these addresses now.
    body.extend([u8::MAX; 8]);
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(0);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend(number.to_ne_bytes());
    // The sender's id: the kernel fills it in.
    message.extend([0; 4]);
    message.extend(body);
    message
}

/// What an answer says; `None` for an error, as where there is no such
/// connection any more.
fn standing(message: &[u8]) -> Option<Standing> {
    if u16::from_ne_bytes(*message.get(4..)?.first_chunk()?) != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let answer = message.get(HEADER_BYTES..)?;
    let waiting = number_at(answer, WAITING_AT)?;
    let mut attributes = answer.get(ANSWER_BYTES..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        if kind == INET_DIAG_INFO {
            let info = attributes.get(ATTRIBUTE_BYTES..length)?;
            let acknowledged = info.get(ACKNOWLEDGED_AT..)?.first_chunk()?;
            let last_answer = match number_at(info, ON_ITS_WAY_AT)? {
                0 => 0,
                _ => number_at(info, LAST_ANSWER_AT)?,
            };
            return Some(Standing {
                waiting,
                acknowledged: u64::from_ne_bytes(*acknowledged),
                unanswered: Duration::from_millis(u64::from(last_answer)),
            });
        }
        // Each begins at a multiple of four bytes, and has at least its header.
        attributes = attributes.get(length.max(ATTRIBUTE_BYTES).next_multiple_of(4)..)?;
    }
}

fn number_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    fn check(listen: &str) {
        let Ok(listener) = TcpListener::bind(listen) else {
            return; // A machine without IPv6.
        };
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let (local, remote) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let kernel = Kernel::open().unwrap();
        let standing = || kernel.ask(local, remote).unwrap();
        assert_eq!(standing().acknowledged, 0);
        stream.write_all(&[7; 1000]).unwrap();
        let mut taken = [0; 1000];
        peer.read_exact(&mut taken).unwrap();
        while standing().waiting > 0 {
            std::thread::yield_now();
        }
        assert_eq!(standing().acknowledged, 1000);
        // What the peer has no room for waits, once it has none.
        stream.set_nonblocking(true).unwrap();
        let (mut sent, mut refusals) = (1000, 0);
        while refusals < 1000 {
            match stream.write(&[7; 100_000]) {
                Ok(length) => (sent, refusals) = (sent + u64::try_from(length).unwrap(), 0),
                Err(_) => refusals += 1,
            }
        }
        let standing = standing();
        assert!(standing.waiting > 0, "{standing:?}");
        assert_eq!(standing.acknowledged + u64::from(standing.waiting), sent);
        drop((stream, peer));
    }

    #[test]
    fn kernel_tells_what_a_peer_has_taken() {
        check("127.0.0.1:0");
        check("[::1]:0");
    }

    #[test]
    fn kernel_knows_nothing_of_a_connection_that_is_not_there() {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert_eq!(Kernel::open().unwrap().ask(address, address), None);
        assert_eq!(standing(&[]), None);
        assert_eq!(standing(&[0; 90]), None);
    }
}
