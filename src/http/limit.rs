//! How many streams are served at once: in all, to one client, of one view.
//!
//! Counted exactly, by permits that give their place back when they are
//! dropped, whatever ended the stream.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::IPV6_CLIENT_PREFIX;
use crate::relay::shared_view::SharedView;

use super::hasty::{Hasty, Held};

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams in all.
    pub connections: usize,
    /// Streams to one client address; `None` for no limit.
    pub per_address: Option<usize>,
    /// Streams of one view; `None` for no limit.
    pub per_view: Option<usize>,
}

/// Which limit a client is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Streams in all.
    Connections,
    /// Streams to its address.
    Address,
    /// Streams of the view it asked for.
    View,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 3] = [Limit::Connections, Limit::Address, Limit::View];

    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::Address => "address",
            Limit::View => "view",
        }
    }

    /// What a client is told; it says nothing of how many there are.
    pub fn reason(self) -> &'static str {
        match self {
            Limit::Connections => "this gateway serves as many streams as it may",
            Limit::Address => "your address has as many streams as it may",
            Limit::View => "this view has as many streams as it may",
        }
    }
}

/// Counts the streams, and says who may open one more.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    counts: Mutex<Counts>,
    refused: [AtomicU64; Limit::ALL.len()],
    hasty: Arc<Hasty>,
}

/// How many streams there are now; an entry that would be zero is not there.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    by_view: HashMap<String, usize>,
}

impl Admission {
    /// Nobody is in yet.
    pub fn new(limits: Limits) -> Self {
        Admission {
            limits,
            counts: Mutex::default(),
            refused: Default::default(),
            hasty: Arc::default(),
        }
    }

    /// Notes that a client over a limit is told to wait so long; whether its
    /// answer is to be held, since it never does.
    pub fn tell(&self, address: IpAddr, wait: Duration) -> Option<Held> {
        self.hasty.tell(client(address), wait, Instant::now())
    }

    /// Answers that were held so far.
    pub fn held(&self) -> u64 {
        self.hasty.total()
    }

