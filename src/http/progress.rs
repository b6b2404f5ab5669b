//! Who makes progress, and who is let go.
//!
//! A connection for which bytes wait, and whose peer has acknowledged none of
//! them for the stall timeout, is ended, whatever is spoken on it. The bytes are
//! counted, not the segments or the answers to window probes: a peer that takes
//! a few bytes now and then makes progress, one that only says that it is still
//! there does not. Each worker looks at its own connections, a few at a time.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use log::debug;

use crate::limits::{STALL_LOOKS, STALL_TICK_MAX, STALL_TICK_MIN};

use super::kernel::Kernel;
use super::patience::Ledger;

/// A connection that is watched until this is dropped.
struct Watched {
    sweep: Rc<Sweep>,
    /// Its place in the sweep, from 1 on; `None` where the kernel tells nothing of
    /// it.
    place: Option<NonZeroU32>,
    ends: Ends,
    ledger: Cell<Ledger>,
    is_stalled: Cell<bool>,
    /// The last write found no room.
    is_blocked: Cell<bool>,
    task: Cell<Option<Waker>>,
}

/// The addresses of a connection's two ends. There may be ten thousand of them,
/// most of them short.
enum Ends {
    V4(SocketAddrV4, SocketAddrV4),
    Any(Box<(SocketAddr, SocketAddr)>),
}

impl Ends {
    fn new(local: SocketAddr, peer: SocketAddr) -> Self {
        match (local, peer) {
            (SocketAddr::V4(local), SocketAddr::V4(peer)) => Ends::V4(local, peer),
            _ => Ends::Any(Box::new((local, peer))),
        }
    }

    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        match self {
            Ends::V4(local, peer) => ((*local).into(), (*peer).into()),
            Ends::Any(ends) => **ends,
        }
    }
}

/// The connections of one worker.
pub struct Sweep {
    kernel: Option<Kernel>,
    /// Whether the kernel has told of a connection over IPv4, and over IPv6: it then
    /// tells of the others, too, and is not asked of each that begins.
    tells: [Cell<bool>; 2],
    stall_timeout: Duration,
    places: RefCell<Vec<Weak<Watched>>>,
    free: RefCell<Vec<usize>>,
}

impl Sweep {
    /// Begins to look; call it on the worker's thread.
    pub fn start(stall_timeout: Duration) -> Rc<Self> {
        let sweep = Rc::new(Sweep {
            kernel: Kernel::open().ok(),
            tells: Default::default(),
            stall_timeout,
            places: RefCell::default(),
            free: RefCell::default(),
        });
        let looking = Rc::downgrade(&sweep);
        let tick = (stall_timeout / STALL_LOOKS / 16).clamp(STALL_TICK_MIN, STALL_TICK_MAX);
        spawn(async move {
            let mut at = 0;
            loop {
                sleep(tick).await;
                match looking.upgrade() {
                    Some(sweep) => sweep.look(&mut at, tick),
                    None => return,
                }
            }
        });
        sweep
    }

    /// Time without progress after which a peer is let go.
    pub fn stall_timeout(&self) -> Duration {
        self.stall_timeout
    }

    /// Watches a connection until the watch is dropped. Where the kernel tells
    /// nothing of the connection, it is never found to have stalled.
    pub fn watch(self: &Rc<Self>, stream: &TcpStream) -> Watch {
        let addresses = stream.local_addr().ok().zip(stream.peer_addr().ok());
        let is_known = addresses.filter(|(local, peer)| self.tells_of(*local, *peer));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let (local, peer) = addresses.unwrap_or((unknown, unknown));
        Watch(Rc::new_cyclic(|watched| Watched {
            sweep: Rc::clone(self),
            place: is_known.and_then(|_| self.enter(Weak::clone(watched))),
            ends: Ends::new(local, peer),
            ledger: Cell::default(),
            is_stalled: Cell::new(false),
            is_blocked: Cell::new(false),
            task: Cell::default(),
        }))
    }

