//! Who comes back sooner than told, again and again.
//!
//! Some clients never wait: they come back a few milliseconds after each end.
//! They are told what all are told, but the end of their answer is held back
//! for a while, which is the one thing that they do wait for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{HASTY_CLIENTS_MAX, HASTY_TIMES, HELD_MAX};

/// What clients were told, for as long as it is to be heeded.
#[derive(Debug, Default)]
pub struct Hasty {
    told: Mutex<HashMap<IpAddr, Told>>,
    held: AtomicUsize,
    total: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    /// Not to come back before.
    until: Instant,
    /// Times in a row that it did.
    times: u32,
}

/// An answer that is held; gives its place back on drop.
#[derive(Debug)]
pub struct Held(Arc<Hasty>);

impl Hasty {
    /// Notes that a client is told to wait so long; whether this answer is to
    /// be held.
    pub fn tell(self: &Arc<Self>, client: IpAddr, wait: Duration, now: Instant) -> Option<Held> {
        let times = self.note(client, wait, now)?;
        if times < HASTY_TIMES {
            return None;
        }
        let more = |held: usize| (held < HELD_MAX).then_some(held + 1);
        let order = Ordering::Relaxed;
        self.held.fetch_update(order, order, more).ok()?;
        self.total.fetch_add(1, order);
        Some(Held(Arc::clone(self)))
    }

    /// How often in a row it came too soon; `None` where it is not remembered.
    fn note(&self, client: IpAddr, wait: Duration, now: Instant) -> Option<u32> {
        // Each entry is right by itself, also after a panic elsewhere.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.get(&client).copied();
        if known.is_none() && told.len() >= HASTY_CLIENTS_MAX {
            told.retain(|_, told| now < told.until);
            if told.len() >= HASTY_CLIENTS_MAX {
                return None;
            }
        }
        let times = match known {
            Some(told) if now < told.until => told.times.saturating_add(1),
            _ => 0,
        };
        let until = now.checked_add(wait)?;
        told.insert(client, Told { until, times });
        Some(times)
    }

    /// Answers that were held so far.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn client(number: usize) -> IpAddr {
        IpAddr::from(u32::try_from(number).unwrap().to_be_bytes())
    }

    #[test]
    fn hasty_client_is_held_and_a_patient_one_never() {
        let (hasty, start) = (Arc::new(Hasty::default()), Instant::now());
        let held = |number, seconds: f64| {
            let now = start + Duration::from_secs_f64(seconds);
            hasty.tell(client(number), WAIT, now).is_some()
        };
        // Told at zero; each coming after that is too soon.
        let found: Vec<bool> = (0..6).map(|at| held(1, f64::from(at) * 0.1)).collect();
        assert_eq!(found, [false, false, false, true, true, true]);
        for at in 0..6 {
            assert!(!held(2, f64::from(at) * 10.0), "comes when told");
        }
        // Who has waited once is believed anew.
        assert!(!held(1, 30.0) && !held(1, 30.1) && !held(1, 30.2) && held(1, 30.3));
        assert_eq!(hasty.total(), 4);
    }

    #[test]
    fn hasty_clients_and_answers_are_bounded_in_number() {
        let (hasty, now) = (Arc::new(Hasty::default()), Instant::now());
        for number in 0..HASTY_CLIENTS_MAX + 100 {
            assert!(hasty.tell(client(number), WAIT, now).is_none());
        }
        assert_eq!(hasty.told.lock().unwrap().len(), HASTY_CLIENTS_MAX);
        let mut held: Vec<Held> = Vec::new();
        for _ in 0..HELD_MAX * 2 {
            held.extend(hasty.tell(client(1), WAIT, now));
        }
        assert_eq!(held.len(), HELD_MAX);
        held.pop();
        assert!(
            hasty.tell(client(1), WAIT, now).is_some(),
            "a place is back"
        );
        // What is over is forgotten, and there is room for others.
        let later = now + WAIT;
        assert!(
            hasty
                .tell(client(HASTY_CLIENTS_MAX + 1), WAIT, later)
                .is_none()
        );
        assert_eq!(hasty.told.lock().unwrap().len(), 1);
    }
}