    /// A place for one more stream of these views, kept until the permit is
    /// dropped; else the first limit that it is over.
    pub fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        views: &[Arc<SharedView>],
    ) -> Result<Permit, Limit> {
        let address = client(address);
        let limits = self.limits;
        let mut counts = self.lock();
        let over = |count: Option<&usize>, limit: Option<usize>| {
            limit.is_some_and(|limit| count.copied().unwrap_or(0) >= limit)
        };
        let is_full =
            |view: &Arc<SharedView>| over(counts.by_view.get(&view.name), limits.per_view);
        let limit = if counts.all >= limits.connections {
            Some(Limit::Connections)
        } else if over(counts.by_address.get(&address), limits.per_address) {
            Some(Limit::Address)
        } else if views.iter().any(is_full) {
            Some(Limit::View)
        } else {
            None
        };
        if let Some(limit) = limit {
            if let Some(refused) = self.refused.get(index(limit)) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            return Err(limit);
        }
        counts.all = counts.all.saturating_add(1);
        let count = counts.by_address.entry(address).or_default();
        *count = count.saturating_add(1);
        for view in views {
            match counts.by_view.get_mut(&view.name) {
                Some(count) => *count = count.saturating_add(1),
                None => drop(counts.by_view.insert(view.name.clone(), 1)),
            }
        }
        Ok(Permit {
            admission: Arc::clone(self),
            address,
            views: views.into(),
        })
    }

    /// Streams that hold a permit now.
    pub fn admitted(&self) -> usize {
        self.lock().all
    }

    /// How many were over this limit so far.
    pub fn refused(&self, limit: Limit) -> u64 {
        let refused = self.refused.get(index(limit));
        refused.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The counts are right between any two statements, so they still are
    /// where a thread panicked that held them.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(limit: Limit) -> usize {
    match limit {
        Limit::Connections => 0,
        Limit::Address => 1,
        Limit::View => 2,
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(u32::from(128 - IPV6_CLIENT_PREFIX))
                .unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// One stream's place; given back on drop.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
    views: Box<[Arc<SharedView>]>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.all = counts.all.saturating_sub(1);
        release(&mut counts.by_address, &self.address);
        for view in &self.views {
            release(&mut counts.by_view, &view.name);
        }
    }
}

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::log::jobs::AtOnce;

    fn view(name: &str) -> Arc<SharedView> {
        Arc::new(SharedView::new(
            name.to_owned(),
            Arc::new(AtOnce),
            crate::process::now(),
        ))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn admit_counts_each_limit_exactly_and_drop_gives_back() {
        let admission = Arc::new(Admission::new(Limits {
            connections: 4,
            per_address: Some(2),
            per_view: Some(3),
        }));
        let (a, b) = ([view("a")], [view("b")]);
        let (one, two) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut held = vec![
            admission.admit(one, &a).unwrap(),
            admission.admit(one, &a).unwrap(),
        ];
        assert_eq!(admission.admit(one, &b).unwrap_err(), Limit::Address);
        held.push(admission.admit(two, &a).unwrap());
        assert_eq!(admission.admit(two, &a).unwrap_err(), Limit::View);
        held.push(admission.admit(two, &b).unwrap());
        let third = address("192.0.2.3");
        assert_eq!(admission.admit(third, &b).unwrap_err(), Limit::Connections);
        assert_eq!(Limit::ALL.map(|limit| admission.refused(limit)), [1, 1, 1]);
        // One place is given back, and exactly one more may come.
        held.remove(0);
        held.push(admission.admit(third, &a).unwrap());
        assert_eq!(admission.admit(third, &a).unwrap_err(), Limit::Connections);
        held.clear();
        let counts = admission.lock();
        assert!(counts.all == 0 && counts.by_address.is_empty() && counts.by_view.is_empty());
    }

    #[test]
    fn admit_of_several_views_takes_a_place_at_each_and_one_in_all() {
        let admission = Arc::new(Admission::new(Limits {
            connections: 9,
            per_address: Some(9),
            per_view: Some(1),
        }));
        let both = [view("a"), view("b")];
        let one = address("192.0.2.1");
        let held = admission.admit(one, &both);
        assert_eq!(admission.admitted(), 1);
        for view in both.chunks(1) {
            let refused = admission.admit(one, view);
            assert_eq!(refused.unwrap_err(), Limit::View);
        }
        drop(held);
        let held = admission.admit(one, &both[1..]).unwrap();
        assert_eq!(
            admission
                .admit(one, &[Arc::clone(&both[0]), view("b")])
                .unwrap_err(),
            Limit::View
        );
        drop(held);
        let counts = admission.lock();
        assert!(counts.all == 0 && counts.by_address.is_empty() && counts.by_view.is_empty());
    }

    #[test]
    fn admit_counts_an_ipv6_network_as_one_client() {
        let same = [
            "2001:db8:0:1::1",
            "2001:db8:0:1:ffff::2",
            "2001:db8:0:1:ffff:ffff:ffff:ffff",
        ];
        for text in same {
            assert_eq!(client(address(text)), address("2001:db8:0:1::"), "{text}");
        }
        assert_ne!(
            client(address("2001:db8:0:2::1")),
            address("2001:db8:0:1::")
        );
        assert_eq!(client(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(client(address("192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn admit_is_exact_under_contention() {
        let admission = Arc::new(Admission::new(Limits {
            connections: 50,
            per_address: None,
            per_view: None,
        }));
        let shared = [view("a")];
        let most = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..200 {
                        let held: Vec<_> = (0..round % 40)
                            .filter_map(|_| admission.admit(address("::1"), &shared).ok())
                            .collect();
                        let now = u64::try_from(admission.admitted()).unwrap();
                        most.fetch_max(now, Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert!(most.load(Ordering::Relaxed) <= 50);
        assert_eq!(admission.admitted(), 0);
    }
}
