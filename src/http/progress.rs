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
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;
use actix_web::rt::time::{Instant, sleep};
use log::debug;

use crate::limits::{
    READ_BYTES_PER_SECOND_MIN, READ_STALL_TIMEOUTS_MAX, READ_WAIT_MIN, STALL_LOOKS, STALL_TICK_MAX,
    STALL_TICK_MIN,
};

use super::kernel::{Kernel, Standing};

/// For how long a peer is waited for.
///
/// Whether a peer reads is seen only by what it has room for, and that it tells
/// late: often not before its buffer, or the window of its stream, is half
/// empty. So it is given the time in which even a slow one would have read what
/// it took, within bounds, and only then the stall timeout.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// When it took something last, or had nothing to take.
    since: Option<Instant>,
    /// When the slowest reader would have read what it took.
    read: Option<Instant>,
}

impl Patience {
    /// The peer has taken so many bytes.
    pub fn take(&mut self, bytes: u64, now: Instant, stall_timeout: Duration) {
        let reading = Duration::from_millis(bytes.saturating_mul(1000) / READ_BYTES_PER_SECOND_MIN);
        let read = self.read.map_or(now, |read| read.max(now));
        let latest = now + (stall_timeout * READ_STALL_TIMEOUTS_MAX).max(READ_WAIT_MIN);
        self.read = Some((read + reading.min(latest - now)).min(latest));
        self.since = Some(now);
    }

    /// The peer has nothing to take.
    pub fn rest(&mut self) {
        self.since = None;
    }

    /// Since when the peer has taken nothing of what there is.
    fn waits_since(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now)
    }

    /// Since when not even a slow reader would do so.
    pub fn idle_since(&mut self, now: Instant) -> Instant {
        let since = self.waits_since(now);
        self.read.map_or(since, |read| read.max(since))
    }
}

/// What is known of a connection's progress.
#[derive(Clone, Copy, Debug, Default)]
struct Ledger {
    acknowledged: u64,
    patience: Patience,
}

impl Ledger {
    /// Whether the peer has stalled, as of now.
    fn note(&mut self, standing: Standing, now: Instant, stall_timeout: Duration) -> bool {
        let taken = standing.acknowledged.saturating_sub(self.acknowledged);
        self.acknowledged = standing.acknowledged;
        if taken > 0 {
            self.patience.take(taken, now, stall_timeout);
        }
        if standing.waiting == 0 {
            self.patience.rest();
            return false;
        }
        let lasts = |since| now.saturating_duration_since(since) >= stall_timeout;
        // Its system does not answer any more, let alone that anybody reads.
        let is_gone = standing.unanswered >= stall_timeout;
        match is_gone {
            true => lasts(self.patience.waits_since(now)),
            false => lasts(self.patience.idle_since(now)),
        }
    }
}

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

    /// Watches a connection until the watch is dropped. Where the kernel does
    /// not tell of it, nothing is ever found out.
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

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    /// Each row: second, bytes that wait, bytes acknowledged; whether it stalls.
    #[test]
    fn ledger_counts_only_time_in_which_nothing_is_taken() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let rows = [
            (0, 0, 0, false),
            // Nothing waited, so nothing was missed.
            (90, 0, 0, false),
            (100, 500, 0, false),
            (159, 500, 0, false),
            // A single byte is progress.
            (160, 499, 1, false),
            (219, 499, 1, false),
            (220, 0, 500, false),
            (300, 9, 500, false),
            (359, 9, 500, false),
            // More to send is none, on the part of the peer.
            (360, 9_999, 500, true),
        ];
        for (second, waiting, acknowledged, stalls) in rows {
            let standing = Standing {
                waiting,
                acknowledged,
                unanswered: Duration::ZERO,
            };
            let now = start + Duration::from_secs(second);
            let found = ledger.note(standing, now, STALL);
            assert_eq!(found, stalls, "at {second} s");
        }
    }

    #[test]
    fn patience_lasts_for_what_a_slow_reader_has_yet_to_read() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let idle = |bytes| {
            let mut patience = Patience::default();
            patience.take(bytes, start, STALL);
            patience.idle_since(after(1000)) - start
        };
        assert_eq!(idle(0), Duration::ZERO);
        assert_eq!(
            idle(READ_BYTES_PER_SECOND_MIN * 20),
            Duration::from_secs(20)
        );
        // Within bounds, whatever it took, and however often.
        assert_eq!(idle(u64::MAX), STALL * READ_STALL_TIMEOUTS_MAX);
        let mut patience = Patience::default();
        for second in 0..100 {
            patience.take(1 << 20, after(second), STALL);
        }
        let longest = after(99) + STALL * READ_STALL_TIMEOUTS_MAX;
        assert_eq!(patience.idle_since(after(1000)), longest);
    }

    #[test]
    fn ledger_waits_no_longer_for_a_system_that_does_not_answer() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let mut stalls = |second, unanswered| {
            let standing = Standing {
                waiting: 10,
                acknowledged: 1 << 30,
                unanswered: Duration::from_secs(unanswered),
            };
            ledger.note(standing, start + Duration::from_secs(second), STALL)
        };
        // The answer before the last event may be long ago.
        assert!(!stalls(0, 900));
        assert!(!stalls(59, 959));
        assert!(!stalls(60, 59));
        assert!(stalls(61, 60));
    }
}