    /// Whether the kernel tells of connections like this one.
    fn tells_of(&self, local: SocketAddr, peer: SocketAddr) -> bool {
        let [v4, v6] = &self.tells;
        let tells = if local.is_ipv4() { v4 } else { v6 };
        // Of one that is gone by now it tells nothing, and of the next it may.
        if let (false, Some(kernel)) = (tells.get(), &self.kernel) {
            tells.set(kernel.ask(local, peer).is_some());
        }
        tells.get()
    }

    fn enter(&self, watched: Weak<Watched>) -> Option<NonZeroU32> {
        let mut places = self.places.borrow_mut();
        let free = self.free.borrow_mut().pop();
        let place = free.unwrap_or(places.len());
        let number = NonZeroU32::new(u32::try_from(place).ok()?.checked_add(1)?)?;
        match places.get_mut(place) {
            Some(entry) => *entry = watched,
            None => places.push(watched),
        }
        Some(number)
    }

    /// Looks at the next few connections: at each of them several times in a
    /// stall timeout.
    fn look(&self, at: &mut usize, tick: Duration) {
        let Some(kernel) = &self.kernel else {
            return;
        };
        let count = self.places.borrow().len();
        let round = (self.stall_timeout / STALL_LOOKS).max(tick);
        let rounds = round.as_millis().div_ceil(tick.as_millis().max(1));
        let share = count.div_ceil(usize::try_from(rounds).unwrap_or(1).max(1));
        for _ in 0..share {
            *at = if *at + 1 < count { *at + 1 } else { 0 };
            let watched = self.places.borrow().get(*at).and_then(Weak::upgrade);
            if let Some(watched) = watched {
                self.judge(&watched, kernel);
            }
        }
    }

    fn judge(&self, watched: &Watched, kernel: &Kernel) {
        let (local, peer) = watched.ends.addresses();
        let Some(standing) = kernel.ask(local, peer) else {
            return;
        };
        let mut ledger = watched.ledger.get();
        let is_stalled = ledger.note(standing, Instant::now(), self.stall_timeout);
        watched.ledger.set(ledger);
        if is_stalled {
            watched.is_stalled.set(true);
            if let Some(task) = watched.task.take() {
                debug!("{peer} takes nothing any more");
                task.wake();
            }
        }
    }
}

impl fmt::Debug for Sweep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sweep").finish_non_exhaustive()
    }
}

/// A connection that is watched; a clone watches the same.
#[derive(Clone)]
pub struct Watch(Rc<Watched>);

impl Watch {
    /// Whether the kernel tells of the connection at all.
    pub fn is_told(&self) -> bool {
        self.0.place.is_some()
    }

    /// Whether the peer was found to have stalled.
    pub fn is_stalled(&self) -> bool {
        self.0.is_stalled.get()
    }

    /// Whether bytes wait because the connection has no room for them.
    pub fn is_blocked(&self) -> bool {
        self.0.is_blocked.get()
    }

    /// The last write found room, or did not.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.0.is_blocked.set(is_blocked);
    }

    /// Time without progress after which a peer is let go.
    pub fn stall_timeout(&self) -> Duration {
        self.0.sweep.stall_timeout()
    }

    /// Whether the peer was found to have stalled; else this task is woken when
    /// it is.
    pub fn has_stalled(&self, context: &Context<'_>) -> bool {
        let known = self.0.task.take();
        let woken = known.filter(|task| task.will_wake(context.waker()));
        let woken = woken.unwrap_or_else(|| context.waker().clone());
        self.0.task.set(Some(woken));
        self.is_stalled()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(number) = self.place else {
            return;
        };
        let place = usize::try_from(number.get() - 1).unwrap_or(usize::MAX);
        if let Some(entry) = self.sweep.places.borrow_mut().get_mut(place) {
            *entry = Weak::new();
        }
        self.sweep.free.borrow_mut().push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::rt::net::TcpListener;

    #[actix_web::test]
    async fn progress_is_watched_though_the_first_connection_was_gone_at_once() {
        let sweep = Sweep::start(Duration::from_secs(60));
        let gone = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(!sweep.tells_of(gone, gone));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap());
        let (_peer, accepted) = tokio::join!(peer, listener.accept());
        assert!(sweep.watch(&accepted.unwrap().0).is_told());
        // It is not asked again.
        assert!(sweep.tells_of(gone, gone));
    }
}
