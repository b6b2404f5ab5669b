//! A TCP proxy that does to a connection what a network does: cuts it at any
//! byte, delays, throttles, and swallows everything without a word.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Bytes moved at once.
const PIECE: usize = 16 * 1024;

/// One connection through the proxy.
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// Bytes towards the client that still pass; then it is cut.
    left: AtomicU64,
    /// Nothing passes any more, and neither side is told.
    is_swallowed: AtomicBool,
    is_cut: AtomicBool,
}

impl Link {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

struct State {
    target: Mutex<SocketAddr>,
    links: Mutex<Vec<Arc<Link>>>,
    refuses: AtomicBool,
    is_stalled: AtomicBool,
    /// Milliseconds that each piece waits.
    delay_ms: AtomicU64,
    /// Bytes a piece may have.
    piece: AtomicU64,
    is_over: AtomicBool,
}

/// The handle; all connections end when it is dropped.
pub struct Proxy {
    state: Arc<State>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Proxy {
    /// A proxy on a free port of loopback.
    pub fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            target: Mutex::new(target),
            links: Mutex::default(),
            refuses: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            piece: AtomicU64::new(u64::MAX),
            is_over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &accepting));
        Proxy { state, address }
    }

    /// Later connections go there.
    pub fn point_at(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap() = target;
    }

    fn link(&self, choice: u64) -> Option<Arc<Link>> {
        let links = self.state.links.lock().unwrap();
        let count = u64::try_from(links.len()).unwrap().max(1);
        links.get(usize::try_from(choice % count).unwrap()).cloned()
    }

    /// Cuts one connection once so many more bytes have come from the server;
    /// whether there was one.
    pub fn cut_after(&self, choice: u64, bytes: u64) -> bool {
        let Some(link) = self.link(choice) else {
            return false;
        };
        link.left.store(bytes, Ordering::SeqCst);
        if bytes == 0 {
            link.cut();
        }
        true
    }

    /// Cuts all connections.
    pub fn cut_all(&self) {
        for link in self.state.links.lock().unwrap().iter() {
            link.cut();
        }
    }

    /// Swallows all that one connection says from now on, without closing it;
    /// whether there was one.
    pub fn swallow(&self, choice: u64) -> bool {
        let link = self.link(choice);
        if let Some(link) = &link {
            link.is_swallowed.store(true, Ordering::SeqCst);
        }
        link.is_some()
    }

    /// Closes what was swallowed, as keep-alive would in the end.
    pub fn reap(&self) {
        for link in self.state.links.lock().unwrap().iter() {
            if link.is_swallowed.load(Ordering::SeqCst) {
                link.cut();
            }
        }
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Whether nothing moves on any connection.
    pub fn stall(&self, is_stalled: bool) {
        self.state.is_stalled.store(is_stalled, Ordering::SeqCst);
    }

    /// Moves pieces of so many bytes, each after so long.
    pub fn throttle(&self, bytes: u64, delay_ms: u64) {
        self.state.piece.store(bytes, Ordering::SeqCst);
        self.state.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// As new.
    pub fn heal(&self) {
        self.refuse(false);
        self.stall(false);
        self.throttle(u64::MAX, 0);
        self.reap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.cut_all();
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for client in listener.incoming() {
        if state.is_over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        if state.refuses.load(Ordering::SeqCst) {
            continue;
        }
        let target = *state.target.lock().unwrap();
        let Ok(server) = TcpStream::connect(target) else {
            continue;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
            continue;
        };
        let link = Arc::new(Link {
            client,
            server,
            left: AtomicU64::new(u64::MAX),
            is_swallowed: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
        });
        state.links.lock().unwrap().push(Arc::clone(&link));
        let (up, up_link) = (Arc::clone(state), Arc::clone(&link));
        thread::spawn(move || pump(from_client, &up_link.server, &up_link, &up, false));
        let down = Arc::clone(state);
        thread::spawn(move || pump(from_server, &link.client, &link, &down, true));
    }
}

/// Moves bytes in one direction until either side ends.
fn pump(mut from: TcpStream, mut to: &TcpStream, link: &Arc<Link>, state: &State, is_down: bool) {
    let mut buffer = vec![0; PIECE];
    loop {
        let most = usize::try_from(state.piece.load(Ordering::SeqCst)).unwrap_or(PIECE);
        let Ok(read @ 1..) = from.read(&mut buffer[..most.clamp(1, PIECE)]) else {
            break;
        };
        let delay = state.delay_ms.load(Ordering::SeqCst);
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay));
        }
        let held = || {
            let swallowed = link.is_swallowed.load(Ordering::SeqCst);
            let stalled = state.is_stalled.load(Ordering::SeqCst);
            (swallowed || stalled) && !state.is_over.load(Ordering::SeqCst)
        };
        while held() && !link.is_cut.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let mut pass = read;
        if is_down {
            let moved = u64::try_from(read).unwrap();
            let left = link
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    Some(if left == u64::MAX {
                        left
                    } else {
                        left.saturating_sub(moved)
                    })
                });
            pass = usize::try_from(left.unwrap_or(0))
                .unwrap_or(usize::MAX)
                .min(read);
        }
        if to.write_all(&buffer[..pass]).is_err() || pass < read {
            break;
        }
    }
    link.cut();
    state
        .links
        .lock()
        .unwrap()
        .retain(|other| !Arc::ptr_eq(other, link));
}
