//! The places of streams, and of answers that are held, as all workers share
//! them: each is given back on drop, whatever ended the stream.
//!
//! What is decided is decided by `limit` and `hasty`; here are their locks.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::hasty::Hasty;
use super::limit::{Admission, Asked, Limits, Place, client};
use super::refusal::Limit;

/// All places of the process; a clone gives out the same ones. There is a lock
/// for each kind, so that who is refused holds up nobody who is let in.
#[derive(Clone, Debug)]
pub struct Places {
    admission: Arc<Mutex<Admission>>,
    hasty: Arc<Mutex<Hasty>>,
}

impl Places {
    /// Nobody is in yet.
    pub fn new(limits: Limits) -> Self {
        Places {
            admission: Arc::new(Mutex::new(Admission::new(limits))),
            hasty: Arc::default(),
        }
    }

    /// These are the limits from now on.
    pub fn set_limits(&self, limits: Limits) {
        lock(&self.admission).set_limits(limits);
    }

    /// There are files for so many streams from now on.
    pub fn set_room(&self, room: usize) {
        lock(&self.admission).set_room(room);
    }

    /// Streams that are served at the most.
    pub fn most(&self) -> usize {
        lock(&self.admission).most()
    }

    /// A place for one more stream of these views, kept until the permit is
    /// dropped; else the first limit that it is over.
    pub fn admit(&self, address: IpAddr, views: &[Asked<'_>]) -> Result<Permit, Limit> {
        let place = lock(&self.admission).admit(address, views)?;
        Ok(Permit {
            admission: Arc::clone(&self.admission),
            place,
        })
    }

    /// Notes that a client over a limit is told to wait so long. If it has come
    /// back too soon again and again, its answer is to be held while this lives.
    pub fn tell(&self, address: IpAddr, wait: Duration, now: Instant) -> Option<Held> {
        let is_held = lock(&self.hasty).tell(client(address), wait, now);
        is_held.then(|| Held(Arc::clone(&self.hasty)))
    }

    /// Streams that hold a permit now.
    pub fn admitted(&self) -> usize {
        lock(&self.admission).admitted()
    }

    /// How many were over this limit so far.
    pub fn refused(&self, limit: Limit) -> u64 {
        lock(&self.admission).refused(limit)
    }

    /// Answers that were held so far.
    pub fn held(&self) -> u64 {
        lock(&self.hasty).total()
    }
}

/// The counts are right between any two statements, so they still are where a
/// thread panicked that held them.
fn lock<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One stream's place; given back on drop.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Mutex<Admission>>,
    place: Place,
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.admission).release(&self.place);
    }
}

/// An answer that is held; gives its place back on drop.
#[derive(Debug)]
pub struct Held(Arc<Mutex<Hasty>>);

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.0).let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn places_are_exact_under_contention() {
        let places = Places::new(Limits {
            connections: 50,
            per_address: None,
            per_view: None,
            windows_per_address: None,
            windows_per_view: None,
        });
        let address = IpAddr::from([192, 0, 2, 1]);
        let asked = Asked {
            view: "a",
            window: Some(1),
        };
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..200 {
                        let held: Vec<_> = (0..round % 40)
                            .filter_map(|_| places.admit(address, &[asked]).ok())
                            .collect();
                        most.fetch_max(places.admitted(), Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert!(most.load(Ordering::Relaxed) <= 50);
        assert!(lock(&places.admission).is_empty());
    }

    #[test]
    fn held_answer_gives_its_place_back() {
        let places = Places::new(Limits {
            connections: 1,
            per_address: None,
            per_view: None,
            windows_per_address: None,
            windows_per_view: None,
        });
        let address = IpAddr::from([192, 0, 2, 1]);
        let (wait, now) = (Duration::from_secs(10), Instant::now());
        let told = (0..9).map(|_| places.tell(address, wait, now));
        let held: Vec<Held> = told.flatten().collect();
        assert_eq!(lock(&places.hasty).held(), held.len());
        drop(held);
        assert_eq!(lock(&places.hasty).held(), 0);
    }
}
