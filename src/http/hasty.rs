//! Who comes back sooner than told, again and again.
//!
//! Some clients never wait: they come back a few milliseconds after each end.
//! They are told what all are told, but the end of their answer is held back
//! for a while, which is the one thing that they do wait for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::limits::{HASTY_CLIENTS_MAX, HASTY_TIMES, HELD_MAX};

/// Remembers which clients were told to wait, until their wait is over.
#[derive(Debug, Default)]
pub struct Hasty {
    told: HashMap<IpAddr, Told>,
    held: usize,
    total: u64,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    /// Not to come back before.
    until: Instant,
    /// Times in a row that it did.
    times: u32,
}

impl Hasty {
    /// Notes that a client is told to wait so long; whether this answer is to
    /// be held. One that is held takes a place until [`Hasty::let_go`].
    pub fn tell(&mut self, client: IpAddr, wait: Duration, now: Instant) -> bool {
        let times = self.note(client, wait, now);
        let is_held = times.is_some_and(|times| times >= HASTY_TIMES) && self.held < HELD_MAX;
        if is_held {
            self.held = self.held.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
        is_held
    }

    /// How often in a row it came too soon; `None` where there is no room to
    /// remember it.
    fn note(&mut self, client: IpAddr, wait: Duration, now: Instant) -> Option<u32> {
        let known = self.told.get(&client).copied();
        if known.is_none() && self.told.len() >= HASTY_CLIENTS_MAX {
            self.told.retain(|_, told| now < told.until);
            if self.told.len() >= HASTY_CLIENTS_MAX {
                return None;
            }
        }
        let times = match known {
            Some(told) if now < told.until => told.times.saturating_add(1),
            _ => 0,
        };
        let until = now.checked_add(wait)?;
        self.told.insert(client, Told { until, times });
        Some(times)
    }

    /// An answer that was held has ended.
    pub fn let_go(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    /// Answers that are held now.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Answers that were held so far.
    pub fn total(&self) -> u64 {
        self.total
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
        let (mut hasty, start) = (Hasty::default(), Instant::now());
        let mut held = |number, seconds: f64| {
            let now = start + Duration::from_secs_f64(seconds);
            hasty.tell(client(number), WAIT, now)
        };
        // Told at zero; each coming after that is too soon.
        let found: Vec<bool> = (0..6).map(|at| held(1, f64::from(at) * 0.1)).collect();
        assert_eq!(found, [false, false, false, true, true, true]);
        for at in 0..6 {
            assert!(!held(2, f64::from(at) * 10.0), "comes when told");
        }
        // Who has waited once is believed anew.
        assert!(!held(1, 30.0) && !held(1, 30.1) && !held(1, 30.2) && held(1, 30.3));
        assert_eq!((hasty.total(), hasty.held()), (4, 4));
    }

    #[test]
    fn hasty_clients_and_answers_are_bounded_in_number() {
        let (mut hasty, now) = (Hasty::default(), Instant::now());
        for number in 0..HASTY_CLIENTS_MAX + 100 {
            assert!(!hasty.tell(client(number), WAIT, now));
        }
        assert_eq!(hasty.told.len(), HASTY_CLIENTS_MAX);
        let told = (0..HELD_MAX * 2).map(|_| hasty.tell(client(1), WAIT, now));
        assert_eq!(told.filter(|is_held| *is_held).count(), HELD_MAX);
        hasty.let_go();
        assert!(hasty.tell(client(1), WAIT, now), "a place is back");
        // What is over is forgotten, and there is room for others.
        let later = now + WAIT;
        assert!(!hasty.tell(client(HASTY_CLIENTS_MAX + 1), WAIT, later));
        assert_eq!(hasty.told.len(), 1);
    }
}
