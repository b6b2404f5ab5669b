//! Who makes progress, and who is let go.
//!
//! A connection for which bytes wait, and whose peer has acknowledged none of
//! them for the stall timeout, is ended, whatever is spoken on it. The bytes are
//! counted, not the segments or the answers to window probes: a peer that takes
//! a few bytes now and then makes progress, one that only says that it is still
//! there does not. Each worker looks at its own connections, a few at a time.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use log::debug;

use crate::limits::{STALL_LOOKS, STALL_TICK_MAX, STALL_TICK_MIN};

use super::kernel::Kernel;
use super::patience::Ledger;

/// One connection.
struct Watched {
    local: SocketAddr,
    peer: SocketAddr,
    ledger: Cell<Ledger>,
    is_stalled: Cell<bool>,
    /// The last write found no room.
    is_blocked: Cell<bool>,
    task: Cell<Option<Waker>>,
}

/// The connections of one worker.
pub struct Sweep {
    kernel: Option<Kernel>,
    stall_timeout: Duration,
    places: RefCell<Vec<Option<Rc<Watched>>>>,
    free: RefCell<Vec<usize>>,
}

impl Sweep {
    /// Begins to look; call it on the worker's thread.
    pub fn start(stall_timeout: Duration) -> Rc<Self> {
        let sweep = Rc::new(Sweep {
            kernel: Kernel::open().ok(),
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
        let is_known = addresses.filter(|(local, peer)| {
            let kernel = self.kernel.as_ref();
            kernel.is_some_and(|kernel| kernel.ask(*local, *peer).is_some())
        });
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let (local, peer) = addresses.unwrap_or((unknown, unknown));
        let watched = Rc::new(Watched {
            local,
            peer,
            ledger: Cell::default(),
            is_stalled: Cell::new(false),
            is_blocked: Cell::new(false),
            task: Cell::default(),
        });
        let place = is_known.map(|_| self.enter(&watched));
        Watch(Rc::new(Place {
            sweep: Rc::clone(self),
            place,
            watched,
        }))
    }

    fn enter(&self, watched: &Rc<Watched>) -> usize {
        let mut places = self.places.borrow_mut();
        let free = self.free.borrow_mut().pop();
        let place = free.unwrap_or_else(|| {
            places.push(None);
            places.len() - 1
        });
        if let Some(entry) = places.get_mut(place) {
            *entry = Some(Rc::clone(watched));
        }
        place
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
            let watched = self.places.borrow().get(*at).cloned().flatten();
            if let Some(watched) = watched {
                self.judge(&watched, kernel);
            }
        }
    }

    fn judge(&self, watched: &Watched, kernel: &Kernel) {
        let Some(standing) = kernel.ask(watched.local, watched.peer) else {
            return;
        };
        let mut ledger = watched.ledger.get();
        let is_stalled = ledger.note(standing, Instant::now(), self.stall_timeout);
        watched.ledger.set(ledger);
        if is_stalled {
            watched.is_stalled.set(true);
            if let Some(task) = watched.task.take() {
                debug!("{} takes nothing any more", watched.peer);
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
pub struct Watch(Rc<Place>);

struct Place {
    sweep: Rc<Sweep>,
    place: Option<usize>,
    watched: Rc<Watched>,
}

impl Watch {
    /// Whether the kernel tells of the connection at all.
    pub fn is_told(&self) -> bool {
        self.0.place.is_some()
    }

    /// Whether the peer was found to have stalled.
    pub fn is_stalled(&self) -> bool {
        self.0.watched.is_stalled.get()
    }

    /// Whether bytes wait because the connection has no room for them.
    pub fn is_blocked(&self) -> bool {
        self.0.watched.is_blocked.get()
    }

    /// The last write found room, or did not.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.0.watched.is_blocked.set(is_blocked);
    }

    /// Time without progress after which a peer is let go.
    pub fn stall_timeout(&self) -> Duration {
        self.0.sweep.stall_timeout()
    }

    /// Does this for as long as the peer makes progress; `None` where it does
    /// not any more.
    pub async fn during<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self.is_stalled() {
                return Poll::Ready(None);
            }
            self.0.watched.task.set(Some(context.waker().clone()));
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        if let Some(entry) = self.sweep.places.borrow_mut().get_mut(place) {
            *entry = None;
        }
        self.sweep.free.borrow_mut().push(place);
    }
}
